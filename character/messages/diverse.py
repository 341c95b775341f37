"""Which texts of too many to keep, so that they lie far apart and their kinds stay mixed as asked for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from character.text import jaccard, shingles

Group = Mapping[str, str]
"""What a text was written for, by axis: ``{"length": "short", "register": "casual"}``."""


def select_spread(
    texts: Sequence[str],
    num: int,
    *,
    groups: Sequence[Group] | None = None,
    asked: Sequence[Group] | None = None,
) -> list[int]:
    """Return the indices, ascending, of ``num`` texts that lie far apart; all where there are fewer.

    Farthest-point traversal (Gonzalez, 1985): from the first text on, each step takes the text whose nearest
    chosen neighbour is farthest. Its least distance is at least half of the best one possible. Distance is 1
    - Jaccard similarity of character 3-grams, so it works alike for Chinese and English. ``groups`` (one per
    text) keep the mix: a text whose value of an axis has its share already is taken only where no other is
    left. Shares are those of ``asked``, else those of ``groups``. Ties go to the earlier text, so the result
    depends on the arguments alone. Takes time and memory in proportion to ``num`` times the texts. Raises
    ValueError where ``groups`` are not one per text, or ``num`` is negative.
    """
    if num < 0:
        raise ValueError(f"num must be 0 or more, got {num}")
    if groups is not None and len(groups) != len(texts):
        raise ValueError(f"there must be one group per text, got {len(groups)} for {len(texts)} texts")
    if num >= len(texts):
        return list(range(len(texts)))
    grams = [shingles(text) for text in texts]
    mix = _Mix(groups or [{}] * len(texts), asked or groups or [], num)
    nearest = [1.0] * len(texts)
    left = list(range(len(texts)))
    chosen: list[int] = []
    while len(chosen) < num:
        best = min(left, key=lambda i: (mix.surplus(i), -nearest[i], i))
        left.remove(best)
        chosen.append(best)
        mix.take(best)
        for i in left:
            nearest[i] = min(nearest[i], 1.0 - jaccard(grams[i], grams[best]))
    return sorted(chosen)


class _Mix:
    """How many texts of each value are wanted of ``num``, and how many are taken."""

    def __init__(self, groups: Sequence[Group], asked: Sequence[Group], num: int) -> None:
        axes = {axis for group in asked for axis in group}
        self._values = [tuple(group.items()) for group in groups]
        self._unknown = [len(axes - group.keys()) for group in groups]
        counts = Counter(value for group in asked for value in group.items())
        self._wanted = {value: num * count / len(asked) for value, count in counts.items()}
        self._taken: Counter[tuple[str, str]] = Counter()

    def surplus(self, index: int) -> tuple[int, int]:
        """Return how many of a text's values have their share already: rounded up, and rounded down.

        An axis that a text says nothing of counts as full, so that such texts come last.
        """
        unknown = self._unknown[index]
        values = [(self._taken[value], self._wanted.get(value, 0.0)) for value in self._values[index]]
        return (
            unknown + sum(taken >= math.ceil(wanted) for taken, wanted in values),
            unknown + sum(taken >= math.floor(wanted) for taken, wanted in values),
        )

    def take(self, index: int) -> None:
        """Count a text as taken."""
        self._taken.update(self._values[index])
