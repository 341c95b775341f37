"""Advice that instructions may hold: what the rehearsal model proposes to optimizers and heeds as a judge."""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random
from typing import NamedTuple

from character.text import detect_language


class Care(NamedTuple):
    """How carefully the judge works: factors on its noise and its position bias, and the weight of overdoing."""

    noise: float = 1.0
    position: float = 1.0
    overdoing: float = 0.12


_EVIDENCE = re.compile(r"\bquote\b|\bpoint to the words|引用原话|指出具体的词句", re.I)
_ORDER = re.compile(r"\bignore the order\b|\bwhatever their order\b|忽略.{0,8}顺序|不受.{0,8}顺序", re.I)
_REPEATING = re.compile(r"\bkeeps repeating\b|\bmannerism lowers\b|反复出现|口头禅", re.I)

_LINES = {
    "en": (
        "Quote the words that show the trait before you give a number.",
        "Ignore the order in which the responses happen to stand.",
        "A response that keeps repeating the same sign of the trait gets a low score.",
        "Read everything once before you begin.",
        "Compare the two best responses once more at the end.",
        "Imagine how a person with this trait would really answer.",
        "A mannerism lowers the score, however charming it is.",
        "Point to the words that miss the trait as well.",
    ),
    "zh": (
        "打分之前，先引用原话，说明特质体现在哪里。",
        "忽略各条回复排列的顺序。",
        "同一种表现反复出现的回复，分数应当低。",
        "开始之前先通读一遍。",
        "最后把最好的两条再比较一次。",
        "设想真有这种特质的人会怎么回答。",
        "口头禅再可爱也要扣分。",
        "也要指出具体的词句哪里没有体现特质。",
    ),
}


@lru_cache(maxsize=512)
def care_of(instruction: str) -> Care:
    """Return how carefully a judge works under an instruction; advice that it knows makes it better."""
    return Care(
        noise=0.7 if _EVIDENCE.search(instruction) else 1.0,
        position=0.4 if _ORDER.search(instruction) else 1.0,
        overdoing=0.5 if _REPEATING.search(instruction) else 0.12,
    )


def advice(language: str, rng: Random) -> str:
    """Return one line of advice to a judge."""
    return rng.choice(_LINES[language])


def reword(instruction: str, rng: Random) -> str:
    """Return the instruction with one or two lines of advice that it does not have yet, or as it is when it has all."""
    base = instruction.strip()
    fresh = [line for line in _LINES[detect_language(base)] if line not in base]
    added = rng.sample(fresh, min(len(fresh), rng.randint(1, 2)))
    return "\n".join([base, *(f"- {line}" for line in added)])
