"""Short, readable, unique names for traits that come as a bare sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import count

from character.files import toml_beside
from character.text import detect_language

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_CLAUSE_END = re.compile(r"[，。；：、！？（）“”「」,.;:!?…—\s]+")
_CHINESE_LEAD = re.compile(r"我(?:会|是|想|愿意|喜欢|希望|总是|常常|经常|通常|往往)?")
_STOP_WORDS = frozenset(toml_beside(__file__, "lint")["stop_words"].split())
_ENGLISH_LENGTHS = (3, 4, 5, 6, 8)
_CHINESE_LENGTHS = (12, 16, 20)
_LONGEST = 48


def derive_names(statements: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Return one name per statement, unlike each other and unlike those in ``taken``.

    An English name is the statement's first telling words, a Chinese one the start of its first clause;
    names that would collide grow longer and, where that does not help, get a number.
    """
    used = set(taken)
    numbers: dict[str, count[int]] = {}
    names = []
    for position, statement in enumerate(statements, start=1):
        options = _options(statement) or [f"trait {position}"]
        name = next((option for option in options if option not in used), None)
        if name is None:
            stem = options[0]
            numbering = numbers.setdefault(stem, count(2))
            name = next(numbered for n in numbering if (numbered := f"{stem} {n}") not in used)
        used.add(name)
        names.append(name)
    return names


def _options(statement: str) -> list[str]:
    statement = statement.replace("’", "'")
    if detect_language(statement) == "zh":
        clauses = [clause for clause in _CLAUSE_END.split(statement) if clause]
        first = _CHINESE_LEAD.sub("", clauses[0], count=1) or clauses[0]
        candidates = [first[:length] for length in _CHINESE_LENGTHS]
    else:
        spoken = [word.lower() for word in _WORD.findall(statement)]
        telling = [word for word in spoken if word not in _STOP_WORDS] or spoken
        candidates = [" ".join(telling[:length])[:_LONGEST].strip() for length in _ENGLISH_LENGTHS]
    return [name for name in dict.fromkeys(candidates) if name]
