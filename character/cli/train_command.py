"""``character train``: data, recipe and checks for TRL, and with --go the training itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import command_of, configuration
from character.cli.printing import live_bar, print_json
from character.errors import InputError

if TYPE_CHECKING:
    from character.training.reports import TrainingReport
    from character.training.running import TrainingState


@command_of("train")
def command(method: Any, run_folder: Path, out: Path, **flags: Any) -> None:
    from character.training.train import train

    values = _values(flags["settings"])
    config = configuration(train={"values": values} if values else {})
    with live_bar(f"trl {method}", total=1.0, shown=flags["go"]) as show:

        def on_progress(state: TrainingState) -> None:
            loss = state.figures.get("loss")
            show(completed=state.share, note="" if loss is None else f"loss {loss:.3f}")

        done = train(
            run_folder,
            out,
            method,
            config,
            pairs={name: flags[name] for name in ("design", "min_margin", "max_per_message")},
            overwrite=flags["overwrite"],
            go=flags["go"],
            on_progress=on_progress,
        )
    if flags["as_json"]:
        print_json({**done.report.model_dump(mode="json"), "figures": done.figures})
    else:
        _print(done.report, done.figures)


def _values(settings: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings that ``name=value`` texts say, their values read as YAML."""
    import yaml

    values: dict[str, Any] = {}
    for text in settings:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise InputError(f"--set {text!r} says no setting.", expected="NAME=VALUE, such as beta=0.2")
        try:
            values[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--set {text!r} has a value that cannot be read.", expected="YAML") from None
    return values


def _print(report: TrainingReport, figures: dict[str, float] | None) -> None:
    for file in report.files:
        click.echo(f"{report.folder}/{report.facts.data_folder}/{file.path}: {file.rows:,} rows")
    for check in report.checks:
        click.echo(f"{check.weight}: {check.text}")
    for warning in report.warnings:
        click.echo(f"warning: {warning}")
    click.echo(f"recipe: {report.folder / 'recipe.yaml'}")
    if figures is None:
        click.echo(f"to train: {report.folder / 'run.sh'}")
    else:
        click.echo(f"trained: {report.folder / 'model'}")
        if (report.folder / "model/preference.json").is_file():
            click.echo(f"to measure it: character preference evaluate RUN --model {report.folder / 'model'}")
