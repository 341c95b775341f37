"""Plain-text questions that many rooms ask: which language, are two texts nearly the same, what hash."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

_DATA = tomllib.loads(files(__package__).joinpath("data", "text.toml").read_text("utf-8"))
_HAN_RANGES = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_HAN = re.compile(rf"[{_HAN_RANGES}]")
_WORD = re.compile(rf"[{_HAN_RANGES}]|[^\W_{_HAN_RANGES}]+")
_LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+")
NEAR_DUPLICATE_JACCARD = 0.7
"""Character 3-gram Jaccard at and above which two folded texts count as near duplicates."""
QUOTED_WORDS, QUOTED_HAN = 8, 14
"""From so many words, or Chinese characters, in a row a text has more of another one than a quotation."""


def fingerprint(value: Any, *, size: int = 8) -> str:
    """Return the hex BLAKE2b digest (``size`` bytes) of a JSON-native value, independent of key order."""
    return digest(canonical(value), size=size)


canonical = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
).encode
"""Return the JSON of a value that is the same whatever the order of its keys."""


def digest(text: str, *, size: int = 8) -> str:
    """Return the hex BLAKE2b digest (``size`` bytes) of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


def storable(value: Any) -> Any:
    """Return a value without NUL, and with U+FFFD for half characters: nothing can send or store these."""
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:  # two halves may be one character
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value.replace("\0", "")


def path_of(thing: object) -> str:
    """Return the dotted path of a class or a function, of anything else that of its class."""
    named: Any = thing if hasattr(thing, "__qualname__") else type(thing)
    module = named.__module__
    if module == "__main__":  # the script that runs; elsewhere it is imported by its own name
        module = Path(getattr(sys.modules["__main__"], "__file__", None) or module).stem
    return f"{module}.{named.__qualname__}"


def stable_seed(*parts: object) -> int:
    """Return a seed in 0 … 2**31 - 1 that depends on the parts alone, the same in every process."""
    return int(fingerprint([str(part) for part in parts], size=4), 16) & 0x7FFFFFFF


def detect_language(text: str, likely: str = "") -> str:
    """Return ``"zh"`` where Han characters outweigh words in Latin letters, else ``likely`` or ``"en"``.

    One Han character weighs like one Latin word, so a Chinese sentence that quotes an English name is
    Chinese. Where ``likely`` says that Chinese is expected, any Han character makes it so: technical
    questions are full of Latin words.
    """
    han = len(_HAN.findall(text))
    if likely.casefold().startswith("zh"):
        return likely if han else "en"
    return "zh" if han > len(_LATIN_WORD.findall(text)) else likely or "en"


_NAMED = re.compile(r"^([^:：.。!！?？,，;；\n]{1,40}?)\s*[:：]\s*(\S.*)$", re.DOTALL)


def split_named(text: str) -> tuple[str, str]:
    """Return (name, description) of ``patience: takes the time it needs``; ("", text) without a short name.

    A name is at most three Latin words or ten Han characters, and no start of a sentence in the first person.
    """
    match = _NAMED.match(text.strip())
    if match is None:
        return "", text
    name, rest = match.groups()
    first_person = name.split()[0] in ("I", "I'm", "My") or name.startswith("我")
    if first_person or len(name.split()) > 3 or len(_HAN.findall(name)) > 10:
        return "", text
    return name.strip(), rest.strip()


_NOT_LETTER_OR_NUMBER = re.compile(r"[\W_]+")  # all but the Unicode categories L and N


def fold(text: str) -> str:
    """Return the text without what does not make it another text: width, case, punctuation and spacing."""
    return _NOT_LETTER_OR_NUMBER.sub("", unicodedata.normalize("NFKC", text).casefold())


def shingles(text: str, n: int = 3) -> frozenset[str]:
    """Return the set of character n-grams of the folded text; a shorter text is its own single n-gram."""
    return ngrams(fold(text), n)


def ngrams(folded: str, n: int = 3) -> frozenset[str]:
    """Return the set of character n-grams of a folded text, as ``shingles`` does."""
    found = frozenset(map("".join, zip(*(folded[start:] for start in range(n)), strict=False)))
    return found or frozenset((folded,))


def jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    """Return |left ∩ right| / |left ∪ right|, 1.0 for two empty sets."""
    union = len(left | right)
    return len(left & right) / union if union else 1.0


def copied_from(text: str, sources: Iterable[str]) -> str:
    """Return the first stretch longer than a quotation that a text has in common with a source, else ""."""
    for source in sources:
        size = QUOTED_HAN if _HAN.search(source) else QUOTED_WORDS
        if (of_source := word_runs(source, size)) and (shared := of_source & word_runs(text, size)):
            words = _words(text)
            stretches = (words[i : i + size] for i in range(len(words)))
            first = next(each for each in stretches if each in shared)
            return ("" if size == QUOTED_HAN else " ").join(first)
    return ""


@lru_cache(maxsize=512)
def running_text(text: str) -> str:
    """Return a text's words, numbers and Han characters alone, case-folded, each between single spaces."""
    return f" {' '.join(_words(text))} "


def is_beyond_quotation(running: str) -> bool:
    """Whether a running text is longer than what is quoted."""
    return running.count(" ") > (QUOTED_HAN if _HAN.search(running) else QUOTED_WORDS)


def is_made_of(text: str, source: str, share: float = 0.7) -> bool:
    """Whether a share of a text's runs of three words (or Han characters) stand in a source as well."""
    runs = word_runs(text, 3)
    return bool(runs) and len(runs & word_runs(source, 3)) >= share * len(runs)


@lru_cache(maxsize=512)  # the candidates of a message meet the same trait, the same message and each other
def word_runs(text: str, size: int) -> frozenset[tuple[str, ...]]:
    """Return each run of so many words, a Han character being one, case-folded."""
    words = _words(text)
    return frozenset(zip(*(words[start:] for start in range(size)), strict=False))


@lru_cache(maxsize=512)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))


def language_name(tag: str) -> str:
    """Return how prompts call a language given by its BCP 47 tag; an unlisted tag stands for itself."""
    lowered, names = tag.casefold(), _DATA["names"]
    return str(names.get(lowered) or names.get(lowered.split("-")[0]) or tag)


_REFUSAL = re.compile("".join(_DATA["refusal"]), re.IGNORECASE)


def is_refusal(text: str) -> bool:
    """Whether a reply opens by declining to answer, in English or Chinese.

    Looks at the opening alone, and only in replies under 400 characters: a longer one answers something
    after its apology. A reply that says what the model cannot *be* or *remember* is no refusal.
    """
    return len(text) < 400 and _REFUSAL.match(text.strip()) is not None


def count_tokens(text: str) -> int:
    """Return roughly how many tokens a text is, at four Latin letters or one and a half Han characters each.

    An estimate for planning. What was really taken is the server's count.
    """
    han = len(_HAN.findall(text))
    return round((len(text) - han) / 4 + han / 1.5)
