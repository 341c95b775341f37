"""Agreement between rankings and raters, and intervals by the bootstrap: the numbers every report rests on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate with the bounds of its interval (95 % unless said otherwise)."""

    estimate: float
    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether the value lies outside the interval."""
        return not self.low <= value <= self.high


def kendall_tau_b(left: ArrayLike, right: ArrayLike) -> float | None:
    """Return Kendall's tau-b of two sequences of scores, in -1..1; None where either is all ties, or is too short.

    tau-b = (concordant - discordant) / sqrt((pairs - ties left) (pairs - ties right)); Kendall 1945.
    """
    a, b = _signs(left), _signs(right)
    scale = float(np.sqrt(np.count_nonzero(a) * np.count_nonzero(b)))
    return float(a @ b) / scale if scale else None


def pairwise_agreement(left: ArrayLike, right: ArrayLike) -> tuple[int, int]:
    """Return (pairs ordered alike, pairs ordered by both): pairs that either side ties are left out."""
    both = _signs(left) * _signs(right)
    return int(np.count_nonzero(both > 0)), int(np.count_nonzero(both))


def _signs(scores: ArrayLike) -> Array:
    values = np.asarray(scores, dtype=float)
    upper = np.triu_indices(len(values), 1)
    return np.asarray(np.sign(values[upper[0]] - values[upper[1]]), dtype=float)


def mid_ranks(scores: ArrayLike) -> Array:
    """Return ranks from 1 (the highest score) to n, the mean rank for ties."""
    values = np.asarray(scores, dtype=float)
    higher = (values[None, :] > values[:, None]).sum(axis=1)
    equal = (values[None, :] == values[:, None]).sum(axis=1)
    return np.asarray(higher + (equal + 1) / 2, dtype=float)


def kendall_w(scores: ArrayLike) -> float | None:
    """Return Kendall's coefficient of concordance of m raters (rows) over n items, in 0..1, corrected for ties.

    W = 12 S / (m² (n³ - n) - m ΣT) with T = Σ(t³ - t) over each rater's groups of ties; Kendall & Babington
    Smith 1939. None for one rater, one item, or nothing but ties.
    """
    rows = np.atleast_2d(np.asarray(scores, dtype=float))
    m, n = rows.shape
    if m < 2 or n < 2:
        return None
    sums = np.sum([mid_ranks(row) for row in rows], axis=0)
    ties = sum(float(np.sum(counts**3 - counts)) for counts in (_group_sizes(row) for row in rows))
    scale = m * m * (n**3 - n) - m * ties
    return float(12 * np.sum((sums - sums.mean()) ** 2) / scale) if scale > 0 else None


def _group_sizes(row: Array) -> Array:
    return np.unique(row, return_counts=True)[1].astype(float)


def krippendorff_alpha(ratings: ArrayLike, *, level: str = "interval") -> float | None:
    """Return Krippendorff's alpha of raters (rows) over items (columns); NaN is a missing rating.

    1 is perfect agreement, 0 that of chance, below 0 worse. ``level`` is nominal, ordinal, interval or
    ratio. None where alpha is not defined: fewer than two raters share an item, or all ratings are equal.
    """
    import krippendorff

    table = np.asarray(ratings, dtype=float)
    shared = table[:, np.sum(~np.isnan(table), axis=0) >= 2] if table.ndim == 2 else table
    known = shared[~np.isnan(shared)]
    if known.size < 2 or np.all(known == known[0]):
        return None
    return float(krippendorff.alpha(reliability_data=shared, level_of_measurement=level))


def bootstrap_mean(
    values: ArrayLike,
    *,
    groups: Sequence[object] | None = None,
    num_samples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """Return the mean with its percentile interval, whole groups resampled together (values alone without ``groups``).

    None without values. Source: Davison & Hinkley 1997, ch. 2 and 3.8 (cluster resampling).
    """
    data = np.asarray(values, dtype=float)
    if not data.size:
        return None
    if groups is None:
        sums, sizes = data, np.ones(len(data))
    else:
        _, index = np.unique(np.asarray([str(group) for group in groups]), return_inverse=True)
        sums, sizes = np.bincount(index, weights=data), np.bincount(index).astype(float)
    rng = np.random.default_rng(seed)
    means = np.empty(num_samples)
    step = max(1, 4_000_000 // len(sums))
    for start in range(0, num_samples, step):
        drawn = rng.integers(0, len(sums), (min(step, num_samples - start), len(sums)))
        means[start : start + step] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return _interval(float(data.mean()), means, level)


def clustered_error(values: Sequence[float], groups: Sequence[str]) -> float:
    """Return the standard error of the mean where values of one group belong together; infinite for one group.

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


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float | None],
    num_groups: int,
    *,
    num_samples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """Return a statistic with its percentile interval; it is given the indices of the groups drawn.

    Draws for which it is not defined are left out; None where it is not defined for the groups as they are.
    """
    estimate = statistic(np.arange(num_groups)) if num_groups else None
    if estimate is None:
        return None
    rng = np.random.default_rng(seed)
    drawn = [statistic(rng.integers(0, num_groups, num_groups)) for _ in range(num_samples)]
    known = np.asarray([value for value in drawn if value is not None])
    return _interval(float(estimate), known, level)


def _interval(estimate: float, samples: Array, level: float) -> Interval:
    if not samples.size:
        return Interval(estimate, estimate, estimate)
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high))
