"""Where a run lies: a SQLite file in its folder, or a schema of a PostgreSQL database that the folder points to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from character.errors import InputError, MissingExtraError, StoreError
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
    """Return where the run of a folder lies; for writing, made where it is missing and locked against others."""
    pointer = folder / POINTER
    if url is None and pointer.is_file():
        url = str(json.loads(pointer.read_text(encoding="utf-8"))["url"])
    if not write:
        return _reading(folder, url)
    _make_folder(folder)
    lock = _lock(folder)
    try:
        if url is None:
            return _sqlite(folder, lock)
        return _postgres(folder, url, write=True, lock=lock)
    except (sa.exc.SQLAlchemyError, StoreError, InputError, MissingExtraError) as error:
        lock.release()
        raise _cannot_open(folder, error) if isinstance(error, sa.exc.SQLAlchemyError) else error from None


def _reading(folder: Path, url: str | None) -> Place:
    if url is not None:
        return _postgres(folder, url, write=False, lock=None)
    path = folder / FILE_NAME
    if not path.is_file():
        raise StoreError(
            f"{folder} holds no run (no {FILE_NAME} in it).",
            expected="the folder given to `character run … --out`",
            fix="check the path, or make the run first.",
        )
    engine = sqlite_engine(path, read_only=True)
    return Place(folder, str(path), engine, False, engine.dispose)


def _sqlite(folder: Path, lock: FileLock) -> Place:
    engine = sqlite_engine(folder / FILE_NAME, read_only=False)

    def close() -> None:
        engine.dispose()
        lock.release()

    return Place(folder, str(folder / FILE_NAME), engine, True, close)


def _postgres(folder: Path, url: str, *, write: bool, lock: FileLock | None) -> Place:
    try:
        import psycopg  # noqa: F401 - SQLAlchemy imports it by the name in the URL
    except ImportError:
        raise MissingExtraError("a run in PostgreSQL", "postgres") from None
    parsed = _checked_url(url)
    schema = f"character_{fingerprint(str(folder.resolve()))}"
    pointer = folder / POINTER
    if pointer.is_file():
        schema = str(json.loads(pointer.read_text(encoding="utf-8"))["schema"])
    plain = sa.create_engine(parsed, pool_size=8)
    engine = plain.execution_options(schema_translate_map={None: schema})
    name = f"{parsed.render_as_string(hide_password=True)} schema {schema}"
    held = _claim(plain, schema, name) if write else None
    if write:
        pointer.write_text(json.dumps({"url": url, "schema": schema}) + "\n", encoding="utf-8")

    def close() -> None:
        if held is not None:
            held.close()
        plain.dispose()
        if lock is not None:
            lock.release()

    return Place(folder, name, engine, write, close)


def _claim(engine: sa.Engine, schema: str, name: str) -> sa.Connection:
    """Make the schema and hold its advisory lock on a connection of its own, for as long as that is open.

    The server lets go of a lock only when it has noticed that its holder is gone, closed or killed, which is a moment
    after: so a claim waits that long before it says that another process writes.
    """
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
    held = engine.connect()
    key = int(fingerprint(schema, size=7), 16)
    try:
        held.execute(sa.select(sa.func.set_config("lock_timeout", f"{CLAIM_WAITS_MS}ms", True)))
        held.execute(sa.select(sa.func.pg_advisory_lock(key)))
        held.commit()
    except sa.exc.OperationalError as error:
        held.close()
        engine.dispose()
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise _in_use(name) from None
        raise
    return held


def _checked_url(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise InputError(
            "the store's URL cannot be read.", expected="postgresql://user@host/database"
        ) from None
    if parsed.get_backend_name() != "postgresql":
        raise InputError(
            f"a store cannot be a {parsed.get_backend_name()} database.", expected="postgresql://…"
        )
    if parsed.password:
        raise InputError(
            "the store's URL holds a password, which would be written into the run folder.",
            expected="a URL without one",
            fix="put the password into PGPASSWORD or the PostgreSQL password file.",
        )
    return parsed.set(drivername="postgresql+psycopg")


def _lock(folder: Path) -> FileLock:
    lock = FileLock(folder / "run.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise _in_use(str(folder)) from None
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written ({error.strerror}).", fix="choose another --out."
        ) from None
    return lock


def _in_use(name: str) -> StoreError:
    return StoreError(
        f"another process is writing the run in {name}.",
        fix="wait for it to end, or stop it; `character status` reads a run while it is written.",
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the run folder {folder} cannot be made ({error.strerror}).", fix="choose another --out."
        ) from None


def _cannot_open(folder: Path, error: Exception) -> StoreError:
    cause = str(getattr(error, "orig", error)).strip().split("\n")[0]
    return StoreError(
        f"the store of {folder} cannot be opened: {cause}.", fix="check the server and the URL."
    )
