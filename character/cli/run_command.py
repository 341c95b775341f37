"""``character run``: make preference pairs for a constitution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from character.cli.options import (
    backend_options,
    backend_overrides,
    budget_options,
    budget_overrides,
    config_option,
    json_option,
    merged,
    print_json,
    set_option,
    set_overrides,
)

_LIMITS = (
    "At most, for ranking: passes that agree are followed by no others. Without re-asks and refills. "
    "Prompts are measured, lengths of replies are assumed."
)


@click.command("run", short_help="Make preference pairs for a constitution.")
@click.argument("constitution", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The run folder; an existing run goes on."
)
@config_option
@set_option
@click.option(
    "--messages", "messages_path", type=click.Path(path_type=Path), help="Answer the messages of this file."
)
@click.option(
    "--trait", "trait_names", multiple=True, metavar="NAME", help="Work on this trait alone; may be repeated."
)
@click.option("--messages-per-trait", type=click.IntRange(min=1), help="Messages to generate per trait.")
@click.option("--candidates", type=click.IntRange(2, 8), help="Candidate responses per message.")
@click.option(
    "--strategy", metavar="NAME", help="How the judge is asked: scores, listwise, pairwise or pointwise."
)
@click.option("--ranker", metavar="FILE", help="Rank with this ranker, as `character optimize` saved it.")
@click.option("--passes", type=click.IntRange(min=1), help="Ranking passes, each in another order.")
@click.option(
    "--max-passes", type=click.IntRange(min=1), help="Passes at most, where the first ones disagree."
)
@click.option(
    "--design", metavar="NAME", help="Which candidates become pairs, such as best_rest or overdone."
)
@budget_options
@click.option("--dry-run", is_flag=True, help="Estimate calls, tokens and cost; send nothing, write nothing.")
@click.option(
    "--reuse", multiple=True, type=click.Path(path_type=Path), help="Take over what is finished in this run."
)
@click.option(
    "--store", "store_url", metavar="URL", help="Keep the records in PostgreSQL (extra `postgres`)."
)
@click.option("--concurrency", type=click.IntRange(min=1), help="Messages worked on at once.")
@click.option("--seed", type=click.IntRange(min=0), help="The seed of everything random.")
@backend_options
@json_option
def command(constitution: Path, out: Path, config_path: Path | None, **flags: Any) -> None:
    """Make preference pairs for CONSTITUTION and keep everything in a run folder.

    Without a backend in the configuration or in the flags, the embedded rehearsal model answers: no key,
    no network, and data that is for trying and testing only. The same command goes on with a run that
    was stopped.
    """
    from character.cli.estimate_table import show_estimate
    from character.cli.progress import RunDisplay
    from character.config import load_config
    from character.constitution import load_constitution
    from character.ranking.saved import ranker_notes
    from character.runs.run import run

    config, loaded = (
        load_config(config_path, overrides=merged(set_overrides(flags["settings"]), _overrides(flags))),
        load_constitution(constitution),
    )
    given: Any = {"messages": flags["messages_path"], "traits": flags["trait_names"]}
    for note in ranker_notes(config, loaded.language):
        click.echo(f"Note: {note}", err=True)
    if flags["dry_run"]:
        show_estimate(run(loaded, out, config, dry_run=True, **given), _LIMITS, as_json=flags["as_json"])
        return
    shown = loaded.only(flags["trait_names"]) if flags["trait_names"] else loaded
    with RunDisplay(shown, config, out) as display:
        summary = run(loaded, out, config, reuse=flags["reuse"], on_progress=display.update, **given)
    if flags["as_json"]:
        print_json(summary.model_dump(mode="json"))
    else:
        display.close_with(summary)


def _overrides(flags: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, dict[str, Any]] = {
        "messages": {"per_trait": flags["messages_per_trait"]},
        "responses": {"candidates": flags["candidates"]},
        "ranking": {name: flags[name] for name in ("strategy", "passes", "max_passes", "ranker")},
        "pairs": {"design": flags["design"]},
        "budget": budget_overrides(flags),
        "store": {"url": flags["store_url"]},
        "": {"concurrency": flags["concurrency"], "seed": flags["seed"]},
    }
    nested: dict[str, Any] = backend_overrides(flags)
    for section, values in given.items():
        chosen = {name: value for name, value in values.items() if value is not None}
        if chosen and section:
            nested[section] = chosen
        else:
            nested |= chosen
    return nested
