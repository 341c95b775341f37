"""Where a run lies: a SQLite file in its folder, or the schema of a PostgreSQL database it points to."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock, Timeout

from character.errors import MissingExtraError, StoreError
from character.store.errors import bad_url, cause_of, problem
from character.store.tables import sqlite_engine
from character.text import fingerprint

FILE_NAME = "run.sqlite"
POINTER = "store.json"
CLAIM_WAITS_MS = 5000
LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True)
class Place:
    """An open run: its engine, what errors call it, and how it is let go."""

    folder: Path
    name: str
    engine: sa.Engine
    writes: bool
    close: Callable[[], None]


def open_place(folder: Path, *, write: bool, url: str | None = None) -> Place:
    """Return where the run of a folder lies; for writing, made where it is missing, locked against others."""
    pointer = folder / POINTER
    stored: dict[str, Any] = {"url": None, "schema": f"character_{fingerprint(str(folder.resolve()))}"}
    if pointer.is_file():
        stored = json.loads(pointer.read_text(encoding="utf-8"))
    url = stored["url"] if url is None else url
    try:
        with ExitStack() as opened:
            if write:
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise problem("not_made", folder=folder, reason=error.strerror) from None
                lock = hold(folder / "run.lock", problem("in_use", name=folder), fix="choose another --out.")
                opened.callback(lock.release)
            if url is None:
                name, engine = _sqlite(opened, folder, write=write)
            else:
                name, engine = _postgres(opened, url, stored["schema"], write=write)
                if write:
                    pointer.write_text(json.dumps({**stored, "url": url}) + "\n", encoding="utf-8")
            return Place(folder, name, engine, write, opened.pop_all().close)
    except sa.exc.SQLAlchemyError as error:
        raise problem("not_opened", folder=folder, cause=cause_of(error)) from None


def hold(path: Path, in_use: StoreError, *, fix: str) -> FileLock:
    """Return a file's lock, held from now on; raises ``in_use`` where another process holds it.

    Where the folder cannot be written it raises a StoreError with this ``fix``.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise in_use from None
    except OSError as error:
        raise StoreError(f"{path.parent} cannot be written ({error.strerror}).", fix=fix) from None
    return lock


def _sqlite(opened: ExitStack, folder: Path, *, write: bool) -> tuple[str, sa.Engine]:
    path = folder / FILE_NAME
    if not write and not path.is_file():
        raise problem("no_run", folder=folder, file=FILE_NAME)
    engine = sqlite_engine(path, read_only=not write)
    opened.callback(engine.dispose)
    return str(path), engine


def _postgres(opened: ExitStack, url: str, schema: str, *, write: bool) -> tuple[str, sa.Engine]:
    try:
        import psycopg  # noqa: F401 - SQLAlchemy imports it by the name in the URL
    except ImportError:
        raise MissingExtraError("a run in PostgreSQL", "postgres") from None
    parsed = _checked_url(url)
    engine = sa.create_engine(parsed, pool_size=8)
    opened.callback(engine.dispose)
    name = f"{parsed.render_as_string(hide_password=True)} schema {schema}"
    if write:
        _claim(opened, engine, schema, name)
    return name, engine.execution_options(schema_translate_map={None: schema})


def _claim(opened: ExitStack, engine: sa.Engine, schema: str, name: str) -> None:
    """Make the schema and hold its advisory lock on a connection of its own, for as long as that is open.

    The server lets go of a lock only when it has noticed that its holder is gone, closed or killed, which is
    a moment after: so a claim waits that long before it says that another process writes.
    """
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
    held = opened.enter_context(engine.connect())
    key = int(fingerprint(schema, size=7), 16)
    try:
        held.execute(sa.select(sa.func.set_config("lock_timeout", f"{CLAIM_WAITS_MS}ms", True)))
        held.execute(sa.select(sa.func.pg_advisory_lock(key)))
        held.commit()
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise problem("in_use", name=name) from None
        raise


def _checked_url(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise bad_url("url") from None
    if parsed.get_backend_name() != "postgresql":
        raise bad_url("url_kind", kind=parsed.get_backend_name())
    if parsed.password:
        raise bad_url("url_password")
    return parsed.set(drivername="postgresql+psycopg")
