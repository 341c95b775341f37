"""What a run is and what came of it: its identity, the facts written beside it, and the closing figures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from character._version import __version__
from character.config import Config, is_rehearsal_model
from character.constitution import Constitution
from character.errors import StoreError
from character.records import Drop, MessageBatch, PreferencePair, Record, Usage
from character.store import RunStore
from character.text import fingerprint

REHEARSAL_NOTE = "made by the rehearsal backend: for trying and testing, not for training"
_NOT_IDENTITY = {"concurrency"}
_NOT_IDENTITY_OF_BACKEND = {
    "max_in_flight",
    "timeout_s",
    "num_retries",
    "api_key_env",
    "input_price",
    "output_price",
}


class RunSummary(Record):
    """The closing figures of a run.

    ``messages`` counts messages per state (see ``rollout_status``) and in all; ``dropped`` and ``reasked``
    count per stage and reason what was lost, and what asking again made up for. ``samples`` are up to five
    pairs, spread over the run.
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
    models: dict[str, list[str]]
    samples: tuple[PreferencePair, ...] = ()


def identity(
    constitution: Constitution, config: Config, messages: Mapping[str, MessageBatch] | None
) -> dict[str, Any]:
    """Return what makes a run this run and no other, as flat names and values; limits and keys are no part of it."""
    settings = config.model_dump(mode="json", exclude=_NOT_IDENTITY)
    for backend in settings["backends"].values():
        for name in _NOT_IDENTITY_OF_BACKEND:
            backend.pop(name, None)
    given = None
    if messages is not None:
        given = fingerprint({name: [m.id for m in batch.messages] for name, batch in messages.items()})
    return {"constitution": constitution.fingerprint, "messages file": given, **_flat(settings)}


def check_identity(
    store: RunStore, constitution: Constitution, config: Config, messages: Mapping[str, MessageBatch] | None
) -> None:
    """Raise StoreError, naming what differs, where the folder holds a run with another identity."""
    known = store.meta("identity")
    if known is None:
        return
    before, now = json.loads(known), identity(constitution, config, messages)
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if changed:
        shown = "; ".join(
            f"{name}: {before.get(name)!r} before, {now.get(name)!r} now" for name in changed[:5]
        )
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        raise StoreError(
            f"{store.folder} holds a run that was made otherwise: {shown}{more}.",
            expected="the same constitution, messages and settings as before",
            fix="give another --out for a new run, or the old settings to go on with this one.",
        )


def write_down(
    store: RunStore, constitution: Constitution, config: Config, messages: Mapping[str, MessageBatch] | None
) -> None:
    """Write the identity, the constitution and the resolved configuration into the run, before anything is called."""
    if store.meta("identity") is not None:
        return
    facts = {
        "constitution": constitution.model_dump_json(by_alias=True),
        "config": config.model_dump_json(),
        "version": __version__,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    for key, value in facts.items():
        store.set_meta(key, value)
    readable = {"constitution": json.loads(facts["constitution"]), "config": json.loads(facts["config"])}
    (store.folder / "run.json").write_text(
        json.dumps({**readable, "version": __version__}, ensure_ascii=False, indent=2) + "\n",
        encoding="utf-8",
    )
    store.set_meta("identity", json.dumps(identity(constitution, config, messages), ensure_ascii=False))


def run_constitution(store: RunStore) -> Constitution:
    """Return the constitution a run was made with."""
    return Constitution.model_validate_json(store.meta("constitution") or "{}")


def run_config(store: RunStore) -> Config:
    """Return the configuration a run was made with."""
    return Config.model_validate_json(store.meta("config") or "{}")


def summarize(store: RunStore) -> RunSummary:
    """Return the figures of a run, finished or not."""
    constitution, config = run_constitution(store), run_config(store)
    dropped, reasked = _Table(), _Table()
    _count(store.message_drops(), dropped, reasked)
    samples = _Spread(5)
    for rollout in store.rollouts():
        _count(rollout.drops, dropped, reasked)
        if rollout.pairs:
            samples.offer(rollout.pairs[samples.offered % len(rollout.pairs)])
    counts = store.counts()
    models = store.models()
    rehearsal = config.uses_rehearsal or any(
        is_rehearsal_model(name) for names in models.values() for name in names
    )
    return RunSummary(
        folder=str(store.folder),
        constitution=constitution.name,
        traits=tuple(trait.name for trait in constitution.traits),
        seed=config.seed,
        rehearsal=rehearsal,
        note=REHEARSAL_NOTE if rehearsal else "",
        pairs=counts.pop("pairs"),
        messages=counts,
        dropped=dropped.as_dict(),
        reasked=reasked.as_dict(),
        usage=store.usage(),
        models=models,
        samples=samples.kept,
    )


def _count(drops: list[Drop] | tuple[Drop, ...], dropped: _Table, reasked: _Table) -> None:
    for drop in drops:
        (reasked if drop.recovered else dropped).add(drop)


class _Table:
    """Counts drops per stage and reason."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def add(self, drop: Drop) -> None:
        self._counts.setdefault(drop.stage, Counter())[drop.reason] += 1

    def as_dict(self) -> dict[str, dict[str, int]]:
        return {stage: dict(counts.most_common()) for stage, counts in self._counts.items()}


class _Spread:
    """Keeps a few of many items, spread evenly over them, without knowing how many will come."""

    def __init__(self, size: int) -> None:
        self._size, self.offered, self._step = size, 0, 1
        self._items: list[PreferencePair] = []

    def offer(self, item: PreferencePair) -> None:
        if self.offered % self._step == 0:
            self._items.append(item)
        self.offered += 1
        if len(self._items) >= 2 * self._size:
            self._items, self._step = self._items[::2], self._step * 2

    @property
    def kept(self) -> tuple[PreferencePair, ...]:
        count = min(self._size, len(self._items))
        return tuple(self._items[i * len(self._items) // count] for i in range(count))


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat
