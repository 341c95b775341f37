"""An export's folder: written beside and moved into place as a whole, Parquet, and what it says of itself."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from character.errors import MissingExtraError, StoreError
from character.files import METADATA_FILE, Write, problem

STAGING_PREFIX = ".export-"
PARQUET_BATCH_ROWS = 1000

Sink = Callable[[Path], AbstractContextManager[Write]]


@contextmanager
def parquet_sink(path: Path) -> Iterator[Write]:
    """Give a function that adds a row to a typed Parquet file (zstd); MissingExtraError without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("The export format 'parquet'", "parquet") from error

    turns = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    types = dict.fromkeys(("prompt", "chosen", "rejected"), turns)
    types |= {
        name: pa.float64() for name in ("score_chosen", "score_rejected", "probability", "margin", "weight")
    }
    batch: list[dict[str, Any]] = []
    writer: Any = None

    def flush() -> None:
        nonlocal writer
        schema = pa.schema([(name, types.get(name, pa.string())) for name in batch[0]])
        writer = writer or pq.ParquetWriter(path, schema, compression="zstd")
        writer.write_table(pa.Table.from_pylist(batch, schema=schema))
        batch.clear()

    def write(row: dict[str, Any]) -> None:
        batch.append(row)
        if len(batch) >= PARQUET_BATCH_ROWS:
            flush()

    try:
        yield write
        if batch:
            flush()
    finally:
        if writer is not None:
            writer.close()


@contextmanager
def staged_folder(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give an empty folder; when the block ends well, move its files into ``out``, one by one, each whole.

    ``METADATA_FILE`` goes last, so a folder that has it is complete. Raises InputError where ``out`` is a
    file, or holds something and ``overwrite`` is false; StoreError where the disk refuses. Overwriting
    removes the files that the earlier export's metadata lists and leaves all others alone. When the block
    fails, ``out`` is left as it was.
    """
    _refuse_if_taken(out, overwrite=overwrite)
    existed = out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=STAGING_PREFIX, dir=out) as staging:
            yield Path(staging)
            _publish(Path(staging), out)
    except StoreError:
        raise
    except OSError as error:
        raise problem(__file__, "not_written", StoreError, out=out, reason=error.strerror or error) from error
    finally:
        if not existed and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def read_metadata(folder: Path) -> dict[str, Any]:
    """Return what an export wrote about itself; raises InputError where there is nothing readable."""
    path = folder / METADATA_FILE
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise problem(__file__, "metadata", path=path, folder=folder) from error
    if not isinstance(metadata, dict):
        raise problem(__file__, "metadata_kind", path=path, kind_found=type(metadata).__name__)
    return metadata


def listed_files(metadata: dict[str, Any]) -> list[str]:
    """Return the names of all files that an export's metadata lists; what is no plain name is left out."""
    data = [file.get("path") for file in metadata.get("files", []) if isinstance(file, dict)]
    names = [*data, *metadata.get("extra_files", [])]
    return [name for name in names if isinstance(name, str) and name and Path(name).name == name]


def _refuse_if_taken(out: Path, *, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise problem(__file__, "out_is_a_file", out=out)
    if overwrite or not out.is_dir():
        return
    names = sorted(path.name for path in out.iterdir() if not path.name.startswith(STAGING_PREFIX))
    if names:
        some = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        raise problem(__file__, "not_empty", out=out, some=some)


def _publish(staging: Path, out: Path) -> None:
    names = sorted((path.name for path in staging.iterdir()), key=lambda name: (name == METADATA_FILE, name))
    if (out / METADATA_FILE).exists():
        stale = [name for name in listed_files(read_metadata(out)) if name not in names]
        (out / METADATA_FILE).unlink()
        for name in stale:
            (out / name).unlink(missing_ok=True)
    for name in names:
        os.replace(staging / name, out / name)
