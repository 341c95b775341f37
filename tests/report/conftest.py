"""A page with every kind of part and chart, and a Chromium that opens pages from files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from browser_helpers import chromium

from character.report import (
    Chart,
    Example,
    Examples,
    Figure,
    Figures,
    Note,
    Notes,
    Number,
    Page,
    Section,
    Table,
    Text,
)
from character.report.charts import Point, Step, bars, dots, heat_map, line, stacked

HOSTILE = (
    "</script><script>window.hacked = 1</script>"
    '<img src=x onerror="window.hacked=1">\'\u2028\u202e\x00]]>--><!--'
)
__all__ = ["chromium"]


@pytest.fixture
def charts() -> tuple[Chart, ...]:
    """Return one chart of each kind, most with hostile labels, intervals and groups."""
    return (
        bars(
            "bars",
            [Point("patience", 0.4, 0.3, 0.5), Point(HOSTILE, 0.7), Point("耐心", None)],
            percent=True,
            reference=0.5,
        ),
        bars(
            "grouped bars",
            [Point(label, 0.2 + i / 5, group=group) for i, group in enumerate("ab") for label in "xy"],
        ),
        dots(
            "dots",
            [
                Point(label, 0.2 + i / 5, i / 5, 0.4 + i / 5, group)
                for i, group in enumerate(("chosen", HOSTILE))
                for label in "xy"
            ],
            reference=0,
        ),
        heat_map("heat", ["a", HOSTILE], ["c", "d"], [[0.5, 0.9], [None, 0.1]], percent=True, middle=0.5),
        heat_map("one-sided heat", ["a"], ["c", "d"], [[1.0, 3.0]]),
        stacked(
            "steps",
            [("a", (1, 0, 3)), (HOSTILE, (0, 0, 0)), ("耐心", (2, 2, 0))],
            ["low", HOSTILE[:20], "high"],
        ),
        line(
            "line",
            [Step(i, i * i, i * i - 1, i * i + 1, group) for i in range(5) for group in ("a", "b")],
            reference=4,
        ),
    )


@pytest.fixture
def page(charts: tuple[Chart, ...]) -> Page:
    """Return a page that holds everything a page can hold, hostile texts in every place."""
    table = Table(
        ("name", HOSTILE),
        ((HOSTILE, Number(0.5, 0.4, 0.6, "share")), ("b", None)),
        caption=HOSTILE,
        note=HOSTILE,
    )
    figures = Figures((Figure("pairs", Number(1234, style="count")), Figure(HOSTILE, HOSTILE, HOSTILE)))
    example = Example(HOSTILE, (Text("chosen", HOSTILE), Text(HOSTILE, "耐心一点。\n第二行")), note=HOSTILE)
    notes = Notes((Note(HOSTILE, "look", (HOSTILE, "an item")), Note("Chinese: 中文", "fine")))
    sections = (
        Section(HOSTILE, HOSTILE, (notes, figures, table)),
        Section("charts", "", charts),
        Section("examples", "", (Examples(HOSTILE, (example, example)), Examples("none", ()))),
    )
    return Page(HOSTILE, sections, subtitle=HOSTILE, footer=HOSTILE)


@dataclass
class Opened:
    """A page as Chromium shows it: the browser's page, all addresses it asked for, what its console said."""

    tab: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture
def open_file(chromium: Any) -> Iterator[Callable[..., Opened]]:
    """Return a function that opens an HTML file by its file: address and waits until its charts are drawn."""
    contexts = []

    def open_it(path: Path, *, width: int = 1200, dark: bool = False) -> Opened:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.tab.on("request", lambda request: opened.requests.append(request.url))
        opened.tab.on(
            "console",
            lambda said: opened.complaints.append(said.text) if said.type in ("error", "warning") else None,
        )
        opened.tab.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.tab.goto(path.as_uri())
        if opened.tab.locator("figure").count():
            opened.tab.locator("html[data-charts=done]").wait_for(state="attached", timeout=60_000)
        return opened

    yield open_it
    for context in contexts:
        context.close()
