"""Calibration: a judge's scores brought to the raters' scale, without what place and length do to them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from character.statistics.arrays import Floats
from optimizers.calibration.bias import fit_biases
from optimizers.calibration.fit import (
    CAP,
    MOST_CREDIT,
    REACH,
    JudgedItem,
    JudgedPass,
    centred_logs,
    fit_knots,
    straight_knots,
)
from optimizers.calibration.length import length_credit

__all__ = ["CAP", "Calibration", "JudgedItem", "JudgedPass", "fit_calibration", "fitter", "text_length"]

Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]
Corrected = Annotated[float, Field(strict=True, ge=-REACH, le=1.0 + REACH, allow_inf_nan=False)]
Effect = Annotated[float, Field(strict=True, ge=-CAP, le=CAP, allow_inf_nan=False)]
Credit = Annotated[float, Field(strict=True, ge=-2.0, le=2.0, allow_inf_nan=False)]

_HAN_OR_KANA = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]"
_TOKEN = re.compile(rf"{_HAN_OR_KANA}|(?:(?!{_HAN_OR_KANA})\w)+")


@lru_cache(maxsize=8192)
def text_length(text: str) -> int:
    """Return about how many tokens a text has, at least 1: a word, number or Chinese character is one."""
    return max(1, len(_TOKEN.findall(text)))


class Calibration(BaseModel):
    """What is done to the scores of one pass before passes are combined; fitted by ``fit_calibration``.

    ``places`` holds, for a number of candidates shown, what the judge gives too much to each place from the
    first to the last (in points of a 0..1 score, sum 0); no row for a number means no correction.
    ``length_slope`` is what it gives too much per unit of log length above the mean log length of the
    candidates shown. Both are taken off, together at most ``CAP``. ``length_credit`` is no bias of the judge:
    it is what a candidate gets per unit of log length (above the mean of all candidates of the message, at
    most ``MOST_CREDIT`` in all) because the raters favour that length, and ``length_share`` the share of the
    variance of the scores that it made up on the labelled candidates. Then ``knots`` (corrected score,
    calibrated score) are interpolated linearly. Knots increase strictly in both, so within a pass they change
    no order. ``num_labels`` counts the labelled candidates it was fitted to, 0 for the identity.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    knots: tuple[tuple[Corrected, Share], ...] = Field(
        default=((0.0, 0.0), (1.0, 1.0)), min_length=2, max_length=32
    )
    places: tuple[tuple[Effect, ...], ...] = Field(default=(), max_length=32)
    length_slope: Effect = 0.0
    length_credit: Credit = 0.0
    length_share: Share = 0.0
    num_labels: int = Field(default=0, strict=True, ge=0, le=1_000_000_000)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(a[0] >= b[0] or a[1] >= b[1] for a, b in pairwise(self.knots)):
            raise ValueError("the knots must increase strictly in both coordinates")
        sizes = [len(row) for row in self.places]
        if len(set(sizes)) < len(sizes) or any(not 2 <= size <= 64 for size in sizes):
            raise ValueError("places: one row per number of candidates shown, from 2 to 64, is allowed")
        if any(abs(math.fsum(row)) > 1e-4 for row in self.places):
            raise ValueError("places: the effects of a row must sum to 0")
        return self

    @classmethod
    def identity(cls) -> Calibration:
        """Return the calibration that changes nothing."""
        return cls()

    @property
    def is_identity(self) -> bool:
        """Whether it changes no score."""
        corrects = self.places or self.length_slope or self.length_credit
        return not corrects and all(x == y for x, y in self.knots)

    def apply(
        self, scores: Sequence[float | None], shown: Sequence[int], lengths: Sequence[float] = ()
    ) -> list[float | None]:
        """Return the calibrated scores of one pass, in 0..1 and in the candidates' order as ``scores`` are.

        ``shown`` are the indices of the candidates in the order shown, ``lengths`` one positive length per
        candidate (see ``text_length``; without them no length is corrected). None, and what was not shown,
        stays None.
        """
        calibrated: list[float | None] = [None] * len(scores)
        x, y = zip(*self.knots, strict=True)
        for index, correction in zip(shown, self._corrections(shown, lengths), strict=True):
            score = scores[index]
            if score is not None:
                calibrated[index] = float(np.interp(score - correction, x, y))
        return calibrated

    def _corrections(self, shown: Sequence[int], lengths: Sequence[float]) -> Floats:
        total = np.zeros(len(shown))
        for row in self.places:
            if len(row) == len(shown):
                total += row
        if self.length_slope and len(lengths):
            total += self.length_slope * centred_logs([lengths[index] for index in shown])
        total = np.clip(total, -CAP, CAP)
        if self.length_credit and len(lengths):
            credit = self.length_credit * centred_logs(lengths)[list(shown)]
            total -= np.clip(credit, -MOST_CREDIT, MOST_CREDIT)
        return total


def fit_calibration(items: Sequence[JudgedItem], *, length_weight: float = 0.0) -> Calibration:
    """Return the calibration that brings the judge's scores nearest to the labels; takes no LM call.

    First what place and length do to the scores is estimated within each pass, against the labels; an effect
    that is not clear (three standard errors) is left out, because a correction also parts what the judge
    holds equal. ``length_weight`` is the share of length in the scores, see ``length``. Then the corrected
    scores, a mean per candidate, are brought to the labels by medians and isotonic regression over at most
    eight groups, each with imaginary labels that say what the judge says: few labels hardly move the scores.
    Without usable labels it is the identity.
    """
    return fitter(items)(length_weight, True)


def fitter(
    items: Sequence[JudgedItem], *, corrects_length: bool = True
) -> Callable[[float, bool], Calibration]:
    """Return what fits a calibration to the items as ``fit_calibration`` does, given (length_weight, bends).

    With ``corrects_length`` False what length does to the scores is left in. With ``bends`` False they stay
    on the judge's scale: mapped to the labels they are nearer to what the raters say, but where the judge
    knows little also nearer to each other.
    """
    places, slope = fit_biases(items)
    biases = Calibration(places=places, length_slope=slope if corrects_length else 0.0)
    plain = [_mean_scores(biases, item) for item in items]

    def fitted(length_weight: float, bends: bool) -> Calibration:
        credited = _credited(biases, plain, items, length_weight) if length_weight else biases
        means = [_mean_scores(credited, item) for item in items] if credited.length_credit else plain
        return _mapped(credited, means, items, bends)

    return fitted


def _mapped(
    biases: Calibration, means: Sequence[Sequence[float | None]], items: Sequence[JudgedItem], bends: bool
) -> Calibration:
    """Return the calibration with the map from mean scores to labels, or to themselves."""
    pairs = [
        (score, label)
        for row, item in zip(means, items, strict=True)
        for score, label in zip(row, item.labels, strict=True)
        if score is not None and label is not None
    ]
    if not pairs:
        return Calibration.identity()
    if not bends and biases.is_identity:
        return biases
    scores, labels = (np.asarray(column) for column in zip(*pairs, strict=True))
    reach = REACH if biases.length_credit else CAP
    knots = fit_knots(scores, labels, reach) if bends else straight_knots(scores, reach)
    return biases.model_copy(update={"knots": knots, "num_labels": len(pairs)})


def _credited(
    biases: Calibration, scores: Sequence[Sequence[float | None]], items: Sequence[JudgedItem], weight: float
) -> Calibration:
    credit = float(np.clip(round(length_credit(weight, scores, items), 6), -2.0, 2.0))
    share = round(weight**2 / (weight**2 + (1 - abs(weight)) ** 2), 6) if credit else 0.0
    return biases.model_copy(update={"length_credit": credit, "length_share": share})


def _mean_scores(biases: Calibration, item: JudgedItem) -> list[float | None]:
    """Return each candidate's mean corrected score over the passes, not yet mapped (so it may pass 0..1)."""
    corrected: list[list[float]] = [[] for _ in item.labels]
    for each in item.passes:
        corrections = biases._corrections(each.shown, item.lengths)
        for index, correction in zip(each.shown, corrections, strict=True):
            score = each.scores[index]
            if score is not None:
                corrected[index].append(score - float(correction))
    return [sum(values) / len(values) if values else None for values in corrected]
