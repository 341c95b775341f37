"""The audit of a real run in a real browser, in both languages, at the width of a desk and of a phone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from character.audit.page.page import audit_page
from character.audit.records import RunAudit
from character.report import Chart

if TYPE_CHECKING:
    from report.conftest import Opened

pytestmark = pytest.mark.browser
EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "constitutions"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_of_a_run_is_drawn_whole_and_asks_for_nothing(
    language: str, tmp_path: Path, open_file: Callable[..., Opened]
) -> None:
    constitution, folder = EXAMPLES / f"patience-and-humour.{language}.toml", tmp_path / "run"
    for command in (["run", constitution, "--out", folder, "--messages-per-trait", "12"], ["audit", folder]):
        subprocess.run(
            [sys.executable, "-m", "character", *map(str, command)], check=True, capture_output=True
        )
    file = folder / "audit.html"
    page = audit_page(RunAudit.model_validate_json((folder / "audit.json").read_text(encoding="utf-8")))
    num_charts = sum(isinstance(part, Chart) for section in page.sections for part in section.parts)
    assert num_charts >= 6
    for width in (1200, 360):
        opened = open_file(file, width=width)
        assert opened.tab.locator("figure[data-drawn=yes] svg").count() == num_charts
        assert opened.complaints == []
        assert set(opened.requests) <= {file.as_uri(), "data:,"}
        assert opened.tab.evaluate("() => document.documentElement.scrollWidth") <= width
