"""Whether a difference is more than chance: randomisation tests over whole groups, and Holm's adjustment.

Where two sides of a group could as well be the other way round, exchanging them says how far chance alone
reaches, exactly and for any number of groups (Fisher's randomisation test).
"""

from __future__ import annotations

import numpy as np

from character.statistics.arrays import Floats, Ints
from character.statistics.intervals import ColumnStatistic, cluster_sums, in_chunks

NUM_FLIPS = 9999
"""Exchanges per test: the least p-value is 1 / 10,000, so that a matrix of ten traits can be significant."""
_SLACK = 1e-9  # sums in another order differ by rounding


def sign_flip_p_values(columns: Floats, cluster: Ints, *, seed: int, num_flips: int = NUM_FLIPS) -> Floats:
    """Return per column the two-sided p-value of a mean of 0, by exchanging the sides of whole clusters."""
    sums, _ = cluster_sums(columns, cluster)
    return exchange_p_values(np.abs, sums, -sums, seed=seed, num_flips=num_flips)


def exchange_p_values(
    statistic: ColumnStatistic, sums: Floats, exchanged: Floats, *, seed: int, num_flips: int = NUM_FLIPS
) -> Floats:
    """Return how often each figure is as far as it was seen, where any group's row may be the exchanged one.

    ``statistic`` makes distances from column sums, (exchanges, columns). The least p-value is 1 / (num_flips
    + 1).
    """
    rng, number = np.random.default_rng([seed, 2]), len(sums)
    whole, change = sums.sum(axis=0, keepdims=True), exchanged - sums
    seen = statistic(whole)[0] - _SLACK
    as_far = np.zeros(len(seen))
    for size in in_chunks(num_flips, number):
        bits = np.frombuffer(rng.bytes(size * ((number + 7) // 8)), np.uint8).reshape(size, -1)
        flips = np.unpackbits(bits, axis=1, count=number).astype(np.float64)
        as_far += (statistic(whole + flips @ change) >= seen).sum(axis=0)
    return np.asarray((1 + as_far) / (num_flips + 1))


def permutation_p_value(one: Floats, two: Floats, *, seed: int, num_flips: int = NUM_FLIPS) -> float:
    """Return the two-sided p-value that two samples have one mean, by dealing their values out anew."""
    rng, both = np.random.default_rng([seed, 3]), np.concatenate([one, two])
    seen, as_far = abs(two.mean() - one.mean()) - _SLACK, 0
    for size in in_chunks(num_flips, len(both)):
        dealt = rng.permuted(np.tile(both, (size, 1)), axis=1)
        apart = dealt[:, len(one) :].mean(axis=1) - dealt[:, : len(one)].mean(axis=1)
        as_far += int((np.abs(apart) >= seen).sum())
    return (1 + as_far) / (num_flips + 1)


def holm(p_values: Floats) -> Floats:
    """Return p-values adjusted for their number (Holm 1979): 0.05 bounds the chance of any false one."""
    number = len(p_values)
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(number, 0, -1)) if number else p_values
    adjusted = np.empty(number)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
