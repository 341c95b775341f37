"""Briefs: what a generated message is about, who sends it, in what register and at what length."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

from character.locale import report_language, word_lists


def briefs(language: str, seed: int) -> Iterator[dict[str, str]]:
    """Yield briefs without end, in Chinese for ``zh`` and in English for every other language.

    Each axis runs through its values in a shuffled order and is shuffled anew when it is through, so every
    value is used equally often whatever the number of briefs, and the axes vary independently.
    """
    axes = word_lists("briefs", report_language(language))
    streams = {axis: _rounds(values, random.Random(f"{seed}/{axis}")) for axis, values in axes.items()}
    while True:
        yield {axis: next(stream) for axis, stream in streams.items()}


def take(source: Iterator[dict[str, str]], count: int) -> list[dict[str, str]]:
    """Return the next ``count`` briefs."""
    return list(islice(source, count))


def _rounds(values: tuple[str, ...], rng: random.Random) -> Iterator[str]:
    while True:
        yield from rng.sample(values, len(values))
