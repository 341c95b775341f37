"""What charts measure before they are drawn: labels short enough to read, their room, the ends of scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

LABEL_LENGTH = 28
"""Characters after which a label on an axis is cut."""
FITTING_COLUMNS = 54
"""Latin letters that fit side by side above the columns of a matrix on a phone."""
CELL_WIDTH, LABEL_WIDTH = 44, 130
"""Least width of a matrix's cell, and room for the labels of its rows, in pixels."""
SLANT, SLANTED_LIMIT = -40, 150
"""Angle of labels that do not fit level above their columns, in degrees, and the width, in pixels, to which
they are cut."""
ROW_HEIGHT = 24
"""Height of a row of bars, dots or cells, in pixels."""


def cut(label: str) -> str:
    """Return a label short enough for an axis, on one line."""
    one_line = " ".join(label.split())
    return one_line if len(one_line) <= LABEL_LENGTH else f"{one_line[: LABEL_LENGTH - 1]}…"


def distinct_labels(labels: Sequence[str]) -> list[str]:
    """Return the labels cut for an axis; different ones stay different."""
    seen: dict[str, str] = {}
    for label in labels:
        if label not in seen:
            short = cut(label)
            while short in seen.values():
                short += "\u2009·"
            seen[label] = short
    return [seen[label] for label in labels]


def label_angle(labels: Sequence[str]) -> dict[str, Any]:
    """Return the axis options of labels above columns: level where they fit beside one another on a phone."""
    if max(map(_letters, labels), default=0) * len(labels) <= FITTING_COLUMNS:
        return {"labelAngle": 0}
    return {"labelAngle": SLANT, "labelOverlap": False, "labelLimit": SLANTED_LIMIT}


def slanted_room(labels: Sequence[str]) -> int:
    """Return the room, in pixels, that slanted labels take to the right of their matrix.

    The last one starts in mid-column.
    """
    reach = (
        math.cos(math.radians(SLANT)) * min(SLANTED_LIMIT, 6.5 * _letters(label)) - CELL_WIDTH * (after + 0.5)
        for after, label in enumerate(reversed(labels))
    )
    return max(2, math.ceil(max(reach, default=0)))


def _letters(label: str) -> int:
    """Return how wide a label is, in Latin letters: a Chinese character counts two."""
    return sum(2 if ord(char) > 0x2E80 else 1 for char in label)


def finite(value: float | None) -> float | None:
    """Return a number, None for what is none."""
    return None if value is None or not math.isfinite(value) else float(value)


def scale_ends(values: Sequence[float | None], middle: float | None) -> tuple[float, float]:
    """Return the values at the two ends of a colour scale, equally far from the middle where there is one."""
    numbers = [value for value in values if value is not None] or [0.0, 1.0]
    low, high = min(numbers), max(numbers)
    if middle is not None:
        reach = max(middle - low, high - middle) or 1.0
        return middle - reach, middle + reach
    return (low, high) if high > low else (low, low + 1.0)
