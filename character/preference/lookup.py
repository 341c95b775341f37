"""Where hashes stand among many: some five times faster than a binary search, and the same answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from character.preference.ngrams import Hashes
from character.statistics.arrays import Ints

_SPREAD = 4
"""log2 of how many drawers there are to a hash."""


@dataclass(frozen=True)
class HashIndex:
    """Hashes in rising order, and for each drawer (their leading bits) where its hashes begin."""

    hashes: Hashes
    begin: Ints
    shift: int

    @classmethod
    def of(cls, hashes: Hashes) -> HashIndex:
        """Return the index of hashes that rise strictly."""
        bits = max(1, len(hashes).bit_length() + _SPREAD)
        shift = 64 - bits
        drawers = np.bincount((hashes >> np.uint64(shift)).astype(np.int64), minlength=1 << bits)
        return cls(hashes, np.concatenate([[0], np.cumsum(drawers)]), shift)

    @property
    def fullest(self) -> int:
        """How many hashes the fullest drawer holds."""
        return int(np.diff(self.begin).max())

    def places(self, wanted: Hashes) -> Ints:
        """Return the place of each wanted hash, -1 where it is not there."""
        places = np.full(len(wanted), -1, dtype=np.int64)
        if not len(self.hashes):
            return places
        drawer = (wanted >> np.uint64(self.shift)).astype(np.int64)
        place, end = self.begin[drawer], self.begin[drawer + 1]
        for _ in range(self.fullest):
            there = self.hashes[np.minimum(place, len(self.hashes) - 1)] == wanted
            here = np.flatnonzero((place < end) & there)
            places[here] = place[here]
            place = place + 1
        return places


def runs(values: Ints) -> tuple[Ints, Ints]:
    """Return the distinct values in rising order, and how often each occurs.

    As ``np.unique``, but quick where the values come in a few rising stretches.
    """
    ordered = np.sort(values, kind="stable")
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])
    return ordered[first], np.diff(np.concatenate([first, [len(ordered)]]))
