"""The closing figures of a run, finished or not, from its store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from character.config import is_rehearsal_model
from character.locale import report_language, wording
from character.pairs.designs import distinct_pairs
from character.records import PreferencePair, Record, Usage
from character.runs.endings import stopped_by
from character.runs.session import reading, require_kind, stored_config, stored_constitution
from character.store.run_store import FAILED, RunStore
from character.store.vetoes import read_vetoes, without_vetoed
from character.views import html
from character.views.rows import PairRows, record_rows

REHEARSAL_NOTE = "made by the rehearsal backend: for trying and testing, not for training"
UNSEEN_NOTE = (
    "no call to a model was seen: what the program's steps asked past DSPy is not counted, and not capped"
)


class RunSummary(PairRows, Record):
    """The closing figures of a run; its pairs as rows are read from its folder.

    ``messages`` counts messages per state (see ``runs.attempts.outcome``) and in all; ``dropped`` and
    ``reasked`` count per stage and reason what was lost, and what was made up for. ``usage`` is per stage.
    ``samples`` are up to five pairs, spread over the run. ``advice`` says what to do where nothing, or not
    everything, came of it. ``finished`` says that nothing is left to do, ``stopped`` what ended the last
    sitting before its end.
    """

    folder: str
    constitution: str
    traits: tuple[str, ...]
    seed: int
    rehearsal: bool
    note: str
    messages: dict[str, int]
    pairs: int
    dropped: dict[str, dict[str, int]]
    reasked: dict[str, dict[str, int]]
    usage: dict[str, Usage]
    usage_by_trait: dict[str, Usage]
    usage_by_backend: dict[str, Usage]
    usage_by_model: dict[str, Usage]
    models: dict[str, list[str]]
    samples: tuple[PreferencePair, ...] = ()
    advice: str = ""
    finished: bool = True
    stopped: str = ""

    def _row_pairs(self) -> list[PreferencePair]:
        with reading(self.folder, "run") as store:
            return list(stored_pairs(store))

    def _rows_of(self, of: str) -> Iterator[dict[str, Any]]:
        with reading(self.folder, "run") as store:
            yield from record_rows(of, store.all_messages(), store.rollouts(), store.message_drops())

    def __repr_args__(self) -> Any:
        names = ("folder", "traits", "messages", "pairs", "dropped", "rehearsal", "advice")
        calls = sum(usage.calls for usage in self.usage.values())
        return [*((name, getattr(self, name)) for name in names), ("calls", calls)]

    def _repr_html_(self) -> str:
        lost = {stage: sum(reasons.values()) for stage, reasons in self.dropped.items()}
        states = {"in all" if state == "messages" else state: n for state, n in self.messages.items()}
        shown = {
            "folder": self.folder,
            "constitution": self.constitution,
            "traits": ", ".join(self.traits),
            "messages": ", ".join(f"{number:,} {state}" for state, number in states.items()),
            "pairs": self.pairs,
            **{f"dropped in {stage}": number for stage, number in lost.items()},
            "calls": sum(usage.calls for usage in self.usage.values()),
        }
        texts = (html.note(self.note), html.note(self.advice))
        examples = [html.pair_html(pair) for pair in self.samples]
        return html.panel(html.heading("A run"), html.figures(shown), *texts, *examples)


def stored_pairs(store: RunStore) -> Iterator[PreferencePair]:
    """Yield the pairs of a run that an export writes: each once, without what reviewers vetoed."""
    vetoes, left_out = read_vetoes(store.folder), Counter[str]()
    kept = (without_vetoed(rollout, vetoes, left_out) for rollout in store.rollouts())
    for _message, pair in distinct_pairs((rollout for rollout in kept if rollout), left_out):
        yield pair


def summarize(run: RunStore | Path | str) -> RunSummary:
    """Return the figures of a run (its folder, or its open store), finished or not.

    Raises StoreError where it is no run.
    """
    if not isinstance(run, RunStore):
        with reading(run, "run") as opened:
            return summarize(opened)
    store = run
    require_kind(store, "run")
    constitution, config = stored_constitution(store), stored_config(store)
    counts, rehearsal = store.counts(), uses_rehearsal(store)
    note = unsuitable_note(counts.get("unsuitable", 0), num_finished(counts), constitution.language)
    is_whole = all(store.has_batch(trait.name) for trait in constitution.traits)
    is_finished = is_whole and num_finished(counts) == counts["messages"]
    return RunSummary(
        folder=str(store.folder),
        constitution=constitution.name,
        traits=tuple(trait.name for trait in constitution.traits),
        seed=config.seed,
        rehearsal=rehearsal,
        note=REHEARSAL_NOTE if rehearsal else UNSEEN_NOTE if _is_unseen(store) else "",
        pairs=counts.pop("pairs"),
        messages=counts,
        dropped=store.drops(recovered=False),
        reasked=store.drops(recovered=True),
        usage={stage: usage for (stage,), usage in store.usage("stage").items()},
        usage_by_trait={trait: usage for (trait,), usage in store.usage("trait").items()},
        usage_by_backend={backend: usage for (backend,), usage in store.usage("backend").items()},
        usage_by_model={model: usage for (model,), usage in store.usage("model").items()},
        models=store.models(),
        samples=_samples(store),
        advice=" ".join(filter(None, (_advice(store, is_finished), note))),
        finished=is_finished,
        stopped=stopped_by(store).get("said", ""),
    )


def uses_rehearsal(store: RunStore) -> bool:
    """Return whether the rehearsal model had a hand in a run: by what answered, before that by what is
    configured. Where a program of somebody's own asked nobody that was seen, it is no rehearsal.
    """
    answered = [name for names in store.models().values() for name in names]
    if not answered:
        return not _is_unseen(store) and stored_config(store).uses_rehearsal
    return any(is_rehearsal_model(name) for name in answered)


def _is_unseen(store: RunStore) -> bool:
    """Whether a program of somebody's own has worked on messages, and no call of a model was seen."""
    program = json.loads(store.meta("identity") or "{}").get("program", "as configured")
    counts = store.counts()
    worked = counts["messages"] - counts.get("pending", 0)
    return program != "as configured" and worked > 0 and not store.models()


def num_finished(counts: Mapping[str, int]) -> int:
    """Return how many of a store's messages are finished: a failed one is not, as it is tried again."""
    return counts["messages"] - counts.get("pending", 0) - counts.get(FAILED, 0)


def unsuitable_note(unsuitable: int, messages: int, language: str) -> str:
    """Return what to say where more than a third of the messages finished were found unsuitable, else ""."""
    if 3 * unsuitable <= messages:
        return ""
    said = wording("run", report_language(language))["unsuitable"]
    return said.format(number=unsuitable, messages=messages, share=unsuitable / messages)


def _advice(store: RunStore, is_finished: bool) -> str:
    counts, dropped = store.counts(), store.drops(recovered=False)
    lost = [
        (number, reason != "refills_exhausted", stage, reason)  # what exhausted them says more
        for stage in dropped
        for reason, number in dropped[stage].items()
    ]
    example = ""
    if lost:
        *_number, stage, reason = max(lost)
        example = f" {reason} in {stage}, for example: {store.example_of(stage, reason)}"
    if failed := counts.get("failed"):
        return f"{failed:,} messages failed; the same command tries them again. Most often:{example}"
    if not counts["pairs"] and is_finished:
        return f"No pair came of this run. Most often lost:{example or ' nothing was dropped.'}"
    return ""


def _samples(store: RunStore, most: int = 5) -> tuple[PreferencePair, ...]:
    """Return up to five pairs of messages spread over the run, from differing places among their pairs."""
    paired = store.counts().get("paired", 0)
    count = min(most, paired)
    chosen = [store.nth("paired", i * paired // count) for i in range(count)]
    rollouts = [rollout for message_id in chosen for rollout in store.rollouts(message_id)]
    return tuple(rollout.pairs[i % len(rollout.pairs)] for i, rollout in enumerate(rollouts))
