"""What tests of rankings share."""

from __future__ import annotations

from itertools import islice

from character.ranking.orders import balanced_orders


def presentation_orders(num_candidates: int, num_passes: int, seed: int) -> list[tuple[int, ...]]:
    """Return the first orders of the balanced design, one per pass."""
    return list(islice(balanced_orders(num_candidates, seed), num_passes))
