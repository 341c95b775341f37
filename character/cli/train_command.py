"""``character train``: data, recipe and checks for TRL, and with --go the training itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import config_option, json_option, print_json, run_argument

if TYPE_CHECKING:
    from character.training.reports import TrainingReport

_OPTIONS = (
    *("model", "preset", "split", "mix", "balance", "balance_ignore", "reward_model", "preference_model"),
    "conditioned",
)
_METHODS = click.Choice(["dpo", "reward", "grpo", "sft", "kto"])
_PRESETS = click.Choice(["laptop", "gpu24", "gpu80", "multi-gpu"])


@click.command("train", short_help="Write data, recipe and checks for TRL, and train.")
@click.argument("method", type=_METHODS)
@run_argument
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option("--model", metavar="MODEL", help="The base model: a folder, or its name on a hub.")
@click.option("--preset", show_default="laptop", type=_PRESETS, help="What the machine can hold.")
@click.option("--seed", show_default="0", type=click.IntRange(min=0), help="The seed of it all.")
@click.option("--split", show_default="90/10/0", help="Train, validation, test in percent, by message.")
@click.option(
    "--mix",
    multiple=True,
    metavar="FILE:SHARE",
    help="Mix in ordinary rows of the method's shape; may be repeated.",
)
@click.option(
    "--balance",
    type=click.FloatRange(0, 1, min_open=True),
    is_flag=False,
    flag_value=0.1,
    metavar="[THRESHOLD]",
    help="Leave out pairs until neither a surface feature nor another trait sets the sides apart by more.",
)
@click.option("--balance-ignore", multiple=True, metavar="FEATURE", help="With --balance: leave this alone.")
@click.option("--design", metavar="NAME", help="Rebuild the pairs by this design.")
@click.option(
    "--min-margin", type=click.FloatRange(0, 1), metavar="M", help="Rebuild with this least margin."
)
@click.option(
    "--max-per-message", type=click.IntRange(min=1), metavar="N", help="Rebuild with at most so many."
)
@click.option("--reward-model", metavar="FOLDER", help="For grpo: a reward model that `train reward` made.")
@click.option(
    "--preference-model",
    metavar="FOLDER",
    help="For grpo: a preference model of ours, or a conditioned reward model.",
)
@click.option(
    "--conditioned/--no-conditioned",
    default=None,
    help="For reward, where it is the default: every row says its trait, so that one model judges them all.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value in the recipe; an empty one takes the setting out.",
)
@click.option("--overwrite", is_flag=True, help="Replace what an earlier call wrote.")
@click.option(
    "--go", is_flag=True, help="Then train, with TRL (extra `train`); the same command goes on later."
)
@config_option
@json_option
def command(method: Any, run_folder: Path, out: Path, config_path: Path | None, **flags: Any) -> None:
    """Write everything that TRL needs to train by METHOD on RUN: data, recipe.yaml, run.sh and checks.md.

    With --go it is trained here and watched; its log is train.log, its model lies in model/.
    """
    from character.cli.training_bar import TrainingBar
    from character.config import load_config
    from character.training.train import train

    given = {name: flags[name] for name in _OPTIONS if flags[name] not in (None, ())}
    if flags["settings"]:
        given["values"] = _values(flags["settings"])
    seed = {} if flags["seed"] is None else {"seed": flags["seed"]}
    config = load_config(config_path, overrides={**seed, "train": given})
    with TrainingBar(method, shown=flags["go"]) as bar:
        done = train(
            run_folder,
            out,
            method,
            config,
            pairs={name: flags[name] for name in ("design", "min_margin", "max_per_message")},
            overwrite=flags["overwrite"],
            go=flags["go"],
            on_progress=bar.show,
        )
    if flags["as_json"]:
        print_json({**done.report.model_dump(mode="json"), "figures": done.figures})
    else:
        _print(done.report, done.figures)


def _values(settings: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings that ``name=value`` texts say, their values read as YAML."""
    import yaml

    from character.errors import InputError

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
