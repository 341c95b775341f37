"""Texts as n-grams: words (1–2) and characters (2–5), each known by a 64-bit hash: no vocabulary is kept.

A Han character is a word of its own, so Chinese needs no segmentation. Everything here is numpy: scoring a
text needs no further package, and a text's numbers do not depend on what stands beside it in a batch.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from character.statistics.arrays import Ints

Hashes = NDArray[np.uint64]
Weights = NDArray[np.floating[Any]]

CHARACTER_LENGTHS = (2, 3, 4, 5)
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_HAN}]|[^\W{_HAN}]+")
_LIST_HEAD = re.compile(
    r"^\s*(?:[-*+•·]|\d{1,3}[.)、．]|[（(]\d{1,2}[)）]|[一二三四五六七八九十]{1,3}、)\s*", re.MULTILINE
)
_MARKS = re.compile(
    r"[*_#`~]+|[\u203c\u2049\u231a\u231b\u23e9-\u23fa\u25fe\u2600-\u27bf\u2b05-\u2b55\ufe0f\u200d"
    r"\U0001f1e6-\U0001f1ff\U0001f000-\U0001faff]"
)
_FRAMES = re.compile(r"[|>]+")
_FACTOR = np.uint64(0x100000001B3)


class Grams(NamedTuple):
    """N-grams as they occur: the hash of each, the text it is in, and where in it it starts and ends."""

    hashes: Hashes
    text: Ints
    start: Ints
    end: Ints


def prepared(text: str, *, plain: bool) -> str:
    """Return a text as n-grams see it: width and case folded, every run of blanks one space.

    ``plain`` also takes out what is format and no wording: Markdown marks, heads of list items, emoji.
    """
    if plain:
        text = _FRAMES.sub(" ", _MARKS.sub("", _LIST_HEAD.sub("", text)))
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def word_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the words of a text start and end; each Han character is one."""
    return (match.span() for match in _WORD.finditer(text))


def word_grams(texts: Sequence[str]) -> Grams:
    """Return the single words and the neighbouring pairs of words of texts."""
    spans = [list(word_spans(text)) for text in texts]
    row = np.repeat(np.arange(len(texts)), np.array([len(own) for own in spans], dtype=np.int64))
    start, end = np.array([span for own in spans for span in own], dtype=np.int64).reshape(-1, 2).T
    words = [_word_hash(text[a:b]) for text, own in zip(texts, spans, strict=True) for a, b in own]
    single = np.array(words, dtype=np.uint64)
    beside = np.flatnonzero(row[:-1] == row[1:])
    double = _mixed(single[beside] * _FACTOR + single[beside + 1])
    return Grams(
        np.concatenate([single, double]),
        np.concatenate([row, row[beside]]),
        np.concatenate([start, start[beside]]),
        np.concatenate([end, end[beside + 1]]),
    )


def character_grams(texts: Sequence[str]) -> Grams:
    """Return the runs of 2 to 5 characters of texts, blanks included."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    points = _mixed(np.frombuffer(joined, dtype=np.uint32).astype(np.uint64))
    row = np.repeat(np.arange(len(texts)), lengths)
    place = np.arange(len(points)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    left = np.repeat(lengths, lengths) - place  # characters from here to the end of the text
    by_length: list[Grams] = []
    rolling = points
    for length in range(2, CHARACTER_LENGTHS[-1] + 1):
        rolling = rolling[:-1] * _FACTOR + points[length - 1 :]
        whole = np.flatnonzero(left[: len(rolling)] >= length)
        hashes = _mixed(rolling[whole] + np.uint64(length))
        by_length.append(Grams(hashes, row[whole], place[whole], place[whole] + length))
    return Grams(*(np.concatenate(parts) for parts in zip(*by_length, strict=True)))


@lru_cache(maxsize=200_000)
def _word_hash(word: str) -> int:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _mixed(values: Hashes) -> Hashes:
    """Return the values with their bits spread (splitmix64; Steele, Lea & Flood 2014)."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
