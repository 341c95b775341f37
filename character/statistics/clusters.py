"""Uncertainty of means over pairs that come in clusters: pairs of one message share their sides, so they are not independent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_CLUSTERS = 5
"""The fewest messages from which an interval is given."""
_CHUNK = 100


def cluster_sums(columns: Floats, cluster: Ints) -> tuple[Floats, Floats]:
    """Return per cluster (numbered from 0) the sums of each column and the number of rows."""
    number = int(cluster.max()) + 1 if len(cluster) else 0
    sums = np.zeros((number, columns.shape[1]))
    np.add.at(sums, cluster, columns)
    return sums, np.bincount(cluster, minlength=number).astype(np.float64)


def bootstrap_intervals(
    columns: Floats, cluster: Ints, *, seed: int, num_resamples: int = 1000, coverage: float = 0.95
) -> Floats:
    """Return the percentile interval of each column's mean, (2, columns), resampling whole clusters.

    With fewer than ``LEAST_CLUSTERS`` the interval is nan: so few say nothing about others.
    """
    sums, sizes = cluster_sums(columns, cluster)
    if len(sizes) < LEAST_CLUSTERS:
        return np.full((2, columns.shape[1]), np.nan)
    drawn = resampled_sums(np.column_stack([sums, sizes]), seed=seed, num_resamples=num_resamples)
    tail = (1 - coverage) / 2
    return np.asarray(np.quantile(drawn[:, :-1] / drawn[:, -1:], [tail, 1 - tail], axis=0))


def resampled_sums(sums: Floats, *, seed: int, num_resamples: int = 1000) -> Floats:
    """Return the column sums, (resamples, columns), of as many clusters as there are rows, drawn with replacement."""
    rng = np.random.default_rng([seed, 1])
    found = []
    for start in range(0, num_resamples, _CHUNK):
        rounds = min(_CHUNK, num_resamples - start)
        drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=rounds).astype(float)
        found.append(drawn @ sums)
    return np.concatenate(found)


def sign_flip_p_values(columns: Floats, cluster: Ints, *, seed: int, num_flips: int = 1999) -> Floats:
    """Return per column the two-sided p-value that its mean is 0, by swapping the sides of whole clusters.

    Where the sides of a message could as well be the other way round, each cluster's sum is as likely to
    have the other sign, so this test is exact for any number of clusters (Fisher's randomization test).
    The least possible value is 1 / (num_flips + 1).
    """
    sums, _ = cluster_sums(columns, cluster)
    seen = np.abs(sums.sum(axis=0)) - 1e-9
    rng = np.random.default_rng([seed, 2])
    as_far = np.zeros(columns.shape[1])
    for start in range(0, num_flips, _CHUNK):
        rounds = min(_CHUNK, num_flips - start)
        signs = rng.integers(0, 2, size=(rounds, len(sums))).astype(float) * 2 - 1
        as_far += (np.abs(signs @ sums) >= seen).sum(axis=0)
    return np.asarray((1 + as_far) / (num_flips + 1))


def holm(p_values: Floats) -> Floats:
    """Return p-values adjusted for how many there are (Holm 1979), so that 0.05 bounds the chance of any false one."""
    number = len(p_values)
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(number, 0, -1)) if number else p_values
    adjusted = np.empty(number)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
