"""``character optimize``: tune the ranker to a labelled set, and adopt nothing that is not surely better."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.live_bar import LiveBar
from character.cli.options import (
    backend_overrides,
    config_option,
    json_option,
    merged,
    print_json,
    set_option,
    set_overrides,
    tuning_options,
)
from character.locale import wording

if TYPE_CHECKING:
    from character.config import Config
    from character.report import Page
    from optimizers.labelled import LabelledSet
    from optimizers.optimize import TuningProgress
    from optimizers.validation.report import OptimizationReport
STRATEGY_NAMES = ("auto", "calibrate", "select", "few_shot", "copro", "mipro", "gepa", "simba")
_ESTIMATE_NOTE = (
    "once: every labelled item judged as the ranker is. all: at most, the calls allowed (--budget), each with the longest prompt "
    "that may be tried, at the price of the dearest model asked. Prompts are measured, lengths of replies are assumed."
)
_OPTIONS = ("strategy", "budget", "metric", "controls", "level", "uses_length", "language")
_MOST_LINES = 20
"""Lines of the instruction's diff that are printed; the report has more."""
METRIC_NAMES = ("pairwise_accuracy", "tau_b", "top1", "ndcg", "mean_absolute_error")


@click.command("optimize", short_help="Tune the ranker to a labelled set.")
@click.argument("labelled", type=click.Path(path_type=Path))
@click.option("--strategy", show_default="auto", type=click.Choice(STRATEGY_NAMES), help="How to tune.")
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    show_default="25 per labelled item, at least 600, and as many for each control",
    help="Model calls at most, over everything.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The folder; by default LABELLED.tuned beside the file."
)
@click.option(
    "--metric",
    show_default="pairwise_accuracy",
    type=click.Choice(METRIC_NAMES),
    help="What to gain in.",
)
@click.option(
    "--controls",
    show_default="0",
    type=click.IntRange(0, 100),
    help="Runs on permuted labels, which must gain nothing; they share the budget.",
)
@click.option(
    "--length/--no-length",
    "uses_length",
    default=None,
    show_default="length",
    help="Whether a calibration may look at the length of candidates.",
)
@click.option(
    "--recheck",
    type=click.Path(path_type=Path),
    help="Tune nothing: measure this saved ranker with today's model.",
)
@click.option("--dry-run", is_flag=True, help="Estimate calls, tokens and cost; send nothing, write nothing.")
@click.option(
    "--language", type=click.Choice(["en", "zh"]), help="Of the report; by default that of most labels."
)
@config_option
@set_option
@tuning_options
@json_option
def command(
    labelled: Path, out: Path | None, recheck: Path | None, config_path: Path | None, **flags: Any
) -> None:
    """Tune the ranker to the labelled set LABELLED and keep everything in a folder.

    The gain is measured on items that nothing was chosen on. A ranker whose gain is not surely above zero is
    saved but marked as not adopted. The same command goes on where it was stopped, and repeats no call. Then
    `character run --ranker FOLDER/ranker.json` judges with it.
    """
    from character.config import load_config
    from optimizers.labelled import read_labelled

    config = load_config(config_path, overrides=merged(set_overrides(flags["settings"]), _overrides(flags)))
    known = read_labelled(labelled)
    folder = out or labelled.with_suffix(".tuned")
    if flags["dry_run"]:
        _estimate(known, folder, config, {**flags, "recheck": recheck})
        return
    if recheck is not None:
        _recheck(recheck, known, config, flags)
        return
    _optimize(known, folder, config, flags)


def _overrides(flags: dict[str, Any]) -> dict[str, Any]:
    seed = {} if flags["seed"] is None else {"seed": flags["seed"]}
    chosen = {name: flags[name] for name in _OPTIONS if flags[name] is not None}
    return {**backend_overrides(flags), **seed, "optimize": chosen}


def _estimate(labelled: LabelledSet, out: Path, config: Config, flags: dict[str, Any]) -> None:
    from character.cli.estimate_table import show_estimate
    from character.tuning.optimize import optimize

    if flags["recheck"] is not None:
        raise click.UsageError("--dry-run estimates a tuning; --recheck tunes nothing.")
    show_estimate(optimize(labelled, out, config, dry_run=True), _ESTIMATE_NOTE, as_json=flags["as_json"])


def _optimize(labelled: LabelledSet, out: Path, config: Config, flags: dict[str, Any]) -> None:
    from character.tuning.optimize import optimize
    from character.tuning.page import optimization_page

    with LiveBar("calls", "starting") as bar:
        done = optimize(labelled, out, config, on_progress=_told(bar))
    if flags["as_json"]:
        print_json({"folder": str(out), **done.report.model_dump(mode="json")})
    else:
        _show(optimization_page(done.report, config.optimize.language), done.report, out)


def _recheck(path: Path, labelled: LabelledSet, config: Config, flags: dict[str, Any]) -> None:
    from character.cli.wording import console as new_console
    from character.config import is_rehearsal_model
    from character.statistics.intervals import is_real
    from character.tuning.optimize import recheck
    from optimizers.artifact.artifact import language_warning, load_artifact
    from optimizers.validation.report import MetricGain

    artifact = load_artifact(path)
    found = recheck(
        artifact, labelled, config=config, metric=config.optimize.metric, level=config.optimize.level
    )
    rows = [MetricGain.of(each) for each in found]
    model = config.backend("ranking").model_name
    rehearsal = labelled.rehearsal or artifact.rehearsal or is_rehearsal_model(model)
    still = bool(found) and is_real(found[0].gain, found[0].num_groups)
    if flags["as_json"]:
        metrics = [row.model_dump(mode="json") for row in rows]
        print_json(
            {
                "ranker": str(path),
                "tuned_on": artifact.model,
                "model": model,
                "gain_holds": still,
                "rehearsal": rehearsal,
                "metrics": metrics,
            }
        )
        return
    console = new_console()
    console.print(gain_table(rows, f"{path} with {model} (tuned on {artifact.model})"))
    said = "the gain holds with this model" if still else "with this model no gain is shown"
    same = artifact.labelled.fingerprint == labelled.fingerprint
    note = " It was tuned on these labels, so the figures flatter it." if same else ""
    console.print(f"{said}.{note}", style="green" if still else "yellow")
    notes = [language_warning(artifact, language, path) for language in labelled.languages]
    for each in filter(None, [*notes, wording("report.page", "en")["rehearsal"] if rehearsal else ""]):
        console.print(each, style="yellow")


def _show(page: Page, report: OptimizationReport, out: Path) -> None:
    from character.cli.page_text import page_lines
    from character.cli.wording import console as new_console
    from character.tuning.changes import instruction_diff

    console = new_console()
    for part in page_lines(page):
        console.print(part)
    for line in instruction_diff(report.tuned)[:_MOST_LINES]:
        console.print(line, style="green" if line.startswith("+") else "red")
    console.print(f"report: {out / 'report.html'}\nranker: {out / 'ranker.json'}", style="dim")


def gain_table(rows: Any, title: str) -> Any:
    """Return a table of metrics before and after with the gain and its interval."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in ("metric", "before", "after", "gain", "items"):
        table.add_column(name, justify="left" if name == "metric" else "right")
    for row in rows:
        table.add_row(
            row.metric,
            f"{row.before.estimate:.3f}",
            f"{row.after.estimate:.3f}",
            _with_ends(row.gain),
            f"{row.num_items:,}",
        )
    return table


def _with_ends(gain: Any) -> str:
    ends = "" if gain.low is None or gain.high is None else f" [{gain.low:+.3f}, {gain.high:+.3f}]"
    return f"{gain.estimate:+.3f}{ends}"


def _told(bar: LiveBar) -> Callable[[TuningProgress], None]:
    """Return what shows a tuning's progress on a bar."""

    def show(progress: TuningProgress) -> None:
        best = "" if progress.best is None else f"best on training items {progress.best:.3f}"
        bar.show(progress.calls, progress.stage, note=best, total=progress.budget)

    return show
