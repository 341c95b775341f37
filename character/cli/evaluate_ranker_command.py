"""``character evaluate-ranker``: how well rankers agree with people, on several backends side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import backend_overrides, config_option, json_option, print_json, tuning_options
from character.locale import wording

if TYPE_CHECKING:
    from optimizers.labelled import LabelledSet


@click.command("evaluate-ranker", short_help="Measure rankers and backends on a labelled set.")
@click.argument("labelled", type=click.Path(path_type=Path))
@click.option(
    "--ranker",
    "rankers",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A saved ranker; may be repeated.",
)
@click.option(
    "--with",
    "backends",
    multiple=True,
    metavar="NAME",
    help="A backend of the configuration by its name, or a model string; may be repeated.",
)
@config_option
@tuning_options
@json_option
def command(
    labelled: Path,
    rankers: tuple[Path, ...],
    backends: tuple[str, ...],
    config_path: Path | None,
    **flags: Any,
) -> None:
    """Measure how well rankers agree with the labels of LABELLED. Nothing is tuned and nothing is kept.

    Without --ranker it is the ranker of the configuration; with it that one and every saved ranker. Each is
    measured with each backend.
    """
    from character.config import load_config
    from character.tuning.evaluate_ranker import evaluate_ranker
    from optimizers.labelled import read_labelled

    seed = {} if flags["seed"] is None else {"seed": flags["seed"]}
    config = load_config(config_path, overrides={**backend_overrides(flags), **seed})
    labels = read_labelled(labelled)
    level = flags["level"] or config.optimize.level
    rows = evaluate_ranker(labels, config, rankers=rankers, backends=backends, level=level)
    if flags["as_json"]:
        shown = [row.model_dump() for row in rows]
        print_json({"labelled": labels.name, "items": len(labels), "rows": shown})
    else:
        _show([row.model_dump() for row in rows], labels)


def _show(rows: list[dict[str, Any]], labelled: LabelledSet) -> None:
    from rich.table import Table

    from character.cli.wording import console as new_console

    names = list(dict.fromkeys(metric for row in rows for metric in row["metrics"]))
    table = Table(title=f"{labelled.name}: {len(labelled):,} labelled items", title_justify="left")
    table.add_column("")
    for row in rows:
        table.add_column(f"{row['backend']}\n{row['ranker']}", justify="right", overflow="fold")
    for name in names:
        table.add_row(name, *(_figure(row["metrics"].get(name)) for row in rows))
    lost = [", ".join(f"{reason} {n}" for reason, n in row["not_ranked"].items()) or "–" for row in rows]
    table.add_row("not ranked", *lost)
    table.add_row("calls", *(f"{row['calls']:,}" for row in rows))
    table.add_row("tokens", *(f"{row['tokens']:,}" for row in rows))
    console = new_console()
    console.print(table)
    for warning in dict.fromkeys(row["warning"] for row in rows if row["warning"]):
        console.print(warning, style="yellow")
    if any(row["rehearsal"] for row in rows):
        console.print(wording("report.page", "en")["rehearsal"], style="yellow")


def _figure(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return "–"
    if figure["low"] is None:
        return f"{figure['estimate']:.3f}"
    return f"{figure['estimate']:.3f} [{figure['low']:.2f}, {figure['high']:.2f}]"
