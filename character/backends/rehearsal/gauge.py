"""How strongly a trait shows in a response, as the rehearsal judge reads it by its words: a degree, with a judge's noise."""

from __future__ import annotations

from typing import Any

from character.backends.rehearsal.judge import Bench, Features, features_of, reasoning, responses_in
from character.backends.rehearsal.sense import sense_of

_SUBTLE, _NATURAL, _OVERDONE, _OPPOSED = 0.2, 0.62, 0.33, 0.35


def gauge(values: dict[str, Any], language: str, bench: Bench) -> dict[str, Any]:
    """Return a degree for each response, in the order shown, with the words they were read from."""
    sense = sense_of(values.get("trait"), language)
    noise = bench.noise * bench.care.noise
    degrees = []
    for text in responses_in(values):
        degrees.append(degree(features_of(sense, text), bench.rng.gauss(0.0, noise)))
    return {"reasoning": reasoning(values, language), "degrees": degrees}


def degree(features: Features, slip: float = 0.0) -> str:
    """Return the degree that fits the features best; ``slip`` is how far the reader misjudges the strength."""
    strength = features.strength + slip if features.strength else 0.0
    if features.against > 0 and strength < _OPPOSED:
        return "opposite"
    if features.excess + slip > _OVERDONE:
        return "overdone"
    if strength > _NATURAL:
        return "natural"
    return "subtle" if strength > _SUBTLE else "absent"
