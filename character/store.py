"""The run store: one SQLite file per run holds every finished model call and every finished record.

One process writes (a lock file sees to it), through one thread that commits whatever has queued up as
one durable transaction; any number of processes read. Payloads live in tables of their own, so that
counting a large run reads little.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock, Timeout

from character.errors import StoreError
from character.records import Drop, Message, MessageBatch, Rollout, Usage
from character.writer import Writer

FILE_NAME = "run.sqlite"
_SCHEMA_VERSION = "1"

_metadata = sa.MetaData()
_meta = sa.Table(
    "meta",
    _metadata,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
_calls = sa.Table(
    "calls",
    _metadata,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("stage", sa.String, nullable=False),
    sa.Column("trait", sa.String, nullable=False),
    sa.Column("model", sa.String, nullable=False),
    sa.Column("prompt_tokens", sa.Integer, nullable=False),
    sa.Column("completion_tokens", sa.Integer, nullable=False),
    sa.Column("cost_usd", sa.Float),
    sa.Column("finished_at", sa.String, nullable=False),
)
_call_payloads = sa.Table(
    "call_payloads",
    _metadata,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("payload", sa.Text, nullable=False),
)
_batches = sa.Table(
    "batches",
    _metadata,
    sa.Column("trait", sa.String, primary_key=True),
    sa.Column("payload", sa.Text, nullable=False),
)
_messages = sa.Table(
    "messages",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("ordinal", sa.Integer, nullable=False, index=True),
    sa.Column("trait", sa.String, nullable=False, index=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False, index=True),
    sa.Column("num_pairs", sa.Integer, nullable=False, default=0),
    sa.Column("payload", sa.Text, nullable=False),
)
_rollouts = sa.Table(
    "rollouts",
    _metadata,
    sa.Column("message_id", sa.String, primary_key=True),
    sa.Column("payload", sa.Text, nullable=False),
)


class RunStore:
    """A run folder, open for reading or (``RunStore.create``) for writing. Use it as a context manager.

    As a journal it answers ``get`` for calls that finished before and keeps new ones; ``put`` returns when
    the entry is durable.
    """

    def __init__(self, folder: Path | str) -> None:
        """Open an existing run for reading; raises StoreError where the folder holds none."""
        self.folder = Path(folder)
        path = self.folder / FILE_NAME
        if not path.is_file():
            raise StoreError(
                f"{self.folder} holds no run (no {FILE_NAME} in it).",
                expected="the folder given to `character run … --out`",
                fix="check the path, or make the run first.",
            )
        self._lock: FileLock | None = None
        self._writer: Writer | None = None
        self._engine = _engine(path, read_only=True)
        self._check_schema()

    @classmethod
    def create(cls, folder: Path | str) -> RunStore:
        """Open a run for writing, making it where there is none; raises StoreError while another process writes."""
        folder = Path(folder)
        _make_folder(folder)
        lock = FileLock(folder / "run.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StoreError(
                f"another process is writing the run in {folder}.",
                fix="wait for it to end, or stop it; `character status` reads a run while it is written.",
            ) from None
        store = cls.__new__(cls)
        store.folder, store._lock = folder, lock
        try:
            store._engine = _engine(folder / FILE_NAME, read_only=False)
            _metadata.create_all(store._engine)
            store._writer = Writer(store._engine, folder / FILE_NAME)
            if store.meta("schema_version") is None:
                store.set_meta("schema_version", _SCHEMA_VERSION)
            store._check_schema()
        except sa.exc.DatabaseError as error:
            lock.release()
            raise _unusable(folder / FILE_NAME, error) from None
        return store

    def __enter__(self) -> RunStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is queued, close the file and let another process write."""
        if self._writer:
            self._writer.close()
        self._engine.dispose()
        if self._lock:
            self._lock.release()

    # -- the journal of model calls ---------------------------------------------------------------------

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the journal entry of a finished call, or None."""
        row = self._one(sa.select(_call_payloads.c.payload).where(_call_payloads.c.key == key))
        return None if row is None else dict(json.loads(row[0]))

    def put(self, key: str, entry: dict[str, Any]) -> None:
        """Keep a finished call; returns once it is on disk."""
        self._write(_call_rows(key, entry)).result()

    async def aput(self, key: str, entry: dict[str, Any]) -> None:
        """Keep a finished call without blocking the event loop; returns once it is on disk."""
        import asyncio

        await asyncio.wrap_future(self._write(_call_rows(key, entry)))

    # -- records ----------------------------------------------------------------------------------------

    def meta(self, key: str) -> str | None:
        """Return a fact about the run (JSON text), or None."""
        row = self._one(sa.select(_meta.c.value).where(_meta.c.key == key))
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Keep a fact about the run; returns once it is on disk."""
        self._write([_upsert(_meta, {"key": key, "value": value})]).result()

    def add_batch(self, trait: str, batch: MessageBatch, first_ordinal: int) -> None:
        """Keep the messages of one trait, each as pending; returns once they are on disk."""
        rows = [_upsert(_batches, {"trait": trait, "payload": batch.model_dump_json(exclude={"messages"})})]
        for number, message in enumerate(batch.messages):
            values = {
                "id": message.id,
                "ordinal": first_ordinal + number,
                "trait": trait,
                "kind": message.kind,
                "status": "pending",
                "num_pairs": 0,
                "payload": message.model_dump_json(by_alias=True),
            }
            rows.append(_insert_new(_messages, values))
        self._write(rows).result()

    async def add_rollout(self, rollout: Rollout) -> None:
        """Keep a finished rollout and the state its message reached; returns once both are on disk."""
        import asyncio

        status = rollout_status(rollout)
        changed = (
            sa.update(_messages)
            .where(_messages.c.id == rollout.message.id)
            .values(status=status, num_pairs=len(rollout.pairs))
        )
        payload = {"message_id": rollout.message.id, "payload": rollout.model_dump_json(by_alias=True)}
        await asyncio.wrap_future(self._write([_upsert(_rollouts, payload), changed]))

    def batch(self, trait: str) -> MessageBatch | None:
        """Return the messages of a trait in order with their drops, or None where they are not made yet."""
        row = self._one(sa.select(_batches.c.payload).where(_batches.c.trait == trait))
        if row is None:
            return None
        query = sa.select(_messages.c.payload).where(_messages.c.trait == trait).order_by(_messages.c.ordinal)
        messages = [json.loads(payload) for (payload,) in self._all(query)]
        return MessageBatch.model_validate({**json.loads(row[0]), "messages": messages})

    def pending(self) -> list[Message]:
        """Return the messages that have no finished rollout, in order."""
        query = (
            sa.select(_messages.c.payload)
            .where(_messages.c.status == "pending")
            .order_by(_messages.c.ordinal)
        )
        return [Message.model_validate_json(payload) for (payload,) in self._all(query)]

    def rollouts(self, message_id: str | None = None) -> Iterator[Rollout]:
        """Yield the finished rollouts in message order, or the one of a message."""
        query = (
            sa.select(_rollouts.c.payload)
            .join(_messages, _messages.c.id == _rollouts.c.message_id)
            .order_by(_messages.c.ordinal)
        )
        if message_id is not None:
            query = query.where(_rollouts.c.message_id == message_id)
        for (payload,) in self._all(query):
            yield Rollout.model_validate_json(payload)

    def message_drops(self) -> list[Drop]:
        """Return what was dropped while messages were made."""
        payloads = [json.loads(payload) for (payload,) in self._all(sa.select(_batches.c.payload))]
        return [Drop.model_validate(drop) for payload in payloads for drop in payload["drops"]]

    def message_ids(self) -> list[tuple[str, str, str]]:
        """Return (id, trait, status) of every message, in order."""
        query = sa.select(_messages.c.id, _messages.c.trait, _messages.c.status).order_by(_messages.c.ordinal)
        return [(str(i), str(trait), str(status)) for i, trait, status in self._all(query)]

    def counts(self) -> dict[str, int]:
        """Return how many messages are in each state, and ``pairs`` over all of them."""
        query = sa.select(_messages.c.status, sa.func.count(), sa.func.sum(_messages.c.num_pairs))
        rows = list(self._all(query.group_by(_messages.c.status)))
        counts = Counter({str(status): int(number) for status, number, _pairs in rows})
        return {
            **counts,
            "messages": sum(counts.values()),
            "pairs": sum(int(pairs or 0) for *_, pairs in rows),
        }

    def usage(self) -> dict[str, Usage]:
        """Return what the finished calls took, per stage."""
        columns = (_calls.c.prompt_tokens, _calls.c.completion_tokens, _calls.c.cost_usd)
        known = sa.func.count(_calls.c.cost_usd)
        query = sa.select(_calls.c.stage, sa.func.count(), known, *(sa.func.sum(c) for c in columns))
        usage: dict[str, Usage] = {}
        for stage, calls, priced, prompt, completion, cost in self._all(query.group_by(_calls.c.stage)):
            usage[str(stage)] = Usage(
                calls=calls,
                prompt_tokens=prompt,
                completion_tokens=completion,
                cost_usd=float(cost) if priced == calls else None,
            )
        return usage

    def models(self) -> dict[str, list[str]]:
        """Return the models that answered, per stage."""
        query = sa.select(_calls.c.stage, _calls.c.model).distinct().order_by(_calls.c.stage, _calls.c.model)
        models: dict[str, list[str]] = {}
        for stage, model in self._all(query):
            models.setdefault(str(stage), []).append(str(model))
        return models

    # -- the file -----------------------------------------------------------------------------------------

    def _write(self, statements: list[Any]) -> Any:
        if self._writer is None:
            raise StoreError(
                f"the run in {self.folder} is open for reading.", fix="open it with RunStore.create."
            )
        return self._writer.submit(statements)

    def _all(self, query: Any) -> Iterable[Any]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).all()
        except sa.exc.DatabaseError as error:
            raise _unusable(self.folder / FILE_NAME, error) from None

    def _one(self, query: Any) -> Any:
        return next(iter(self._all(query)), None)

    def _check_schema(self) -> None:
        found = self.meta("schema_version")
        if found != _SCHEMA_VERSION:
            raise StoreError(
                f"{self.folder / FILE_NAME} has the layout {found!r}.",
                expected=f"the layout {_SCHEMA_VERSION!r} of this version",
                fix="read it with the version of character that wrote it.",
            )


def rollout_status(rollout: Rollout) -> str:
    """Return the state a message reached: ``paired``, ``unpaired``, ``unranked``, ``unsuitable`` or ``unanswered``."""
    if rollout.pairs:
        return "paired"
    if rollout.ranking is None:
        return "unanswered"
    return "unpaired" if rollout.ranking.status == "ranked" else rollout.ranking.status


def _call_rows(key: str, entry: dict[str, Any]) -> list[Any]:
    observation = entry["observation"]
    values = {
        "key": key,
        "stage": entry["stage"],
        "trait": entry["trait"],
        "model": observation["model"],
        "prompt_tokens": observation["prompt_tokens"],
        "completion_tokens": observation["completion_tokens"],
        "cost_usd": observation["cost_usd"],
        "finished_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    payload = {"key": key, "payload": json.dumps(entry, ensure_ascii=False)}
    return [_insert_new(_calls, values), _insert_new(_call_payloads, payload)]


def _upsert(table: sa.Table, values: dict[str, Any]) -> Any:
    return sa.insert(table).prefix_with("OR REPLACE").values(**values)


def _insert_new(table: sa.Table, values: dict[str, Any]) -> Any:
    return sa.insert(table).prefix_with("OR IGNORE").values(**values)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the run folder {folder} cannot be made ({error.strerror}).", fix="choose another --out."
        ) from None


def _engine(path: Path, *, read_only: bool) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False, "timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        cursor = connection.cursor()
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        else:
            cursor.execute("PRAGMA page_size = 16384")  # before the first table, or it has no effect
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    return engine


def _unusable(path: Path, error: Exception) -> StoreError:
    cause = str(getattr(error, "orig", error)).split("\n")[0]
    return StoreError(
        f"{path} cannot be used: {cause}.",
        expected="a run written by character",
        fix="check the disk and the file's permissions; a copy of the whole folder can be examined with sqlite3.",
    )
