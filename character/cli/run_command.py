"""``character run``: make preference pairs for a constitution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from character.cli.options import MESSAGE_FLAGS, command_of, configuration, refuse_unused, refused
from character.cli.printing import print_json, show_estimate
from character.errors import UnusableModelError

_GIVEN = {"messages": "messages_path", "traits": "trait_names", "reuse": "reuse"}


@command_of("run")
def command(constitution: Path, out: Path, **flags: Any) -> None:
    from character.cli.progress import print_closing, run_display
    from character.constitution import load_constitution
    from character.ranking.saved import ranker_notes
    from character.runs.run import run

    refuse_unused(flags, "messages_path", "messages that are given are not generated", MESSAGE_FLAGS)
    config, loaded = configuration(flags["settings"]), load_constitution(constitution)
    given: Any = {name: flags[flag] for name, flag in _GIVEN.items()}
    for note in ranker_notes(config, loaded.language):
        click.echo(f"Note: {note}", err=True)
    if flags["dry_run"]:
        show_estimate(run(loaded, out, config, dry_run=True, **given), as_json=flags["as_json"])
        return
    asked = loaded.only(flags["trait_names"]) if flags["trait_names"] else loaded
    with run_display(asked, config) as show:
        summary = run(loaded, out, config, on_progress=show, **given)
    if flags["as_json"]:
        print_json(summary.model_dump(mode="json"))
    else:
        print_closing(summary)
    if not summary.pairs:
        advice = summary.advice or "No pair came of this run."
        raise refused(UnusableModelError, "no_pair", advice=advice, folder=out)
