"""Charts that many reports need, as Vega-Lite specs with their data inside and no colours of their own.

Every function takes plain numbers and gives a ``Chart``: the spec, what it shows in words, and the same
numbers as a table. Texts in the data are cut for the axes (the table has them whole). ``percent`` says that
values are shares in 0..1, to be written in per cent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from character.report.parts import Cell, Chart, Number, NumberStyle, Table
from character.views.templates import filled_in

MOST_STEPS = 5
"""As many ordered steps as a page has colours for."""
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


@dataclass(frozen=True)
class Point:
    """A value with its interval (both ends or neither) for a label, and a group where there are several."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    group: str = ""


@dataclass(frozen=True)
class Step:
    """A point of a line: y at x with its band (both ends or neither), of a series where there are several."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    group: str = ""


class ChartOptions(TypedDict, total=False):
    """What bars, dots and lines have in common.

    ``names`` are the titles of label (or x), value and group. ``domain`` are the ends of the axis of values.
    ``reference`` draws a dashed line at a value, such as where chance lies.
    """

    names: tuple[str, str, str]
    percent: bool
    domain: tuple[float, float] | None
    reference: float | None
    description: str


def bars(title: str, points: Sequence[Point], **options: Unpack[ChartOptions]) -> Chart:
    """Return horizontal bars in the order given, with intervals as thin lines; groups share a row."""
    return _rows_chart("bars", title, points, 18, options)


def dots(title: str, points: Sequence[Point], **options: Unpack[ChartOptions]) -> Chart:
    """Return a dot plot: the groups' values as dots in a row per label, joined by a line, with intervals."""
    return _rows_chart("dots", title, points, 0, options)


def stacked(
    title: str,
    rows: Sequence[tuple[str, Sequence[int]]],
    steps: Sequence[str],
    *,
    names: tuple[str, str, str] = ("label", "step", "share"),
    description: str = "",
) -> Chart:
    """Return a horizontal bar per row, parted by how many lie at each of up to five ordered steps.

    ``rows`` are labels with their counts, one count per step, the first step left; ``names`` are the titles
    of label, step and share.
    """
    if len(steps) > MOST_STEPS:
        raise ValueError(f"expected at most {MOST_STEPS} steps, got {len(steps)}")
    labels = distinct_labels([label for label, _counts in rows])
    values = [
        {"label": label, "step": step, "place": place, "value": count / (sum(counts) or 1)}
        for label, (_, counts) in zip(labels, rows, strict=True)
        for place, (step, count) in enumerate(zip(steps, counts, strict=True))
    ]
    height = ROW_HEIGHT * max(len(set(labels)), 1)
    spec = _spec("stacked", values, height, names=names, steps=list(steps))
    lines: tuple[tuple[Cell, ...], ...] = tuple((label, *counts) for label, counts in rows)
    return Chart(title, spec, Table((names[0], *steps), lines), description)


class HeatScale(TypedDict, total=False):
    """How the values of a heat map are coloured and written; see ``heat_map``."""

    percent: bool
    middle: float | None
    domain: tuple[float, float] | None


def heat_map(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    names: tuple[str, str, str] = ("row", "column", "value"),
    description: str = "",
    **scale: Unpack[HeatScale],
) -> Chart:
    """Return a matrix of coloured cells with their values written in; None is an empty cell.

    ``middle`` is the value at which a two-sided colour scale turns (0.5 for win rates, 0 for differences,
    which are signed); None takes a one-sided scale. ``domain`` are the values at the two ends of the scale.
    """
    percent, middle = scale.get("percent", False), scale.get("middle")
    row_labels, column_labels = distinct_labels(rows), distinct_labels(columns)
    cells: list[dict[str, Any]] = [
        {"row": row, "column": column, "value": finite(value)}
        for row, line in zip(row_labels, values, strict=True)
        for column, value in zip(column_labels, line, strict=True)
    ]
    low, high = scale.get("domain") or scale_ends([cell["value"] for cell in cells], middle)
    angle = label_angle(column_labels)
    beside = slanted_room(column_labels) if angle["labelAngle"] else 2
    spec = _spec(
        "heat_map",
        cells,
        (ROW_HEIGHT + 6) * len(rows),
        names=names,
        rows=row_labels,
        columns=column_labels,
        angle=angle,
        beside=beside,
        middle=middle,
        ends=[low, high] if middle is None else [low, middle, high],
        percent=percent,
    )
    style: NumberStyle = "share" if percent else "signed" if middle == 0 else "number"
    lines: tuple[tuple[Cell, ...], ...] = tuple(
        (row, *(Number(finite(cell), style=style) for cell in line))
        for row, line in zip(rows, values, strict=True)
    )
    table = Table((f"{names[0]} / {names[1]}", *columns), lines)
    return Chart(title, spec, table, description, min_width=LABEL_WIDTH + CELL_WIDTH * len(columns) + beside)


def line(title: str, steps: Sequence[Step], **options: Unpack[ChartOptions]) -> Chart:
    """Return lines over x with a band around each where the steps carry one."""
    names = options.get("names", ("x", "y", "group"))
    values = [
        {"x": step.x, "value": step.y, "low": step.low, "high": step.high, "group": cut(step.group)}
        for step in steps
    ]
    style: NumberStyle = "share" if options.get("percent") else "number"
    rows = ((step.group, step.x, Number(step.y, step.low, step.high, style)) for step in steps)
    spec = _spec("line", values, 240, **options | {"names": names}, **_shape(steps))
    table = _table((names[2], names[0], names[1]), rows, steps)
    return Chart(title, spec, table, options.get("description", ""))


def _rows_chart(
    chart: str, title: str, points: Sequence[Point], group_height: int, options: ChartOptions
) -> Chart:
    names = options.get("names", ("label", "value", "group"))
    style: NumberStyle = "share" if options.get("percent") else "number"
    numbers = [Number(finite(each.value), finite(each.low), finite(each.high), style) for each in points]
    labels = distinct_labels([point.label for point in points])
    values = [
        {"label": label, "value": each.value, "low": each.low, "high": each.high, "group": cut(point.group)}
        for label, each, point in zip(labels, numbers, points, strict=True)
    ]
    row_height = max(ROW_HEIGHT, group_height * len({point.group for point in points}))
    height = row_height * max(len(set(labels)), 1)
    spec = _spec(chart, values, height, **options | {"names": names}, **_shape(points))
    rows = ((point.label, point.group, number) for point, number in zip(points, numbers, strict=True))
    table = _table((names[0], names[2], names[1]), rows, points, group_at=1)
    return Chart(title, spec, table, options.get("description", ""))


def _spec(chart: str, values: list[dict[str, Any]], height: int, **facts: object) -> dict[str, Any]:
    """Return the spec of a kind of chart, as wide as its page, with the data inside; ``height`` in pixels."""
    facts = {"percent": False, "domain": None, "reference": None, **facts}
    template = Path(__file__).with_name("assets") / "charts.json.jinja"
    spec = json.loads(filled_in(template, chart=chart, height=height, **facts))
    return {**spec, "data": {"values": values}}


def _shape(items: Sequence[Point | Step]) -> dict[str, bool]:
    """Return whether there are groups, and intervals to draw."""
    return {
        "is_grouped": any(item.group for item in items),
        "has_intervals": any(item.low is not None and item.high is not None for item in items),
    }


def _table(
    head: tuple[str, ...],
    rows: Iterable[tuple[Cell, ...]],
    items: Sequence[Point | Step],
    *,
    group_at: int = 0,
) -> Table:
    """Return the numbers of a chart; the column of groups is left out where there are none."""
    is_grouped = _shape(items)["is_grouped"]
    stay = [place for place in range(len(head)) if is_grouped or place != group_at]
    return Table(tuple(head[i] for i in stay), tuple(tuple(row[i] for i in stay) for row in rows))


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
