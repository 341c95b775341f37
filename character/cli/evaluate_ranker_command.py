"""``character evaluate-ranker``: how well rankers agree with people, on several backends side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from character.cli.options import command_of, configuration
from character.cli.printing import counts_text, new_console, new_table, print_json
from character.locale import wording

if TYPE_CHECKING:
    from optimizers.labelled import LabelledSet


@command_of("evaluate-ranker")
def command(labelled: Path, rankers: tuple[Path, ...], backends: tuple[str, ...], **flags: Any) -> None:
    from character.tuning.evaluate_ranker import evaluate_ranker
    from optimizers.labelled import read_labelled

    config = configuration()
    labels = read_labelled(labelled)
    level = config.optimize.level
    measured = evaluate_ranker(labels, config, rankers=rankers, backends=backends, level=level)
    rows = [row.model_dump() for row in measured]
    if flags["as_json"]:
        print_json({"labelled": labels.name, "items": len(labels), "rows": rows})
    else:
        _show(rows, labels)


def _show(rows: list[dict[str, Any]], labelled: LabelledSet) -> None:
    titles = [f"{row['backend']}\n{row['ranker']}" for row in rows]
    table = new_table(f"{labelled.name}: {len(labelled):,} labelled items", [""], titles)
    for name in dict.fromkeys(metric for row in rows for metric in row["metrics"]):
        table.add_row(name, *(_figure(row["metrics"].get(name)) for row in rows))
    table.add_row("not ranked", *(counts_text(row["not_ranked"]) for row in rows))
    table.add_row("calls", *(f"{row['calls']:,}" for row in rows))
    table.add_row("tokens", *(f"{row['tokens']:,}" for row in rows))
    console = new_console()
    console.print(table)
    left_out = [f"{row['backend']}, {row['ranker']}: {row['left_out']}" for row in rows if row["left_out"]]
    for warning in dict.fromkeys([*left_out, *(row["warning"] for row in rows if row["warning"])]):
        console.print(warning, style="yellow")
    if any(row["rehearsal"] for row in rows):
        console.print(wording("report.page", "en")["rehearsal"], style="yellow")


def _figure(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return "–"
    if figure["low"] is None:
        return f"{figure['estimate']:.3f}"
    return f"{figure['estimate']:.3f} [{figure['low']:.2f}, {figure['high']:.2f}]"
