"""The one thread that writes a run: whatever has queued up goes to disk as one durable transaction."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import sqlalchemy as sa

from character.errors import StoreError

_Job = tuple[list[Any], "Future[None]"]
_MOST_PER_COMMIT = 512


class Writer:
    """Takes lists of SQL statements from any thread; each list is durable, all of it or nothing, when its future is done."""

    def __init__(self, engine: sa.Engine, path: Path) -> None:
        self._engine, self._path = engine, path
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._work, name=f"writer of {path.name}", daemon=True)
        self._thread.start()

    def submit(self, statements: list[Any]) -> Future[None]:
        """Queue statements; the future is done once they are on disk, or raises StoreError."""
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # a queued write is not taken back when its caller is cancelled
        with self._gate:
            if self._closed:
                raise StoreError(f"{self._path} is closed.")
            self._queue.put((statements, future))
        return future

    def close(self) -> None:
        """Write what is queued and end the thread."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        with self._engine.connect() as connection:
            open_ = True
            while open_:
                jobs, open_ = self._next_jobs()
                self._commit(connection, jobs)

    def _next_jobs(self) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        while not jobs or (len(jobs) < _MOST_PER_COMMIT and not self._queue.empty()):
            job = self._queue.get()
            if job is None:
                return jobs, False
            jobs.append(job)
        return jobs, True

    def _commit(self, connection: sa.Connection, jobs: list[_Job]) -> None:
        try:
            for statements, _future in jobs:
                for statement in statements:
                    connection.execute(statement)
            connection.commit()
        except sa.exc.SQLAlchemyError as error:
            connection.rollback()
            cause = str(getattr(error, "orig", error)).split("\n")[0]
            failed = StoreError(
                f"{self._path} cannot be written: {cause}.",
                fix="free space on the disk or check its permissions; the same command then goes on where it stopped.",
            )
            for _statements, future in jobs:
                future.set_exception(failed)
        else:
            for _statements, future in jobs:
                future.set_result(None)
        finally:
            for _statements, future in jobs:
                if not future.done():  # a defect of ours: nobody may wait for ever
                    future.set_exception(StoreError(f"{self._path} was not written."))
