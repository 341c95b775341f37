"""``character rankers``: the saved rankers of a folder, and what tuning gained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import json_option, print_json
from character.locale import wording

if TYPE_CHECKING:
    from optimizers.artifact.artifact import RankerArtifact
_MOST_FILES = 10_000


@click.command("rankers", short_help="List the saved rankers of a folder.")
@click.argument("folder", default=".", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--details", is_flag=True, help="Tell all that is known of each.")
@json_option
def command(folder: Path, details: bool, as_json: bool) -> None:
    """List the rankers that `character optimize` saved in FOLDER and the folders in it.

    Shows how each was tuned, the metric it was tuned for before and after, the gain, whether it was adopted, and where
    length counts in its scores. With --details also for which model, on how many labelled items, and why it was adopted or
    not. A file that says it is a ranker and cannot be used is listed too, with the reason in the details.
    """
    rows = [_row(path, folder) for path in _found(folder)]
    if as_json:
        print_json(rows)
    elif rows:
        _show(rows, details=details)
    else:
        click.echo(f"{folder} holds no saved ranker. `character optimize` makes one.")


def _found(folder: Path) -> list[Path]:
    """Return the JSON files that say they hold a ranker, by path."""
    from optimizers.artifact.text import MOST_BYTES

    found = []
    for number, path in enumerate(sorted(folder.rglob("*.json"))):
        if number >= _MOST_FILES:
            click.echo(f"Only the first {_MOST_FILES:,} JSON files of {folder} were looked at.", err=True)
            break
        try:
            if path.is_file():
                with path.open("rb") as file:
                    if b'"character-ranker"' in file.read(MOST_BYTES):
                        found.append(path)
        except OSError as error:
            click.echo(f"{path} cannot be read ({error.strerror}).", err=True)
    return found


def _row(path: Path, folder: Path) -> dict[str, Any]:
    from optimizers.artifact.artifact import ArtifactError, load_artifact

    name = str(path.relative_to(folder))
    try:
        return {"file": name, **_facts(load_artifact(path))}
    except ArtifactError as error:
        return {"file": name, "refused": error.found.removeprefix(f"{path}: ")}


def _facts(artifact: RankerArtifact) -> dict[str, Any]:
    from optimizers.artifact.artifact import calibration_note

    shown = artifact.model_dump(
        mode="json",
        include={"strategy", "model", "labelled", "metrics", "adopted", "reason", "rehearsal", "created_at"},
    )
    facts = {"fingerprint": artifact.fingerprint, "demos": len(artifact.demos)}
    return {**shown, **facts, "warning": calibration_note(artifact)}


def _show(rows: list[dict[str, Any]], *, details: bool) -> None:
    from character.cli.wording import console as new_console

    console = new_console()
    console.print(_table(rows))
    if details:
        for row in rows:
            console.print()
            console.print(_details(row))
        return
    for row in rows:
        if row.get("warning"):
            console.print(f"{row['file']}: {row['warning']}", style="yellow")
    if any(row.get("rehearsal") for row in rows):
        console.print(f"*  {wording('report.page', 'en')['rehearsal']}", style="yellow")
    console.print("--details tells how each was tuned, on what, and why it was adopted or not.", style="dim")


def _table(rows: list[dict[str, Any]]) -> Any:
    """Return one line per ranker: what fits a terminal of 80 columns."""
    from rich.table import Table

    table = Table(title="saved rankers", title_justify="left")
    table.add_column("file", overflow="fold", ratio=1)
    for column in ("by", "before → after, gain", "adopted"):
        table.add_column(column, no_wrap=True)
    for row in rows:
        if "refused" in row:
            table.add_row(row["file"], "", "", "refused")
            continue
        mark = " *" if row["rehearsal"] else ""
        values, gain = _gain(row["metrics"])
        metric = row["metrics"][0]["metric"] if row["metrics"] else ""
        adopted = ("yes" if row["adopted"] else "no") + mark
        measured = "\n".join(text for text in (metric, values, gain) if text)
        table.add_row(row["file"], row["strategy"], measured, adopted)
    return table


def _details(row: dict[str, Any]) -> Any:
    """Return all that is known of a ranker, a line each."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("file", row["file"])
    if "refused" in row:
        grid.add_row("refused", row["refused"])
        return grid
    labelled, metrics = row["labelled"], row["metrics"]
    rehearsal = wording("report.page", "en")["rehearsal"]
    facts = {
        "tuned by": f"{row['strategy']} on {row['model']}",
        "labelled items": f"{labelled['num_items']:,} {labelled['name']}".strip(),
        "languages": ", ".join(labelled["languages"]),
        "examples": str(row["demos"]),
        "measured": ", ".join(f"{each['metric']} {' '.join(_gain([each]))}" for each in metrics)
        or "not measured",
        "adopted": "yes" if row["adopted"] else "no",
        "because": row["reason"],
        "to know": f"{row['warning']} {rehearsal if row['rehearsal'] else ''}".strip(),
        "made at": row["created_at"],
    }
    for name, value in facts.items():
        if value:
            grid.add_row(name, value)
    return grid


def _gain(metrics: list[dict[str, Any]]) -> tuple[str, str]:
    """Return the first metric before and after, and the gain with its interval."""
    if not metrics:
        return "not measured", ""
    first = metrics[0]
    values = f"{first['before']['estimate']:.2f} → {first['after']['estimate']:.2f}"
    gain = first["gain"]
    if gain is None or gain["low"] is None or gain["high"] is None:
        return values, ""
    return values, f"{gain['estimate']:+.2f} [{gain['low']:+.2f}, {gain['high']:+.2f}]"
