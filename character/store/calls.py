"""Calls as a run keeps them: how they are written, and read again, with those that were not answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from character.records import Usage
from character.store import tables as t
from character.store.writer import Rows
from character.text import digest

_CHUNK = 256
_MOST_SYSTEMS = 256  # system messages that are remembered as written
Fetch = Callable[[Any], Iterable[Any]]
"""Runs a query and gives its rows, a few at a time."""


class CallRows:
    """Makes the rows that keep a call; a system message, which many calls share, is written once."""

    def __init__(self) -> None:
        self._systems: dict[str, str] = {}

    def of(self, key: str, entry: Mapping[str, Any], *, reused: bool = False) -> Rows:
        """Return the rows of an entry of the journal."""
        facts = {**entry, **entry["observation"], "key": key, "reused": reused, "finished_at": now()}
        values = {column.name: facts[column.name] for column in t.calls.columns}
        kept = {name: value for name, value in entry.items() if name != "prompt"}
        payload = {"key": key, "payload": json.dumps(kept, ensure_ascii=False)}
        return [("call", values), ("call_payload", payload), *self.prompt(key, entry.get("prompt", {}))]

    def prompt(self, key: str, prompt: Mapping[str, str]) -> Rows:
        """Return the rows of the parts of a request, which are JSON."""
        if "messages" not in prompt:
            return []
        rows: Rows = []
        system = prompt.get("system", '""')
        if system not in self._systems:
            if len(self._systems) >= _MOST_SYSTEMS:
                self._systems.clear()
            self._systems[system] = digest(system)
            rows.append(("system", {"id": self._systems[system], "text": system}))
        return [
            *rows,
            ("prompt", {"key": key, "system": self._systems[system], "messages": prompt["messages"]}),
        ]


def now() -> str:
    """Return the time of a row, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def usage_of(entry: Mapping[str, Any]) -> Usage:
    """Return what the call of an entry took."""
    names = ("prompt_tokens", "completion_tokens", "cost_usd")
    return Usage(calls=1, **{name: entry["observation"][name] for name in names})


def facts_of_calls(
    fetch: Fetch,
    *,
    keeps_prompts: bool,
    step: str = "",
    starts_with: str = "",
    text: str = "",
    failed: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield what is known of each call, with ``prompt`` and ``response``, each None where it is not kept.

    ``text`` is one that the prompt has. Without ``keeps_prompts`` there are neither prompts nor outcomes.
    """
    names = ("key", "finished_at", "stage", "trait", "backend", "model")
    figures = ("prompt_tokens", "completion_tokens", "cost_usd", "reused")
    faults = sa.select(t.outcomes.c.key).where(t.outcomes.c.fault != "")
    answered = sa.select(*(t.calls.c[name] for name in (*names, *figures)))
    unanswered = sa.select(*(t.outcomes.c[name] for name in names), *(sa.null().label(n) for n in figures))
    unanswered = unanswered.where(
        t.outcomes.c.key.in_(faults), t.outcomes.c.key.not_in(sa.select(t.calls.c.key))
    )
    both = (sa.union_all(answered, unanswered) if keeps_prompts else answered).subquery()
    query = sa.select(both).order_by(both.c.finished_at, both.c.key)
    if step:
        query = query.where(both.c.stage == step)
    if starts_with:
        query = query.where(both.c.key.startswith(starts_with, autoescape=True))
    if failed:
        query = query.where(both.c.key.in_(faults))
    if text:
        query = query.where(both.c.key.in_(_keys_of_prompts_with(text)))
    found = iter(fetch(query))
    while rows := [dict(row._mapping) for row in islice(found, _CHUNK)]:
        yield from _whole(fetch, rows, keeps_prompts)


def prompts_of(fetch: Fetch, keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the system message and the messages of calls, as JSON, by their keys."""
    query = sa.select(t.prompts.c.key, t.systems.c.text, t.prompts.c.messages)
    query = query.join(t.systems, t.systems.c.id == t.prompts.c.system).where(t.prompts.c.key.in_(list(keys)))
    return {key: {"system": system, "messages": messages} for key, system, messages in fetch(query)}


def _keys_of_prompts_with(text: str) -> Any:
    # A message stands in a prompt as it is, or as JSON; the prompt is kept as JSON.
    once = json.dumps(text[:2000], ensure_ascii=False)[1:-1]
    twice = json.dumps(once, ensure_ascii=False)[1:-1]
    found = (t.prompts.c.messages.contains(each, autoescape=True) for each in (once, twice))
    return sa.select(t.prompts.c.key).where(sa.or_(*found))


def _whole(fetch: Fetch, rows: list[dict[str, Any]], keeps_prompts: bool) -> Iterator[dict[str, Any]]:
    keys = [row["key"] for row in rows]
    payloads = sa.select(t.call_payloads).where(t.call_payloads.c.key.in_(keys))
    replies = {key: json.loads(payload)["response"] for key, payload in fetch(payloads)}
    outcomes = sa.select(t.outcomes).where(t.outcomes.c.key.in_(keys))
    became = {row.key: row for row in fetch(outcomes)} if keeps_prompts else {}
    prompts = prompts_of(fetch, keys) if keeps_prompts else {}
    for row in rows:
        outcome = became.get(row["key"])
        told = {name: getattr(outcome, name, "") for name in ("fault", "detail", "habits")}
        yield {**row, **told, "prompt": prompts.get(row["key"]), "response": replies.get(row["key"])}
