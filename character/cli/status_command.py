"""``character status``: how far a run is and what it cost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from character.cli.options import json_option, print_json, run_argument

if TYPE_CHECKING:
    from character.store.run_store import RunStore


@click.command("status", short_help="Show how far a run is and what it cost.")
@run_argument
@click.option("--watch", is_flag=True, help="Tell how far it is again and again, until it is finished.")
@click.option(
    "--interval", default=2.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds between."
)
@json_option
def command(run_folder: Path, watch: bool, interval: float, as_json: bool) -> None:
    """Show how far RUN is, what was dropped and what it cost; also while it is being written.

    Of an evaluation (`character effect`) it shows whether it is finished and what it cost so far.
    """
    from character.runs.session import reading
    from character.runs.summary import summarize

    with reading(run_folder) as store:
        if store.meta("effect") is not None:
            _effect(store, interval if watch else None, as_json=as_json)
            return
        if watch:
            _watch(store, interval)
            return
        summary = summarize(store)
    if as_json:
        print_json(summary.model_dump(mode="json", exclude={"samples"}))
        return
    from character.cli.progress import closing_report
    from character.cli.wording import console as new_console

    console = new_console()
    pending = summary.messages.get("pending", 0)
    console.print(
        "finished" if not pending else f"{pending:,} of {summary.messages['messages']:,} messages to go"
    )
    for part in closing_report(summary.model_copy(update={"samples": ()})):
        console.print(part)


def _effect(store: RunStore, interval: float | None, *, as_json: bool) -> None:
    """Tell whether an evaluation is finished and what each stage took, once or until it is finished."""
    from character.cli.wording import cost_text, count_text
    from character.records import Usage

    while True:
        stages = {stage: usage for (stage, *_rest), usage in store.usage("stage").items()}
        is_finished = (store.folder / "effect.json").is_file()
        total = sum(stages.values(), Usage())
        if as_json:
            told = {name: usage.model_dump(mode="json") for name, usage in (*stages.items(), ("all", total))}
            print_json({"finished": is_finished, "usage": told})
            return
        state = "finished" if is_finished else "not finished: the same `character effect` command goes on"
        tokens = total.prompt_tokens + total.completion_tokens
        line = f"{count_text(total.calls, 'call')} · {tokens:,} tokens · {cost_text(total)}"
        if interval is None:
            click.echo(f"evaluation, {state}")
            for name, usage in stages.items():
                click.echo(f"  {name}: {count_text(usage.calls, 'call')} · {cost_text(usage)}")
            click.echo(line)
            return
        click.echo(f"{time.strftime('%H:%M:%S')} · {line}{' · finished' if is_finished else ''}")
        if is_finished:
            return
        time.sleep(interval)


def _watch(store: RunStore, interval: float) -> None:
    from character.cli.wording import cost_text, count_text
    from character.records import Usage

    while True:
        counts, usage = store.counts(), sum(store.usage("stage").values(), Usage())
        waiting, failed, total = counts.get("pending", 0), counts.get("failed", 0), counts["messages"]
        tokens = usage.prompt_tokens + usage.completion_tokens
        parts = [
            time.strftime("%H:%M:%S"),
            f"{total - waiting - failed:,} of {count_text(total, 'message')}",
            count_text(counts["pairs"], "pair"),
            *([f"{failed:,} failed"] if failed else []),
            count_text(usage.calls, "call"),
            f"{tokens:,} tokens",
            cost_text(usage),
        ]
        click.echo(" · ".join(parts))
        if total and not waiting:
            return
        time.sleep(interval)
