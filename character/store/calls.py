"""Calls as a run keeps them: how they are written, and read again, with those that were not answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from character.records import Record, Usage
from character.store import tables as t
from character.store.tables import Rows
from character.text import digest

_CHUNK = 256
_MOST_SYSTEMS = 256  # system messages that are remembered as written
_NOT_KEPT = '"(not kept: the process was ended while it was written)"'
_TAKEN = ("prompt_tokens", "completion_tokens", "cost_usd")
_OF_BOTH = ("key", "finished_at", "stage", "trait", "backend", "model")
KEYS_OF_NO_USE = sa.select(t.outcomes.c.key).where(
    t.outcomes.c.fault != "", sa.select(t.calls.c.key).where(t.calls.c.key == t.outcomes.c.key).exists()
)
"""The calls that were answered, and whose replies were of no use."""
Fetch = Callable[[Any], Iterable[Any]]
"""Runs a query and gives its rows, a few at a time."""


class StoredCall(Record):
    """One call of a model. ``fault`` is empty where it could be used, else a word, with ``detail``.

    ``habits`` are the forms other than the one asked for in which it was read. ``messages`` are those sent,
    each with its ``role`` and ``content``, the system message first; none in folders of earlier versions.
    ``reply`` is the text that came, word for word, None where nothing did; ``reasoning`` what the server set
    apart from it. ``usage`` is what the call took, None where nothing came; a ``reused`` one was taken over
    from another run, and took it there. ``finished_at`` is ISO 8601, UTC.
    """

    id: str
    finished_at: str
    stage: str
    trait: str
    backend: str
    model: str
    fault: str = ""
    detail: str = ""
    habits: tuple[str, ...] = ()
    usage: Usage | None = None
    reused: bool = False
    messages: tuple[dict[str, str], ...] = ()
    reasoning: str = ""
    reply: str | None = None


class CallRows:
    """Makes the rows that keep a call; a system message, which many share, is written until it is durable."""

    def __init__(self) -> None:
        self._systems: dict[str, str] = {}

    def of(self, key: str, entry: Mapping[str, Any], *, reused: bool = False) -> Rows:
        """Return the rows of an entry of the journal."""
        facts = {**entry, **entry["observation"], "key": key, "reused": reused, "finished_at": now()}
        values = {column.name: facts[column.name] for column in t.calls.columns}
        kept = {name: value for name, value in entry.items() if name != "prompt"}
        prompt, rows = self.prompt(entry.get("prompt", {}))
        payload = json.dumps(kept, ensure_ascii=False)
        if prompt:
            payload = f"{payload[:-1]}, {prompt[1:]}"
        return [("call", values), ("call_payload", {"key": key, "payload": payload}), *rows]

    def prompt(self, parts: Mapping[str, str]) -> tuple[str, Rows]:
        """Return the prompt of a request whose parts are JSON, as JSON, and the rows that it needs."""
        if "messages" not in parts:
            return "", []
        system = parts.get("system", '""')
        id_ = self._systems.get(system)
        rows: Rows = [] if id_ else [("system", {"id": (id_ := digest(system)), "text": system})]
        return f'{{"system": "{id_}", "messages": {parts["messages"]}}}', rows

    def are_durable(self, rows: Rows) -> None:
        """Remember the system messages of rows that are on disk, so that they are not written again."""
        for values in [values for name, values in rows if name == "system"]:
            if len(self._systems) >= _MOST_SYSTEMS:
                self._systems.clear()
            self._systems[values["text"]] = values["id"]


def now() -> str:
    """Return the time of a row, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def usage_of(entry: Mapping[str, Any]) -> Usage:
    """Return what the call of an entry took."""
    return Usage(calls=1, **{name: entry["observation"][name] for name in _TAKEN})


def read_calls(
    fetch: Fetch, keeps_prompts: bool, *, stage: str = "", id_: str = "", text: str = "", failed: bool = False
) -> Iterator[StoredCall]:
    """Yield calls as ``RunStore.calls`` does. Without ``keeps_prompts`` only replies are known."""
    faults = sa.select(t.outcomes.c.key).outerjoin(t.calls, t.calls.c.key == t.outcomes.c.key)
    is_later = sa.or_(t.calls.c.key.is_(None), t.outcomes.c.finished_at >= t.calls.c.finished_at)
    faults = faults.where(t.outcomes.c.fault != "", is_later)  # else it was answered when tried again
    calls = sa.select(*(t.calls.c[name] for name in (*_OF_BOTH, *_TAKEN, "reused")))
    lost = sa.select(*(t.outcomes.c[name] for name in _OF_BOTH), *[sa.null()] * 4)
    lost = lost.where(t.outcomes.c.key.in_(faults), t.outcomes.c.key.not_in(sa.select(t.calls.c.key)))
    both = (sa.union_all(calls, lost) if keeps_prompts else calls).subquery()
    wanted = [
        (stage, both.c.stage == stage),
        (id_, both.c.key.startswith(id_, autoescape=True)),
        (text, both.c.key.in_(_keys_of_calls_with(text))),
        (failed, both.c.key.in_(faults)),
    ]
    query = sa.select(both).where(*(condition for is_set, condition in wanted if is_set))
    found = iter(fetch(query.order_by(both.c.finished_at, both.c.key)))
    while rows := [dict(row._mapping) for row in islice(found, _CHUNK)]:
        yield from _whole(fetch, rows, keeps_prompts)


def _keys_of_calls_with(text: str) -> Any:
    # A message stands in a prompt as it is, or as JSON; the prompt is kept as JSON.
    once = json.dumps(text[:2000], ensure_ascii=False)[1:-1]
    twice = json.dumps(once, ensure_ascii=False)[1:-1]
    kept = ((t.call_payloads, "payload"), (t.outcomes, "prompt"))
    found = (
        sa.select(table.c.key).where(
            sa.or_(*(table.c[name].contains(each, autoescape=True) for each in (once, twice)))
        )
        for table, name in kept
    )
    return sa.union(*found)


def _whole(fetch: Fetch, rows: list[dict[str, Any]], keeps_prompts: bool) -> Iterator[StoredCall]:
    keys = [row["key"] for row in rows]
    payloads = fetch(sa.select(t.call_payloads).where(t.call_payloads.c.key.in_(keys)))
    kept = {key: json.loads(payload) for key, payload in payloads}
    outcomes = sa.select(t.outcomes).where(t.outcomes.c.key.in_(keys))
    became = {row.key: row for row in fetch(outcomes)} if keeps_prompts else {}
    prompts = {key: json.loads(row.prompt) for key, row in became.items() if row.prompt} | kept
    named = {prompt["system"] for prompt in prompts.values() if "system" in prompt}
    systems = dict(map(tuple, fetch(sa.select(t.systems).where(t.systems.c.id.in_(named))))) if named else {}
    for row in rows:
        key, taken = row.pop("key"), {name: row.pop(name) for name in _TAKEN}
        turns = tuple(_turns(prompts.get(key, {}), systems))
        facts = {**row, "id": key, "reused": bool(row["reused"]), "messages": turns}
        if key in became and became[key].finished_at >= row["finished_at"]:
            facts |= {"fault": became[key].fault, "detail": became[key].detail}
            facts["habits"] = tuple(filter(None, became[key].habits.split("\n")))
        if key in kept:
            parts = kept[key]["response"]["message"]["parts"]
            facts["usage"] = Usage(calls=1, **taken)
            facts["reasoning"] = "\n".join(part["text"] for part in parts if part["type"] == "thinking")
            facts["reply"] = _text_of([part for part in parts if part["type"] != "thinking"])
        yield StoredCall(**facts)


def _turns(prompt: Mapping[str, Any], systems: Mapping[str, str]) -> Iterator[dict[str, str]]:
    system = json.loads(systems.get(prompt["system"], _NOT_KEPT)) if "system" in prompt else ""
    if system:
        yield {"role": "system", "content": _text_of(system)}
    for turn in prompt.get("messages", ()):
        yield {"role": turn["role"], "content": _text_of(turn["parts"])}


def _text_of(parts: str | list[dict[str, Any]]) -> str:
    """Return the texts of parts; of any other part, such as an image, its JSON."""
    if isinstance(parts, str):
        return parts
    return "".join(part.get("text") or json.dumps(part, ensure_ascii=False) for part in parts)
