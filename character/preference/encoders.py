"""Texts as what any embedder makes of them, for a linear model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from character.errors import InputError
from character.files import problem
from character.preference.ngrams import Weights
from character.statistics.arrays import Floats, Ints

Embedder = Callable[[list[str]], Any]
"""Texts to an array (texts, dimensions), as ``dspy.Embedder`` is."""
BATCH_SIZE = 256


@dataclass(frozen=True)
class Dense:
    """Texts as the rows of a full matrix."""

    matrix: Floats

    def scores(self, weights: Weights, of_row: Ints) -> Floats:
        """Return each row's product with its line, summed row by row so that no batch changes it."""
        return np.asarray((self.matrix * weights[of_row]).sum(axis=1))


@dataclass(frozen=True)
class Embeddings:
    """The encoder of ``embedding``: what the embedder gives, each row scaled to the length √2 of n-grams.

    The embedder is called with a list of texts, ``BATCH_SIZE`` at a time. It sees texts as they stand, format
    and all. ``embedder`` None is a saved model that was loaded without one: it can be read, not asked.
    """

    embedder: Embedder | None
    num_features: int = 0
    name: Literal["embedding"] = "embedding"

    def fit(self, texts: Sequence[str], *, plain: bool) -> Embeddings:
        """Return the encoder that knows how many dimensions there are; ``plain`` is for n-grams alone."""
        return Embeddings(self.embedder, self._embedded(list(texts[:1])).shape[1])

    def encode(self, texts: Sequence[str]) -> Dense:
        """Return texts as rows; raises InputError where the embedder does not give as many finite ones."""
        return Dense(self._embedded(texts) if texts else np.empty((0, self.num_features)))

    def _embedded(self, texts: Sequence[str]) -> Floats:
        if self.embedder is None:
            raise problem(__file__, InputError, "no_embedder")
        starts = range(0, len(texts), BATCH_SIZE)
        batches = [list(texts[start : start + BATCH_SIZE]) for start in starts]
        matrix = np.concatenate([self._checked(self.embedder(batch), len(batch)) for batch in batches])
        length = np.linalg.norm(matrix, axis=1, keepdims=True)
        return np.asarray(np.sqrt(2) * matrix / np.where(length > 0, length, 1.0))

    def _checked(self, given: Any, number: int) -> Floats:
        matrix = np.asarray(given, dtype=np.float64)
        wrong = matrix.ndim != 2 or len(matrix) != number or not matrix.shape[1]
        if wrong or (self.num_features and matrix.shape[1] != self.num_features):
            expected = f"the shape ({number}, {self.num_features or 'dimensions'})"
            raise InputError(f"the embedder gave an array of shape {matrix.shape}.", expected=expected)
        if not np.isfinite(matrix).all():
            raise InputError("the embedder gave numbers that are not finite.", expected="finite numbers")
        return matrix
