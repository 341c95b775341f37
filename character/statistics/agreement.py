"""Agreement between rankings and between raters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from character.statistics.arrays import Floats


def kendall_tau_b(left: ArrayLike, right: ArrayLike) -> float | None:
    """Return Kendall's tau-b of two sequences of scores, in -1..1; None where either ties all, or is short.

    tau-b = (concordant - discordant) / sqrt((pairs - ties left) (pairs - ties right)); Kendall 1945.
    """
    a, b = _signs(left), _signs(right)
    scale = float(np.sqrt(np.count_nonzero(a) * np.count_nonzero(b)))
    return float(a @ b) / scale if scale else None


def pairwise_agreement(left: ArrayLike, right: ArrayLike) -> tuple[int, int]:
    """Return (pairs ordered alike, pairs ordered by both): pairs that either side ties are left out."""
    both = _signs(left) * _signs(right)
    return int(np.count_nonzero(both > 0)), int(np.count_nonzero(both))


def _signs(scores: ArrayLike) -> Floats:
    values = np.asarray(scores, dtype=float)
    upper = np.triu_indices(len(values), 1)
    return np.asarray(np.sign(values[upper[0]] - values[upper[1]]), dtype=float)


def mid_ranks(scores: ArrayLike) -> Floats:
    """Return ranks from 1 (the highest score) to n, the mean rank for ties."""
    values = np.asarray(scores, dtype=float)
    higher = (values[None, :] > values[:, None]).sum(axis=1)
    equal = (values[None, :] == values[:, None]).sum(axis=1)
    return np.asarray(higher + (equal + 1) / 2, dtype=float)


def krippendorff_alpha(ratings: ArrayLike, *, level: str = "interval") -> float | None:
    """Return Krippendorff's alpha of raters (rows) over items (columns); NaN is a missing rating.

    1 is perfect agreement, 0 that of chance, below 0 worse. ``level`` is nominal, ordinal, interval or
    ratio. None where alpha is not defined: fewer than two raters share an item, or all ratings are equal.
    """
    import krippendorff

    table = np.asarray(ratings, dtype=float)
    shared = table[:, np.sum(~np.isnan(table), axis=0) >= 2] if table.ndim == 2 else table
    values = shared[~np.isnan(shared)]
    if values.size < 2 or np.all(values == values[0]):
        return None
    return float(krippendorff.alpha(reliability_data=shared, level_of_measurement=level))


def interval_alpha_sums(ratings: ArrayLike) -> Floats:
    """Return what Krippendorff's alpha (of intervals) takes from a table, raters (rows) over items.

    These are sums over the items that two raters share, and they add up over tables: the number of ratings,
    their sum, the sum of their squares, and the disagreement within items.
    """
    table = np.asarray(ratings, dtype=float)
    number = np.sum(~np.isnan(table), axis=0)
    table, number = table[:, number >= 2], number[number >= 2]
    sums, squares = np.nansum(table, axis=0), np.nansum(table**2, axis=0)
    within = 2 * (number * squares - sums**2) / (number - 1)
    return np.array([number.sum(), sums.sum(), squares.sum(), within.sum()], dtype=float)


def interval_alpha(sums: Floats) -> Floats:
    """Return alpha from such sums, one row each: 1 - disagreement within items / among all ratings; else nan.

    Source: Krippendorff 2011, "Computing Krippendorff's alpha-reliability", with the difference function of
    intervals.
    """
    number, total, squares, within = sums.T
    among = 2 * (number * squares - total**2) / np.maximum(number - 1, 1)
    return np.where(among > 1e-9 * squares, 1 - within / np.where(among > 0, among, 1.0), np.nan)
