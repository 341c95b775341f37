"""Two evaluations side by side: what another wording of a trait, or another model, changed in its effects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from character.audit.clustered import LEAST_CLUSTERS, holm
from character.errors import StoreError
from character.evaluation.conditions import Contrast
from character.evaluation.reading import read_effect
from character.evaluation.records import DEGREE_SCORES, EffectReport, Figure, Probed
from character.evaluation.shifts import paired
from character.records import Record

_NUM_SAMPLES = 4000


class Change(Record):
    """How much a shift differs between two evaluations: the second less the first, in degrees.

    ``is_paired`` where both were measured on the same messages, which are then compared one by one. ``p`` is two-sided, by
    sign flips of messages (paired) or by exchanging messages between the two (else); ``adjusted_p`` Holm's over all changes.
    """

    contrast: Contrast
    trait: str
    first: float
    second: float
    change: Figure
    is_paired: bool
    num_messages: tuple[int, int]
    p: float
    adjusted_p: float


def compare(
    first: Path | str, second: Path | str, *, seed: int = 0
) -> tuple[EffectReport, EffectReport, tuple[Change, ...]]:
    """Return the reports of two evaluations and how every shift that both have changed.

    Traits are matched by name. Raises StoreError where a folder cannot be read or the two share no shift.
    """
    (before, probed_before), (after, probed_after) = read_effect(first), read_effect(second)
    theirs = {(shift.contrast, shift.trait) for shift in after.shifts}
    shared = [shift for shift in before.shifts if (shift.contrast, shift.trait) in theirs]
    if not shared:
        raise StoreError(
            f"{first} and {second} have no effect in common.",
            expected="two evaluations of traits with the same names",
        )
    rng = np.random.default_rng([seed, 3])
    changes = [
        _change(
            shift.contrast,
            shift.trait,
            _differences(probed_before, shift.contrast, shift.trait),
            _differences(probed_after, shift.contrast, shift.trait),
            rng,
        )
        for shift in shared
    ]
    adjusted = holm(np.array([change.p for change in changes]))
    told = tuple(
        change.model_copy(update={"adjusted_p": float(p)})
        for change, p in zip(changes, adjusted, strict=True)
    )
    return before, after, told


def _differences(probed: Sequence[Probed], contrast: Contrast, trait: str) -> dict[str, float]:
    return {
        pair.probed.message.id: float(
            DEGREE_SCORES[pair.condition.degrees[trait]] - DEGREE_SCORES[pair.reference.degrees[trait]]
        )
        for pair in paired(probed, contrast)
        if trait in pair.condition.degrees and trait in pair.reference.degrees
    }


def _change(
    contrast: Contrast,
    trait: str,
    first: dict[str, float],
    second: dict[str, float],
    rng: np.random.Generator,
) -> Change:
    one, two = np.array(list(first.values())), np.array(list(second.values()))
    is_paired = first.keys() == second.keys()
    if is_paired:
        two = np.array([second[message] for message in first])
    estimate = float(two.mean() - one.mean())
    low, high = _interval(one, two, rng, is_paired=is_paired)
    p = _p_value(one, two, rng, is_paired=is_paired)
    ends = {} if min(len(one), len(two)) < LEAST_CLUSTERS else {"low": low, "high": high}
    return Change(
        contrast=contrast,
        trait=trait,
        first=float(one.mean()),
        second=float(two.mean()),
        change=Figure(estimate=estimate, **ends),
        is_paired=is_paired,
        num_messages=(len(one), len(two)),
        p=p,
        adjusted_p=p,
    )


def _interval(
    one: np.ndarray, two: np.ndarray, rng: np.random.Generator, *, is_paired: bool
) -> tuple[float, float]:
    drawn = rng.integers(0, len(one), (_NUM_SAMPLES, len(one)))
    other = drawn if is_paired else rng.integers(0, len(two), (_NUM_SAMPLES, len(two)))
    means = two[other].mean(axis=1) - one[drawn].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _p_value(one: np.ndarray, two: np.ndarray, rng: np.random.Generator, *, is_paired: bool) -> float:
    seen = abs(two.mean() - one.mean()) - 1e-9
    if is_paired:
        signs = rng.integers(0, 2, (_NUM_SAMPLES, len(one))) * 2 - 1
        drawn = np.abs((signs * (two - one)).mean(axis=1))
    else:
        both = np.concatenate([one, two])
        mixed = rng.permuted(np.tile(both, (_NUM_SAMPLES, 1)), axis=1)
        drawn = np.abs(mixed[:, len(one) :].mean(axis=1) - mixed[:, : len(one)].mean(axis=1))
    return float((1 + (drawn >= seen).sum()) / (_NUM_SAMPLES + 1))
