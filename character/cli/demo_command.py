"""``character demo``: the whole recipe on a toy world whose truth is known."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import json_option, print_json

if TYPE_CHECKING:
    from character.demo.loop import Progress


@click.group("demo", short_help="Run the whole recipe on a toy world.")
def command() -> None:
    """Demonstrations that run on a laptop, without a network and without a key."""


@command.command("closed-loop")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder for everything.")
@click.option("--quick", is_flag=True, help="A smaller loop: one judge, no reward model, no GRPO.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="The seed of it all.")
@click.option(
    "--workers",
    default=2,
    show_default=True,
    type=click.IntRange(1, 16),
    help="Steps at once, one thread each.",
)
@click.option(
    "--language", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Of the page."
)
@json_option
def closed_loop_command(
    out: Path, quick: bool, seed: int, workers: int, language: Any, as_json: bool
) -> None:
    """Train a tiny policy from scratch, tune it on pairs it wrote itself, and measure what moved.

    Stopped and started again, it goes on; what is complete is not done again. Needs the extra `train`.
    """
    from character.demo.loop import closed_loop
    from character.demo.plan import FULL, QUICK, LoopConfig

    config = LoopConfig(size=QUICK if quick else FULL, seed=seed)
    shown: dict[str, str] = {}

    def show(progress: Progress) -> None:
        for name, state in progress.states.items():
            if state not in ("waiting", shown.get(name)):
                shown[name] = state
                took = f" ({progress.seconds.get(name, 0.0):.0f} s)" if state in ("done", "kept") else ""
                print(f"{name}: {state}{took}", file=sys.stderr)  # noqa: T201 - progress goes to stderr

    found = closed_loop(out, config, workers=workers, language=language, on_progress=show)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    for bar in found.bars:
        click.echo(f"{'shown' if bar.met else 'NOT shown'}: {bar.text}")
    click.echo("A toy policy proves that the machinery works, not that traits generalise.")
    click.echo(f"page: {out / 'closed-loop.html'}")
