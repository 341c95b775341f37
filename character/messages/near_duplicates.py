"""Which texts repeat one another, exactly or nearly, among many.

Two texts repeat one another where they share most of their character 3-grams: of the folded text as it runs,
or of its clauses each for itself, so that a text whose clauses were put in another order still counts. A
short Chinese message loses more than a third of its running 3-grams to one swap around a comma, none of the
others.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from character.statistics.groups import Groups
from character.text import NEAR_DUPLICATE_JACCARD, fold, jaccard, ngrams

if TYPE_CHECKING:
    from numpy.typing import NDArray
EXACT_UP_TO = 256
"""Up to so many texts each is compared with each; beyond, only with those an index names."""
SURE_COPY = 0.9
"""``clusters`` compares further texts with one of two texts that are at least this alike, not with both."""
_ROWS, _BANDS = 5, 25
# Chance to be named by the index, 1 - (1 - J^5)^25: .990 at a Jaccard of .7, .998 at .75, .06 at .3.
_SEED = 20
_MARGIN = 0.1
# A sketch of 125 values estimates J = .7 with a standard deviation of .04: what it puts this far below the
# threshold is not compared.
_CACHED_TEXTS = 2 * EXACT_UP_TO
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CLAUSE_END = re.compile(rf"[^\w\s'’-]+|\n+|(?<=[{_HAN}])\s+(?=[{_HAN}])")


class _Grams(NamedTuple):
    """The 3-grams of a text as it runs, and those of its clauses each for itself."""

    running: frozenset[str]
    clauses: frozenset[str]


def similarity(left: str, right: str) -> float:
    """Return how much of two texts is the same, in 0..1.

    Whatever their punctuation, width, case and order of clauses: the larger of two Jaccard similarities of
    character 3-grams, that of the folded texts and that of their clauses.
    """
    return _alike(_grams(left), _grams(right))


class NearDuplicates:
    """Remembers texts and says whether a new one repeats one of them, exactly or nearly.

    Works the same for Chinese and English. Up to ``EXACT_UP_TO`` texts are compared one by one; of more, the
    ones that a MinHash index (Broder, 1997; banded as by Leskovec et al.) names, which finds .99 of the pairs
    at the threshold and more above it. Every repeat is verified by its exact similarity, so none is reported
    that is below ``threshold`` (in 0..1). Keeps the texts and about 2 kB for each.
    """

    def __init__(self, texts: Iterable[str] = (), *, threshold: float = NEAR_DUPLICATE_JACCARD) -> None:
        self._threshold = threshold
        self._keys: set[bytes] = set()
        self._texts: list[str] = []
        self._index: _Index | None = None
        for text in texts:
            self.add(text)

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> None:
        """Remember a text."""
        self._keys.add(_key(text))
        self._texts.append(text)
        if self._index is not None:
            self._index.insert(len(self._texts) - 1, text)
        elif len(self._texts) > EXACT_UP_TO:
            self._index = _Index(self._threshold)
            for number, earlier in enumerate(self._texts):
                self._index.insert(number, earlier)

    def find(self, text: str) -> str | None:
        """Return ``"duplicate"``, ``"near_duplicate"`` or None for a text that is new."""
        if _key(text) in self._keys:
            return "duplicate"
        return None if next(self.matches(text), None) is None else "near_duplicate"

    def matches(
        self, text: str, *, skip: Callable[[int], bool] = lambda _: False
    ) -> Iterator[tuple[int, float]]:
        """Yield the numbers of the remembered texts that a text repeats, each with the similarity.

        Texts are numbered from 0 in the order in which they were added. Those that ``skip`` says yes to are
        not compared; it is asked right before each comparison.
        """
        own = _grams(text)
        for number in range(len(self._texts)) if self._index is None else self._index.query(text):
            if skip(number):
                continue
            alike = _alike(own, _grams(self._texts[number]), self._threshold)
            if alike >= self._threshold:
                yield number, alike


def clusters(texts: Sequence[str], threshold: float = NEAR_DUPLICATE_JACCARD) -> list[list[int]]:
    """Return the groups of texts that repeat one another, as ascending indices; the largest group first.

    Joined one by one: two texts of a group may be less alike than ``threshold`` (in 0..1) where others lie
    between them. Texts that differ in width, case, punctuation and spacing alone are one text.
    """
    groups = Groups(len(texts))
    seen = NearDuplicates(threshold=threshold)
    added: list[int] = []
    first: dict[bytes, int] = {}
    for number, text in enumerate(texts):
        same = first.setdefault(_key(text), number)
        if same != number:
            groups.join(same, number)
        elif not _joins(text, number, seen, added, groups):
            seen.add(text)
            added.append(number)
    several = (group for group in groups.members() if len(group) > 1)
    return sorted(several, key=lambda group: (-len(group), group[0]))


def _joins(text: str, number: int, seen: NearDuplicates, added: list[int], groups: Groups) -> bool:
    """Join a text with those it repeats; return whether one of them is so alike that it can stand for it."""
    sure = False
    for place, alike in seen.matches(text, skip=lambda place: groups.are_joined(added[place], number)):
        groups.join(added[place], number)
        sure |= alike >= SURE_COPY
    return sure


class _Index:
    """Names the texts that may be near duplicates of a text, by MinHash of the 3-grams of their clauses."""

    def __init__(self, threshold: float) -> None:
        import numpy as np
        import rensa

        self._least = threshold - _MARGIN
        self._lsh = rensa.RMinHashLSH(threshold, _ROWS * _BANDS, _BANDS)
        self._digests: NDArray[Any] = np.zeros((4 * EXACT_UP_TO, _ROWS * _BANDS), dtype=np.uint16)

    def insert(self, number: int, text: str) -> None:
        sketch = _sketch(text)
        self._lsh.insert(number, sketch)
        if number >= len(self._digests):
            self._digests.resize((2 * number, _ROWS * _BANDS), refcheck=False)
        self._digests[number] = _lowest_bits(sketch)

    def query(self, text: str) -> list[int]:
        """Return the numbers of the texts whose sketches are alike enough, the most alike first."""
        import numpy as np

        sketch = _sketch(text)
        named = np.array(sorted(self._lsh.query(sketch)), dtype=np.intp)
        if not len(named):
            return []
        alike = (self._digests[named] == _lowest_bits(sketch)).mean(axis=1)
        best = np.argsort(-alike, kind="stable")
        numbers: list[int] = named[best][alike[best] >= self._least].tolist()
        return numbers


@lru_cache(maxsize=4)  # a text is usually added right after it was not found
def _sketch(text: str) -> Any:
    import rensa

    sketch = rensa.RMinHash(num_perm=_ROWS * _BANDS, seed=_SEED)
    sketch.update(list(_grams(text).clauses))
    return sketch


def _lowest_bits(sketch: Any) -> NDArray[Any]:
    """Return a sketch's values cut to 16 bits: different ones agree by chance once in 65,536 times."""
    import numpy as np

    return np.array(sketch.digest(), dtype=np.uint32).astype(np.uint16)


def _alike(left: _Grams, right: _Grams, least: float = 0.0) -> float:
    if left.running.isdisjoint(right.running) and left.clauses.isdisjoint(right.clauses):
        return 0.0
    best = 0.0
    for own, other in zip(left, right, strict=True):
        if min(len(own), len(other)) >= least * max(len(own), len(other)):  # else Jaccard cannot reach it
            best = max(best, jaccard(own, other))
    return best


@lru_cache(maxsize=_CACHED_TEXTS)
def _grams(text: str) -> _Grams:
    parts = [fold(part) for part in _CLAUSE_END.split(text)]
    clauses = frozenset(gram for part in parts if part for gram in ngrams(part))
    return _Grams(ngrams("".join(parts) or text), clauses or frozenset((text,)))


def _key(text: str) -> bytes:
    """Return what texts that differ in width, case, punctuation and spacing alone have in common."""
    return hashlib.blake2b((fold(text) or text).encode("utf-8", "surrogatepass"), digest_size=8).digest()
