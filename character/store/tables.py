"""The tables of a run, the same on SQLite and PostgreSQL, and every way rows get into them."""

from __future__ import annotations

import os
import sqlite3
import threading
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from character.errors import StoreError
from character.store.errors import cause_of, problem

SCHEMA_VERSION = "4"

metadata = sa.MetaData()
_text = partial(sa.Column[Any], type_=sa.Text, nullable=False)
_number = partial(sa.Column[Any], type_=sa.BigInteger, nullable=False)

meta = sa.Table("meta", metadata, _text("key", primary_key=True), _text("value"))
calls = sa.Table(
    "calls",
    metadata,
    _text("key", primary_key=True),
    _text("stage", index=True),
    _text("trait"),
    _text("backend"),
    _text("model"),
    _number("prompt_tokens"),
    _number("completion_tokens"),
    sa.Column("cost_usd", sa.Float),
    sa.Column("reused", sa.Boolean, nullable=False),
    _text("finished_at"),
)
call_payloads = sa.Table("call_payloads", metadata, _text("key", primary_key=True), _text("payload"))
systems = sa.Table("systems", metadata, _text("id", primary_key=True), _text("text"))
"""System messages, as JSON, which the prompts of many calls share."""
outcomes = sa.Table(
    "outcomes",
    metadata,
    _text("key", primary_key=True),
    *map(_text, ("stage", "trait", "backend", "model", "fault", "detail", "habits", "finished_at", "prompt")),
)
"""What became of calls that were not answered (with their prompts), not of use, or read in another form."""
batches = sa.Table("batches", metadata, _text("trait", primary_key=True), _text("payload"))
messages = sa.Table(
    "messages",
    metadata,
    _text("id", primary_key=True),
    _number("ordinal"),
    _text("trait"),
    _text("status", index=True, default="pending"),
    _text("reason", default=""),
    _number("num_pairs", default=0),
    sa.Index("messages_of_a_trait", "trait", "ordinal"),
    sa.Index("messages_in_order", "ordinal"),
)
message_payloads = sa.Table("message_payloads", metadata, _text("id", primary_key=True), _text("payload"))
rollouts = sa.Table("rollouts", metadata, _text("message_id", primary_key=True), _text("payload"))
drops = sa.Table(
    "drops",
    metadata,
    _text("message_id", index=True),
    _text("trait"),
    _text("stage"),
    _text("reason"),
    sa.Column("recovered", sa.Boolean, nullable=False),
    _number("number"),
    _text("detail"),
)
Rows = list[tuple[str, dict[str, Any]]]
"""What one job writes: names of statements, each with its values."""
_Job = tuple[Rows, "Future[None]"]
_MOST_PER_COMMIT = 1024


def statements(dialect: str) -> dict[str, Any]:
    """Return the few statements that write a run, by name, in the order in which a transaction runs them."""
    insert: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[dialect]
    reached: dict[str, Any] = {
        "status": sa.bindparam("to"),
        "reason": sa.bindparam("why"),
        "num_pairs": sa.bindparam("pairs"),
    }
    return {
        "meta": _replacing(insert, meta, "key"),
        "call": insert(calls).on_conflict_do_nothing(),
        "call_payload": insert(call_payloads).on_conflict_do_nothing(),
        "system": insert(systems).on_conflict_do_nothing(),
        "outcome": _replacing(insert, outcomes, "key"),
        "batch": _replacing(insert, batches, "trait"),
        "message": insert(messages).on_conflict_do_nothing(),
        "message_payload": insert(message_payloads).on_conflict_do_nothing(),
        "rollout": _replacing(insert, rollouts, "message_id"),
        "forget_drops": sa.delete(drops).where(drops.c.message_id == sa.bindparam("of")),
        "reach": sa.update(messages).where(messages.c.id == sa.bindparam("of")).values(reached),
        "drop": insert(drops),
    }


def _replacing(insert: Any, table: sa.Table, key: str) -> Any:
    statement = insert(table)
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name != key}
    return statement.on_conflict_do_update(index_elements=[key], set_=changed)


def read_only_address(path: Path) -> str:
    """Return the URI that opens a SQLite file for reading, as it lies there in a folder closed to writing."""
    log = path.with_name(path.name + "-wal")
    has_log = log.exists() and log.stat().st_size > 0
    still = "" if has_log or os.access(path.parent, os.W_OK) else "&immutable=1"
    return f"file:{quote(str(path.resolve()))}?mode=ro{still}"


def sqlite_engine(path: Path, *, read_only: bool) -> sa.Engine:
    """Return an engine for a SQLite file: write-ahead log, every commit flushed to the disk, 16 KiB pages.

    A reader of a run that was closed, in a folder that may not be written, reads the file as it lies there.
    """
    address = str(path)
    if read_only and "immutable" in (still := read_only_address(path)):
        address = f"{still}&uri=true"
    engine = sa.create_engine(
        f"sqlite:///{address}", connect_args={"check_same_thread": False, "timeout": 30}
    )

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


class Writer:
    """Takes rows from any thread; those of one call are durable, all or none, when its future is done."""

    def __init__(self, engine: sa.Engine, place: str) -> None:
        self._engine, self._place = engine, place
        self._statements = statements(engine.dialect.name)
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._work, name=f"writer of {place}", daemon=True)
        self._thread.start()

    def submit(self, rows: Rows) -> Future[None]:
        """Queue rows; the future is done once they are on disk, or raises StoreError."""
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # a queued write is not taken back when its caller is cancelled
        with self._gate:
            if self._closed:
                raise StoreError(f"{self._place} is closed.")
            self._queue.put((rows, future))
        return future

    def close(self) -> None:
        """Write what is queued and end the thread."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        open_ = True
        while open_:
            jobs, open_ = self._next_jobs()
            self._commit(jobs)

    def _next_jobs(self) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        while not jobs or (len(jobs) < _MOST_PER_COMMIT and not self._queue.empty()):
            job = self._queue.get()
            if job is None:
                return jobs, False
            jobs.append(job)
        return jobs, True

    def _commit(self, jobs: list[_Job]) -> None:
        by_name: dict[str, list[dict[str, Any]]] = {}
        for rows, _future in jobs:
            for name, values in rows:
                by_name.setdefault(name, []).append(values)
        try:
            with self._engine.begin() as connection:
                for name, statement in self._statements.items():
                    if name in by_name:
                        connection.execute(statement, by_name[name])
        except (sa.exc.SQLAlchemyError, OSError) as error:
            self._fail(jobs, cause_of(error))
        else:
            for _rows, future in jobs:
                future.set_result(None)
        finally:
            self._fail(jobs, "a defect in the writer")  # whatever is still waiting: nobody may wait for ever

    def _fail(self, jobs: list[_Job], cause: str) -> None:
        failed = problem("not_written", name=self._place, cause=cause)
        for _rows, future in jobs:
            if not future.done():
                future.set_exception(failed)
