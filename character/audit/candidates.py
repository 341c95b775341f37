"""The candidates of a run: how many of each expression level there are, and how long they are."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import sqrt

from character.records import LEVELS, Record, Rollout
from character.statistics.intervals import LEAST_GROUPS


class LengthRow(Record):
    """The candidates of one expression level (``""`` where none was asked for).

    ``mean_characters`` is their mean length, ``low`` … ``high`` its 95 % interval (normal approximation; both
    None for fewer than ``LEAST_GROUPS``).
    """

    level: str
    number: int
    mean_characters: float
    low: float | None = None
    high: float | None = None


class CandidateAudit(Record):
    """The candidates of a run by expression level, in the order of ``records.LEVELS``."""

    num_messages: int
    num_candidates: int
    by_level: tuple[LengthRow, ...] = ()


class CandidateCounter:
    """Counts candidates one rollout after the other; of each level it keeps how often each length came."""

    def __init__(self) -> None:
        self._num_messages = 0
        self._lengths: dict[str, Counter[int]] = defaultdict(Counter)

    def add(self, rollout: Rollout) -> None:
        """Take a rollout's candidates into account."""
        items = rollout.candidates.items if rollout.candidates else ()
        self._num_messages += bool(items)
        for item in items:
            self._lengths[item.level or ""][len(item.text)] += 1

    def audit(self) -> CandidateAudit:
        """Return what was counted."""
        levels = [level for level in (*LEVELS, "") if level in self._lengths]
        return CandidateAudit(
            num_messages=self._num_messages,
            num_candidates=sum(lengths.total() for lengths in self._lengths.values()),
            by_level=tuple(_row(level, self._lengths[level]) for level in levels),
        )


def _row(level: str, lengths: Counter[int]) -> LengthRow:
    number = lengths.total()
    mean = sum(length * count for length, count in lengths.items()) / number
    row = LengthRow(level=level, number=number, mean_characters=mean)
    if number < LEAST_GROUPS:
        return row
    squares = sum(length**2 * count for length, count in lengths.items())
    half = 1.96 * sqrt(max(0.0, (squares - number * mean**2) / (number - 1)) / number)
    return row.model_copy(update={"low": mean - half, "high": mean + half})
