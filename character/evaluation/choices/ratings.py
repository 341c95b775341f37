"""Ratings of traits from what a model chose to show: Bradley-Terry, with intervals and tests that keep messages together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from character.constitution import Constitution
from character.evaluation.choices.offers import other_traits
from character.evaluation.records import Choice, EffectFigure, Rating, Revealed
from character.ranking.choice_models import bradley_terry_means
from character.statistics.clusters import LEAST_CLUSTERS, holm
from optimizers.statistics import bootstrap_mean

Floats = NDArray[np.float64]
NUM_SAMPLES, NUM_FLIPS = 1000, 1999


def revealed(choices: Sequence[Choice], constitution: Constitution, *, seed: int = 0) -> Revealed | None:
    """Return what the choices say of every trait that was offered; None where a model never showed one of its two traits.

    Intervals resample messages, those of both models together. The test of a difference exchanges the two models' choices
    on whole messages, the test of one model's choices the two traits of each offer (Fisher's randomisation test).
    """
    conditions = list(dict.fromkeys(choice.condition for choice in choices))
    decided = [choice for choice in choices if choice.shown]
    if not conditions or {choice.condition for choice in decided} != set(conditions):
        return None
    told = [choice for choice in choices if choice.shown is not None]
    return Revealed(
        ratings=tuple(_ratings(decided, conditions, constitution, seed)),
        num_choices={name: sum(choice.condition == name for choice in told) for name in conditions},
        neither={name: _share(told, name, lambda choice: choice.shown == "", seed) for name in conditions},
        first_shown={
            name: _share(decided, name, lambda choice: choice.shown == choice.first, seed)
            for name in conditions
        },
    )


def _ratings(
    decided: Sequence[Choice], conditions: Sequence[str], constitution: Constitution, seed: int
) -> Iterator[Rating]:
    others = {trait.name for trait in other_traits(constitution)}
    offered = {name for choice in decided for name in (choice.first, choice.second)}
    known = [*(trait.name for trait in constitution.traits), *(t.name for t in other_traits(constitution))]
    names = [name for name in known if name in offered]
    is_other = np.array([name in others for name in names])
    tables = _tables(decided, conditions, names)  # conditions, messages, the trait shown, the other one
    rate = _rater(is_other)
    estimates, drawn = rate(tables.sum(axis=1)), _resampled(tables, rate, seed)
    p_values = _p_values(tables, rate, seed)
    adjusted = np.full(len(names), np.nan)
    adjusted[~is_other] = holm(p_values[~is_other])
    enough = tables.shape[1] >= LEAST_CLUSTERS
    for place, name in enumerate(names):
        figures = [
            _figure(float(estimates[i, place]), drawn[i, :, place], enough=enough)
            for i in range(len(conditions))
        ]
        shown, duels = tables[:, :, place].sum(axis=(1, 2)), tables[:, :, :, place].sum(axis=(1, 2))
        difference = None
        if len(conditions) == 2:
            apart = float(estimates[1, place] - estimates[0, place])
            difference = _figure(apart, drawn[1, :, place] - drawn[0, :, place], enough=enough)
        yield Rating(
            trait=name,
            is_other=bool(is_other[place]),
            ratings=dict(zip(conditions, figures, strict=True)),
            shown={condition: int(shown[i]) for i, condition in enumerate(conditions)},
            offered={condition: int(shown[i] + duels[i]) for i, condition in enumerate(conditions)},
            difference=difference,
            p=None if is_other[place] else float(p_values[place]),
            adjusted_p=None if is_other[place] else float(adjusted[place]),
        )


def _tables(decided: Sequence[Choice], conditions: Sequence[str], names: Sequence[str]) -> Floats:
    """Return how often, by condition and message, one trait (third axis) was shown and another one (fourth) was not."""
    messages = {message: i for i, message in enumerate(dict.fromkeys(c.message_id for c in decided))}
    place = {name: i for i, name in enumerate(names)}
    tables = np.zeros((len(conditions), len(messages), len(names), len(names)))
    for choice in decided:
        loser = choice.second if choice.shown == choice.first else choice.first
        tables[
            conditions.index(choice.condition),
            messages[choice.message_id],
            place[str(choice.shown)],
            place[loser],
        ] += 1
    return tables


def _rater(is_other: NDArray[np.bool_]) -> Callable[[Floats], Floats]:
    """Return what rates many tables of wins at once, with the mean of the other traits at 0."""

    def rate(wins: Floats) -> Floats:
        found = bradley_terry_means(wins)
        middle = found[:, is_other].mean(axis=1, keepdims=True) if is_other.any() else 0.0
        return np.asarray(found - middle)

    return rate


def _resampled(tables: Floats, rate: Callable[[Floats], Floats], seed: int) -> Floats:
    """Return ratings (conditions, samples, traits) of messages drawn with replacement, the same ones for each condition."""
    rng = np.random.default_rng([seed, 4])
    number = tables.shape[1]
    weights = rng.multinomial(number, np.full(number, 1 / number), size=NUM_SAMPLES).astype(float)
    return np.array([rate(np.tensordot(weights, table, axes=1)) for table in tables])


def _p_values(tables: Floats, rate: Callable[[Floats], Floats], seed: int) -> Floats:
    """Return two-sided p-values per trait: of two conditions being the same, or of one choosing by chance."""
    rng = np.random.default_rng([seed, 5])
    # The reverse of a table: of a message's choices by the other model, or with the other trait shown.
    reverse = tables[::-1] if len(tables) == 2 else np.swapaxes(tables, 2, 3)
    flips = rng.integers(0, 2, (NUM_FLIPS + 1, tables.shape[1])).astype(float)
    flips[0] = 0.0  # what was seen
    found = [
        rate(np.tensordot(1 - flips, table, axes=1) + np.tensordot(flips, other, axes=1))
        for table, other in zip(tables, reverse, strict=True)
    ]
    distances = np.abs(found[1] - found[0] if len(found) == 2 else found[0])
    return np.asarray((distances >= distances[0] - 1e-9).mean(axis=0))


def _figure(estimate: float, drawn: Floats, *, enough: bool) -> EffectFigure:
    if not enough:
        return EffectFigure(estimate=estimate)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return EffectFigure(estimate=estimate, low=float(low), high=float(high))


def _share(
    choices: Sequence[Choice], condition: str, is_counted: Callable[[Choice], bool], seed: int
) -> EffectFigure:
    known = [choice for choice in choices if choice.condition == condition]
    groups = [choice.message_id for choice in known]
    found = bootstrap_mean([float(is_counted(choice)) for choice in known], groups=groups, seed=seed)
    if found is None or len(set(groups)) < LEAST_CLUSTERS:
        return EffectFigure(estimate=0.0 if found is None else found.estimate)
    return EffectFigure(estimate=found.estimate, low=found.low, high=found.high)
