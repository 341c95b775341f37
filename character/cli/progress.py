"""What a person sees of a run: bars per stage while it goes on, and a closing report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from character.cli.printing import USAGE_COLUMNS, count_text, new_console, new_table, usage_cells, usage_texts
from character.config import Config
from character.constitution import Constitution
from character.locale import listed, report_language
from character.records import PreferencePair, Usage
from character.runs.run import RunState
from character.runs.summary import RunSummary

_STAGES = ("messages", "responses", "ranking", "pairs")


class RunDisplay:
    """Shows a run on stderr while it goes on. Use it as a context manager."""

    def __init__(self, constitution: Constitution, config: Config, out: Path) -> None:
        self._console = new_console(stderr=True)
        self._out = out
        self._bars = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            expand=True,
        )
        self._tasks = [self._bars.add_task(stage, total=None) for stage in _STAGES]
        self._line = Text("")
        self._live = Live(
            Group(self._bars, self._line), console=self._console, refresh_per_second=4, transient=True
        )
        self._opening: Panel | None = _opening(constitution, config)

    def __enter__(self) -> RunDisplay:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self, state: RunState) -> None:
        """Show a new state; the first one also opens the display."""
        if self._opening:
            self._console.print(self._opening)
            self._opening = None
            if self._console.is_terminal:
                self._live.start()
        total = max(state.messages_wanted, state.messages)
        done = (state.messages, state.answered, state.ranked, state.finished)
        for task, completed in zip(self._tasks, done, strict=True):
            self._bars.update(task, completed=completed, total=total)
        self._line.plain = _live_line(state)

    def close_with(self, summary: RunSummary) -> None:
        """Print the closing report on stdout."""
        console = new_console()
        for part in closing_report(summary):
            console.print(part)


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
    return Panel(grid, title="character run", title_align="left")


def _backend(config: Config, role: str) -> str:
    """Return in words which backend answers a role."""
    backend = config.backend(role)
    where = f" at {backend.api_base}" if backend.api_base else ""
    return f"{backend.kind} · {backend.model_name}{where}"


def _live_line(state: RunState) -> str:
    parts = [count_text(state.pairs, "pair"), *usage_texts(state.usage)]
    if state.drops:
        parts.append("dropped: " + ", ".join(f"{reason} {n}" for reason, n in state.drops.most_common(4)))
    if state.stopping:
        parts.append("stopping after what is in flight; Ctrl-C again stops now")
    return " · ".join(parts)


def closing_report(summary: RunSummary) -> list[Any]:
    """Return what is printed at the end of a run: kept and dropped, cost, sample pairs, where all lies."""
    parts: list[Any] = [_outcome_table(summary), _usage_table(summary)]
    parts += [_sample(pair, number) for number, pair in enumerate(summary.samples, 1)]
    if summary.advice:
        parts.append(Panel(Text(summary.advice), title="note", title_align="left", style="yellow"))
    if summary.rehearsal:
        parts.append(Panel(f"These pairs were {summary.note}.", style="yellow"))
    folder = summary.folder
    next_steps = f"\n  character show {folder}\n  character export {folder} --format trl --out {folder}/trl"
    parts.append(Text.assemble("everything lies in ", (folder, "bold"), (next_steps, "dim")))
    return parts


def _outcome_table(summary: RunSummary) -> Table:
    table = new_table("kept and dropped", ["stage"], ["kept"])
    table.add_column("dropped, by reason", overflow="fold")
    table.add_column("asked again, by reason", overflow="fold")
    messages = summary.messages
    total = messages.get("messages", 0)
    answered = total - messages.get("pending", 0) - messages.get("unanswered", 0)
    paired = messages.get("paired", 0)
    ranked = paired + messages.get("unpaired", 0)
    kept = {
        "messages": count_text(total, "message"),
        "responses": f"{count_text(answered, 'message')} answered",
        "ranking": f"{count_text(ranked, 'message')} ranked",
        "pairs": f"{count_text(summary.pairs, 'pair')} of {count_text(paired, 'message')}",
    }
    for stage in _STAGES:
        dropped, reasked = summary.dropped.get(stage, {}), summary.reasked.get(stage, {})
        table.add_row(stage, kept[stage], _reasons(dropped), _reasons(reasked))
    return table


def _reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {number}" for reason, number in counts.items()) or "–"


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
