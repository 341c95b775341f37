"""Charts that many reports need, as Vega-Lite specs with their data inside and no colours of their own.

Every function takes plain numbers and gives a ``Chart``: the spec, what it shows in words, and the same
numbers as a table. Texts in the data are cut for the axes (the table has them whole). ``percent`` says that
values are shares in 0..1, to be written in per cent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from character.report.chart_specs import (
    CELL_WIDTH,
    LABEL_WIDTH,
    ROW_HEIGHT,
    base_spec,
    cut,
    distinct_labels,
    field,
    finite,
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
_LABELS = field("label", "nominal", sort=None, title=None)


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
    colour = _colour(points, options)
    row = {"y": _LABELS, **({"yOffset": field("group", "nominal", sort=None)} if colour else {})}
    layers = [
        {"mark": {"type": "bar", "cornerRadius": 2}, "encoding": {**row, **colour}},
        *_interval_layers(points, row),
    ]
    height = max(ROW_HEIGHT, 18 * len({point.group for point in points})) if colour else ROW_HEIGHT
    return _rows_chart(title, points, layers, height, options)


def dots(title: str, points: Sequence[Point], **options: Unpack[ChartOptions]) -> Chart:
    """Return a dot plot: the groups' values as dots in a row per label, joined by a line, with intervals."""
    colour = _colour(points, options)
    ends = {"x": {"aggregate": "min", "field": "value"}, "x2": {"aggregate": "max", "field": "value"}}
    join = {"mark": {"type": "rule", "opacity": 0.35}, "encoding": {"y": _LABELS, **ends}}
    dot = {"type": "point", "filled": True, "size": 70, "opacity": 1}
    layers = [
        *([join] if colour else []),
        *_interval_layers(points, {"y": _LABELS}, colour),
        {"mark": dot, "encoding": {"y": _LABELS, **colour}},
    ]
    return _rows_chart(title, points, layers, ROW_HEIGHT, options)


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
    spec = base_spec(values, height=ROW_HEIGHT * max(len(set(labels)), 1))
    spec["mark"] = {"type": "bar", "height": {"band": 0.75}}
    order = {"sort": list(steps), "scale": {"domain": list(steps)}}
    legend = {"orient": "top", "title": None, "columns": 3}
    spec["encoding"] = {
        "y": _LABELS,
        "x": {**value_axis(names[2], True, (0.0, 1.0)), "stack": "zero"},
        "order": field("place"),
        "color": field("step", "ordinal", **order, title=names[1], legend=legend),
    }
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
        "x": _category("column", column_labels, names[1], orient="top", **angle),
        "y": _category("row", row_labels, None),
    }
    spec["layer"] = [
        {
            "mark": {"type": "rect", "cornerRadius": 2},
            "encoding": {"color": field("value", title=names[2], scale=colours, legend=None)},
        },
        {
            "transform": [{"filter": "isValid(datum.value)"}],
            "mark": {"type": "text", "style": "inside"},
            "encoding": {"text": field("value", format=number_format(percent, signed=middle == 0))},
        },
    ]
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
    percent, colour = options.get("percent", False), _colour(steps, options)
    values = [
        {"x": step.x, "value": step.y, "low": step.low, "high": step.high, "group": cut(step.group)}
        for step in steps
    ]
    spec = base_spec(values, height=240)
    x = field("x", title=names[0], scale={"zero": False})
    y = value_axis(names[1], percent, options.get("domain"))
    band = {
        "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
        "mark": {"type": "area", "opacity": 0.2},
        "encoding": {"x": x, "y": field("low"), "y2": {"field": "high"}, **colour},
    }
    spec["layer"] = [
        *([band] if any(step.low is not None for step in steps) else []),
        {"mark": {"type": "line", "point": True, "strokeWidth": 2}, "encoding": {"x": x, "y": y, **colour}},
        *reference_layers(options.get("reference"), channel="y"),
    ]
    style: NumberStyle = "share" if percent else "number"
    rows = ((step.group, step.x, Number(step.y, step.low, step.high, style)) for step in steps)
    table = _table((names[2], names[0], names[1]), rows, without=None if colour else 0)
    return Chart(title, spec, table, options.get("description", ""))


def _rows_chart(
    title: str,
    points: Sequence[Point],
    layers: list[dict[str, Any]],
    row_height: int,
    options: ChartOptions,
) -> Chart:
    names, percent = options.get("names", ("label", "value", "group")), options.get("percent", False)
    style: NumberStyle = "share" if percent else "number"
    numbers = [Number(finite(each.value), finite(each.low), finite(each.high), style) for each in points]
    labels = distinct_labels([point.label for point in points])
    values = [
        {"label": label, "value": each.value, "low": each.low, "high": each.high, "group": cut(point.group)}
        for label, each, point in zip(labels, numbers, points, strict=True)
    ]
    spec = base_spec(values, height=row_height * max(len(set(labels)), 1))
    spec["encoding"] = {"x": value_axis(names[1], percent, options.get("domain"))}
    spec["layer"] = [*layers, *reference_layers(options.get("reference"))]
    rows = ((point.label, point.group, number) for point, number in zip(points, numbers, strict=True))
    is_grouped = any(point.group for point in points)
    table = _table((names[0], names[2], names[1]), rows, without=None if is_grouped else 1)
    return Chart(title, spec, table, options.get("description", ""))


def _colour(items: Sequence[Point | Step], options: ChartOptions) -> dict[str, Any]:
    """Return the encoding that colours groups, with a legend; empty where there are none."""
    if not any(item.group for item in items):
        return {}
    title, legend = options.get("names", ("", "", "group"))[2], {"orient": "top", "title": None}
    return {"color": field("group", "nominal", sort=None, title=title, legend=legend)}


def _interval_layers(
    points: Sequence[Point], row: dict[str, Any], colour: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Return the layer of intervals as thin lines, none where no point has one."""
    if not any(point.low is not None and point.high is not None for point in points):
        return []
    layer = {
        "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
        "mark": {"type": "rule", "strokeWidth": 2},
        "encoding": {**row, "x": field("low"), "x2": {"field": "high"}, **(colour or {})},
    }
    return [layer]


def _table(head: tuple[str, ...], rows: Iterable[tuple[Cell, ...]], *, without: int | None) -> Table:
    """Return the numbers of a chart; the column at ``without`` is left out."""
    stay = [place for place in range(len(head)) if place != without]
    return Table(tuple(head[i] for i in stay), tuple(tuple(row[i] for i in stay) for row in rows))


def _category(name: str, labels: Sequence[str], title: str | None, **axis: object) -> dict[str, Any]:
    look = {"domain": False, "ticks": False, **axis}
    return field(name, "nominal", scale={"domain": list(labels)}, title=title, axis=look)
