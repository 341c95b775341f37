"""What the place in the list and the length of a candidate do to a judge's scores, by least squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from character.statistics.arrays import Floats, Ints
from optimizers.calibration.fit import CAP, JudgedItem, JudgedPass, centred_logs

LEAST_OWN_SHARE = 0.05
"""The least share of the residual variance that is held to be a pass's own, not the candidate's."""


CLEAR = 9.0
"""How many times its variance the square of an effect must be for it to count: three standard errors.

A needless correction parts candidates that the judge holds equal, which costs more than a small bias does.
"""


class _Rows(NamedTuple):
    """One row per score that has a label, everything centred within its pass.

    ``design`` has a column per place for each number of candidates shown, then one of log length;
    ``candidate`` and ``group`` say whose a row is.
    """

    score: Floats
    label: Floats
    design: Floats
    candidate: Ints
    group: Ints


def fit_biases(items: Sequence[JudgedItem]) -> tuple[tuple[tuple[float, ...], ...], float]:
    """Return (effects of places, one row per number shown; slope per unit of log length), shrunk.

    Effects of places are those on the score at equal labels. What is peculiar to a candidate, seen over its
    passes, is a random effect there (Swamy & Arora 1972). The slope lies between that of the score at equal
    labels and that of the labels at equal scores, turned round, whatever noise is in either (Klepper & Leamer
    1984): where the two have opposite signs it is left out, else it is the smaller. Standard errors are the
    larger of the classical and the clustered by message (Liang & Zeger 1986). An effect b with variance v
    counts where b² > CLEAR v, and keeps the share 1 - v / b².
    """
    sizes = sorted({len(each.shown) for item in items for each in item.passes if len(each.shown) > 1})
    rows = _rows(items, sizes)
    if rows is None:
        return (), 0.0
    target, design = _without_candidates(rows, np.column_stack([rows.design, rows.label]))
    effects, variances = _least_squares(target, design, rows.group)
    ends = np.cumsum(sizes)
    parts = zip(np.split(effects, ends)[:-1], np.split(variances, ends)[:-1], strict=True)
    places = tuple(row for part in parts if (row := _shrunk_places(*part)))
    slope = round(float(np.clip(_length_slope(rows), -CAP, CAP)), 6)
    return places, slope


def _length_slope(rows: _Rows) -> float:
    """Return how much score a unit of log length adds, the smaller of two readings; 0 where they disagree."""
    length = rows.design[:, -1]
    direct, noise = _least_squares(rows.score, np.column_stack([length, rows.label]), rows.group)
    turned, other = _least_squares(rows.label, np.column_stack([length, rows.score]), rows.group)
    if direct[1] <= 0 or turned[1] <= 0 or direct[0] * turned[0] >= 0:
        return 0.0
    readings = (
        float(direct[0]) * _kept(float(noise[0]), float(direct[0]) ** 2),
        -float(turned[0]) / float(turned[1]) * _kept(float(other[0]), float(turned[0]) ** 2),
    )
    return min(readings, key=abs)


def _rows(items: Sequence[JudgedItem], sizes: Sequence[int]) -> _Rows | None:
    parts = [
        (*part, np.full(len(part[0]), number))
        for number, item in enumerate(items)
        for each in item.passes
        if len(each.shown) > 1 and (part := _pass_rows(item, each, sizes)) is not None
    ]
    if not parts:
        return None
    score, label, design, shown, item_of = (np.concatenate(column) for column in zip(*parts, strict=True))
    widest = max(len(item.labels) for item in items)
    return _Rows(
        score,
        label,
        design,
        np.unique(item_of * widest + shown, return_inverse=True)[1],
        np.unique([items[i].group or f"item {i}" for i in item_of], return_inverse=True)[1],
    )


def _pass_rows(
    item: JudgedItem, each: JudgedPass, sizes: Sequence[int]
) -> tuple[Floats, Floats, Floats, Ints] | None:
    """Return (scores, labels, design, candidates) of what has score and label, centred; None below two."""
    design = np.zeros((len(each.shown), sum(sizes) + 1))
    start = sum(size for size in sizes if size < len(each.shown))
    design[:, start : start + len(each.shown)] = np.eye(len(each.shown))
    if len(item.lengths):
        design[:, -1] = centred_logs([item.lengths[i] for i in each.shown])
    judged = [
        (place, index, score, label)
        for place, index in enumerate(each.shown)
        if (score := each.scores[index]) is not None and (label := item.labels[index]) is not None
    ]
    if len(judged) < 2:
        return None
    place, shown, scores, labels = (np.asarray(column) for column in zip(*judged, strict=True))
    design = design[place]
    return scores - scores.mean(), labels - labels.mean(), design - design.mean(axis=0), shown


def _without_candidates(rows: _Rows, design: Floats) -> tuple[Floats, Floats]:
    """Return score and design less the share of each candidate's mean that its own random effect makes up.

    The share is 1 - sqrt(w / (w + p u)) for p passes, with w the variance within and u that between
    candidates.
    """
    count = np.bincount(rows.candidate)
    repeated = int((count[count > 1] - 1).sum())
    if not repeated:
        return rows.score, design
    residual = rows.score - design @ np.linalg.lstsq(design, rows.score, rcond=None)[0]
    total = float(residual @ residual) / len(residual)
    own = (residual - _means(residual, rows.candidate))[count[rows.candidate] > 1]
    within = max(float(own @ own) / repeated, LEAST_OWN_SHARE * total)
    if within == 0:
        return rows.score, design
    share = 1 - np.sqrt(within / (within + count * max(0.0, total - within)))
    taken = share[rows.candidate]
    means = np.column_stack([_means(column, rows.candidate) for column in design.T])
    return rows.score - taken * _means(rows.score, rows.candidate), design - taken[:, None] * means


def _means(values: Floats, candidate: Ints) -> Floats:
    """Return for each row the mean over the rows of its candidate."""
    sums = np.bincount(candidate, weights=values)
    return np.asarray((sums / np.bincount(candidate))[candidate], dtype=float)


def _least_squares(target: Floats, design: Floats, group: Ints) -> tuple[Floats, Floats]:
    """Return the coefficients of least norm and variances, the larger of classical and clustered."""
    inverse = np.linalg.pinv(design.T @ design, rcond=1e-9, hermitian=True)
    effects = inverse @ design.T @ target
    residual = target - design @ effects
    rank = int(np.linalg.matrix_rank(design))
    classical = np.diag(inverse) * float(residual @ residual) / max(1, len(target) - rank)
    number = int(group.max()) + 1
    sums = np.column_stack([np.bincount(group, weights=column * residual) for column in design.T])
    clustered = np.diag(inverse @ sums.T @ sums @ inverse) * number / max(1, number - 1)
    return effects, np.maximum(classical, clustered)


def _shrunk_places(effects: Floats, variances: Floats) -> tuple[float, ...]:
    effects = effects - effects.mean()
    shrunk = np.clip(effects * _kept(float(variances.sum()), float(effects @ effects)), -CAP / 2, CAP / 2)
    rounded = [round(float(value), 6) for value in shrunk - shrunk.mean()]
    return tuple(rounded) if any(rounded) else ()


def _kept(variance: float, square: float) -> float:
    """Return the share of an effect that is kept, 0 where it is not clear."""
    return 1.0 - variance / square if square > CLEAR * variance else 0.0
