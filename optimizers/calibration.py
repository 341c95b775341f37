"""Calibration: a judge's scores brought to the raters' scale, with what place and length do to them taken out."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from optimizers.calibration_bias import fit_biases
from optimizers.calibration_fit import CAP, Array, JudgedItem, JudgedPass, centred_logs, fit_knots

__all__ = ["CAP", "Calibration", "JudgedItem", "JudgedPass", "fit_calibration", "text_length"]

Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]
Corrected = Annotated[float, Field(strict=True, ge=-CAP, le=1.0 + CAP, allow_inf_nan=False)]
Effect = Annotated[float, Field(strict=True, ge=-CAP, le=CAP, allow_inf_nan=False)]

_HAN_OR_KANA = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]"
_TOKEN = re.compile(rf"{_HAN_OR_KANA}|(?:(?!{_HAN_OR_KANA})\w)+")


def text_length(text: str) -> int:
    """Return about how many tokens a text has, at least 1: a word, a number, or a Chinese character is one."""
    return max(1, len(_TOKEN.findall(text)))


class Calibration(BaseModel):
    """What is done to the scores of one pass before passes are combined; fitted by ``fit_calibration``.

    ``places`` holds, for a number of candidates shown, what the judge gives too much to each place from the first
    to the last (in points of a 0..1 score, sum 0); no row for a number means no correction. ``length_slope`` is
    what it gives too much per unit of log length above the mean log length of the candidates shown. Both are
    taken off, together at most ``CAP``; then ``knots`` (corrected score, calibrated score) are interpolated
    linearly. Knots increase strictly in both, so within a pass they change no order. ``num_labels`` counts the labelled
    candidates it was fitted to, 0 for the identity.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    knots: tuple[tuple[Corrected, Share], ...] = Field(
        default=((0.0, 0.0), (1.0, 1.0)), min_length=2, max_length=32
    )
    places: tuple[tuple[Effect, ...], ...] = Field(default=(), max_length=32)
    length_slope: Effect = 0.0
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
        return not self.places and not self.length_slope and all(x == y for x, y in self.knots)

    def apply(
        self,
        scores: Sequence[float | None],
        shown: Sequence[int],
        lengths: Sequence[float] = (),
    ) -> list[float | None]:
        """Return the calibrated scores of one pass, in 0..1 and in the candidates' order as ``scores`` are.

        ``shown`` are the indices of the candidates in the order shown, ``lengths`` one positive length per candidate
        (see ``text_length``; without them no length is corrected). None, and what was not shown, stays None.
        """
        found: list[float | None] = [None] * len(scores)
        x, y = zip(*self.knots, strict=True)
        for index, correction in zip(shown, self._corrections(shown, lengths), strict=True):
            score = scores[index]
            if score is not None:
                found[index] = float(np.interp(score - correction, x, y))
        return found

    def _corrections(self, shown: Sequence[int], lengths: Sequence[float]) -> Array:
        total = np.zeros(len(shown))
        for row in self.places:
            if len(row) == len(shown):
                total += row
        if self.length_slope and len(lengths):
            total += self.length_slope * centred_logs([lengths[index] for index in shown])
        return np.clip(total, -CAP, CAP)


def fit_calibration(items: Sequence[JudgedItem]) -> Calibration:
    """Return the calibration that brings the judge's scores nearest to the labels; takes no LM call.

    First what place and length do to the scores is estimated within each pass, against the labels; an effect that
    is not clear (three standard errors) is left out, because a correction also parts what the judge holds equal.
    Then the corrected scores, a mean per candidate, are brought to the labels by medians and isotonic regression
    over at most eight groups, each with imaginary labels that say what the judge says: few labels hardly move the
    scores. Without usable labels it is the identity.
    """
    places, slope = fit_biases(items)
    biases = Calibration(places=places, length_slope=slope)
    scores, labels = [], []
    for item in items:
        for score, label in zip(_mean_scores(biases, item), item.labels, strict=True):
            if score is not None and label is not None:
                scores.append(score)
                labels.append(label)
    if not scores:
        return Calibration.identity()
    knots = fit_knots(np.asarray(scores), np.asarray(labels))
    return Calibration(knots=knots, places=places, length_slope=slope, num_labels=len(labels))


def _mean_scores(biases: Calibration, item: JudgedItem) -> list[float | None]:
    """Return each candidate's mean corrected score over the passes, not yet mapped (so it may pass 0..1)."""
    found: list[list[float]] = [[] for _ in item.labels]
    for each in item.passes:
        corrections = biases._corrections(each.shown, item.lengths)
        for index, correction in zip(each.shown, corrections, strict=True):
            score = each.scores[index]
            if score is not None:
                found[index].append(score - float(correction))
    return [sum(values) / len(values) if values else None for values in found]
