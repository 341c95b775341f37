"""A run in PostgreSQL instead of a file: the same records, one writer, readers any time, no password on disk.

Needs a PostgreSQL server that the test may start (see ``postgres_server``).
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from load_helpers import PATIENCE, messages
from postgres_server import postgres_server
from resume import records

from character import Config, RunStore, run
from character.errors import InputError, StoreError

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return the URL of a PostgreSQL server on loopback that lives as long as the tests of this file."""
    with postgres_server() as address:
        yield address


def _config(url: str | None) -> Config:
    return Config.model_validate({"store": {"url": url}, "seed": 3})


def test_the_records_are_those_of_a_run_in_a_file(tmp_path: Path, url: str) -> None:
    in_file = run(PATIENCE, tmp_path / "file", config=_config(None), messages=messages(40))
    in_postgres = run(PATIENCE, tmp_path / "postgres", config=_config(url), messages=messages(40))
    assert records(tmp_path / "postgres") == records(tmp_path / "file")
    assert in_postgres.model_copy(update={"folder": in_file.folder}) == in_file
    assert not (tmp_path / "postgres" / "run.sqlite").exists()
    assert run(PATIENCE, tmp_path / "postgres", config=_config(url), messages=messages(40)) == in_postgres


def test_only_one_process_writes_and_another_folder_is_another_run(tmp_path: Path, url: str) -> None:
    with RunStore.create(tmp_path / "one", url=url) as first:
        first.set_meta("a", "1")
        with pytest.raises(StoreError, match="another process is writing"):
            RunStore.create(tmp_path / "one", url=url)
        with RunStore(tmp_path / "one") as reader:
            assert reader.meta("a") == "1"
        with RunStore.create(tmp_path / "two", url=url) as second:
            assert second.meta("a") is None
    with RunStore.create(tmp_path / "one") as again:
        assert again.meta("a") == "1", "the folder knows where its run lies"


def test_a_writer_elsewhere_is_waited_for_a_moment_and_then_named(tmp_path: Path, url: str) -> None:
    """Two machines share the schema and not the folder's lock: the database's own lock keeps them apart."""
    here, there = tmp_path / "here", tmp_path / "there"
    holder = RunStore.create(here, url=url)
    there.mkdir()
    shutil.copy(here / "store.json", there / "store.json")
    with pytest.raises(StoreError, match=r"another process is writing the run in .* schema character_"):
        RunStore.create(there)
    leaving = threading.Timer(1.0, holder.close)
    leaving.start()
    with RunStore.create(there) as heir:
        heir.set_meta("a", "1")
    leaving.join()


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ("postgresql://me:secret@127.0.0.1/db", InputError, "password"),
        ("mysql://me@127.0.0.1/db", InputError, "postgresql://"),
        ("postgresql://me@127.0.0.1:9/db", StoreError, "cannot be opened"),
    ],
)
def test_a_url_that_cannot_be_used_gets_a_clear_error(
    tmp_path: Path, given: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        RunStore.create(tmp_path / "run", url=given)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "run" / "store.json").exists()
