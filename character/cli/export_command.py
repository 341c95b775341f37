"""``character export``: write a run's data for a trainer, with a card that says how it was made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import json_option, print_json, run_argument

if TYPE_CHECKING:
    from character.exports import ExportData
    from character.run_summary import RunSummary


@click.command("export", short_help="Write a run's data for a trainer.")
@run_argument
@click.option(
    "--format",
    "format_name",
    required=True,
    metavar="FORMAT",
    help="recipe, trl, trl-kto, trl-prompt, trl-reward, openai, axolotl, llamafactory, openrlhf or parquet.",
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
    "--push", metavar="REPO_ID", help="Then upload the folder to the Hugging Face Hub (extra `hub`)."
)
@click.option("--push-rehearsal", is_flag=True, help="Upload even what the rehearsal backend made.")
@json_option
def command(run_folder: Path, format_name: str, out: Path, **flags: Any) -> None:
    """Write the pairs of RUN in the shape of FORMAT, split by message, with a dataset card."""
    from character.exports import Split, export, push_to_hub
    from character.run_summary import summarize
    from character.store import RunStore

    with RunStore(run_folder) as store:
        summary = summarize(store)
        data = _data(store, summary)
    report = export(
        data,
        format_name,
        out,
        split=Split.parse(flags["split"]),
        include_margin=flags["margin"],
        seed=flags["seed"],
        license=flags["license_name"],
        overwrite=flags["overwrite"],
    )
    result: dict[str, Any] = {"out": str(out), **report.model_dump(mode="json")}
    if flags["push"]:
        result["pushed"] = push_to_hub(out, flags["push"], allow_rehearsal=flags["push_rehearsal"])
    if flags["as_json"]:
        print_json(result)
    else:
        _print(result)


def _data(store: Any, summary: RunSummary) -> ExportData:
    from character.exports import ExportData
    from character.records import Usage
    from character.run_summary import run_config, run_constitution
    from character.text import fingerprint

    manifest = {
        "models": summary.models,
        "seed": summary.seed,
        "config_fingerprint": fingerprint(run_config(store).model_dump(mode="json")),
        "created_at": store.meta("created_at") or "",
        "rehearsal": summary.rehearsal,
        "usage": sum(summary.usage.values(), Usage()).model_dump(),
        "drops": summary.dropped,
    }
    return ExportData(
        constitution=run_constitution(store), rollouts=tuple(store.rollouts()), manifest=manifest
    )


def _print(result: dict[str, Any]) -> None:
    for file in result["files"]:
        split = f" ({file['split']})" if file["split"] else ""
        click.echo(f"{result['out']}/{file['path']}{split}: {file['rows']:,} rows")
    for name in result["extra_files"]:
        click.echo(f"{result['out']}/{name}")
    for reason, number in result["skipped"].items():
        click.echo(f"left out, {reason}: {number:,}")
    for warning in result["warnings"]:
        click.echo(f"note: {warning}")
    if "pushed" in result:
        click.echo(f"pushed: {result['pushed']}")
