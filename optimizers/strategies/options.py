"""What is asked of tuning: the strategy, the calls it may make, what is optimized, and what may be tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict


class TuningKeywords(TypedDict, total=False):
    """The options of ``optimize_ranker`` besides its labels and the strategy, see ``TuningOptions``."""

    budget: int | None
    metric: str
    seed: int
    level: float
    controls: int
    wordings: Sequence[str]
    temperatures: Sequence[float]
    uses_length: bool
    num_threads: int


@dataclass(frozen=True)
class TuningOptions:
    """How a ranker is tuned, and how its gain is measured.

    ``budget`` is the most model calls over everything, None the usual number; ``level`` that of the
    intervals, and ``controls`` the number of runs on permuted labels. ``wordings`` (instructions) and
    ``temperatures`` are further ones for ``select`` to choose from. With ``uses_length`` False no calibration
    looks at the length of candidates.
    """

    strategy: str = "auto"
    budget: int | None = None
    metric: str = "pairwise_accuracy"
    seed: int = 0
    level: float = 0.95
    controls: int = 0
    wordings: Sequence[str] = ()
    temperatures: Sequence[float] = ()
    uses_length: bool = True
    num_threads: int = 8
