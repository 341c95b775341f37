"""``character export``: write a run's data for a trainer, with a card that says how it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from character.cli.options import json_option, print_json, run_argument

_PAIRS = ("design", "min_margin", "min_probability", "max_per_message")


@click.command("export", short_help="Write a run's data for a trainer.")
@run_argument
@click.option(
    "--format",
    "format_name",
    required=True,
    metavar="FORMAT",
    help="recipe, trl, trl-kto, trl-prompt, trl-sft, trl-reward, openai, axolotl, llamafactory, openrlhf or parquet.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write.")
@click.option(
    "--split", default="90/5/5", show_default=True, help="Train, validation, test in percent, by message."
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="The seed of the split."
)
@click.option("--license", "license_name", metavar="NAME", help="The licence to name in the card.")
@click.option("--margin", is_flag=True, help="Add a column named margin, which TRL's reward loss reads.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier export in the folder.")
@click.option(
    "--design",
    metavar="NAME",
    help="Rebuild the pairs from the stored rankings: best_rest, best_worst, adjacent, all, opposite, "
    "overdone, anchored or neutral. No model is called.",
)
@click.option(
    "--min-margin",
    type=click.FloatRange(0, 1),
    metavar="M",
    help="Rebuild with this least difference of scores.",
)
@click.option(
    "--min-probability",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="Rebuild with this least probability of a pair.",
)
@click.option(
    "--max-per-message",
    type=click.IntRange(min=1),
    metavar="N",
    help="Rebuild with at most so many per message.",
)
@click.option(
    "--debias",
    is_flag=True,
    help="Rebuild with what each place in the list is worth to the judge, over the whole run, taken out.",
)
@click.option(
    "--balance",
    type=click.FloatRange(0, 1, min_open=True),
    is_flag=False,
    flag_value=0.1,
    metavar="[THRESHOLD]",
    help="Leave out pairs until no surface feature sets the sides apart by more (0.1 unless given).",
)
@click.option(
    "--balance-method",
    type=click.Choice(["subset", "weights"]),
    metavar="HOW",
    help="With --balance: leave pairs out (subset, unless given), or give each a weight (weights).",
)
@click.option(
    "--balance-ignore",
    multiple=True,
    metavar="FEATURE",
    help="With --balance: leave alone what the trait itself consists of, such as questions for curiosity; may be repeated.",
)
@click.option(
    "--push", metavar="REPO_ID", help="Then upload the folder to the Hugging Face Hub (extra `hub`)."
)
@click.option("--push-rehearsal", is_flag=True, help="Upload even what the rehearsal backend made.")
@json_option
def command(run_folder: Path, format_name: str, out: Path, **flags: Any) -> None:
    """Write the pairs of RUN in the shape of FORMAT, split by message, with a dataset card."""
    from character.exports import Split, export, push_to_hub
    from character.exports.run_data import rebuilt_pairs, run_data
    from character.runs.session import reading

    _refuse_without_balance(flags)
    with reading(run_folder) as store:
        report = export(
            run_data(store),
            format_name,
            out,
            split=Split.parse(flags["split"]),
            include_margin=flags["margin"],
            seed=flags["seed"],
            license=flags["license_name"],
            overwrite=flags["overwrite"],
            pairs=rebuilt_pairs(store, {name: flags[name] for name in _PAIRS}, always=flags["debias"]),
            balance=flags["balance"],
            balance_method=flags["balance_method"] or "subset",
            balance_ignore=flags["balance_ignore"],
            without_position_effects=flags["debias"],
        )
    result: dict[str, Any] = {"out": str(out), **report.model_dump(mode="json")}
    if flags["push"]:
        result["pushed"] = push_to_hub(out, flags["push"], allow_rehearsal=flags["push_rehearsal"])
    if flags["as_json"]:
        print_json(result)
    else:
        _print(result)


def _refuse_without_balance(flags: dict[str, Any]) -> None:
    from character.errors import InputError

    for name in ("balance_method", "balance_ignore"):
        if flags[name] and flags["balance"] is None:
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{option} is given without --balance.",
                expected="--balance, which it belongs to",
                fix=f"add --balance, or leave {option} out.",
            )


def _print(result: dict[str, Any]) -> None:
    for file in result["files"]:
        split = f" ({file['split']})" if file["split"] else ""
        click.echo(f"{result['out']}/{file['path']}{split}: {file['rows']:,} rows")
    for name in result["extra_files"]:
        click.echo(f"{result['out']}/{name}")
    for reason, number in result["skipped"].items():
        click.echo(f"left out, {reason}: {number:,}")
    if result["balance"]:
        kept = result["balance"]
        click.echo(
            f"balanced: {kept['num_kept']:,} of {kept['num_pairs']:,} pairs, "
            f"{kept['num_messages_kept']:,} of {kept['num_messages']:,} messages"
        )
        for name, (before, after) in kept["traits"].items():
            click.echo(f"share of {name}: {before:.0%} before, {after:.0%} after")
    for warning in result["warnings"]:
        click.echo(f"warning: {warning}")
    if "pushed" in result:
        click.echo(f"pushed: {result['pushed']}")
