"""Small text tools: content words, the gist of a message, sentences, rough token counts."""

from __future__ import annotations

import re
from functools import lru_cache

from character.backends.rehearsal.phrases import read
from character.locale import LANGUAGES

_WORDS = read("words")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:['’-][A-Za-z]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？…])|\n+")
_SENTENCE_START = re.compile(r"(?:^|(?<=[.?!] ))[a-z]")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_WORD_OR_BREAK = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:['’-][A-Za-z]+)*|[.,;:!?()\"\n]")

_STOP_EN = frozenset(_WORDS["en"]["function_words"].split())
_STOP_ZH = re.compile("|".join(_WORDS["zh"]["function_words"].split()))
_NEGATION_EN = frozenset(_WORDS["en"]["negations"])
_NEGATION_ZH = re.compile(_WORDS["zh"]["negated"])
_MARKED_EN = re.compile(_WORDS["en"]["marked"], re.I)
_MARKED_ZH = re.compile(_WORDS["zh"]["marked"])
_PERSON = re.compile(f"{_WORDS['en']['person']}|{_WORDS['zh']['person']}")
_CLEAR = 1.9


def either_language(table: str) -> dict[str, re.Pattern[str]]:
    """Return a table of words by key, each as a pattern that finds those of either language."""
    english, chinese = (_WORDS[language][table] for language in LANGUAGES)
    return {key: re.compile(f"{english[key]}|{chinese[key]}", re.I) for key in english}


def capitalized(text: str) -> str:
    """Return a text whose sentences begin with capitals."""
    return _SENTENCE_START.sub(lambda match: match[0].upper(), text)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text in either language, without empty ones."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def runs(text: str) -> list[list[str]]:
    """Return the runs of English content words that no function word or stop breaks up, as lists of words."""
    stretches: list[list[str]] = [[]]
    for token in _WORD_OR_BREAK.findall(text):
        if token.casefold() in _STOP_EN or not token[0].isalpha():
            stretches.append([])
        else:
            stretches[-1].append(token)
    return [run for run in stretches if run]


def chunks(text: str) -> list[str]:
    """Return the stretches of two or more Chinese characters between function words."""
    parts = (part for run in _HAN_RUN.findall(text) for part in _STOP_ZH.split(run))
    return [part for part in parts if len(part) >= 2]


@lru_cache(maxsize=4096)
def gist(text: str, language: str) -> str:
    """Return a few words of a message that a reply can take up, "" where it has none in the language.

    At most four English words or eight Chinese characters. Phrases that a question asks about, that come
    back or that follow a word like "about" win; people lose, and so does what is only mentioned.
    """
    scores: dict[str, float] = {}
    for sentence in sentences(text):
        asked = 1.0 if sentence.rstrip().endswith(("?", "？")) else 0.0
        for phrase, marked in _phrases(sentence, language):
            weight = 1.0 + asked + 1.5 * marked - 2.0 * bool(_PERSON.search(phrase)) + 0.02 * len(phrase)
            scores[phrase] = scores.get(phrase, 0.0) + weight
    best = max(scores, key=lambda phrase: scores[phrase], default="")
    return best if best and scores[best] >= _CLEAR else ""


def _phrases(sentence: str, language: str) -> list[tuple[str, bool]]:
    """Return the content phrases of a sentence, each with whether a marker of the subject comes before it."""
    if language == "zh":
        return [(chunk[:8], bool(_MARKED_ZH.search(sentence.split(chunk)[0]))) for chunk in chunks(sentence)]
    stretches = [run[:4] for run in runs(sentence)]
    return [
        (" ".join(run).lower(), bool(_MARKED_EN.search(sentence.split(run[0])[0])))
        for run in stretches
        if len(run[0]) > 1
    ]


def content_words(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the content words of a description, and those that it denies ("not rushing", "不急躁").

    English words are cut to stems of at most six letters; Chinese stretches longer than four characters are
    given as their two-character parts.
    """
    denied = [*_NEGATION_ZH.findall(text)]
    plain = _NEGATION_ZH.sub("，", text)
    affirmed = [part for chunk in chunks(plain) for part in _short(chunk)]
    negative = False
    for token in _WORD_OR_BREAK.findall(plain):
        word = token.casefold()
        if word in _NEGATION_EN or not token[0].isalpha():
            negative = word in _NEGATION_EN
        elif word not in _STOP_EN and len(word) > 2:
            (denied if negative else affirmed).append(word[:6])
            negative = False
    return tuple(dict.fromkeys(affirmed)), tuple(dict.fromkeys(denied))


def _short(chunk: str) -> list[str]:
    return [chunk] if len(chunk) <= 4 else [chunk[i : i + 2] for i in range(0, len(chunk) - 1, 2)]


@lru_cache(maxsize=2048)
def size(text: str) -> float:
    """Return the length of a text in words, a Chinese character counting as two thirds of a word."""
    return len(_LATIN.findall(text)) + len(_HAN.findall(text)) / 1.5


@lru_cache(maxsize=2048)
def count_tokens(text: str) -> int:
    """Return a rough token count: 1.3 per Latin word, one per Chinese character."""
    return round(len(_LATIN.findall(text)) * 1.3) + len(_HAN.findall(text))


def cut_to_tokens(text: str, limit: int) -> str:
    """Return the longest beginning of a text that is estimated at no more than ``limit`` tokens."""
    used = 0.0
    for match in re.finditer(rf"{_LATIN.pattern}|{_HAN.pattern}", text):
        used += 1.0 if _HAN.match(match[0]) else 1.3
        if used > limit:
            return text[: match.start()]
    return text
