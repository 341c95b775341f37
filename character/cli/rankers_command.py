"""``character rankers``: the saved rankers of a folder, and what tuning gained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import json_option, print_json

if TYPE_CHECKING:
    from optimizers.artifact import RankerArtifact

_MOST_FILES = 10_000


@click.command("rankers", short_help="List the saved rankers of a folder.")
@click.argument("folder", default=".", type=click.Path(path_type=Path, exists=True, file_okay=False))
@json_option
def command(folder: Path, as_json: bool) -> None:
    """List the rankers that `character optimize` saved in FOLDER and the folders in it.

    Shows how each was tuned, for which model, on how many labelled items, its metric before and after, and
    whether it was adopted, and where length counts in its scores. A file that says it is a ranker and cannot be used is listed with the reason.
    """
    rows = [_row(path, folder) for path in _found(folder)]
    if as_json:
        print_json(rows)
    elif rows:
        _show(rows)
    else:
        click.echo(f"{folder} holds no saved ranker. `character optimize` makes one.")


def _found(folder: Path) -> list[Path]:
    """Return the JSON files that say they hold a ranker, by path."""
    from optimizers.artifact_text import MOST_BYTES

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
    from optimizers.artifact import ArtifactError, load_artifact

    name = str(path.relative_to(folder))
    try:
        return {"file": name, **_facts(load_artifact(path))}
    except ArtifactError as error:
        return {"file": name, "refused": error.found.removeprefix(f"{path}: ")}


def _facts(artifact: RankerArtifact) -> dict[str, Any]:
    from optimizers.artifact import calibration_note

    shown = artifact.model_dump(
        mode="json", include={"strategy", "model", "labelled", "metrics", "adopted", "reason", "created_at"}
    )
    facts = {"fingerprint": artifact.fingerprint, "demos": len(artifact.demos)}
    return {**shown, **facts, "warning": calibration_note(artifact)}


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from character.cli.wording import console

    table = Table(title="saved rankers", title_justify="left")
    for column in ("file", "strategy", "model", "labelled items", "before → after", "adopted"):
        table.add_column(column)
    for row in rows:
        if "refused" in row:
            table.add_row(row["file"], "refused", "", "", "", row["refused"])
            continue
        items = f"{row['labelled']['num_items']:,} {row['labelled']['name']}".strip()
        adopted = "yes" if row["adopted"] else f"no: {row['reason']}" if row["reason"] else "no"
        table.add_row(row["file"], row["strategy"], row["model"], items, _gain(row["metrics"]), adopted)
    console().print(table)
    for row in rows:
        if row.get("warning"):
            console().print(f"{row['file']}: {row['warning']}", style="yellow")


def _gain(metrics: list[dict[str, Any]]) -> str:
    if not metrics:
        return "not measured"
    first = metrics[0]
    text = f"{first['metric']} {first['before']['estimate']:.2f} → {first['after']['estimate']:.2f}"
    gain = first["gain"]
    if gain is None or gain["low"] is None or gain["high"] is None:
        return text
    return f"{text} ({gain['estimate']:+.2f}, {gain['low']:+.2f} … {gain['high']:+.2f})"
