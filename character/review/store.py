"""What reviewers said, in a file in the folder: an event for each answer and each undo, none ever changed.

One connection writes and reads, behind a lock; every commit is flushed to the disk before it returns. The
queue of items lies in the same file, but can be made anew from the run at any time.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from character.errors import StoreError
from character.files import problem
from character.review.answers import ANSWERS, Answer, Task
from character.store.errors import check_layout
from character.store.places import hold
from character.store.tables import read_only_address
from character.store.vetoes import FILE_NAME

SCHEMA_VERSION = "1"
_SCHEMA = Path(__file__).with_name("schema.sql")
_ADD = """
INSERT INTO events (at, reviewer, task, item, action, answer, batch, nonce, undoes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_STAND = """
INSERT INTO standing SELECT reviewer, task, item, seq, at, answer FROM events e
WHERE reviewer = ? AND task = ? AND item = ? AND action = 'answer'
AND NOT EXISTS (SELECT 1 FROM events u WHERE u.undoes = e.seq) ORDER BY seq DESC LIMIT 1
"""


class StandingAnswer(NamedTuple):
    """The answer of a reviewer that counts now. ``seq`` grows with every event of the file; ``at`` is UTC."""

    reviewer: str
    item: str
    seq: int
    at: str
    answer: Answer


class Recorded(NamedTuple):
    """What keeping an answer came to: when, if so, another window answered the item since it was shown."""

    elsewhere: str | None


class ReviewStore:
    """The reviews of a folder, open for reading and writing, or for reading. Use it as a context manager."""

    def __init__(self, folder: Path, *, write: bool = True) -> None:
        """Open the reviews, made where there are none.

        Raises StoreError while another process writes, or for another layout.
        """
        self.path = folder / FILE_NAME
        self._lock = threading.RLock()
        in_use = StoreError(
            f"another process is reviewing {folder}.",
            fix="use the page of that one: any number of windows and reviewers may share it.",
        )
        with ExitStack() as opened:
            if write:
                opened.callback(hold(folder / "reviews.lock", in_use, fix="review a copy of it.").release)
            with self._locked():
                self._connection = self._connect(write=write)
                opened.callback(self._connection.close)
                sql = "SELECT value FROM facts WHERE key = 'schema_version'"
                (version,) = self._connection.execute(sql).fetchone()
            check_layout(str(self.path), version, SCHEMA_VERSION, do="review")
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let another process write."""
        with self._lock:
            self._opened.close()

    # -- answers ----------------------------------------------------------------------------------------

    def record(
        self, reviewer: str, task: Task, answers: Mapping[str, Answer], *, seen: int, nonce: str
    ) -> Recorded:
        """Keep one submission, an answer per item; returns once it is on disk.

        ``seen`` is the highest ``seq`` of the reviewer's standing answers to these items when shown, 0
        for none. ``nonce`` names the submission: sent again, as after a broken connection, it is kept once.
        """
        with self._transaction() as run:
            texts = {item: answer.model_dump_json() for item, answer in answers.items()}
            sent = dict(run("SELECT item, answer FROM events WHERE nonce = ?", nonce).fetchall())
            if all(sent.get(item) == text for item, text in texts.items()):
                return Recorded(None)
            newest, answered_at = self._newest(reviewer, task, answers)
            elsewhere = answered_at if newest > seen else None
            at, batch = _now(), self.last_seq() + 1
            for item, text in texts.items():
                run(_ADD, at, reviewer, task, item, "answer", text, batch, nonce, None)
                self._settle(reviewer, task, item)
        return Recorded(elsewhere)

    def undo(self, reviewer: str, task: Task) -> list[str]:
        """Take back the reviewer's last submission of a task that still stands; return its items."""
        with self._transaction() as run:
            (batch,) = run(
                "SELECT max(batch) FROM events e WHERE action = 'answer' AND reviewer = ? AND task = ? "
                "AND NOT EXISTS (SELECT 1 FROM events u WHERE u.undoes = e.seq)",
                *(reviewer, task),
            ).fetchone()
            rows = run("SELECT seq, item FROM events WHERE batch = ? AND action = 'answer'", batch).fetchall()
            for seq, item in rows:
                run(_ADD, _now(), reviewer, task, item, "undo", "{}", batch, "", seq)
                self._settle(reviewer, task, item)
        return [str(item) for _seq, item in rows]

    def newest_seq(self, reviewer: str, task: Task, items: Iterable[str]) -> int:
        """Return the highest ``seq`` of the reviewer's standing answers to the items, 0 for none."""
        return self._newest(reviewer, task, items)[0]

    def answer_of(self, reviewer: str, task: Task, item: str) -> StandingAnswer | None:
        """Return the answer of a reviewer to an item that counts now."""
        condition = "reviewer = ? AND task = ? AND item = ?"
        return next(self._standing(condition, task, reviewer, task, item), None)

    def answers(self, task: Task) -> list[StandingAnswer]:
        """Return all answers to a task that count now, in the order in which they were given."""
        return list(self._standing("task = ?", task, task))

    def last_seq(self) -> int:
        """Return the ``seq`` of the last event, 0 before the first: what rests on answers changes with it."""
        row = self._run("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        return int(row[0]) if row else 0

    def events(self) -> list[dict[str, Any]]:
        """Return the whole history, oldest first."""
        names = ("seq", "at", "reviewer", "task", "item", "action", "answer", "undoes")
        rows = self.read(f"SELECT {', '.join(names)} FROM events ORDER BY seq")  # noqa: S608
        return [dict(zip(names, row, strict=True)) for row in rows]

    def reviewers(self) -> list[str]:
        """Return the names of all who answered anything."""
        return [str(name) for (name,) in self.read("SELECT DISTINCT reviewer FROM events ORDER BY 1")]

    # -- for the queue ----------------------------------------------------------------------------------

    def read(self, sql: str, *values: Any) -> list[Any]:
        """Return the rows of a query."""
        return self._run(sql, *values).fetchall()

    def write(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement per row, as one transaction that a power cut may undo: a queue can be made anew."""
        with self._lock:
            self._run("PRAGMA synchronous = NORMAL")
            try:
                with self._transaction():
                    self._connection.executemany(sql, rows)
            finally:
                self._run("PRAGMA synchronous = FULL")

    # -- the file ---------------------------------------------------------------------------------------

    def _connect(self, *, write: bool) -> sqlite3.Connection:
        if not write:
            address = read_only_address(self.path)
            return sqlite3.connect(address, uri=True, timeout=30, check_same_thread=False)
        connection = sqlite3.connect(self.path, timeout=30, check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA.read_text(encoding="utf-8"))
        connection.execute("INSERT OR IGNORE INTO facts VALUES ('schema_version', ?)", (SCHEMA_VERSION,))
        return connection

    def _run(self, sql: str, *values: Any) -> sqlite3.Cursor:
        with self._locked():
            return self._connection.execute(sql, values)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._locked(), self._connection:  # it commits, or rolls back
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._run

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other threads out; raises StoreError where the database fails."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise problem(__file__, "unusable", StoreError, path=self.path, error=error) from None

    def _settle(self, reviewer: str, task: Task, item: str) -> None:
        """Make the last answer that was not undone the one that stands."""
        key = (reviewer, task, item)
        self._run("DELETE FROM standing WHERE reviewer = ? AND task = ? AND item = ?", *key)
        self._run(_STAND, *key)

    def _newest(self, reviewer: str, task: Task, items: Iterable[str]) -> tuple[int, str]:
        sql = "SELECT seq, at FROM standing WHERE reviewer = ? AND task = ? AND item = ?"
        standing = [self._run(sql, reviewer, task, item).fetchone() for item in items]
        return max((row for row in standing if row), default=(0, ""))

    def _standing(self, condition: str, task: Task, *values: Any) -> Iterator[StandingAnswer]:
        sql = f"SELECT reviewer, item, seq, at, answer FROM standing WHERE {condition} ORDER BY seq"  # noqa: S608
        for reviewer, item, seq, at, answer in self.read(sql, *values):
            yield StandingAnswer(reviewer, item, seq, at, ANSWERS[task].model_validate(json.loads(answer)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
