"""Advice that instructions may hold: what the rehearsal model proposes to optimizers and heeds as a judge."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import NamedTuple

from character.backends.rehearsal.phrases import read
from character.backends.rehearsal.words import either_language
from character.text import detect_language


class Care(NamedTuple):
    """How carefully the judge works: factors on noise and position bias, and the weight of overdoing."""

    noise: float = 1.0
    position: float = 1.0
    overdoing: float = 0.12


_HEEDED = either_language("care")
_LINES: dict[str, tuple[str, ...]] = {
    language: words["advice"] for language, words in read("judging").items()
}


@lru_cache(maxsize=512)
def care_of(instruction: str) -> Care:
    """Return how carefully a judge works under an instruction; advice that it knows makes it better."""
    return Care(
        noise=0.7 if _HEEDED["evidence"].search(instruction) else 1.0,
        position=0.4 if _HEEDED["order"].search(instruction) else 1.0,
        overdoing=0.5 if _HEEDED["repeating"].search(instruction) else 0.12,
    )


def advice(language: str, rng: Random) -> str:
    """Return one line of advice to a judge."""
    return rng.choice(_LINES[language])


def reword(instruction: str, rng: Random) -> str:
    """Return the instruction with one or two more lines of advice, or as it is when it has all of them."""
    base = instruction.strip() or "Do the task with care."
    fresh = [line for line in _LINES[detect_language(base)] if line not in base]
    added = rng.sample(fresh, min(len(fresh), rng.randint(1, 2)))
    return "\n".join([base, *(f"- {line}" for line in added)])
