"""The candidates of a run: how many of each expression level there are, and how long they are."""

from __future__ import annotations

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
    """Counts candidates one rollout after the other, in memory that does not grow with them."""

    def __init__(self) -> None:
        self._messages = 0
        self._levels: dict[str, _Sums] = {}

    def add(self, rollout: Rollout) -> None:
        """Take a rollout's candidates into account."""
        if rollout.candidates is None or not rollout.candidates.items:
            return
        self._messages += 1
        for item in rollout.candidates.items:
            self._levels.setdefault(item.level or "", _Sums()).add(len(item.text))

    def audit(self) -> CandidateAudit:
        """Return what was counted."""
        known = [level for level in (*LEVELS, "") if level in self._levels]
        return CandidateAudit(
            num_messages=self._messages,
            num_candidates=sum(sums.number for sums in self._levels.values()),
            by_level=tuple(self._levels[level].row(level) for level in known),
        )


class _Sums:
    def __init__(self) -> None:
        self.number = self.characters = self.squares = 0

    def add(self, characters: int) -> None:
        self.number += 1
        self.characters += characters
        self.squares += characters**2

    def row(self, level: str) -> LengthRow:
        mean, half = self.characters / self.number, None
        if self.number >= LEAST_GROUPS:
            variance = max(0.0, (self.squares - self.number * mean**2) / (self.number - 1))
            half = 1.96 * sqrt(variance / self.number)
        return LengthRow(
            level=level,
            number=self.number,
            mean_characters=mean,
            low=None if half is None else mean - half,
            high=None if half is None else mean + half,
        )
