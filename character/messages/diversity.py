"""How much a set of texts says in how few ways: n-grams, compression, self-BLEU, the Vendi score, embeddings.

All take Chinese and English alike: a token is a word, a number, or one Chinese character.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from character.records import Record
from character.text import shingles

Embedder = Callable[[list[str]], Any]
"""Texts in, one row of numbers per text out; a ``dspy.Embedder`` is one."""
SAMPLE = 200
"""How many texts the measures that compare all with all look at; a seeded sample where there are more."""
BLEU_ORDERS = 4
_SMOOTHING = 0.1
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+(?:['’][^\W_{_HAN}]+)?")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Diversity(Record):
    """How varied some texts are.

    ``distinct_n`` is the number of different n-grams over that of all n-grams, in 0..1; it falls as texts
    become more, so compare sets of like size. ``compression_ratio`` is UTF-8 bytes over bytes after zlib, 1
    and up: higher repeats more. ``self_bleu`` (0..1, higher repeats more) and ``vendi`` (1 up to
    ``sample_size``: how many texts without anything in common would be as varied) are of a sample, as are
    ``embedding_distance``, the mean cosine distance of two texts (0..2), and ``embedding_vendi``. None where
    there are fewer than two texts, or no embedder.
    """

    sample_size: int = Field(ge=0)
    distinct_1: float
    distinct_2: float
    distinct_3: float
    compression_ratio: float
    self_bleu: float | None = None
    vendi: float | None = None
    embedding_distance: float | None = None
    embedding_vendi: float | None = None


def tokens_of(text: str) -> list[str]:
    """Return the words, numbers and Chinese characters of a text, in lower case."""
    return _TOKEN.findall(text.casefold())


class TokenTable:
    """The tokens of many texts as numbers, four bytes each, to count n-grams of any part of them."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._rows: list[NDArray[np.uint32]] = []

    def add(self, text: str) -> None:
        """Take up a text."""
        numbers = self._numbers
        row = [numbers.setdefault(token, len(numbers) + 1) for token in tokens_of(text)]
        self._rows.append(np.array(row, dtype=np.uint32))

    def distinct(self, rows: Iterable[int], n: int) -> float:
        """Return the share of different ones among the n-grams of these texts, 1.0 where there are none.

        (Li et al., 2016.) N-grams are told apart by 64-bit hashes; no n-gram spans two texts.
        """
        hashed = [_hashes(self._rows[row], n) for row in rows]
        every = np.concatenate(hashed) if hashed else np.zeros(0, dtype=np.uint64)
        return len(np.unique(every)) / len(every) if len(every) else 1.0


def _hashes(row: NDArray[np.uint32], n: int) -> NDArray[np.uint64]:
    count = max(0, len(row) - n + 1)
    hashes = np.zeros(count, dtype=np.uint64)
    for place in range(n):
        hashes = (hashes ^ row[place : place + count]) * _MULTIPLIER
        hashes ^= hashes >> np.uint64(29)
    return hashes


def compression_ratio(texts: Iterable[str]) -> float:
    """Return the bytes of the texts over those after zlib (level 6, in the given order); 1.0 for none."""
    data = "".join(f"{text}\n" for text in texts).encode("utf-8", "surrogatepass")
    return len(data) / len(zlib.compress(data, 6)) if data else 1.0


def self_bleu(texts: Sequence[str]) -> float | None:
    """Return the mean BLEU of each text against all others (Zhu et al., 2018), in 0..1; None for under two.

    BLEU (Papineni et al., 2002) is BP * exp(mean of ln p_n over n = 1 … 4, or up to the text's length), where
    p_n is the share of n-grams that come in some other text, each counted as often as there at most, and BP =
    exp(1 - r/c) where the text (c tokens) is shorter than the other text of the nearest length (r). A p_n of
    0 counts as 0.1 matches (Chen & Cherry, 2014, method 1).
    """
    rows = [tokens for tokens in map(tokens_of, texts) if tokens]
    if len(rows) < 2:
        return None
    grams = [[_ngrams(row, n) for n in range(1, BLEU_ORDERS + 1)] for row in rows]
    most = [_two_most([each[order] for each in grams]) for order in range(BLEU_ORDERS)]
    lengths = [len(row) for row in rows]
    scores = [_bleu(number, grams[number], most, lengths) for number in range(len(rows))]
    return sum(scores) / len(scores)


_Gram = tuple[str, ...]
_Most = dict[_Gram, tuple[int, int, int]]


def _ngrams(row: list[str], n: int) -> Counter[_Gram]:
    return Counter(tuple(row[i : i + n]) for i in range(len(row) - n + 1))


def _two_most(counts: list[Counter[_Gram]]) -> _Most:
    """Return per n-gram its highest count in a text, that text, and the highest count in any other text."""
    most: _Most = {}
    for owner, counted in enumerate(counts):
        for gram, count in counted.items():
            best, whose, second = most.get(gram, (0, -1, 0))
            most[gram] = (count, owner, best) if count > best else (best, whose, max(second, count))
    return most


def _bleu(number: int, grams: list[Counter[_Gram]], most: list[_Most], lengths: list[int]) -> float:
    logs = []
    for counted, most_of_order in zip(grams, most, strict=True):
        if not counted:
            break
        matches = 0
        for gram, count in counted.items():
            best, whose, second = most_of_order[gram]
            matches += min(count, second if whose == number else best)
        logs.append(math.log((matches or _SMOOTHING) / counted.total()))
    own = lengths[number]
    nearest = min((abs(other - own), other) for i, other in enumerate(lengths) if i != number)[1]
    penalty = min(0.0, 1 - nearest / own)
    return math.exp(penalty + sum(logs) / len(logs))


def vendi_score(similarities: NDArray[np.float64]) -> float:
    """Return exp of the entropy of the eigenvalues of K/n (Friedman & Dieng, 2023), in 1..n.

    ``similarities`` is an (n, n) positive semidefinite matrix K with ones on its diagonal.
    """
    values = np.linalg.eigvalsh(similarities / len(similarities))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def ngram_similarities(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the cosine similarities of texts by the character 3-grams that come in them, (n, n)."""
    numbers: dict[str, int] = {}
    rows = [[numbers.setdefault(gram, len(numbers)) for gram in sorted(shingles(text))] for text in texts]
    features = np.zeros((len(rows), len(numbers)), dtype=np.float32)
    for place, row in enumerate(rows):
        features[place, row] = 1.0 / math.sqrt(len(row))
    return (features @ features.T).astype(np.float64)


def embedding_diversity(texts: Sequence[str], embedder: Embedder) -> tuple[float, float]:
    """Return the mean cosine distance of two of two or more texts, and their Vendi score, by embeddings.

    Raises ValueError where the embedder does not give one row of numbers, not all 0, per text.
    """
    rows = np.asarray(embedder(list(texts)), dtype=np.float64)
    if rows.ndim != 2 or len(rows) != len(texts):
        got = f"got shape {rows.shape} for {len(texts)} texts"
        raise ValueError(f"the embedder must return one row per text, {got}")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or not norms.all():
        raise ValueError("the embedder returned a row that is not finite, or all 0")
    rows = rows / norms
    similarities = rows @ rows.T
    number = len(rows)
    mean = (similarities.sum() - np.trace(similarities)) / (number * (number - 1))
    return float(1.0 - mean), vendi_score(similarities)


def sample_of(rows: Sequence[int], seed: int, size: int = SAMPLE) -> list[int]:
    """Return ``size`` of the rows, ascending, or all where there are fewer; the same for the same seed."""
    return list(rows) if len(rows) <= size else sorted(Random(seed).sample(list(rows), size))


def effective_number(counts: Iterable[int]) -> float:
    """Return exp of the entropy of the shares: how many equally common ones are as varied; 0.0 for none."""
    positive = [count for count in counts if count > 0]
    total = sum(positive)
    return math.exp(-sum(count / total * math.log(count / total) for count in positive)) if positive else 0.0


def diversity(
    texts: Sequence[str],
    rows: Sequence[int],
    table: TokenTable,
    *,
    seed: int = 0,
    embedder: Embedder | None = None,
) -> Diversity:
    """Return how varied the texts at ``rows`` are; ``table`` holds the tokens of all texts, in order."""
    sampled = [texts[row] for row in sample_of(rows, seed)]
    several = len(sampled) > 1
    embedded = embedding_diversity(sampled, embedder) if embedder is not None and several else (None, None)
    return Diversity(
        sample_size=len(sampled),
        distinct_1=table.distinct(rows, 1),
        distinct_2=table.distinct(rows, 2),
        distinct_3=table.distinct(rows, 3),
        compression_ratio=compression_ratio(texts[row] for row in rows),
        self_bleu=self_bleu(sampled),
        vendi=vendi_score(ngram_similarities(sampled)) if several else None,
        embedding_distance=embedded[0],
        embedding_vendi=embedded[1],
    )
