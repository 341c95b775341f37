"""``character show``: a run's messages, or one with its candidates, scores and reasons; or its calls."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from character.cli.options import command_of, refused
from character.cli.printing import new_console, plain_text, print_json
from character.errors import InputError, UnknownNameError
from character.runs.progress import cost_text

if TYPE_CHECKING:
    from character.records import Candidates, Ranking, RankingPass, Rollout
    from character.store.calls import StoredCall
    from character.store.run_store import RunStore


@command_of("show")
def command(
    run_folder: Path,
    message_id: str | None,
    limit: int,
    as_json: bool,
    show_calls: bool,
    failed: bool,
    step: str,
    call_id: str,
) -> None:
    from character.runs.session import reading

    if show_calls or failed or step or call_id:
        _calls(run_folder, message_id, limit, as_json, {"failed": failed, "stage": step, "id_": call_id})
        return
    with reading(run_folder, "run") as store:
        if message_id is None:
            rollouts = list(store.rollouts(limit=limit))
            counts = store.counts()
        else:
            rollouts = list(store.rollouts(_full_id(store, message_id, answered=True)))
    if as_json:
        data = [rollout.model_dump(mode="json", by_alias=True) for rollout in rollouts]
        print_json(data if message_id is None else data[0])
        return
    console = new_console()
    if message_id is None:
        _list(console, rollouts)
        console.print(
            f"{len(rollouts):,} of {counts['messages']:,} messages; --message ID shows one, --limit more"
        )
    else:
        for rollout in rollouts:
            _show(console, rollout)


def _calls(
    run_folder: Path, message_id: str | None, limit: int, as_json: bool, chosen: dict[str, Any]
) -> None:
    from character.runs.session import reading

    with reading(run_folder) as store:
        text = ""
        if message_id is not None:
            full = _full_id(store, message_id)
            text = next(message.text for message in store.all_messages() if message.id == full)
        calls = list(islice(store.calls(text=text, **chosen), limit + 1))
        if chosen["stage"] and not calls and chosen["stage"] not in store.models():
            raise UnknownNameError("step", chosen["stage"], store.models())
        if chosen["id_"] and not calls:
            raise refused(InputError, "no_call", start=chosen["id_"])
        if (chosen["failed"] or text) and not store.keeps_prompts:
            raise refused(InputError, "calls_of_before", folder=run_folder)
    if as_json:
        print_json([call.model_dump(mode="json") for call in calls[:limit]])
        return
    console = new_console()
    for call in calls[:limit]:
        _show_call(console, call)
    more = "; there are more: --limit N, or choose by --step, --message, --call, --failed"
    shown = len(calls[:limit])
    console.print(f"{shown:,} call{'' if shown == 1 else 's'}{more if len(calls) > limit else ''}")


def _show_call(console: Console, call: StoredCall) -> None:
    """Print one call whole; long lines stay whole too, for whoever looks for something."""
    from character.backends.reading.reasoning import split_reasoning

    facts = [call.id, call.stage, call.trait, f"{call.model} as {call.backend}", call.finished_at]
    if call.usage:
        facts += [f"{call.usage.prompt_tokens:,} tokens in, {call.usage.completion_tokens:,} out"]
        facts += ["taken over from another run" if call.reused else cost_text(call.usage)]
    became = f"read, in another form: {', '.join(call.habits)}" if call.habits else "read"
    if call.fault:
        became = f"{call.fault}: {call.detail}"
    console.print(plain_text(" · ".join(filter(None, facts)), "bold"), soft_wrap=True)
    console.print(plain_text(became, "red" if call.fault else "green"), soft_wrap=True)
    said, thoughts = split_reasoning("(none came)" if call.reply is None else call.reply)
    reasoning = "\n".join(filter(None, (call.reasoning, thoughts)))
    parts = [(turn["role"], turn["content"]) for turn in call.messages] or [("prompt", "(not kept)")]
    for name, text in [*parts, *([("reasoning", reasoning)] if reasoning else []), ("reply", said)]:
        console.print(plain_text(f"── {name} ──", "dim"))
        console.print(plain_text(text), soft_wrap=True)
    console.print()


def _full_id(store: RunStore, start: str, *, answered: bool = False) -> str:
    matches = [(i, status) for i, _trait, status in store.message_ids(starts_with=start)]
    if not matches:
        raise refused(InputError, "no_message", start=start)
    if len(matches) > 1:
        raise refused(InputError, "many_messages", number=len(matches), start=start)
    if answered and matches[0][1] == "pending":
        raise refused(InputError, "not_answered", message=matches[0][0])
    return matches[0][0]


def _list(console: Console, rollouts: list[Rollout]) -> None:
    from character.runs.attempts import outcome

    table = Table(expand=True)
    table.add_column("message", no_wrap=True)
    table.add_column("trait", overflow="fold", max_width=16)
    table.add_column("kind", no_wrap=True)
    table.add_column("text", overflow="fold", ratio=1)
    table.add_column("outcome", no_wrap=True)
    table.add_column("best fit", no_wrap=True)
    for rollout in rollouts:
        message = rollout.message
        best = ""
        if rollout.ranking and rollout.ranking.scores and rollout.candidates:
            top = rollout.ranking.order[0][0]
            best = f"{rollout.ranking.scores[top]:.2f} {rollout.candidates.items[top].level or ''}"
        reached = f"{outcome(rollout)[0]} {len(rollout.pairs) or ''}".strip()
        kind = message.kind.replace("self_reflection", "reflection")
        table.add_row(message.id[:10], message.trait, kind, plain_text(_short(message.text)), reached, best)
    console.print(table)


def _short(text: str, limit: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _show(console: Console, rollout: Rollout) -> None:
    message = rollout.message
    conversation = "\n".join(f"{turn.role}: {turn.content}" for turn in message.turns)
    brief = " · ".join(message.brief.values())
    title = plain_text(f"{message.id} · {message.trait} · {message.kind}")
    console.print(
        Panel(plain_text(conversation), title=title, subtitle=plain_text(brief), title_align="left")
    )
    if rollout.candidates:
        console.print(_candidates(rollout.candidates, rollout.ranking))
    if rollout.ranking:
        names = _names(rollout.candidates) if rollout.candidates else ()
        for number, one in enumerate(rollout.ranking.passes, 1):
            shown = ", ".join(f"[{place}] {names[i]}" for place, i in enumerate(one.shown, 1))
            title = plain_text(f"reasons of pass {number}{_by(one)}: {shown}")
            console.print(Panel(plain_text(one.reason), title=title, title_align="left"))
        if rollout.ranking.status != "ranked":
            console.print(plain_text(f"{rollout.ranking.status}: {rollout.ranking.reason}"))
    for drop in rollout.drops:
        again = " (made up for by asking again)" if drop.recovered else ""
        console.print(plain_text(f"dropped in {drop.stage}: {drop.reason} {drop.detail}{again}", "yellow"))
    for pair in rollout.pairs:
        sides = f"{pair.chosen_level or 'candidate'} over {pair.rejected_level or 'candidate'}"
        console.print(f"pair: {sides}, {pair.score_chosen:.2f} over {pair.score_rejected:.2f}", style="green")
    if not rollout.pairs:
        console.print("no pair")


def _by(one: RankingPass) -> str:
    return f" by {one.juror}" if one.juror else ""


def _names(candidates: Candidates) -> list[str]:
    return [each.level or "candidate" for each in candidates.items]


def _candidates(candidates: Candidates, ranking: Ranking | None) -> Table:
    """Return the candidates side by side, best fit first."""
    items, names = candidates.items, _names(candidates)
    ranking = ranking if ranking and ranking.scores else None
    order = [i for group in ranking.order for i in group] if ranking else range(len(items))
    table = Table(show_lines=True, expand=True)
    for i in order:
        table.add_column(names[i], overflow="fold", ratio=1)
    table.add_row(*(plain_text(items[i].text) for i in order))
    if ranking:
        table.add_row(*(f"score {ranking.scores[i]:.2f}" for i in order))
        for number, one in enumerate(ranking.passes, 1):
            places = {index: place for place, index in enumerate(one.shown, 1)}
            cells = (
                f"pass {number}{_by(one)}: {one.scores[i]:.2f}, shown {places[i]}." if i in places else ""
                for i in order
            )
            table.add_row(*(plain_text(cell) for cell in cells), style="dim")
    table.add_row(*(plain_text(items[i].model, style="dim") for i in order))
    return table
