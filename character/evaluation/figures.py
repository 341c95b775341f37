"""Figures of an evaluation: means and shares with their intervals, and p-values adjusted for their number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from character.evaluation.records import EffectFigure
from character.statistics.intervals import (
    LEAST_GROUPS,
    UNSEEN,
    Interval,
    bootstrap_intervals,
    bootstrap_mean,
    share_interval,
)
from character.statistics.significance import holm, sign_flip_p_values

if TYPE_CHECKING:
    from character.evaluation.compare import Change
    from character.evaluation.records import Coherence, MeasureShift, OpinionShift, Shift


Tested = TypeVar("Tested", "Shift", "MeasureShift", "Coherence", "OpinionShift", "Change")
"""A record with a p-value and an ``adjusted_p``."""


def figure_of(interval: Interval, num_groups: int) -> EffectFigure:
    """Return an interval as a figure, without its ends where there are too few groups to say."""
    if num_groups < LEAST_GROUPS:
        return EffectFigure(estimate=interval.estimate)
    return EffectFigure(estimate=interval.estimate, low=interval.low, high=interval.high)


def mean_figure(values: Sequence[float], seed: int) -> tuple[EffectFigure, float]:
    """Return the mean with its interval, and the p-value of no difference; one value per message."""
    columns, messages = np.array(values)[:, None], np.arange(len(values))
    low, high = (float(end[0]) for end in bootstrap_intervals(columns, messages, seed=seed))
    p = float(sign_flip_p_values(columns, messages, seed=seed)[0])
    if low == high:
        # Messages that all came out the same leave a bootstrap nothing to vary; 3/n may yet lie a step away.
        low, high = low - UNSEEN / len(values), high + UNSEEN / len(values)
    return figure_of(Interval(float(columns.mean()), low, high), len(values)), p


def grouped_mean(values: Sequence[float], groups: Sequence[object], seed: int) -> EffectFigure | None:
    """Return the mean of values with its interval, one group's resampled together; None without values."""
    interval = bootstrap_mean(values, groups=groups, seed=seed)
    return None if interval is None else figure_of(interval, len(set(groups)))


def share_figure(hits: int, number: int) -> EffectFigure:
    """Return a share of ``number`` messages with its interval (Wilson 1927), if there are enough for one."""
    return figure_of(share_interval(hits, number), number)


def adjusted(
    tested: Iterable[Tested], family: Callable[[Tested], Hashable] = lambda _: None
) -> tuple[Tested, ...]:
    """Return the records with p-values adjusted (Holm 1979) among those of a family, by default all."""
    records, families = list(tested), defaultdict[Hashable, list[int]](list)
    for place, each in enumerate(records):
        families[family(each)].append(place)
    adjusted_p: dict[int, float] = {}
    for places in families.values():
        values = holm(np.array([records[place].p for place in places]))
        adjusted_p |= dict(zip(places, values.tolist(), strict=True))
    return tuple(
        each.model_copy(update={"adjusted_p": adjusted_p[place]}) for place, each in enumerate(records)
    )
