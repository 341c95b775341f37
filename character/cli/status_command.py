"""``character status``: how far a run is and what it cost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from character.cli.options import command_of
from character.cli.printing import print_json
from character.runs.progress import cost_text, count_text, usage_texts

if TYPE_CHECKING:
    from character.records import Usage
    from character.runs.summary import RunSummary
    from character.store.run_store import RunStore


@command_of("status")
def command(run_folder: Path, watch: bool, interval: float, as_json: bool) -> None:
    from character.runs.session import reading
    from character.runs.summary import summarize

    with reading(run_folder) as store:
        if store.meta("effect") is not None:
            if watch and not as_json:
                _watch(lambda: _evaluation_line(store), interval)
            else:
                _evaluation(store, as_json=as_json)
            return
        if watch:
            _watch(lambda: _run_line(store), interval)
            return
        summary = summarize(store)
    if as_json:
        print_json(summary.model_dump(mode="json", exclude={"samples"}))
        return
    from character.cli.progress import print_closing

    click.echo(_state(summary))
    print_closing(summary.model_copy(update={"samples": ()}))


def _watch(line: Callable[[], tuple[str, bool]], interval: float) -> None:
    """Print a line again and again, with the time, until it says that there is no more to come."""
    is_finished = False
    while not is_finished:
        text, is_finished = line()
        click.echo(f"{time.strftime('%H:%M:%S')} · {text}")
        if not is_finished:
            time.sleep(interval)


def _state(summary: RunSummary) -> str:
    """Return how far a run is, and what ended its last sitting before that."""
    from character.runs.summary import num_finished

    if summary.finished:
        return "finished"
    total = summary.messages["messages"]
    left = f"{total - num_finished(summary.messages):,} of {total:,} messages to go"
    return f"{left}; it stopped: {summary.stopped}" if summary.stopped else left


def _evaluation(store: RunStore, *, as_json: bool) -> None:
    """Tell whether an evaluation is finished and what each stage took."""
    stages, total, is_finished = _taken(store)
    if as_json:
        usage = {name: each.model_dump(mode="json") for name, each in (*stages.items(), ("all", total))}
        print_json({"finished": is_finished, "usage": usage})
        return
    state = "finished" if is_finished else "not finished: the same `character effect` command goes on"
    click.echo(f"evaluation, {state}")
    for name, each in stages.items():
        click.echo(f"  {name}: {count_text(each.calls, 'call')} · {cost_text(each)}")
    click.echo(" · ".join(usage_texts(total)))


def _evaluation_line(store: RunStore) -> tuple[str, bool]:
    _stages, total, is_finished = _taken(store)
    return " · ".join([*usage_texts(total), *(["finished"] if is_finished else [])]), is_finished


def _taken(store: RunStore) -> tuple[dict[str, Usage], Usage, bool]:
    """Return what each stage of an evaluation took, what all took, and whether it is finished."""
    from character.records import Usage

    stages = {stage: usage for (stage, *_rest), usage in store.usage("stage").items()}
    return stages, sum(stages.values(), Usage()), (store.folder / "effect.json").is_file()


def _run_line(store: RunStore) -> tuple[str, bool]:
    from character.records import Usage

    counts, usage = store.counts(), sum(store.usage("stage").values(), Usage())
    waiting, failed, total = counts.get("pending", 0), counts.get("failed", 0), counts["messages"]
    parts = [
        f"{total - waiting - failed:,} of {count_text(total, 'message')}",
        count_text(counts["pairs"], "pair"),
        *([f"{failed:,} failed"] if failed else []),
        *usage_texts(usage),
    ]
    stopped = _stopped(store.folder / "log.jsonl")
    return " · ".join([*parts, *stopped]), bool(stopped or (total and not waiting))


def _stopped(log: Path) -> list[str]:
    """Return what stopped a run, where that is the last that its log says."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    with suppress(ValueError, IndexError):  # a line may be half written, or the first
        last = json.loads(lines[-1])
        return [f"stopped: {last['message']}"] if last["event"] == "stopped" else []
    return []
