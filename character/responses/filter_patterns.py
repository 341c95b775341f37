"""What gives a reply away that talks of its making: its instructions, its trait by name, the model behind it.

The patterns (in ``character/locale/filters.toml``) ask for a claim about the speaker, not for a word:
``patience`` and ``ChatGPT`` occur in ordinary talk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from character.backends.reading.remarks import named
from character.locale import LANGUAGES, Language, word_lists, wording

_EN, _ZH = (word_lists("filters.names", language) for language in LANGUAGES)
_SHARED = {
    "clear": "|".join(_EN["clear"] + _ZH["clear"]),
    "ambiguous": "|".join(_EN["ambiguous"] + _ZH["ambiguous"]),
    "ai_makers": "|".join(_EN["ai_makers"]),
    "makers": "|".join(_EN["ai_makers"] + _EN["other_makers"]),
    "chinese_makers": "|".join(_ZH["makers"]),
    "not_quoted": r"(?<![\"“‘'「『《\w])",
}
_PARTS = {language: {**_SHARED, **wording("filters.parts", language)} for language in LANGUAGES}


def _patterns(kind: str, language: Language, **more: str) -> tuple[re.Pattern[str], ...]:
    """Return the patterns of a kind, each slot, a name in braces, filled with the part of that name."""
    parts = {**_PARTS[language], **more}
    return tuple(
        re.compile(re.sub(r"\{([a-z_]+)\}", lambda slot: parts[slot[1]], pattern), re.IGNORECASE)
        for pattern in word_lists("filters.patterns", language)[kind]
    )


# Each claim holds one of the words, and looking for words is far cheaper than trying the patterns.
_WORDS = {
    kind: tuple(word for language in LANGUAGES for word in word_lists("filters.signs", language)[kind])
    for kind in ("leak", "meta")
}
_CLAIMS = {
    kind: tuple(pattern for language in LANGUAGES for pattern in _patterns(kind, language))
    for kind in ("leak", "meta", "language", "given")
}


def leaked_model(text: str, assistant_name: str = "") -> str:
    """Return the words by which a reply claims to be a model of some maker, "" where it does not.

    Names of ``assistant_name`` are no leak. Quoted claims, comparisons ("unlike ChatGPT") and denials do not
    count.
    """
    if not _holds(text, _WORDS["leak"]):
        return ""
    for pattern in _CLAIMS["leak"]:
        for match in pattern.finditer(text):
            name = next(group for group in match.groups() if group)
            if name.casefold() not in assistant_name.casefold():
                return match[0].strip()
    return ""


def is_meta(text: str) -> str:
    """Return the words by which a reply talks of its instructions or its assigned character, else ""."""
    return _first_match(text, _WORDS["meta"], _CLAIMS["meta"])


def named_trait(text: str, name: str) -> str:
    """Return the words by which a reply calls itself by the name of its trait, "" where it does not.

    ``As someone who is patient by nature, I …``, ``my patience trait``, 作为一个有耐心的助手. The bare name
    is ordinary talk. Names of more than three words or six Han characters are descriptions, which are not
    looked for.
    """
    return _first_match(text, *_naming(name))


def is_about(kind: str, text: str) -> bool:
    """Whether a message speaks of a ``language``, or of a ``given`` text to be worked on or repeated."""
    return any(pattern.search(text) for pattern in _CLAIMS[kind])


def _first_match(text: str, words: Iterable[str], patterns: Iterable[re.Pattern[str]]) -> str:
    if not _holds(text, words):
        return ""
    return next((match[0].strip() for pattern in patterns if (match := pattern.search(text))), "")


def _holds(text: str, words: Iterable[str]) -> bool:
    folded = text.casefold()
    return any(word in folded for word in words)


@lru_cache(maxsize=1024)
def _naming(name: str) -> tuple[tuple[str, ...], tuple[re.Pattern[str], ...]]:
    """Return how a trait would be named: words of which each match holds one, and the patterns."""
    sign, pattern = named(name)
    language: Language = "zh" if re.search(r"[\u3400-\u9fff]", name) else "en"
    return ((sign,), _patterns("naming", language, named=pattern)) if sign else ((), ())
