"""The closed loop from the command line: ``python examples/closed_loop --out FOLDER`` (extra ``train``)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.errors import CharacterError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    from closed_loop.loop import Progress


@click.command()
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
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout, all else on stderr."
)
def main(out: Path, quick: bool, seed: int, workers: int, language: Any, as_json: bool) -> None:
    """Train a tiny policy from scratch, tune it on pairs it wrote itself, and measure what moved.

    Stopped and started again, it goes on; what is complete is not done again. Needs the extra `train`.
    """
    from closed_loop.loop import closed_loop
    from closed_loop.plan import FULL, QUICK, LoopConfig

    config = LoopConfig(size=QUICK if quick else FULL, seed=seed)
    shown: dict[str, str] = {}

    def show(progress: Progress) -> None:
        for name, state in progress.states.items():
            if state not in ("waiting", shown.get(name)):
                shown[name] = state
                took = f" ({progress.seconds.get(name, 0.0):.0f} s)" if state in ("done", "kept") else ""
                print(f"{name}: {state}{took}", file=sys.stderr)

    found = closed_loop(out, config, workers=workers, language=language, on_progress=show)
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json"), ensure_ascii=False, indent=2))
        return
    for bar in found.bars:
        click.echo(f"{'shown' if bar.met else 'NOT shown'}: {bar.text}")
    click.echo("A toy policy proves that the machinery works, not that traits generalise.")
    click.echo(f"page: {out / 'closed-loop.html'}")


if __name__ == "__main__":
    try:
        main()
    except CharacterError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
