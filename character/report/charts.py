"""Charts that many reports need, as Vega-Lite specs with their data inside and no colours of their own.

Every function takes plain numbers and gives a ``Chart``: the spec, what it shows in words, and the same numbers
as a table. Texts in the data are cut for the axes (the table has them whole). ``percent`` says that values are
shares in 0..1, to be written in per cent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from character.report.chart_specs import (
    CELL_WIDTH,
    LABEL_WIDTH,
    ROW_HEIGHT,
    base_spec,
    cut,
    distinct_labels,
    finite,
    group_colour,
    group_offset,
    interval_layers,
    label_angle,
    number_format,
    reference_layers,
    scale_ends,
    slanted_room,
    value_axis,
)
from character.report.parts import Cell, Chart, Number, NumberStyle, Table

MOST_STEPS = 5
"""As many ordered steps as a page has colours for."""


@dataclass(frozen=True)
class Point:
    """A value with its interval (both ends or neither) for one label, and for one group where there are several."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    group: str = ""


@dataclass(frozen=True)
class Step:
    """A point of a line: y at x with its band (both ends or neither), of one series where there are several."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    group: str = ""


@dataclass(frozen=True)
class Bin:
    """How many values lie in [low, high)."""

    low: float
    high: float
    count: int
    group: str = ""


def bars(
    title: str,
    points: Sequence[Point],
    *,
    names: tuple[str, str, str] = ("label", "value", "group"),
    percent: bool = False,
    domain: tuple[float, float] | None = None,
    reference: float | None = None,
    description: str = "",
) -> Chart:
    """Return horizontal bars in the order given, with intervals as thin lines; groups share a row.

    ``names`` are the titles of label, value and group. ``reference`` draws a dashed line at a value, such as
    where chance lies.
    """
    grouped = any(point.group for point in points)
    y: dict[str, Any] = {"field": "label", "type": "nominal", "sort": None, "title": None}
    row: dict[str, Any] = {"y": y, **group_offset(grouped)}
    layers = [
        {"mark": {"type": "bar", "cornerRadius": 2}, "encoding": {**row, **group_colour(grouped, names[2])}},
        *interval_layers(row, there=_have_intervals(points)),
        *reference_layers(reference),
    ]
    return _rows_chart(title, points, layers, names, percent, domain, description, grouped)


def stacked(
    title: str,
    rows: Sequence[tuple[str, Sequence[int]]],
    steps: Sequence[str],
    *,
    names: tuple[str, str, str] = ("label", "step", "share"),
    description: str = "",
) -> Chart:
    """Return a horizontal bar per row, parted by how many lie at each of up to five ordered steps, the first one left.

    ``rows`` are labels with their counts, one count per step; ``names`` are the titles of label, step and share.
    """
    if len(steps) > MOST_STEPS:
        raise ValueError(f"expected at most {MOST_STEPS} steps, got {len(steps)}")
    labels = distinct_labels([label for label, _counts in rows])
    values = [
        {"label": label, "step": step, "place": place, "value": count / (sum(counts) or 1)}
        for label, (_, counts) in zip(labels, rows, strict=True)
        for place, (step, count) in enumerate(zip(steps, counts, strict=True))
    ]
    spec = base_spec(values, height=max(ROW_HEIGHT * len(set(labels)), ROW_HEIGHT))
    spec["mark"] = {"type": "bar", "height": {"band": 0.75}}
    x = value_axis("x", names[2], True, (0.0, 1.0))
    spec["encoding"] = {
        "y": {"field": "label", "type": "nominal", "sort": None, "title": None},
        "x": {**x, "stack": "zero"},
        "order": {"field": "place", "type": "quantitative"},
        "color": {
            "field": "step",
            "type": "ordinal",
            "sort": list(steps),
            "scale": {"domain": list(steps)},
            "title": names[1],
            "legend": {"orient": "top", "title": None, "columns": 3},
        },
    }
    lines: tuple[tuple[Cell, ...], ...] = tuple((label, *counts) for label, counts in rows)
    return Chart(title, spec, Table((names[0], *steps), lines), description)


def dots(
    title: str,
    points: Sequence[Point],
    *,
    names: tuple[str, str, str] = ("label", "value", "group"),
    percent: bool = False,
    domain: tuple[float, float] | None = None,
    reference: float | None = None,
    description: str = "",
) -> Chart:
    """Return a dot plot: the groups' values as dots on one row per label, joined by a line, with intervals."""
    grouped = any(point.group for point in points)
    y: dict[str, Any] = {"field": "label", "type": "nominal", "sort": None, "title": None}
    ends = {"x": {"aggregate": "min", "field": "value"}, "x2": {"aggregate": "max", "field": "value"}}
    join = {"mark": {"type": "rule", "opacity": 0.35}, "encoding": {"y": y, **ends}}
    layers = [
        *([join] if grouped else []),
        *interval_layers({"y": y}, there=_have_intervals(points), colour=group_colour(grouped, names[2])),
        {
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "encoding": {"y": y, **group_colour(grouped, names[2])},
        },
        *reference_layers(reference),
    ]
    return _rows_chart(title, points, layers, names, percent, domain, description, False)


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

    ``middle`` is the value at which a two-sided colour scale turns (0.5 for win rates, 0 for differences, which are signed);
    None takes a one-sided scale. ``domain`` are the values at the two ends of the scale.
    """
    percent, middle = scale.get("percent", False), scale.get("middle")
    row_labels, column_labels = distinct_labels(rows), distinct_labels(columns)
    cells: list[dict[str, Any]] = [
        {"row": row, "column": column, "value": finite(value)}
        for row, line in zip(row_labels, values, strict=True)
        for column, value in zip(column_labels, line, strict=True)
    ]
    low, high = scale.get("domain") or scale_ends([cell["value"] for cell in cells], middle)
    colours = {
        "domain": [low, high] if middle is None else [low, middle, high],
        "range": "heatmap" if middle is None else "diverging",
        "interpolate": "rgb",
    }
    spec = base_spec(cells, height=(ROW_HEIGHT + 6) * len(rows))
    angle = label_angle(column_labels)
    beside = slanted_room(column_labels) if angle["labelAngle"] else 2
    spec["padding"] = {"left": 2, "top": 2, "bottom": 2, "right": beside}
    spec["encoding"] = {
        "x": _category("column", column_labels, names[1], {"orient": "top", **angle}),
        "y": _category("row", row_labels, None, {}),
    }
    value = {"field": "value", "type": "quantitative"}
    spec["layer"] = [
        {
            "mark": {"type": "rect", "cornerRadius": 2},
            "encoding": {"color": {**value, "title": names[2], "scale": colours, "legend": None}},
        },
        {
            "transform": [{"filter": "isValid(datum.value)"}],
            "mark": {"type": "text", "style": "inside"},
            "encoding": {"text": {**value, "format": number_format(percent, signed=middle == 0)}},
        },
    ]
    style: NumberStyle = "share" if percent else "signed" if middle == 0 else "number"
    lines: tuple[tuple[Cell, ...], ...] = tuple(
        (row, *(Number(finite(cell), style=style) for cell in line))
        for row, line in zip(rows, values, strict=True)
    )
    table = Table((f"{names[0]} / {names[1]}", *columns), lines)
    return Chart(title, spec, table, description, min_width=LABEL_WIDTH + CELL_WIDTH * len(columns) + beside)


def line(
    title: str,
    steps: Sequence[Step],
    *,
    names: tuple[str, str, str] = ("x", "y", "group"),
    percent: bool = False,
    domain: tuple[float, float] | None = None,
    reference: float | None = None,
    description: str = "",
) -> Chart:
    """Return lines over x with a band around each where the steps carry one."""
    grouped = any(step.group for step in steps)
    values = [
        {"x": step.x, "value": step.y, "low": step.low, "high": step.high, "group": cut(step.group)}
        for step in steps
    ]
    spec = base_spec(values, height=240)
    colour = group_colour(grouped, names[2])
    x = {"field": "x", "type": "quantitative", "title": names[0], "scale": {"zero": False}}
    band = {
        "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
        "mark": {"type": "area", "opacity": 0.2},
        "encoding": {
            "x": x,
            "y": {"field": "low", "type": "quantitative"},
            "y2": {"field": "high"},
            **colour,
        },
    }
    y = value_axis("y", names[1], percent, domain)
    spec["layer"] = [
        *([band] if any(step.low is not None for step in steps) else []),
        {"mark": {"type": "line", "point": True, "strokeWidth": 2}, "encoding": {"x": x, "y": y, **colour}},
        *reference_layers(reference, channel="y"),
    ]
    style: NumberStyle = "share" if percent else "number"
    head = (names[0], names[1]) if not grouped else (names[2], names[0], names[1])
    rows = tuple(
        (*((step.group,) if grouped else ()), step.x, Number(step.y, step.low, step.high, style))
        for step in steps
    )
    return Chart(title, spec, Table(head, rows), description)


def histogram(
    title: str,
    bins: Sequence[Bin],
    *,
    names: tuple[str, str, str] = ("value", "count", "group"),
    description: str = "",
) -> Chart:
    """Return counts over bins (see ``bin_counts``); groups lie half transparent over one another."""
    grouped = any(one.group for one in bins)
    values = [{"low": b.low, "high": b.high, "count": b.count, "group": cut(b.group)} for b in bins]
    spec = base_spec(values, height=220)
    spec["mark"] = {"type": "bar", "opacity": 0.6 if grouped else 1.0, "binSpacing": 1}
    spec["encoding"] = {
        "x": {"field": "low", "type": "quantitative", "bin": {"binned": True}, "title": names[0]},
        "x2": {"field": "high"},
        "y": {"field": "count", "type": "quantitative", "title": names[1], "stack": None},
        **group_colour(grouped, names[2]),
    }
    head = (names[0], names[1]) if not grouped else (names[2], names[0], names[1])
    rows = tuple((*((b.group,) if grouped else ()), f"{b.low:g} … {b.high:g}", b.count) for b in bins)
    return Chart(title, spec, Table(head, rows), description)


def bin_counts(
    values: Sequence[float], *, num_bins: int, low: float, high: float, group: str = ""
) -> tuple[Bin, ...]:
    """Return how many values lie in each of equally wide bins over [low, high]; values outside join the nearest bin.

    Raises ValueError where there is no bin or no width.
    """
    if num_bins < 1 or not high > low:
        raise ValueError(f"expected at least one bin and high above low, got {num_bins}, {low} and {high}")
    width, counts = (high - low) / num_bins, [0] * num_bins
    for value in values:
        counts[min(max(int((value - low) / width), 0), num_bins - 1)] += 1
    return tuple(Bin(low + i * width, low + (i + 1) * width, n, group) for i, n in enumerate(counts))


def _rows_chart(
    title: str,
    points: Sequence[Point],
    layers: list[dict[str, Any]],
    names: tuple[str, str, str],
    percent: bool,
    domain: tuple[float, float] | None,
    description: str,
    side_by_side: bool,
) -> Chart:
    values = [
        {
            "label": label,
            "value": finite(point.value),
            "low": finite(point.low),
            "high": finite(point.high),
            "group": cut(point.group),
        }
        for point, label in zip(points, distinct_labels([point.label for point in points]), strict=True)
    ]
    groups = len({point.group for point in points}) if side_by_side else 1
    height = (18 * groups if groups > 1 else ROW_HEIGHT) * len({value["label"] for value in values})
    spec = base_spec(values, height=max(height, ROW_HEIGHT))
    spec["encoding"] = {"x": value_axis("x", names[1], percent, domain)}
    spec["layer"] = layers
    return Chart(title, spec, _points_table(points, names, percent), description)


def _have_intervals(points: Sequence[Point]) -> bool:
    return any(point.low is not None and point.high is not None for point in points)


def _points_table(points: Sequence[Point], names: tuple[str, str, str], percent: bool) -> Table:
    grouped = any(point.group for point in points)
    style: NumberStyle = "share" if percent else "number"
    head = (names[0], names[2], names[1]) if grouped else (names[0], names[1])
    return Table(
        head,
        tuple(
            (
                point.label,
                *((point.group,) if grouped else ()),
                Number(finite(point.value), finite(point.low), finite(point.high), style),
            )
            for point in points
        ),
    )


def _category(
    field: str, labels: Sequence[str], title: str | None, axis: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": list(labels)},
        "title": title,
        "axis": {"domain": False, "ticks": False, **axis},
    }
