"""``character audit``: look at a run as a whole, and write what was found as a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from character.cli.options import config_option, json_option, print_json, run_argument

if TYPE_CHECKING:
    from character.report import Page


@click.command("audit", short_help="Look at a run as a whole, and write a report.")
@run_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The HTML file to write; the same as JSON goes beside it. By default RUN/audit.html.",
)
@click.option("--language", type=click.Choice(["en", "zh"]), help="By default that of the constitution.")
@click.option("--seed", show_default="0", type=click.IntRange(min=0), help="The seed of the intervals.")
@click.option(
    "--preference",
    "preference_folder",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="A saved preference model: shows where it and the ranker disagree, the surest first.",
)
@click.option("--open", "open_it", is_flag=True, help="Then open the report in a browser.")
@config_option
@json_option
def command(
    run_folder: Path,
    out: Path | None,
    language: str | None,
    seed: int | None,
    preference_folder: Path | None,
    open_it: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Audit RUN: messages, candidates, rankings and pairs, and what stands out. No language model is called.

    Writes one HTML file that opens offline, and the same as JSON.
    """
    from character.audit.audit import PAGE_NAME, audit
    from character.audit.page.page import audit_page
    from character.config import load_config
    from character.report import html_path

    html = html_path(out or run_folder / PAGE_NAME)
    given = {"language": language, "seed": seed, "preference": preference_folder and str(preference_folder)}
    chosen = {name: value for name, value in given.items() if value is not None}
    report = audit(run_folder, load_config(config_path, overrides={"audit": chosen}))
    report.write_report(html)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print(audit_page(report), html)
    if open_it:
        click.launch(str(html.absolute()))


def _print(page: Page, html: Path) -> None:
    from character.cli.page_text import page_lines
    from character.cli.wording import console as new_console

    console = new_console()
    for part in page_lines(page):
        console.print(part)
    console.print(f"report: {html}\nas JSON: {html.with_suffix('.json')}", style="dim")
