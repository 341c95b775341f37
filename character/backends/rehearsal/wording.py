"""What the wording of labelled examples teaches the judge: words that better responses share and worse ones lack."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from character.backends.rehearsal.lessons import Lesson, taught

_WORD = re.compile(r"[a-z\u00c0-\u024f]+(?:['’][a-z]+)?")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]{2,}")
_RIDGE = 0.5
_LEAST_LESSONS = 4

Wording = dict[str, float]
"""Points per word, for a text whose words have unit length together."""


def credit(text: str, wording: Wording) -> float:
    """Return the points that the words of a text are worth: their weights over the square root of their number."""
    if not wording:
        return 0.0
    words = words_of(text)
    return sum(wording.get(word, 0.0) for word in words) / math.sqrt(max(1, len(words)))


@lru_cache(maxsize=64)
def taught_words(lessons: tuple[Lesson, ...]) -> Wording:
    """Return what the lessons teach about words, beyond what they teach about features; {} for very few.

    It is ridge regression, in its dual form, of what a label lies above the judge's score and above what the *other*
    lessons suggest, on the words that occur in more than one example. Both sides are taken within an example, so
    that the subject of a conversation earns nothing.
    """
    own = [lesson for lesson in lessons if lesson.same_trait]
    if len(own) < _LEAST_LESSONS:
        return {}
    bags = [words_of(lesson.text) for lesson in own]
    seen = Counter(word for bag in bags for word in bag)
    examples = _examples(own)
    known = {word: place for place, word in enumerate(_shared(bags, examples))}
    if not known:
        return {}
    rarity = np.array([math.log((1 + len(own)) / seen[word]) for word in known])
    there = np.zeros((len(own), len(known)))
    for row, bag in enumerate(bags):
        there[row, [known[word] for word in bag if word in known]] = 1.0 / math.sqrt(max(1, len(bag)))
    design = _within(there * rarity, examples)
    surprises = [lesson.correction - _by_the_others(place, own) for place, lesson in enumerate(own)]
    target = _within(np.array(surprises)[:, None], examples)[:, 0]
    dual = np.linalg.solve(design @ design.T + _RIDGE * np.eye(len(own)), target)
    weights = (design.T @ dual) * rarity
    return dict(zip(known, weights.tolist(), strict=True))


@lru_cache(maxsize=8192)
def words_of(text: str) -> frozenset[str]:
    """Return the words of a text, and of its Chinese every two characters that follow each other."""
    return frozenset(_words(text.casefold()))


def _words(folded: str) -> Iterator[str]:
    yield from _WORD.findall(folded)
    for run in _HAN_RUN.findall(folded):
        yield from (run[i : i + 2] for i in range(len(run) - 1))


def _examples(lessons: Sequence[Lesson]) -> NDArray[np.int_]:
    """Return which example each lesson is of; all are of one where no example has two."""
    examples = np.array([lesson.example for lesson in lessons])
    return examples if len(set(examples.tolist())) < len(lessons) else np.zeros_like(examples)


def _shared(bags: Sequence[frozenset[str]], examples: NDArray[np.int_]) -> list[str]:
    """Return the words of more than one example; of more than one text where all are of one."""
    number = len(set(examples.tolist()))
    places = examples.tolist() if number > 1 else range(len(bags))
    found: dict[str, set[int]] = {}
    for place, bag in zip(places, bags, strict=True):
        for word in bag:
            found.setdefault(word, set()).add(place)
    return sorted(word for word, where in found.items() if len(where) > 1)


def _within(values: NDArray[np.float64], examples: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return the values less the mean of their example."""
    found = values.copy()
    for example in np.unique(examples):
        found[examples == example] -= values[examples == example].mean(axis=0)
    return found


def _by_the_others(place: int, lessons: Sequence[Lesson]) -> float:
    lesson = lessons[place]
    others = [each for each in lessons if each.example != lesson.example]
    return taught(lesson.features, lesson.text, others)
