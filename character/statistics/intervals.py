"""Intervals of what is measured on groups, such as the pairs of one message: whole groups are resampled.

Most figures are functions of sums per group, so that one bootstrap serves them all (``resampled_sums``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from character.statistics.arrays import Floats, Ints

NUM_SAMPLES = 2000
"""How often groups are drawn anew for an interval. Another seed then moves a 95 % bound by about 3 % of the
interval's half width (the Monte Carlo error of the 2.5 % quantile of a normal is .06 standard errors), less
than is printed."""
LEAST_GROUPS = 5
"""The fewest groups from which an interval is given, or a gain called real. Of four groups that all point one
way, the sign test's two-sided p-value is 1 / 8; and a percentile interval of so few is much too narrow."""
UNSEEN = 3.0
"""Over the number of groups, the share that may yet be what none of them was, at 95 %: the rule of three
(Hanley & Lippman-Hand 1983). Where all groups are alike, the bootstrap has nothing to vary."""
_LEVEL = 0.95
_MOST_DRAWN = 4_000_000  # group numbers drawn at once, so that memory stays flat

ColumnStatistic = Callable[[Floats], Floats]
"""From column sums, (samples, columns), to a figure per sample; nan where it is not defined."""


class Interval(NamedTuple):
    """An estimate with the bounds of its interval (95 % unless said otherwise)."""

    estimate: float
    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether the value lies outside the interval."""
        return not self.low <= value <= self.high


def cluster_sums(columns: Floats, cluster: Ints) -> tuple[Floats, Floats]:
    """Return per cluster (numbered from 0) the sums of each column and the number of rows."""
    number = int(cluster.max()) + 1 if len(cluster) else 0
    sums = np.zeros((number, columns.shape[1]))
    np.add.at(sums, cluster, columns)
    return sums, np.bincount(cluster, minlength=number).astype(np.float64)


def resampled_sums(sums: Floats, *, seed: int, num_samples: int = NUM_SAMPLES) -> Floats:
    """Return the column sums, (samples, columns), of as many rows (groups), drawn with replacement.

    Source: Davison & Hinkley 1997, ch. 3.8 (cluster resampling).
    """
    rng, number = np.random.default_rng(seed), len(sums)
    samples = []
    for size in in_chunks(num_samples, number):
        drawn = rng.integers(0, number, (size, number)) + np.arange(size)[:, None] * number
        counts = np.bincount(drawn.ravel(), minlength=size * number).reshape(size, number)
        samples.append(counts @ sums)
    return np.concatenate(samples)


def in_chunks(num_samples: int, num_groups: int) -> Iterator[int]:
    """Yield how many samples to draw at once, until all are drawn."""
    step = max(1, _MOST_DRAWN // max(1, num_groups))
    for start in range(0, num_samples, step):
        yield min(step, num_samples - start)


def percentile_interval(estimate: float, samples: Floats, level: float = _LEVEL) -> Interval:
    """Return an estimate with the quantiles of its samples that are no nan; without any it has no width."""
    defined = samples[~np.isnan(samples)]
    if not defined.size:
        return Interval(estimate, estimate, estimate)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high))


def interval_of_sums(statistic: ColumnStatistic, sums: Floats, *, seed: int) -> Interval | None:
    """Return a statistic of column sums with its interval, a row per group; None where it is not defined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = float(statistic(sums.sum(axis=0, keepdims=True))[0]) if len(sums) else math.nan
        if math.isnan(estimate):
            return None
        return percentile_interval(estimate, statistic(resampled_sums(sums, seed=seed)))


def bootstrap_intervals(columns: Floats, cluster: Ints, *, seed: int) -> Floats:
    """Return the 95 % interval of each column's mean, (2, columns), resampling whole clusters.

    With fewer than ``LEAST_GROUPS`` the interval is nan: so few say nothing about others.
    """
    sums, sizes = cluster_sums(columns, cluster)
    if len(sizes) < LEAST_GROUPS:
        return np.full((2, columns.shape[1]), np.nan)
    drawn = resampled_sums(np.column_stack([sums, sizes]), seed=seed)
    tail = (1 - _LEVEL) / 2
    return np.asarray(np.quantile(drawn[:, :-1] / drawn[:, -1:], [tail, 1 - tail], axis=0))


def bootstrap_mean(
    values: ArrayLike,
    *,
    groups: Sequence[object] | None = None,
    num_samples: int = NUM_SAMPLES,
    level: float = _LEVEL,
    seed: int = 0,
) -> Interval | None:
    """Return the mean with its percentile interval, whole groups resampled (values alone without ``groups``).

    None without values. Source: Davison & Hinkley 1997, ch. 2.
    """
    data = np.asarray(values, dtype=float)
    if not data.size:
        return None
    names = range(len(data)) if groups is None else [str(group) for group in groups]
    cluster = np.unique(names, return_inverse=True)[1]
    sums = np.column_stack(cluster_sums(data[:, None], cluster))
    drawn = resampled_sums(sums, seed=seed, num_samples=num_samples)
    return percentile_interval(float(data.mean()), drawn[:, 0] / drawn[:, 1], level)


def difference_interval(one: Floats, two: Floats, *, seed: int) -> Interval:
    """Return the mean of ``two`` less that of ``one``, with its interval; each is resampled on its own."""
    first, second = (
        resampled_sums(sample[:, None], seed=seed + place)[:, 0] / len(sample)
        for place, sample in enumerate((one, two))
    )
    return percentile_interval(float(two.mean() - one.mean()), second - first)


def mean_interval(
    values: Sequence[float],
    groups: Sequence[str],
    *,
    scale: tuple[float, float] = (-math.inf, math.inf),
    level: float = _LEVEL,
    seed: int = 0,
) -> Interval:
    """Return the mean with its interval over groups of values: the wider of the bootstrap's and Student's.

    The percentile bootstrap is too narrow for few groups; the t interval with the clustered standard error is
    exact for normal means, and ends where the ``scale`` of the values does. One group has no interval: it is
    infinitely wide.
    """
    resampled = bootstrap_mean(values, groups=groups, level=level, seed=seed)
    if resampled is None:
        raise ValueError("expected at least one value")
    mean, number = resampled.estimate, len(set(groups))
    if number < 2:
        return Interval(mean, -math.inf, math.inf)
    half = t_quantile((1 + level) / 2, number - 1) * clustered_error(values, groups)
    low, high = min(resampled.low, mean - half), max(resampled.high, mean + half)
    return Interval(mean, max(low, scale[0]), min(high, scale[1]))


def clustered_error(values: Sequence[float], groups: Sequence[str]) -> float:
    """Return the standard error of the mean, values of one group belonging together; infinite for one group.

    sqrt(G / (G - 1) * sum of squared residual sums per group) / n for G groups (Liang & Zeger 1986).
    """
    mean = sum(values) / len(values)
    residuals: dict[str, float] = {}
    for value, group in zip(values, groups, strict=True):
        residuals[group] = residuals.get(group, 0.0) + value - mean
    number = len(residuals)
    if number < 2:
        return math.inf
    return math.sqrt(number / (number - 1) * sum(each**2 for each in residuals.values())) / len(values)


def t_quantile(probability: float, degrees: int) -> float:
    """Return a quantile of Student's t, by the Cornish-Fisher expansion around the normal's.

    Within 0.1 % from 10 degrees of freedom on at 97.5 %, and 5 % too low at 2. Source: Abramowitz & Stegun
    26.7.5.
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return float(sum(term / degrees**power for power, term in enumerate(terms)))


def is_real(gain: Interval, num_groups: int) -> bool:
    """Whether a gain lies above zero with its whole interval, on enough groups to say so."""
    return gain.low > 0 and num_groups >= LEAST_GROUPS


def share_interval(hits: int, number: int) -> Interval:
    """Return a share of independent trials with its 95 % interval (Wilson 1927), which always has a width."""
    share, z = hits / number, NormalDist().inv_cdf((1 + _LEVEL) / 2)
    middle = (share + z * z / (2 * number)) / (1 + z * z / number)
    spread = math.sqrt(share * (1 - share) / number + z * z / (4 * number * number))
    reach = z / (1 + z * z / number) * spread
    return Interval(share, max(0.0, middle - reach), min(1.0, middle + reach))
