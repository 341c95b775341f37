"""What a person sees of a run: bars per stage while it goes on, and a closing report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from character.cli.printing import (
    USAGE_COLUMNS,
    counts_text,
    new_console,
    new_table,
    usage_cells,
    waits_shown_on,
)
from character.config import Config
from character.constitution import Constitution
from character.locale import listed, report_language
from character.records import PreferencePair, Usage
from character.runs.identity import flat
from character.runs.progress import ProgressCallback, RunState, count_text, reporting
from character.runs.summary import RunSummary

_STAGES = ("messages", "responses", "ranking", "pairs")


@contextmanager
def run_display(constitution: Constitution, config: Config) -> Iterator[Callable[[RunState], None]]:
    """Show a run on stderr while it goes on: as bars on a terminal, else as a line every half minute.

    Yields what shows a new state; the first one opens it.
    """
    console, line = new_console(stderr=True), Text("")
    bars = Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        expand=True,
    )
    tasks = [bars.add_task(stage, total=None) for stage in _STAGES]
    live = Live(Group(bars, line), console=console, refresh_per_second=4, transient=True)
    told = ""
    opening: Panel | None = _opening(constitution, config)

    def show(state: RunState) -> None:
        nonlocal opening, told
        if opening:
            console.print(opening)
            opening = None
            if console.is_terminal:
                live.start()
        total = max(state.messages_wanted, state.messages)
        done = (state.messages, state.answered, state.ranked, state.finished)
        for task, completed in zip(tasks, done, strict=True):
            bars.update(task, completed=completed, total=total)
        line.plain = state.details()
        if state.note and not told and not console.is_terminal:
            console.print(state.note, style="yellow")
        told = told or state.note
        log(state)

    in_log: ProgressCallback[RunState] = False if console.is_terminal else None
    with reporting(in_log, "character run") as log, waits_shown_on(console):
        try:
            yield show
        finally:
            live.stop()


def _opening(constitution: Constitution, config: Config) -> Panel:
    grid = Table.grid(padding=(0, 2))
    traits = listed((t.name for t in constitution.traits[:8]), report_language(constitution.language))
    more = f" … ({len(constitution.traits)})" if len(constitution.traits) > 8 else ""
    grid.add_row("constitution", f"{constitution.name} ({constitution.language})")
    grid.add_row("traits", traits + more)
    for role in ("messages", "responses", "ranking"):
        jury = config.ranking.backends if role == "ranking" else ()
        jurors = "; ".join(f"{name}: {_backend(config, name)}" for name in jury)
        grid.add_row(role, jurors or _backend(config, role))
    steps = {"messages", "responses", "ranking", "pairs"}
    said, usual = (flat(each.model_dump(mode="json", include=steps)) for each in (config, Config()))
    if set_otherwise := [f"{name} = {said[name]}" for name in said if said[name] != usual.get(name)]:
        grid.add_row("settings", Text(", ".join(set_otherwise)))
    return Panel(grid, title="character run", title_align="left")


def _backend(config: Config, role: str) -> str:
    """Return in words which backend answers a role."""
    backend = config.backend(role)
    where = f" at {backend.api_base}" if backend.api_base else ""
    return f"{backend.kind} · {backend.model_name}{where}"


def print_closing(summary: RunSummary) -> None:
    """Print on stdout how a run ended: kept and dropped, cost, sample pairs, where everything lies."""
    console, folder = new_console(), summary.folder
    console.print(_outcome_table(summary))
    console.print(_usage_table(summary))
    for number, pair in enumerate(summary.samples, 1):
        console.print(_sample(pair, number))
    if summary.advice:
        console.print(Panel(Text(summary.advice), title="note", title_align="left", style="yellow"))
    next_steps = f"\n  character show {folder}"
    if summary.pairs:
        next_steps += f"\n  character export {folder} --format trl --out {folder}/trl"
    if summary.pairs and summary.rehearsal:
        console.print(Panel(f"These pairs were {summary.note}.", style="yellow"))
    console.print(Text.assemble("everything lies in ", (folder, "bold"), (next_steps, "dim")))


def _outcome_table(summary: RunSummary) -> Table:
    table = new_table("kept and dropped", ["stage"], ["kept"])
    table.add_column("dropped, by reason", overflow="fold")
    table.add_column("made up for, by reason", overflow="fold")
    messages = summary.messages
    total = messages.get("messages", 0)
    answered = total - messages.get("pending", 0) - messages.get("unanswered", 0)
    paired = messages.get("paired", 0)
    ranked = paired + messages.get("unpaired", 0)
    reached = {
        "messages": count_text(total, "message"),
        "responses": f"{count_text(answered, 'message')} answered",
        "ranking": f"{count_text(ranked, 'message')} ranked",
        "pairs": f"{count_text(summary.pairs, 'pair')} of {count_text(paired, 'message')}",
    }
    for stage in _STAGES:
        dropped, reasked = summary.dropped.get(stage, {}), summary.reasked.get(stage, {})
        table.add_row(stage, reached[stage], counts_text(dropped), counts_text(reasked))
    return table


def _usage_table(summary: RunSummary) -> Table:
    table = new_table("calls and cost", ["stage"], USAGE_COLUMNS)
    table.add_column("models", overflow="fold")
    for stage, usage in summary.usage.items():
        table.add_row(stage, *usage_cells(usage), ", ".join(summary.models.get(stage, [])))
    table.add_row("all", *usage_cells(sum(summary.usage.values(), Usage())), "", end_section=True)
    for what, parts in (("trait", summary.usage_by_trait), ("backend", summary.usage_by_backend)):
        if len(parts) > 1:
            for name, usage in parts.items():
                table.add_row(Text(f"{what} {name}", style="dim"), *usage_cells(usage), "")
            table.add_section()
    return table


def _sample(pair: PreferencePair, number: int) -> Panel:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("message", Text(pair.prompt[-1].content))
    grid.add_row(f"chosen {pair.score_chosen:.2f}", Text(pair.chosen, style="green"))
    grid.add_row(f"rejected {pair.score_rejected:.2f}", Text(pair.rejected, style="red"))
    levels = f"{pair.chosen_level or '?'} over {pair.rejected_level or '?'}"
    return Panel(grid, title=Text(f"pair {number} · {pair.trait} · {levels}"), title_align="left")
