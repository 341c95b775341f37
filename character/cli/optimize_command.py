"""``character optimize``: tune the ranker to a labelled set, and adopt nothing that is not surely better."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import command_of, configuration
from character.cli.printing import live_bar, new_console, new_table, print_json, show_estimate
from character.locale import wording

if TYPE_CHECKING:
    from rich.table import Table

    from character.config import Config
    from optimizers.artifact.records import MetricFigure
    from optimizers.labelled import LabelledSet
    from optimizers.optimize import TuningProgress
    from optimizers.validation.report import MetricGain
_MOST_LINES = 20
"""Lines of the instruction's diff that are printed; the report has more."""


@command_of("optimize")
def command(labelled: Path, out: Path | None, recheck: Path | None, as_json: bool, **flags: Any) -> None:
    from character.tuning.optimize import optimize
    from optimizers.labelled import read_labelled

    config = configuration(flags["settings"])
    labels = read_labelled(labelled)
    folder = out or labelled.with_suffix(".tuned")
    if flags["dry_run"]:
        if recheck is not None:
            raise click.UsageError("--dry-run estimates a tuning; --recheck tunes nothing.")
        show_estimate(optimize(labels, folder, config, dry_run=True), as_json=as_json)
    elif recheck is not None:
        _recheck(recheck, labels, config, as_json=as_json)
    else:
        _optimize(labels, folder, config, as_json=as_json)


def _optimize(labelled: LabelledSet, out: Path, config: Config, *, as_json: bool) -> None:
    from character.cli.page_text import print_page
    from character.tuning.optimize import optimize
    from character.tuning.page import instruction_diff, optimization_page

    with live_bar("starting", "calls") as show:

        def on_progress(progress: TuningProgress) -> None:
            best = "" if progress.best is None else f"best on training items {progress.best:.3f}"
            show(description=progress.stage, completed=progress.calls, total=progress.budget, note=best)

        report = optimize(labelled, out, config, on_progress=on_progress).report
    if as_json:
        print_json({"folder": str(out), **report.model_dump(mode="json")})
        return
    print_page(optimization_page(report, config.optimize.language))
    console = new_console()
    for line in instruction_diff(report.tuned)[:_MOST_LINES]:
        console.print(line, style="green" if line.startswith("+") else "red")
    console.print(f"report: {out / 'report.html'}\nranker: {out / 'ranker.json'}", style="dim")


def _recheck(path: Path, labelled: LabelledSet, config: Config, *, as_json: bool) -> None:
    from character.config import is_rehearsal_model
    from character.tuning.optimize import recheck
    from optimizers.artifact.artifact import language_warning, load_artifact

    artifact, tuning = load_artifact(path), config.optimize
    gains = recheck(artifact, labelled, config=config, metric=tuning.metric, level=tuning.level)
    model = config.backend("ranking").model_name
    rehearsal = labelled.rehearsal or artifact.rehearsal or is_rehearsal_model(model)
    holds = bool(gains) and gains[0].is_real
    if as_json:
        facts = {"ranker": str(path), "tuned_on": artifact.model, "model": model, "gain_holds": holds}
        metrics = [row.model_dump(mode="json") for row in gains]
        print_json({**facts, "rehearsal": rehearsal, "metrics": metrics})
        return
    console = new_console()
    console.print(_gain_table(gains, f"{path} with {model} (tuned on {artifact.model})"))
    outcome = "the gain holds with this model" if holds else "with this model no gain is shown"
    same = artifact.labelled.fingerprint == labelled.fingerprint
    note = " It was tuned on these labels, so the figures flatter it." if same else ""
    console.print(f"{outcome}.{note}", style="green" if holds else "yellow")
    num_left_out, of = len(labelled) - (gains[0].num_items if gains else 0), len(labelled)
    left_out = f"{num_left_out} of {of} labelled items are left out: not ranked by both, or equal labels."
    notes = [left_out] if num_left_out else []
    notes += [language_warning(artifact, language, path) for language in labelled.languages]
    for each in filter(None, [*notes, wording("report.page", "en")["rehearsal"] if rehearsal else ""]):
        console.print(each, style="yellow")


def _gain_table(rows: Iterable[MetricGain], title: str) -> Table:
    """Return a table of metrics before and after with the gain and its interval."""
    table = new_table(title, ["metric"], ["before", "after", "gain", "items"])
    for row in rows:
        before, after = f"{row.before.estimate:.3f}", f"{row.after.estimate:.3f}"
        table.add_row(row.metric, before, after, _with_ends(row.gain), f"{row.num_items:,}")
    return table


def _with_ends(gain: MetricFigure) -> str:
    ends = "" if gain.low is None or gain.high is None else f" [{gain.low:+.3f}, {gain.high:+.3f}]"
    return f"{gain.estimate:+.3f}{ends}"
