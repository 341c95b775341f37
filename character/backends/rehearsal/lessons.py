"""What labelled examples in a prompt teach the judge: labels of similar responses, weighed by similarity."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from character.backends.rehearsal.words import size
from character.text import shingles

_BANDWIDTH = 0.28
_SCALE = (1.0, 1.0, 1.6, 1.0, 1.0, 0.9)  # excess tells the levels apart that strength does not
_LOUD = re.compile(r"[!！]|哈哈|\b(?:haha|lol|ha)\b|[\U0001F300-\U0001FAFF]", re.I)
_WARM = re.compile(
    r"\b(?:so|very|really|wonderful|never|always|gently|slowly|happily)\b|非常|真|好|一点都|慢慢|温柔", re.I
)
_ALIKE = 0.3
_OTHER_TRAIT = 0.25
_SHRINKAGE = 1.0
_VERDICTS = {"first": (0.8, 0.3), "second": (0.3, 0.8), "tie": (0.5, 0.5)}


class Lesson(NamedTuple):
    """A labelled response: its features, how far its label lies above the judge's own score, and its text.

    ``same_trait`` says whether it was labelled for the trait that is judged now, ``example`` which example it is of.
    """

    features: tuple[float, ...]
    correction: float
    text: str
    same_trait: bool
    example: int


def lessons_from(demo: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the responses of an example with their labels; nothing where labels are missing or do not match."""
    responses, scores = demo.get("responses"), demo.get("scores")
    if scores is None and demo.get("score") is not None:
        scores = [demo["score"]]
    if scores is None:
        scores = _VERDICTS.get(str(demo.get("verdict")))
    if (
        not isinstance(responses, list)
        or not isinstance(scores, (list, tuple))
        or len(scores) != len(responses)
    ):
        return
    if demo.get("suitable") is False or not all(isinstance(score, (int, float)) for score in scores):
        return
    # Whole numbers are on the rubric's scale from 0 to 10.
    scale = 10 if all(isinstance(score, int) for score in scores) else 1
    yield from zip((str(text) for text in responses), (float(score) / scale for score in scores), strict=True)


@lru_cache(maxsize=8192)
def surface(text: str) -> tuple[float, float]:
    """Return how gushing a text is, 0 … 1, and how long, 0 for up to twenty words, 1 for 90.

    The judge has no opinion of its own on either; labelled examples teach it one. Unlike the cues of a trait they
    are found in any text, so that labels of texts that people wrote teach something, too.
    """
    length = max(size(text), 20.0)
    marks = len(_LOUD.findall(text)) + 0.5 * len(_WARM.findall(text))
    return min(1.0, 15 * marks / length), math.log(length / 20.0) / 1.5


def taught(features: tuple[float, ...], text: str, lessons: list[Lesson]) -> float:
    """Return the correction in -1 … 1 that the lessons suggest for the score of a response.

    It is the Nadaraya-Watson mean of their corrections, shrunk where little is known: a lesson weighs by how
    near its features are, more where its text is alike, and the mean counts by the sum of the weights.
    """
    weights = [_weight(features, text, lesson) for lesson in lessons]
    total = sum(weights)
    weighted = sum(weight * lesson.correction for weight, lesson in zip(weights, lessons, strict=True))
    return weighted / (total + _SHRINKAGE)


def _weight(features: tuple[float, ...], text: str, lesson: Lesson) -> float:
    distance = math.hypot(*((a - b) * s for a, b, s in zip(features, lesson.features, _SCALE, strict=True)))
    near = math.exp(-((distance / _BANDWIDTH) ** 2))
    alike = _similarity(text, lesson.text)
    return (1.0 if lesson.same_trait else _OTHER_TRAIT) * (near + (4.0 * alike if alike > _ALIKE else 0.0))


def _similarity(left: str, right: str) -> float:
    return _overlap(_grams(left), _grams(right))


@lru_cache(maxsize=65536)  # tuning asks about the same candidates with the same examples again and again
def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    both = len(a & b)
    return both / max(1, len(a) + len(b) - both)


@lru_cache(maxsize=4096)
def _grams(text: str) -> frozenset[str]:
    return shingles(text)
