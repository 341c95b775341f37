"""``character rankers``: the saved rankers of a folder, and what tuning gained."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from character.cli.options import command_of
from character.cli.printing import new_console, print_json
from character.locale import wording

_MOST_FILES = 10_000
_FACTS = {"strategy", "model", "labelled", "metrics", "adopted", "reason", "rehearsal", "created_at"}
"""What is told of a ranker as it stands in its file."""


@command_of("rankers")
def command(folder: Path, details: bool, as_json: bool) -> None:
    rows = [_row(path, folder) for path in _rankers(folder)]
    if as_json:
        print_json(rows)
    elif rows:
        _show(rows, details=details)
    else:
        click.echo(f"{folder} holds no saved ranker. `character optimize` makes one.")


def _rankers(folder: Path) -> Iterator[Path]:
    """Yield the JSON files that say they hold a ranker, by path."""
    from optimizers.artifact.text import MOST_BYTES

    paths = iter(sorted(folder.rglob("*.json")))
    for path in islice(paths, _MOST_FILES):
        try:
            if path.is_file():
                with path.open("rb") as file:
                    if b'"character-ranker"' in file.read(MOST_BYTES):
                        yield path
        except OSError as error:
            click.echo(f"{path} cannot be read ({error.strerror}).", err=True)
    if next(paths, None):
        click.echo(f"Only the first {_MOST_FILES:,} JSON files of {folder} were looked at.", err=True)


def _row(path: Path, folder: Path) -> dict[str, Any]:
    from optimizers.artifact.artifact import calibration_note, load_artifact
    from optimizers.errors import ArtifactError

    name = str(path.relative_to(folder))
    try:
        artifact = load_artifact(path)
    except ArtifactError as error:
        return {"file": name, "refused": error.found.removeprefix(f"{path}: ")}
    facts = artifact.model_dump(mode="json", include=_FACTS)
    facts |= {"fingerprint": artifact.fingerprint, "demos": len(artifact.demos)}
    return {"file": name, **facts, "warning": calibration_note(artifact)}


def _show(rows: list[dict[str, Any]], *, details: bool) -> None:
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


def _table(rows: list[dict[str, Any]]) -> Table:
    """Return one line per ranker: what fits a terminal of 80 columns."""
    table = Table(title="saved rankers", title_justify="left")
    table.add_column("file", overflow="fold", ratio=1)
    for column in ("by", "before → after, gain", "adopted"):
        table.add_column(column, no_wrap=True)
    for row in rows:
        if "refused" in row:
            table.add_row(row["file"], "", "", "refused")
            continue
        metric = row["metrics"][0]["metric"] if row["metrics"] else ""
        measured = "\n".join(text for text in (metric, *_gain(row["metrics"])) if text)
        adopted = ("yes" if row["adopted"] else "no") + (" *" if row["rehearsal"] else "")
        table.add_row(row["file"], row["strategy"], measured, adopted)
    return table


def _details(row: dict[str, Any]) -> Table:
    """Return all that is known of a ranker, a line each."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("file", row["file"])
    if "refused" in row:
        grid.add_row("refused", row["refused"])
        return grid
    labelled = row["labelled"]
    measured = [f"{each['metric']} {' '.join(_gain([each]))}" for each in row["metrics"]]
    rehearsal = wording("report.page", "en")["rehearsal"] if row["rehearsal"] else ""
    facts = {
        "tuned by": f"{row['strategy']} on {row['model']}",
        "labelled items": f"{labelled['num_items']:,} {labelled['name']}".strip(),
        "languages": ", ".join(labelled["languages"]),
        "examples": str(row["demos"]),
        "measured": ", ".join(measured) or "not measured",
        "adopted": "yes" if row["adopted"] else "no",
        "because": row["reason"],
        "to know": f"{row['warning']} {rehearsal}".strip(),
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
