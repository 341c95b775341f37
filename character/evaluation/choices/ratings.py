"""Ratings of traits from what a model chose to show: Bradley-Terry, whole messages drawn and exchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from character.constitution import Constitution
from character.evaluation.choices.chooser import other_traits
from character.evaluation.figures import figure_of, grouped_mean
from character.evaluation.records import Choice, EffectFigure, Rating, Revealed
from character.ranking.choice_models import bradley_terry_means
from character.statistics.arrays import Floats
from character.statistics.intervals import percentile_interval, resampled_sums
from character.statistics.significance import exchange_p_values, holm


def revealed(choices: Sequence[Choice], constitution: Constitution, *, seed: int = 0) -> Revealed | None:
    """Return what the choices say of every trait that was offered; None where a model never showed a trait.

    Intervals resample messages, those of both models together. The test of a difference exchanges the two
    models' choices on whole messages, the test of one model's choices the two traits of each offer (Fisher's
    randomisation test).
    """
    conditions = list(dict.fromkeys(choice.condition for choice in choices))
    decided = [choice for choice in choices if choice.shown]
    if not conditions or {choice.condition for choice in decided} != set(conditions):
        return None
    readable = [choice for choice in choices if choice.shown is not None]
    return Revealed(
        ratings=tuple(_ratings(decided, conditions, constitution, seed)),
        num_choices={name: sum(choice.condition == name for choice in readable) for name in conditions},
        neither=_shares(readable, conditions, lambda choice: choice.shown == "", seed),
        first_shown=_shares(decided, conditions, lambda choice: choice.shown == choice.first, seed),
    )


def _ratings(
    decided: Sequence[Choice], conditions: Sequence[str], constitution: Constitution, seed: int
) -> Iterator[Rating]:
    others = [trait.name for trait in other_traits(constitution)]
    offered = {name for choice in decided for name in (choice.first, choice.second)}
    own = [trait.name for trait in constitution.traits]
    names = [name for name in (*own, *others) if name in offered]
    is_other = np.array([name in others for name in names])
    tables = _tables(decided, conditions, names)  # messages, conditions, the trait shown, the other one
    rate = _rater(is_other, len(conditions))
    sums = tables.reshape(len(tables), -1)
    estimates, drawn = rate(sums.sum(axis=0, keepdims=True))[0], rate(resampled_sums(sums, seed=seed))
    p_values = _p_values(tables, rate, seed)
    adjusted = np.full(len(names), np.nan)
    adjusted[~is_other] = holm(p_values[~is_other])
    for place, name in enumerate(names):
        ratings = [_figure(estimates[i, place], drawn[:, i, place], tables) for i in range(len(conditions))]
        shown, duels = tables[:, :, place].sum(axis=(0, 2)), tables[:, :, :, place].sum(axis=(0, 2))
        difference = None
        if len(conditions) == 2:
            apart = estimates[1, place] - estimates[0, place]
            difference = _figure(apart, drawn[:, 1, place] - drawn[:, 0, place], tables)
        yield Rating(
            trait=name,
            is_other=bool(is_other[place]),
            ratings=dict(zip(conditions, ratings, strict=True)),
            shown={condition: int(shown[i]) for i, condition in enumerate(conditions)},
            offered={condition: int(shown[i] + duels[i]) for i, condition in enumerate(conditions)},
            difference=difference,
            p=None if is_other[place] else float(p_values[place]),
            adjusted_p=None if is_other[place] else float(adjusted[place]),
        )


def _tables(decided: Sequence[Choice], conditions: Sequence[str], names: Sequence[str]) -> Floats:
    """Return by message and condition how often one trait (third axis) was shown, another (fourth) not."""
    messages = {message: i for i, message in enumerate(dict.fromkeys(c.message_id for c in decided))}
    place = {name: i for i, name in enumerate(names)}
    tables = np.zeros((len(messages), len(conditions), len(names), len(names)))
    for choice in decided:
        loser = choice.second if choice.shown == choice.first else choice.first
        row, column = messages[choice.message_id], conditions.index(choice.condition)
        tables[row, column, place[str(choice.shown)], place[loser]] += 1
    return tables


def _rater(is_other: NDArray[np.bool_], num_conditions: int) -> Callable[[Floats], Floats]:
    """Return what rates sums of tables: (samples, conditions, traits), with the mean of other traits at 0."""

    def rate(sums: Floats) -> Floats:
        wins = sums.reshape(-1, len(is_other), len(is_other))
        ratings = bradley_terry_means(wins)
        middle = ratings[:, is_other].mean(axis=1, keepdims=True) if is_other.any() else 0.0
        return np.asarray(ratings - middle).reshape(-1, num_conditions, len(is_other))

    return rate


def _p_values(tables: Floats, rate: Callable[[Floats], Floats], seed: int) -> Floats:
    """Return two-sided p-values per trait: of two conditions being the same, or of one choosing by chance."""
    is_alone = tables.shape[1] == 1
    # What a message's choices would have been by the other model, or with the other trait shown.
    exchanged = np.swapaxes(tables, 2, 3) if is_alone else tables[:, ::-1]

    def distances(sums: Floats) -> Floats:
        ratings = rate(sums)
        return np.abs(ratings[:, 0] if is_alone else ratings[:, 1] - ratings[:, 0])

    flat = (len(tables), -1)
    return exchange_p_values(distances, tables.reshape(flat), exchanged.reshape(flat), seed=seed)


def _figure(estimate: float, samples: Floats, tables: Floats) -> EffectFigure:
    return figure_of(percentile_interval(float(estimate), samples), len(tables))


def _shares(
    choices: Sequence[Choice], conditions: Sequence[str], is_counted: Callable[[Choice], bool], seed: int
) -> dict[str, EffectFigure]:
    shares = {}
    for condition in conditions:
        own = [choice for choice in choices if choice.condition == condition]
        share = grouped_mean([float(is_counted(choice)) for choice in own], [c.message_id for c in own], seed)
        shares[condition] = share or EffectFigure(estimate=0.0)
    return shares
