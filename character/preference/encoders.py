"""Texts as numbers for a linear model: n-grams as sparse rows (TF-IDF), or what an embedder makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from character.errors import InputError
from character.files import problem
from character.preference.ngrams import Hashes, Weights, character_grams, prepared, word_grams
from character.statistics.arrays import Floats, Ints

Embedder = Callable[[list[str]], Any]
"""Texts to an array (texts, dimensions), as ``dspy.Embedder`` is."""
BATCH_SIZE = 256
MOST_FEATURES = 50_000
"""How many n-grams are kept: those that the most texts have."""
_CHUNK_CHARACTERS = 400_000
_BLOCKS = (word_grams, character_grams)
_SPREAD = 4
"""log2 of how many drawers there are to a hash."""


@dataclass(frozen=True)
class Rows:
    """Texts as sparse rows: ``value`` of the feature ``column`` in the text ``row``; by row, then column."""

    row: Ints
    column: Ints
    value: Floats
    num_rows: int
    num_columns: int

    @property
    def matrix(self) -> Any:
        """The rows as a sparse matrix, to fit a head on; needs scipy, which scoring does not."""
        from scipy.sparse import csr_matrix

        return csr_matrix((self.value, (self.row, self.column)), shape=(self.num_rows, self.num_columns))

    def scores(self, weights: Weights, of_row: Ints) -> Floats:
        """Return each row's product with that line of ``weights`` (lines, columns) which ``of_row`` names."""
        products = self.value * weights[of_row[self.row], self.column]
        return np.asarray(np.bincount(self.row, products, self.num_rows), dtype=np.float64)


@dataclass(frozen=True)
class HashIndex:
    """Hashes in rising order, and where those of each drawer (their leading bits) begin.

    Looking hashes up is some five times faster than a binary search, and gives the same answer.
    """

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


@dataclass(frozen=True)
class NGramTfidf:
    """The encoder of ``light``: n-grams by rising hash, each one's block (0 words, 1 characters) and weight.

    A text's value for an n-gram is (1 + log count) x idf, and the values of each block are scaled to the
    length 1; idf = log((1 + n) / (1 + df)) + 1. N-grams that were not kept are scaled by as well, each with
    ``strange_idf`` (that of none of n texts): the less is known of a text, the less is said about it.
    ``plain`` keeps format out of sight (see ``ngrams.prepared``). Before ``fit`` it keeps no n-gram.
    """

    hashes: Hashes = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    blocks: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, dtype=np.uint8))
    idf: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    strange_idf: float = 1.0
    plain: bool = True
    name: Literal["light"] = "light"

    @property
    def num_features(self) -> int:
        """How many n-grams are kept."""
        return len(self.hashes)

    @classmethod
    def fit(cls, texts: Sequence[str], *, plain: bool) -> NGramTfidf:
        """Return the encoder of these texts; each counts once, however often it is given."""
        texts = list(dict.fromkeys(texts))
        hashes, blocks, having = _document_frequencies(texts, plain)
        common = np.sort(np.lexsort((hashes, -having))[:MOST_FEATURES])
        idf = np.log((1 + len(texts)) / (1 + having[common])) + 1
        strange_idf = float(np.log(1 + len(texts)) + 1)
        return cls(hashes[common], blocks[common], idf.astype(np.float32), strange_idf, plain)

    def encode(self, texts: Sequence[str]) -> Rows:
        """Return texts as rows; an n-gram that was not kept counts towards the length of its row alone."""
        parts = [self._chunk(first, chunk) for first, chunk in _chunks(texts, self.plain)]
        row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Rows(row, column, value, len(texts), len(self.hashes))

    @cached_property
    def index(self) -> HashIndex:
        """Where each hash stands: its place is the n-gram's column."""
        return HashIndex.of(self.hashes)

    def _chunk(self, first: int, texts: Sequence[str]) -> tuple[Ints, Ints, Floats]:
        """Return the rows, from the ``first`` on, columns and values of a few prepared texts."""
        keys, strange = [], np.zeros((len(texts), len(_BLOCKS)))
        for block, grams_of in enumerate(_BLOCKS):
            grams = grams_of(texts)
            column = self.index.places(grams.hashes)
            own = column >= 0
            keys.append(grams.text[own] * len(self.hashes) + column[own])
            strange[:, block] = np.bincount(grams.text[~own], minlength=len(texts))
        cells, count = runs(np.concatenate(keys))
        row, column = np.divmod(cells, max(1, len(self.hashes)))
        value = (1 + np.log(count)) * self.idf[column]
        group = row * len(_BLOCKS) + self.blocks[column]
        squares = np.bincount(group, value**2, strange.size) + strange.ravel() * self.strange_idf**2
        return row + first, column, np.asarray(value / np.sqrt(squares[group]))


def _document_frequencies(texts: Sequence[str], plain: bool) -> tuple[Hashes, NDArray[np.uint8], Ints]:
    """Return the n-grams of texts by rising hash, the block of each, and how many texts have it."""
    parts: list[tuple[Hashes, NDArray[np.uint8], Ints]] = []
    for _, chunk in _chunks(texts, plain):
        for block, grams_of in enumerate(_BLOCKS):
            grams = grams_of(chunk)
            hashes = np.unique(grams.hashes)
            cells, _ = runs(grams.text * max(1, len(hashes)) + HashIndex.of(hashes).places(grams.hashes))
            having = np.bincount(cells % max(1, len(hashes)), minlength=len(hashes))
            parts.append((hashes, np.full(len(hashes), block, dtype=np.uint8), having))
    every, blocks, having = (np.concatenate(part) for part in zip(*parts, strict=True))
    hashes, first, place = np.unique(every, return_index=True, return_inverse=True)
    return hashes, blocks[first], np.bincount(place, having).astype(np.int64)


def _chunks(texts: Sequence[str], plain: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield (place of the first, prepared texts) of about ``_CHUNK_CHARACTERS``, to bound the memory."""
    first, size, chunk = 0, 0, list[str]()
    for place, text in enumerate(texts, 1):
        chunk.append(prepared(text, plain=plain))
        size += len(chunk[-1])
        if size >= _CHUNK_CHARACTERS:
            yield first, chunk
            first, size, chunk = place, 0, []
    yield first, chunk


def runs(values: Ints) -> tuple[Ints, Ints]:
    """Return the distinct values in rising order, and how often each occurs.

    As ``np.unique``, but quick where the values come in a few rising stretches.
    """
    ordered = np.sort(values, kind="stable")
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])
    return ordered[first], np.diff(np.concatenate([first, [len(ordered)]]))


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
            raise problem(__file__, "no_embedder")
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
