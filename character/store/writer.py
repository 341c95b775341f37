"""The one thread that writes a run: whatever has queued up goes to disk as one durable transaction."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

import sqlalchemy as sa

from character.errors import StoreError
from character.store.errors import cause_of, problem
from character.store.tables import statements

Rows = list[tuple[str, dict[str, Any]]]
"""What one job writes: names of statements, each with its values."""
_Job = tuple[Rows, "Future[None]"]
_MOST_PER_COMMIT = 1024


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
