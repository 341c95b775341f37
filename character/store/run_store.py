"""The run store: every finished model call and every finished record of a run, durable before it is used.

A run is one SQLite file in its folder, or one schema of a PostgreSQL database. One process writes, through
one thread that commits whatever has queued up as one transaction; any number of processes read. Payloads
live in tables of their own, so that counting a large run reads little.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import ValidationError

from character.errors import StoreError
from character.records import Drop, Message, MessageBatch, Record, Rollout, Usage
from character.store import tables as t
from character.store.calls import KEYS_OF_NO_USE, CallRows, StoredCall, now, read_calls, usage_of
from character.store.errors import another_version, check_layout, problem, unusable
from character.store.places import Place, open_place
from character.store.tables import Rows, Writer
from character.text import digest

_CHUNK = 256
R = TypeVar("R", bound=Record)
V = TypeVar("V")
FAILED = "failed"
"""The state of a message whose server failed: the next sitting tries it again."""


class RunStore:
    """A run folder, open for reading or (``RunStore.create``) for writing. Use it as a context manager.

    As a journal it answers ``get`` for calls that finished before and keeps new ones; ``put`` returns when
    the entry is durable. ``reuse`` are stores of other runs whose finished calls count as finished here too.
    ``keeps_prompts`` says whether calls have their prompts and faults: not in folders of earlier versions.
    """

    def __init__(self, folder: Path | str) -> None:
        """Open an existing run for reading; raises StoreError where the folder holds none."""
        self._open(open_place(Path(folder), write=False), ())

    @classmethod
    def create(
        cls, folder: Path | str, *, url: str | None = None, reuse: Iterable[RunStore] = ()
    ) -> RunStore:
        """Open a run for writing, made where there is none; raises StoreError while another process writes.

        ``url`` puts the run into a PostgreSQL database instead of a file (``postgresql://user@host/database``;
        the password comes from PGPASSWORD or the password file).
        """
        store = cls.__new__(cls)
        place = open_place(Path(folder), write=True, url=url)
        try:
            t.metadata.create_all(place.engine)
            store._open(place, tuple(reuse))
            store._writer = Writer(place.engine, place.name)
            if store.meta("schema_version") is None:
                store.set_meta("schema_version", t.SCHEMA_VERSION)
            store._check_schema()
        except (sa.exc.DatabaseError, StoreError) as error:
            place.close()
            raise error if isinstance(error, StoreError) else unusable(place.name, error) from None
        return store

    def _open(self, place: Place, reuse: tuple[RunStore, ...]) -> None:
        self.folder, self._place, self._engine, self._reuse = place.folder, place, place.engine, reuse
        self._writer: Writer | None = None
        self.kept = Usage()  # what the calls kept in this sitting took
        if not place.writes:
            self._check_schema()
        self._written = CallRows()
        schema = self._engine.get_execution_options().get("schema_translate_map", {}).get(None)
        self.keeps_prompts = sa.inspect(self._engine).has_table("systems", schema=schema)
        self._of_no_use: frozenset[str] = frozenset()
        self._has_calls = self._value(sa.select(t.calls.c.key).limit(1)) is not None

    def __enter__(self) -> RunStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is queued, close the run and let another process write."""
        if self._writer:
            self._writer.close()
        self._place.close()

    # -- the journal of model calls ---------------------------------------------------------------------

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the journal entry of a call that finished before this sitting, or in a reused run."""
        if self._has_calls:
            payload = self._value(sa.select(t.call_payloads.c.payload).where(t.call_payloads.c.key == key))
            if payload is not None:
                return dict(json.loads(payload))
        for other in self._reuse:
            entry = None if key in other._of_no_use else other.get(key)
            if entry is not None:
                if self._writer:
                    self._writer.submit(self._written.of(key, entry, reused=True) + other._system_of(entry))
                return entry
        return None

    def latest(self, key: str) -> str:
        """Return the key of the latest call like this one, another where it is to be made anew."""
        while key in self._of_no_use:
            key = digest(f"{key}, anew", size=16)
        return key

    def leave_out_of_no_use(self) -> None:
        """Have calls made anew, here or where this is reused, whose replies were of no use."""
        if self.keeps_prompts:  # else it says nothing of what became of its calls
            self._of_no_use = frozenset(row.key for row in self._all(KEYS_OF_NO_USE))

    def try_again(self, *states: str) -> int:
        """Have messages in these states tried again as ones that failed; return how many there are."""
        query = sa.select(t.messages.c.id, t.messages.c.reason).where(t.messages.c.status.in_(states))
        found = list(self._all(query))
        self._write(
            [("reach", {"of": row.id, "to": FAILED, "why": row.reason, "pairs": 0}) for row in found]
        ).result()
        return len(found)

    def put(self, key: str, entry: dict[str, Any]) -> None:
        """Keep a finished call; returns once it is on disk."""
        self._write(rows := self._written.of(key, entry)).result()
        self._count(rows, entry)

    async def aput(self, key: str, entry: dict[str, Any]) -> None:
        """Keep a finished call without blocking the event loop; returns once it is on disk."""
        await asyncio.wrap_future(self._write(rows := self._written.of(key, entry)))
        self._count(rows, entry)

    def _count(self, rows: Rows, entry: Mapping[str, Any]) -> None:
        self._written.are_durable(rows)
        self.kept += usage_of(entry)

    def note(self, key: str, facts: Mapping[str, str], parts: Mapping[str, str]) -> None:
        """Keep what became of a call, in the place of what was noted before, and return at once.

        The ``parts`` of its request are JSON; none are given of a call that was answered.
        """
        prompt, rows = self._written.prompt(parts)
        outcome = {"key": key, "finished_at": now(), "prompt": prompt, **facts}
        self._write([("outcome", outcome), *rows])

    def _system_of(self, entry: Mapping[str, Any]) -> Rows:
        """Return the row of the system message that an entry from here names."""
        named = sa.select(t.systems).where(t.systems.c.id == entry.get("system"))
        return [("system", dict(row._mapping)) for row in self._all(named)] if "system" in entry else []

    def calls(
        self, *, stage: str = "", id_: str = "", text: str = "", failed: bool = False
    ) -> Iterator[StoredCall]:
        """Yield the calls that were made, answered or not, in the order of time: those of a ``stage``, whose
        id begins with ``id_``, with a ``text`` in what was sent or came, that ``failed``: were not answered,
        or could not be used.
        """
        return read_calls(self._stream, self.keeps_prompts, stage=stage, id_=id_, text=text, failed=failed)

    # -- records ----------------------------------------------------------------------------------------

    def meta(self, key: str) -> str | None:
        """Return a fact about the run (JSON text), or None."""
        return self._value(sa.select(t.meta.c.value).where(t.meta.c.key == key))

    def set_meta(self, key: str, value: str) -> None:
        """Keep a fact about the run; returns once it is on disk."""
        self._write([("meta", {"key": key, "value": value})]).result()

    def add_messages(self, trait: str, messages: Iterable[Message], first_ordinal: int) -> int:
        """Keep messages of a trait, each as pending; one that is there stays as it is. Return how many."""
        number = 0
        rows: Rows = []
        for number, message in enumerate(messages, 1):
            row = {"id": message.id, "ordinal": first_ordinal + number - 1, "trait": trait}
            payload = {"id": message.id, "payload": message.model_dump_json(by_alias=True)}
            rows += [("message", row), ("message_payload", payload)]
            if len(rows) >= 2 * _CHUNK:
                self._write(rows).result()
                rows = []
        self._write(rows).result()
        return number

    def known(self, message_ids: Iterable[str]) -> set[str]:
        """Return those of the ids whose messages are there."""
        ids = list(message_ids)
        stored: set[str] = set()
        for start in range(0, len(ids), _CHUNK):
            query = sa.select(t.messages.c.id).where(t.messages.c.id.in_(ids[start : start + _CHUNK]))
            stored.update(str(row[0]) for row in self._all(query))
        return stored

    def last_ordinal(self, trait: str) -> int | None:
        """Return the ordinal of the last message of a trait, None where there is none."""
        return self._value(sa.select(sa.func.max(t.messages.c.ordinal)).where(t.messages.c.trait == trait))

    def finish_batch(self, trait: str, batch: MessageBatch) -> None:
        """Note that all messages of a trait are there, with what was dropped on the way and what it took."""
        rows: Rows = [
            ("batch", {"trait": trait, "payload": batch.usage.model_dump_json()}),
            *_drop_rows(f"batch/{trait}", trait, batch.drops),
        ]
        self._write(rows).result()

    def has_batch(self, trait: str) -> bool:
        """Whether all messages of a trait are there."""
        return self._value(sa.select(t.batches.c.trait).where(t.batches.c.trait == trait)) is not None

    async def add_rollout(self, rollout: Rollout, status: str, reason: str = "") -> None:
        """Keep a finished rollout and the state its message reached; returns once both are on disk."""
        message = rollout.message
        rows: Rows = [
            ("rollout", {"message_id": message.id, "payload": rollout.model_dump_json(by_alias=True)}),
            ("reach", {"of": message.id, "to": status, "why": reason, "pairs": len(rollout.pairs)}),
            *_drop_rows(message.id, message.trait, rollout.drops),
        ]
        await asyncio.wrap_future(self._write(rows))

    def waiting(self, trait: str) -> Iterator[Message]:
        """Yield a trait's messages without a finished rollout, in order, a few at a time from the disk."""
        return self._messages(t.messages.c.trait == trait, t.messages.c.status.in_(("pending", FAILED)))

    def messages(self, trait: str, *, before: int) -> Iterator[Message]:
        """Yield the messages of a trait whose ordinals are lower, in order, a few at a time from the disk."""
        return self._messages(t.messages.c.trait == trait, t.messages.c.ordinal < before)

    def all_messages(self) -> Iterator[Message]:
        """Yield every message, answered or not, in order, a few at a time from the disk."""
        return self._messages()

    def message_drops(self) -> Iterator[Drop]:
        """Yield what was dropped while messages were written; of one reason only the first has its detail."""
        columns = (t.drops.c.stage, t.drops.c.reason, t.drops.c.recovered, t.drops.c.detail, t.drops.c.number)
        query = sa.select(*columns).where(t.drops.c.message_id.startswith("batch/")).order_by(*columns)
        for stage, reason, recovered, detail, number in self._all(query):
            first = Drop(stage=stage, reason=reason, recovered=recovered, detail=detail)
            yield from (first, *[first.model_copy(update={"detail": ""})] * (number - 1))

    def rollouts(self, message_id: str | None = None, *, limit: int | None = None) -> Iterator[Rollout]:
        """Yield the finished rollouts in message order, a few at a time from the disk; or one message's."""
        of_message = [] if message_id is None else [t.messages.c.id == message_id]
        return self._in_order(Rollout, t.rollouts.c.message_id, *of_message, limit=limit)

    def _messages(self, *conditions: Any) -> Iterator[Message]:
        return self._in_order(Message, t.message_payloads.c.id, *conditions)

    def _in_order(
        self, kind: type[R], key: sa.Column[str], *conditions: Any, limit: int | None = None
    ) -> Iterator[R]:
        """Yield records in message order from the table in which a message's id is the ``key``."""
        last = -1
        while limit is None or limit > 0:
            size = _CHUNK if limit is None else min(_CHUNK, limit)
            query = (
                sa.select(t.messages.c.ordinal, key.table.c.payload)
                .join(key.table, key == t.messages.c.id)
                .where(t.messages.c.ordinal > last, *conditions)
                .order_by(t.messages.c.ordinal)
                .limit(size)
            )
            rows = list(self._all(query))
            yield from (self._record(kind, payload) for _ordinal, payload in rows)
            if len(rows) < size:
                return
            last = rows[-1][0]
            limit = None if limit is None else limit - size

    def nth(self, status: str, number: int) -> str:
        """Return the id of the message that comes after ``number`` others in this state, in order."""
        query = sa.select(t.messages.c.id).where(t.messages.c.status == status)
        ((message_id,),) = self._all(query.order_by(t.messages.c.ordinal).limit(1).offset(number))
        return str(message_id)

    def message_ids(self, *, starts_with: str = "") -> list[tuple[str, str, str]]:
        """Return (id, trait, status) of messages, in order; all of them, or those whose id starts so."""
        columns = (t.messages.c.id, t.messages.c.trait, t.messages.c.status)
        query = sa.select(*columns).order_by(t.messages.c.ordinal)
        if starts_with:
            query = query.where(t.messages.c.id.startswith(starts_with, autoescape=True))
        return [(str(i), str(trait), str(status)) for i, trait, status in self._all(query)]

    # -- figures ------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Return how many messages are in each state, ``messages`` in all, and ``pairs`` over all of them."""
        query = sa.select(t.messages.c.status, sa.func.count(), sa.func.sum(t.messages.c.num_pairs))
        rows = list(self._all(query.group_by(t.messages.c.status)))
        counts = Counter({str(status): int(number) for status, number, _pairs in rows})
        pairs = sum(int(pairs or 0) for *_, pairs in rows)
        return {**counts, "messages": sum(counts.values()), "pairs": pairs}

    def drops(self, *, recovered: bool) -> dict[str, dict[str, int]]:
        """Return per stage and reason how much was lost, or made up for by asking again, most first."""
        query = sa.select(t.drops.c.stage, t.drops.c.reason, sa.func.sum(t.drops.c.number))
        query = query.where(t.drops.c.recovered == recovered).group_by(t.drops.c.stage, t.drops.c.reason)
        table: dict[str, Counter[str]] = {}
        for stage, reason, number in self._all(query):
            table.setdefault(str(stage), Counter())[str(reason)] = int(number)
        return {stage: dict(counts.most_common()) for stage, counts in table.items()}

    def example_of(self, stage: str, reason: str) -> str:
        """Return the detail of one thing that was lost for this reason."""
        query = sa.select(t.drops.c.detail).where(t.drops.c.stage == stage, t.drops.c.reason == reason)
        return str(self._value(query.limit(1)) or "")

    def is_untouched(self) -> bool:
        """Whether nothing was finished yet: no call, and no message."""
        return all(self._value(sa.select(id_).limit(1)) is None for id_ in (t.calls.c.key, t.messages.c.id))

    def usage(self, *by: str) -> dict[tuple[str, ...], Usage]:
        """Return what the finished calls took, by ``stage``, ``trait``, ``backend``, ``model`` as named.

        The cost of a group is None where the price of any of its calls is unknown.
        """
        return {
            group: usage if is_priced else usage.model_copy(update={"cost_usd": None})
            for group, usage, is_priced in self._taken(*by)
        }

    def spent(self) -> Usage:
        """Return what all finished calls took; a call of unknown price counts with its tokens alone."""
        ((_, usage, _),) = self._taken()
        return usage

    def _taken(self, *by: str) -> Iterator[tuple[tuple[str, ...], Usage, bool]]:
        """Yield each group of calls with what those of known price cost, and whether those are all."""
        columns = [t.calls.c[name] for name in by]
        names = ("prompt_tokens", "completion_tokens", "cost_usd")
        totals = [sa.func.sum(t.calls.c[name]) for name in names]
        query = sa.select(*columns, sa.func.count(), sa.func.count(t.calls.c.cost_usd), *totals)
        query = query.where(t.calls.c.reused.is_(False)).group_by(*columns).order_by(*columns)
        for row in self._all(query):
            number, priced, *sums = row[len(by) :]
            taken = {name: taken or 0 for name, taken in zip(names, sums, strict=True)}
            group = tuple(str(value) for value in row[: len(by)])
            yield group, Usage(calls=number, **taken), priced == number

    def models(self) -> dict[str, list[str]]:
        """Return the models that answered, per stage."""
        columns = (t.calls.c.stage, t.calls.c.model)
        models: dict[str, list[str]] = {}
        for stage, model in self._all(sa.select(*columns).distinct().order_by(*columns)):
            models.setdefault(str(stage), []).append(str(model))
        return models

    # -- the database -------------------------------------------------------------------------------------

    def _write(self, rows: Rows) -> Any:
        if self._writer is None:
            raise problem("only_read", folder=self.folder)
        return self._writer.submit(rows)

    def _all(self, query: Any) -> Iterable[Any]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).all()
        except sa.exc.DatabaseError as error:
            raise unusable(self._place.name, error) from None

    def _stream(self, query: Any) -> Iterator[Any]:
        try:
            with self._engine.connect().execution_options(yield_per=_CHUNK) as connection:
                yield from connection.execute(query)
        except sa.exc.DatabaseError as error:
            raise unusable(self._place.name, error) from None

    def _value(self, query: sa.Select[tuple[V]]) -> V | None:
        return next((value for (value,) in self._all(query)), None)

    def _record(self, kind: type[R], payload: str) -> R:
        try:
            return kind.model_validate_json(payload)
        except ValidationError as error:
            raise another_version(self._place.name, kind.__name__.lower(), error) from None

    def _check_schema(self) -> None:
        check_layout(self._place.name, self.meta("schema_version"), t.SCHEMA_VERSION, do="read it")


def _drop_rows(message_id: str, trait: str, drops: Iterable[Drop]) -> Rows:
    """Return what takes the place of the drops that are there already."""
    groups: dict[tuple[str, str, bool], list[Drop]] = {}
    for drop in drops:
        groups.setdefault((drop.stage, drop.reason, drop.recovered), []).append(drop)
    rows: Rows = [("forget_drops", {"of": message_id})]
    for group in groups.values():
        first = group[0]
        facts = {"message_id": message_id, "trait": trait, "number": len(group), "detail": first.detail[:300]}
        rows.append(("drop", {**facts, **first.model_dump(include={"stage", "reason", "recovered"})}))
    return rows
