"""``character audit``: look at a run as a whole, and write what was found as a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from character.cli.options import command_of, configuration
from character.cli.printing import print_json


@command_of("audit")
def command(run_folder: Path, out: Path | None, open_it: bool, as_json: bool, **flags: Any) -> None:
    from character.audit.audit import PAGE_NAME, audit
    from character.audit.page.page import audit_page
    from character.cli.page_text import print_page
    from character.report import html_path

    html = html_path(out or run_folder / PAGE_NAME)
    report = audit(run_folder, configuration())
    report.write_report(html)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        print_page(audit_page(report), html)
    if open_it:
        click.launch(str(html.absolute()))
