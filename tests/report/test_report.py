"""Pages as files: what stands in them, what cannot get into them, and that charts are valid Vega-Lite."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from character.errors import UnknownNameError
from character.locale import LANGUAGES, wording
from character.report import Chart, Example, Examples, Number, Page, Section, Table, Text, render, write
from character.report.charts import Point, bars, cut, stacked
from character.report.wording import number_text
from character.views.templates import embedded_json, escape

VENDOR = Path(__file__).parent.parent.parent / "character" / "report" / "vendor"
WORDS = {language: wording("report.page", language) for language in LANGUAGES}


class _Tags(HTMLParser):
    """Collects the elements of a document, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_policy_allows_nothing_but_the_pages_own_scripts_and_styles(page: Page) -> None:
    text = render(page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1]
    assert "http" not in policy[1]
    assert policy[1].count("sha256-") == 3, "two scripts and one style"


def test_no_element_has_a_handler_a_style_or_an_address_outside(page: Page) -> None:
    for tag, attributes in _Tags(render(page)).found:
        assert tag not in ("img", "iframe", "object", "embed", "form", "base")
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name != "style"
            if name in ("href", "src"):
                assert (value or "").startswith(("#", "data:,"))


def test_a_page_without_charts_carries_no_script() -> None:
    text = render(Page("t", (Section("s", "x", (Table(("a",), (("b",),)),)),)))
    assert "<script" not in text
    assert "script-src 'none'" in text
    assert len(text.encode()) < 20_000


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_comes_back_from_the_page_as_it_stood_or_with_a_mark_for_what_cannot_be_written(
    text: str,
) -> None:
    page = Page("t", (Section("s", "", (Examples("e", (Example("h", (Text("l", text),)),)),)),))
    document = render(page)
    document.encode("utf-8")
    assert not {tag for tag, _ in _Tags(document).found} & {"script", "img"}
    shown = re.search(r'<div class="text" dir="auto">(.*?)</div>', document, re.DOTALL)
    assert shown
    assert "<" not in shown[1]
    assert '"' not in shown[1]


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_embedded_json_cannot_leave_its_element_and_means_the_same(value: object) -> None:
    import json

    text = embedded_json(value)
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == json.loads(json.dumps(value))


def test_numbers_that_json_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded_json(float("nan"))


def test_escape_makes_controls_visible_and_keeps_lines() -> None:
    assert escape("a\x00<b>\n\"'&\x1b") == "a\ufffd&lt;b&gt;\n&quot;&#x27;&amp;\ufffd"


def test_both_languages_have_the_same_words_and_an_unknown_one_lists_them() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    with pytest.raises(UnknownNameError, match="en, zh"):
        render(Page("t", (), language="fr"))  # type: ignore[arg-type]


def test_the_fixed_words_follow_the_pages_language(page: Page) -> None:
    chinese = render(replace(page, language="zh"))
    assert '<html lang="zh-Hans">' in chinese
    assert WORDS["zh"]["numbers"] in chinese
    assert all(WORDS["en"][name] not in chinese for name in ("numbers", "offline", "no_script"))


@pytest.mark.parametrize(
    ("number", "english", "chinese"),
    [
        (Number(0.81, 0.77, 0.85, "share"), "81 % [77, 85]", "81% [77, 85]"),
        (Number(0.034, style="share"), "3.4 %", "3.4%"),
        (Number(-0.314, style="signed"), "−0.31", "−0.31"),
        (Number(0.0, style="signed"), "0.00", "0.00"),
        (Number(-0.0001), "0.00", "0.00"),
        (Number(12345, style="count"), "12,345", "12,345"),
        (Number(None, 0, 1), "–", "–"),
        (Number(float("nan")), "–", "–"),
    ],
)
def test_numbers_are_written_as_people_read_them(number: Number, english: str, chinese: str) -> None:
    assert number_text(number, "en") == english
    assert number_text(number, "zh") == chinese


def test_a_file_is_replaced_whole(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "报告.html"
    path.write_text("old", encoding="utf-8")
    write(page, path)
    assert path.read_text(encoding="utf-8") == render(page)
    assert list(tmp_path.iterdir()) == [path]


def test_rendering_is_deterministic(page: Page) -> None:
    assert render(page) == render(page)


def test_a_row_that_does_not_fit_its_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells stands under 1 columns"):
        Table(("a",), (("b", "c"),))


def test_labels_that_are_cut_alike_stay_apart_in_the_chart_and_whole_in_the_table() -> None:
    long = "a" * 60
    chart = bars("t", [Point(long + "1", 1), Point(long + "2", 2)])
    labels = [row["label"] for row in chart.spec["data"]["values"]]
    assert len(set(labels)) == 2
    assert all(label.startswith(cut(long)) for label in labels)
    assert [row[0] for row in chart.table.rows] == [long + "1", long + "2"]


def test_every_chart_is_valid_vega_lite_and_can_be_drawn(charts: tuple[Chart, ...]) -> None:
    import altair
    import vl_convert

    for chart in charts:
        altair.Chart.from_dict({**chart.spec, "width": 300}, validate=True)
        svg = vl_convert.vegalite_to_svg({**chart.spec, "width": 300}, vl_version="6.4")
        assert svg.count("<path") > 5, chart.title


def test_every_row_of_a_chart_is_in_its_table(charts: tuple[Chart, ...]) -> None:
    for chart in charts:
        is_wide = "heat" in chart.title or "steps" in chart.title
        cells = sum(len(row) - 1 for row in chart.table.rows) if is_wide else len(chart.table.rows)
        assert cells == len(chart.spec["data"]["values"]), chart.title


def test_the_vendored_script_is_what_the_pinned_package_gives() -> None:
    import vl_convert

    made = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version="6.4")
    assert made == (VENDOR / "vega.js").read_text(encoding="utf-8")
    assert (VENDOR / "LICENSES.txt").read_text(encoding="utf-8").count("BSD-3-Clause") >= 5
    assert f"`vl-convert-python` {_pinned()}" in (VENDOR / "README.md").read_text(encoding="utf-8")


def _pinned() -> str:
    text = (VENDOR.parent.parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'"vl-convert-python==([\w.]+)"', text)
    assert found
    return found[1]


def test_more_ordered_steps_than_there_are_colours_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 5 steps"):
        stacked("steps", [("a", (1,) * 6)], list("abcdef"))


def test_the_steps_of_a_row_are_shares_of_it_and_the_table_has_the_counts() -> None:
    chart = stacked("steps", [("a", (1, 0, 3)), ("b", (0, 0, 0))], ["low", "middle", "high"])
    values = [(each["label"], each["value"]) for each in chart.spec["data"]["values"]]
    assert values == [("a", 0.25), ("a", 0.0), ("a", 0.75), ("b", 0.0), ("b", 0.0), ("b", 0.0)]
    assert chart.table.rows == (("a", 1, 0, 3), ("b", 0, 0, 0))
