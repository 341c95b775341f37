"""How far surface features alone tell chosen from rejected: the bar that real preference must beat."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from character.pairs.features import FEATURES
from character.pairs.table import PairTable, without_nan
from character.records import Record
from character.statistics.arrays import Floats
from character.statistics.intervals import bootstrap_intervals

NUM_FOLDS = 5
RIDGE = 1.0
"""The penalty, half of it times the squared weights of standardized features."""
_MAX_STEPS, _TOLERANCE = 50, 1e-8


class ConfoundClassifier(Record):
    """A logistic regression on surface features, judged on messages it was not fitted on.

    ``accuracy`` is the share of held-out pairs it puts the right way round (a half for those it cannot tell
    apart), in 0..1; ``low`` and ``high`` its 95 % interval by bootstrap over messages; None for fewer than
    five messages, and all None for fewer than two. ``weights`` are the fit on all pairs, per standardized
    difference, largest first; a name such as ``opener:well`` is an opener's.
    """

    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    num_folds: int = 0
    weights: dict[str, float] = Field(default_factory=dict)


def fit_classifier(table: PairTable, *, seed: int = 0) -> ConfoundClassifier:
    """Return the classifier of a table: L2 logistic regression without intercept on chosen minus rejected.

    Pairs of one message are held out together, in up to five folds dealt out with the seed.
    """
    places = table.common_openers()
    names = [*FEATURES, *(f"opener:{table.openers[place]}" for place in places)]
    right = held_out(table, seed=seed)
    if right is None:
        return ConfoundClassifier()
    columns = _columns(table)
    low, high = without_nan(bootstrap_intervals(right[:, None], table.message, seed=seed)[:, 0])
    weights = _fit(columns / _spread(columns))
    order = np.argsort(-np.abs(weights), kind="stable")
    return ConfoundClassifier(
        accuracy=float(right.mean()),
        low=low,
        high=high,
        num_folds=min(NUM_FOLDS, table.num_messages),
        weights={names[i]: float(weights[i]) for i in order if weights[i]},
    )


def held_out(table: PairTable, *, seed: int = 0) -> Floats | None:
    """Return per pair 1 where a classifier of the other folds puts it the right way round, 0.5 if undecided.

    None for fewer than two messages, where nothing can be held out.
    """
    num_folds = min(NUM_FOLDS, table.num_messages)
    if num_folds < 2:
        return None
    columns, message = _columns(table), table.message
    number = int(message.max()) + 1
    fold = np.random.default_rng([seed, 3]).permutation(number) % num_folds
    right = np.empty(len(columns))
    for each in range(num_folds):
        held = fold[message] == each
        spread = _spread(columns[~held])
        scores = (columns[held] / spread) @ _fit(columns[~held] / spread)
        right[held] = np.where(np.abs(scores) < 1e-12, 0.5, scores > 0)
    return right


def _columns(table: PairTable) -> Floats:
    return np.column_stack([table.differences(), table.opener_signs(table.common_openers())])


def _spread(columns: Floats) -> Floats:
    """Return each difference's root mean square, 1 where all are 0 (centred at 0: sides can be swapped)."""
    spread = np.sqrt((columns**2).mean(axis=0))
    return np.asarray(np.where(spread > 0, spread, 1.0))


def _fit(columns: Floats) -> Floats:
    """Return the w that minimize Σ log(1 + exp(-x·w)) + RIDGE/2 |w|², by Newton steps (IRLS) with halving."""
    weights = np.zeros(columns.shape[1])
    loss = _loss(columns, weights)
    for _ in range(_MAX_STEPS):
        wrong = 1 / (1 + np.exp(np.clip(columns @ weights, -500, 500)))
        gradient = RIDGE * weights - columns.T @ wrong
        curvature = (columns * (wrong * (1 - wrong))[:, None]).T @ columns + RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while _loss(columns, weights - size * step) > loss and size > 1e-6:
            size /= 2
        weights = weights - size * step
        before, loss = loss, _loss(columns, weights)
        if before - loss <= _TOLERANCE * max(1.0, before):
            break
    return weights


def _loss(columns: Floats, weights: Floats) -> float:
    return float(np.logaddexp(0, -(columns @ weights)).sum() + RIDGE / 2 * weights @ weights)
