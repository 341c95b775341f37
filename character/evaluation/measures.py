"""What is counted in a response without a judge: length, form, refusals, repetition, another language."""

from __future__ import annotations

import math
from collections import Counter

from character.pairs.feature_words import TraitWords
from character.pairs.features import features_of
from character.records import Message
from character.responses.filters import is_wrong_language
from character.text import fold, is_refusal

COUNTED = ("list_items", "headers", "bold", "emoji", "exclamations", "questions", "hedges", "apologies")
MEASURES = ("characters", *COUNTED, "trait_words", "refusal", "repetition", "other_language")
"""All measures; ``characters`` is compared by its logarithm, others as they are; the last three: 0..1."""
_N = 12  # characters; shorter runs come again in any text


def measures_of(text: str, message: Message, words: TraitWords) -> dict[str, float]:
    """Return every measure of a response; ``words`` are those of the trait its message is about, if any."""
    features = features_of(text, words)
    return {
        **{name: features[name] for name in ("characters", *COUNTED, "trait_words")},
        "refusal": float(is_refusal(text)),
        "repetition": repetition(text),
        "other_language": float(is_wrong_language(text, message)),
    }


def comparable(measure: str, value: float) -> float:
    """Return a measure on the scale that it is compared on: the length by its logarithm."""
    return math.log(max(value, 1.0)) if measure == "characters" else value


def repetition(text: str) -> float:
    """Return the share of a text's runs of 12 letters that it holds more than once, in 0..1."""
    folded = fold(text)
    runs = Counter(folded[i : i + _N] for i in range(len(folded) - _N + 1))
    total = runs.total()
    return sum(count for count in runs.values() if count > 1) / total if total else 0.0
