"""What a place in the list is worth to a judge, estimated over a whole run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from character.ranking.score_model import PositionEffects
from character.records import Ranking, RankingPass
from character.statistics.arrays import Floats
from character.statistics.intervals import Interval, percentile_interval, resampled_sums

_BUCKETS = 400  # messages are pooled into at most this many groups for the bootstrap, so memory stays flat
MIN_RANKINGS = 20
"""Position effects are not estimated from fewer rankings."""


class PositionEstimator:
    """Collects rankings and says, per judge and list length, how much each place adds to a score.

    Within one ranking the mean of each candidate and of each pass is taken out; what is left is regressed
    on the places. So neither good candidates nor lenient passes count as a place's doing. Rankings of a
    single pass say nothing and are passed over.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int], _Sums] = {}

    def add(self, ranking: Ranking) -> None:
        """Take a ranking's passes into account."""
        blocks: dict[tuple[str, frozenset[int]], list[RankingPass]] = defaultdict(list)
        for done in ranking.passes:
            blocks[done.juror or done.model, frozenset(done.shown)].append(done)
        for (judge, shown), passes in blocks.items():
            if len(shown) > 1 and len(passes) > 1:
                self._sums.setdefault((judge, len(shown)), _Sums(len(shown))).add(sorted(shown), passes)

    def judges(self) -> list[tuple[str, int]]:
        """Return (judge, list length) of everything that was seen, sorted."""
        return sorted(self._sums)

    def num_rankings(self, judge: str, length: int) -> int:
        """Return how many rankings an estimate rests on."""
        return self._sums[judge, length].number

    def effects(self, judge: str, length: int) -> PositionEffects:
        """Return the effect of each place, first to last; they sum to 0, and are 0 after a few rankings."""
        sums = self._sums.get((judge, length))
        if sums is None or sums.number < MIN_RANKINGS:
            return PositionEffects((0.0,) * length)
        return PositionEffects(tuple(float(value) for value in sums.solve(sums.buckets().sum(axis=0))))

    def intervals(self, judge: str, length: int, *, seed: int = 0) -> list[Interval]:
        """Return the effect of each place with its 95 % interval, by the bootstrap over messages."""
        sums = self._sums[judge, length]
        estimates = sums.solve(sums.buckets().sum(axis=0))
        drawn = sums.solve(resampled_sums(sums.buckets(), seed=seed))
        return [percentile_interval(float(estimates[i]), drawn[:, i]) for i in range(length)]

    def first_choices(self, judge: str, length: int) -> tuple[float, ...]:
        """Return how often each place had the highest score of its pass (shared among equals)."""
        sums = self._sums[judge, length]
        return tuple(float(value) for value in sums.tops / max(1.0, sums.tops.sum()))


class _Sums:
    """The normal equations of one judge and list length, per bucket of rankings."""

    def __init__(self, length: int) -> None:
        self.length, self.number = length, 0
        self.gram = np.zeros((_BUCKETS, length, length))
        self.moment = np.zeros((_BUCKETS, length))
        self.tops = np.zeros(length)

    def buckets(self) -> Floats:
        """Return the equations of each bucket in use as one row: the matrix, then the right side."""
        used = min(self.number, _BUCKETS)
        return np.column_stack([self.gram[:used].reshape(used, -1), self.moment[:used]])

    def add(self, items: list[int], passes: Sequence[RankingPass]) -> None:
        scores = np.array([[done.scores[i] for i in items] for done in passes], dtype=float)
        places = np.array([[done.shown.index(i) for i in items] for done in passes])
        indicators = _centred((places[..., None] == np.arange(self.length)).astype(float))
        left = _centred(scores[..., None])[..., 0]
        bucket = self.number % _BUCKETS
        self.gram[bucket] += np.einsum("pik,pil->kl", indicators, indicators)
        self.moment[bucket] += np.einsum("pik,pi->k", indicators, left)
        for row, place in zip(scores, places, strict=True):
            best = row == row.max()
            self.tops[place[best]] += 1 / best.sum()
        self.number += 1

    def solve(self, sums: Floats) -> Floats:
        """Return the effects of the places, which sum to 0, from sums of such rows (the last axis)."""
        gram, moment = np.split(sums, [self.length**2], axis=-1)
        inverse = np.linalg.pinv(gram.reshape(*gram.shape[:-1], self.length, self.length), rcond=1e-9)
        effects = (inverse @ moment[..., None])[..., 0]
        return np.asarray(effects - effects.mean(axis=-1, keepdims=True))


def _centred(values: Floats) -> Floats:
    """Take the mean of each candidate (over passes, axis 0) and of each pass (axis 1) out."""
    by_candidate, by_pass = values.mean(axis=0, keepdims=True), values.mean(axis=1, keepdims=True)
    centred = values - by_candidate - by_pass + values.mean(axis=(0, 1), keepdims=True)
    return np.asarray(centred, dtype=float)
