"""``character train``: data, recipe and checks for TRL, and with --go the training itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import json_option, print_json, run_argument

if TYPE_CHECKING:
    from character.config import PairsConfig
    from character.training.recipe import Reward
    from character.training.reports import TrainingReport

_METHODS = click.Choice(["dpo", "reward", "grpo", "sft", "kto"])
_PRESETS = click.Choice(["laptop", "gpu24", "gpu80", "multi-gpu"])


@click.command("train", short_help="Write data, recipe and checks for TRL, and train.")
@click.argument("method", type=_METHODS)
@run_argument
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option(
    "--model", required=True, metavar="MODEL", help="The base model: a folder, or its name on a hub."
)
@click.option(
    "--preset", default="laptop", show_default=True, type=_PRESETS, help="What the machine can hold."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="The seed of it all.")
@click.option(
    "--split", default="90/10/0", show_default=True, help="Train, validation, test in percent, by message."
)
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
    help="For reward, where it is the default: every row says its trait, so that one model judges all traits.",
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
@json_option
def command(method: Any, run_folder: Path, out: Path, **flags: Any) -> None:
    """Write everything that TRL needs to train by METHOD on RUN: data, recipe.yaml, run.sh and checks.md.

    With --go it is trained here and watched; its log is train.log, its model lies in model/.
    """
    report = _written(method, run_folder, out, flags)
    figures = _go(report) if flags["go"] else None
    if flags["as_json"]:
        print_json({**report.model_dump(mode="json"), "figures": figures})
    else:
        _print(report, figures)


def _written(method: Any, run_folder: Path, out: Path, flags: dict[str, Any]) -> TrainingReport:
    from character.exports import Split, run_data
    from character.store.run_store import RunStore
    from character.training.mixing import Mix
    from character.training.preparing import REPORT_FILE, Wish, prepare, read_training

    if flags["go"] and (out / REPORT_FILE).is_file() and not flags["overwrite"]:
        return read_training(out)  # going on with what was written before
    wish = Wish(
        model=flags["model"],
        preset=flags["preset"],
        seed=flags["seed"],
        mix=[Mix.parse(text) for text in flags["mix"]],
        reward=_reward(flags),
        values=_values(flags["settings"]),
        conditioned=method == "reward" if flags["conditioned"] is None else flags["conditioned"],
    )
    with RunStore(run_folder) as store:
        return prepare(
            method,
            run_data(store),
            out,
            wish,
            split=Split.parse(flags["split"]),
            pairs=_pairs(store, flags),
            balance=flags["balance"],
            balance_ignore=flags["balance_ignore"],
            overwrite=flags["overwrite"],
        )


def _reward(flags: dict[str, Any]) -> Reward | None:
    from character.errors import InputError
    from character.training.recipe import Reward

    theirs, ours = flags["reward_model"], flags["preference_model"]
    if theirs and ours:
        raise InputError(
            "--reward-model and --preference-model are both given.",
            expected="one of them",
            fix="leave one out.",
        )
    return Reward(theirs or ours, is_ours=bool(ours)) if theirs or ours else None


def _values(settings: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings that ``name=value`` texts say, their values read as YAML."""
    import yaml

    from character.errors import InputError

    found: dict[str, Any] = {}
    for text in settings:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise InputError(f"--set {text!r} says no setting.", expected="NAME=VALUE, such as beta=0.2")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--set {text!r} has a value that cannot be read.", expected="YAML") from None
    return found


def _pairs(store: Any, flags: dict[str, Any]) -> PairsConfig | None:
    from character.config import PAIR_DESIGNS, PairsConfig
    from character.errors import UnknownNameError
    from character.runs.session import stored_config

    given = {
        name: flags[name] for name in ("design", "min_margin", "max_per_message") if flags[name] is not None
    }
    if given.get("design", PAIR_DESIGNS[0]) not in PAIR_DESIGNS:
        raise UnknownNameError("pair design", given["design"], PAIR_DESIGNS)
    if not given:
        return None
    return PairsConfig.model_validate(stored_config(store).pairs.model_dump() | given)


def _go(report: TrainingReport) -> dict[str, float]:
    import sys

    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from character.cli.wording import console
    from character.training.card import write_card
    from character.training.running import TrainingState, train

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[said]}"),
        console=console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(f"trl {report.method}", total=1.0, said="")

        def show(state: TrainingState) -> None:
            loss = state.figures.get("loss")
            bar.update(task, completed=state.share, said="" if loss is None else f"loss {loss:.3f}")

        figures = train(report.folder, on_progress=show)
    write_card(report)
    return figures


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
