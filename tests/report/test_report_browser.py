"""A report in a real browser: it opens from a file, asks nothing of any network, and draws its charts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from character.report import Chart, Page, Section, write

if TYPE_CHECKING:
    from report.conftest import Opened

pytestmark = pytest.mark.browser


@pytest.fixture
def file(page: Page, tmp_path: Path) -> Path:
    """Return a written report with everything in it."""
    write(page, tmp_path / "report.html")
    return tmp_path / "report.html"


def test_a_report_asks_for_nothing_but_itself_and_the_console_stays_silent(
    file: Path, open_file: Callable[..., Opened]
) -> None:
    opened = open_file(file)
    assert [url for url in opened.requests if url not in (file.as_uri(), "data:,")] == []
    assert opened.complaints == []


def test_every_chart_is_drawn_without_code_made_from_text(
    file: Path, open_file: Callable[..., Opened], charts: tuple[Chart, ...]
) -> None:
    tab = open_file(file).tab
    assert tab.locator("figure[data-drawn=yes] .chart svg").count() == len(charts)
    assert tab.locator(".chart.failed").count() == 0
    assert tab.locator(".chart").first.get_attribute("aria-label") == "bars"
    assert tab.locator(".chart svg .mark-rect path").count() >= 8, "bars, cells and bins are there"


def test_hostile_texts_show_as_texts_and_nothing_of_them_runs(
    file: Path, open_file: Callable[..., Opened]
) -> None:
    tab = open_file(file).tab
    assert tab.evaluate("() => window.hacked") is None
    assert tab.locator("img").count() == 0
    assert tab.locator("body script:not([type])").count() == 2, "the page's own two scripts, and no third"
    shown = tab.locator(".example .text").first.text_content()
    assert shown.startswith("</script><script>window.hacked = 1</script><img src=x onerror=")
    assert "\u2028" in shown
    assert "\ufffd" in shown


def test_a_chart_that_cannot_be_drawn_says_so_and_opens_its_numbers(
    charts: tuple[Chart, ...], tmp_path: Path, open_file: Callable[..., Opened]
) -> None:
    broken = Chart("broken", {**charts[0].spec, "layer": [{"mark": "no such mark"}]}, charts[0].table)
    write(Page("broken", (Section("s", "", (broken, charts[0])),)), tmp_path / "broken.html")
    opened = open_file(tmp_path / "broken.html")
    assert "could not be drawn" in opened.tab.locator(".chart.failed").text_content()
    assert opened.tab.locator("figure details[open]").count() == 1
    assert opened.tab.locator("figure[data-drawn=yes]").count() == 1
    assert opened.complaints


@pytest.mark.parametrize("dark", [False, True])
def test_a_report_fits_a_phone_in_light_and_dark(
    file: Path, open_file: Callable[..., Opened], dark: bool
) -> None:
    tab = open_file(file, width=360, dark=dark).tab
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= 360
    background = tab.evaluate("() => getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in background.strip("rgb()").split(", "))
    assert (brightness < 200) is dark


def test_charts_are_drawn_anew_when_the_page_turns_dark(file: Path, open_file: Callable[..., Opened]) -> None:
    tab = open_file(file).tab
    bars = tab.locator("figure").first.locator(".mark-rect path[fill]")
    before = bars.first.get_attribute("fill")
    tab.emulate_media(color_scheme="dark")
    tab.locator(f"figure:first-of-type .mark-rect path[fill]:not([fill='{before}'])").first.wait_for()
    assert bars.first.get_attribute("fill") != before
