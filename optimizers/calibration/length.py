"""How much the length of a candidate may count beside the judge's score, where labels surely favour one.

Judging by length is usually a confound. So it counts at most as much as the judge, only where it gains on
labels, and whoever reads or uses the ranker is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from character.statistics.intervals import clustered_error
from optimizers.calibration.fit import JudgedItem, centred_logs
from optimizers.errors import note

if TYPE_CHECKING:
    from optimizers.calibration.calibration import Calibration
WEIGHTS = (0.2, 0.35, 0.5)
"""The shares of length that are tried, in standard deviations within messages; the judge leads."""
SURE = 1.5
"""How many clustered standard errors a calibration must gain over the plain one, on the fitted items."""
LEAST_GROUPS = 12
"""The fewest groups on which a gain may be called sure: ten labels cannot tell length from accident."""


def length_credit(
    weight: float, scores: Sequence[Sequence[float | None]], items: Sequence[JudgedItem]
) -> float:
    """Return the points per unit of log length that are the share ``weight`` (-0.5..0.5) of its scores.

    ``scores`` are the judge's, one per candidate of each item. weight / (1 - |weight|) times the ratio of
    standard deviations within messages, of scores and of log lengths: at a half, length moves a candidate as
    much as the judge does. Negative favours the shorter. 0 where all lengths or all scores are equal.
    """
    own, lengths = [], []
    for row, item in zip(scores, items, strict=True):
        judged = [score for score in row if score is not None]
        if len(judged) > 1 and len(item.lengths):
            own.append(float(np.var(judged)))
            lengths.append(float(np.var(centred_logs(item.lengths))))
    if not own or not sum(lengths):
        return 0.0
    return weight / (1 - abs(weight)) * math.sqrt(sum(own) / sum(lengths))


def surest(
    fitted: Callable[[float, bool], Calibration],
    goodness: Callable[[Calibration], Sequence[float | None]],
    groups: Sequence[str],
    *,
    weights: Sequence[float] = WEIGHTS,
) -> Calibration:
    """Return the calibration that most surely gains over the plain one (no length, bent), else that.

    Judge goodness by tau-b: unlike pairwise accuracy it loses where candidates that the judge ties are parted
    at random, and with few labels any length parts some of them rightly.

    ``fitted`` makes a calibration with a share of length and with a map that bends or not, ``goodness`` says
    how good it is on each item, ``groups`` which items belong together, ``weights`` are the shares tried.
    Sure is a gain of more than ``SURE`` standard errors; what it is on items held out from all of this is for
    whoever adopts it to measure.
    """
    plain = fitted(0.0, True)
    if len(set(groups)) < LEAST_GROUPS:
        return plain
    before = goodness(plain)
    best, bound = plain, 0.0
    options = [(sign * size, bends) for size in weights for sign in (1, -1) for bends in (True, False)]
    for weight, bends in [(0.0, False), *options]:
        tried = fitted(weight, bends)
        rows = [
            (new - old, group)
            for old, new, group in zip(before, goodness(tried), groups, strict=True)
            if old is not None and new is not None
        ]
        if not rows:
            continue
        gains = [gain for gain, _ in rows]
        surely = sum(gains) / len(gains) - SURE * clustered_error(gains, [group for _, group in rows])
        if surely > bound:
            best, bound = tried, surely
    return best


def length_note(calibration: Calibration | None) -> str:
    """Return what to know about a ranker in whose scores length counts; nothing about others."""
    if calibration is None or not calibration.length_credit:
        return ""
    moved, share = abs(calibration.length_credit) * math.log(2), calibration.length_share
    return note("shorter" if calibration.length_credit < 0 else "longer", moved=moved, share=share)
