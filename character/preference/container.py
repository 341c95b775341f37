"""The two files of a saved model, read with suspicion: JSON of known keys, and arrays in a plain zip."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from character import files
from character.errors import ModelFileError
from character.files import problem
from character.records import Record
from character.text import fingerprint
from optimizers.artifact.text import parse_plain
from optimizers.errors import ArtifactError

MOST_BYTES = 256 * 2**20
MOST_JSON_BYTES = 20_000_000
_MOST_HEADER_BYTES = 4_096

Name = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Count = Annotated[int, Field(ge=0)]
Arrays = dict[str, NDArray[Any]]
ArrayType = tuple[str, tuple[int | None, ...]]
"""What an array must be: its type (as ``<f4``) and its shape, None for a length that may be any."""
_CAREFUL = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
"""How a file is opened, as far as the system can: no link followed, no pipe waited for."""


class StrictRecord(Record):
    """Base of what a file holds: no value passes for one of another type, records in it are checked again."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, revalidate_instances="always")


class ModelFacts(StrictRecord):
    """What every ``preference.json`` holds; ``fingerprint`` identifies the rest, empty until written."""

    kind: Literal["character-preference"] = "character-preference"
    format_version: Literal[2] = 2
    model: str
    character_version: Name
    fingerprint: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{8,64})?$")] = ""

    @property
    def content(self) -> dict[str, Any]:
        """All that the file says, its own fingerprint left out."""
        return self.model_dump(mode="json", exclude={"fingerprint"})


F = TypeVar("F", bound=ModelFacts)


def read_file(path: Path, most_bytes: int = MOST_JSON_BYTES) -> bytes:
    """Return the bytes of a regular file, of at most so many; links, pipes and folders are refused unread."""
    try:
        handle = os.open(path, os.O_RDONLY | _CAREFUL)
    except (OSError, ValueError) as error:
        if path.is_symlink():
            raise ModelFileError(f"{path}: is a link.", expected="a file") from None
        cause = error.strerror if isinstance(error, OSError) else error
        raise problem(__file__, "not_read", ModelFileError, path=path, cause=cause) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ModelFileError(f"{path}: is no file.", expected="a file")
    with open(handle, "rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ModelFileError(f"{path}: is larger than {most_bytes:,} bytes.", expected="a smaller model")
    return data


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file: shallow, each key once, every number finite (see ``parse_plain``)."""
    try:
        return json_object(parse_plain(read_file(path), str(path)), path)
    except ArtifactError as error:
        raise ModelFileError(error.found, expected=error.expected) from None


def json_object(value: Any, path: Path) -> dict[str, Any]:
    """Return the value of a file where it is a JSON object; raises ModelFileError for any other."""
    if not isinstance(value, dict):
        raise ModelFileError(f"{path}: holds a {type(value).__name__}.", expected="one JSON object")
    return value


def checked_facts(shape: type[F], data: dict[str, Any], where: Path) -> F:
    """Return the record of a JSON object, as it was saved.

    Unknown keys, wrong types and wrong values are refused by name, and so is whatever was changed since.
    """
    try:
        facts = shape.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        fault = "this key does not belong there" if first["type"] == "extra_forbidden" else first["msg"]
        raise problem(__file__, "wrong_fact", ModelFileError, path=where, key=place, fault=fault) from None
    actual = fingerprint(facts.content)
    if actual != facts.fingerprint:
        values = {"path": where, "written": facts.fingerprint, "actual": actual}
        raise problem(__file__, "changed_facts", ModelFileError, **values)
    return facts


def save_facts(path: Path, facts: ModelFacts) -> None:
    """Write a ``preference.json`` with its fingerprint in it; raises ModelFileError where it cannot."""
    data = {**facts.content, "fingerprint": fingerprint(facts.content)}
    text = json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False)
    _write_whole(path, f"{text}\n".encode())


def read_arrays(path: Path, expected: Mapping[str, ArrayType], sha256: str) -> Arrays:
    """Return the arrays of a file by name; raises ModelFileError for any other content than these."""
    data = read_file(path, MOST_BYTES)
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise problem(__file__, "another_digest", ModelFileError, path=path, actual=digest, written=sha256)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_members(archive, sorted(f"{name}.npy" for name in expected), len(data), path)
            return {
                name: _array(archive.read(f"{name}.npy"), wanted, f"{path}: {name}")
                for name, wanted in expected.items()
            }
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ModelFileError(f"{path}: is no sound zip of arrays ({error}).") from None


def write_arrays(path: Path, arrays: Arrays) -> str:
    """Write arrays as an uncompressed .npz, whole or not at all, and return the SHA-256 of the file."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    data = buffer.getvalue()
    if len(data) > MOST_BYTES:
        raise problem(__file__, "too_large", ModelFileError, size=len(data), most=MOST_BYTES)
    _write_whole(path, data)
    return hashlib.sha256(data).hexdigest()


def _write_whole(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(data, path)
    except OSError as error:
        cause = error.strerror or error
        raise problem(__file__, "not_written", ModelFileError, path=path, cause=cause) from None


def _check_members(archive: zipfile.ZipFile, wanted: list[str], size: int, path: Path) -> None:
    members = archive.infolist()
    names = sorted(member.filename for member in members)
    if names != wanted:
        odd = sorted({*names} ^ {*wanted}, key=lambda name: (name in wanted, name)) or names
        values = {"path": path, "odd": odd[0][:60], "names": ", ".join(wanted)}
        raise problem(__file__, "odd_members", ModelFileError, **values)
    if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
        raise problem(__file__, "packed_member", ModelFileError, path=path)
    sizes = [member.file_size for member in members]
    if sizes != [member.compress_size for member in members] or sum(sizes) > size:
        raise ModelFileError(f"{path}: its members claim to be larger than the file.")
    if archive.comment or min(member.header_offset for member in members):
        raise ModelFileError(f"{path}: there is something before or behind its members.")


def _array(data: bytes, wanted: ArrayType, where: str) -> NDArray[Any]:
    wanted_type, lengths = wanted
    stream = io.BytesIO(data)
    try:
        npy_format.read_magic(stream)  # a header of another version than 1.0 is not read as one, and refused
        header = npy_format.read_array_header_1_0(stream, max_header_size=_MOST_HEADER_BYTES)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, TokenError) as error:
        raise ModelFileError(f"{where}: is no plain array ({str(error)[:80]}).") from None
    shape, by_column, dtype = header
    fits = len(shape) == len(lengths) and all(b in (None, a) for a, b in zip(shape, lengths, strict=True))
    if dtype.str != wanted_type or not fits or by_column:
        any_length = tuple("any" if length is None else length for length in lengths)
        actual = f"{dtype} of shape {shape}{' by column' if by_column else ''}"
        expected = f"{np.dtype(wanted_type)} of shape {any_length}"
        raise ModelFileError(f"{where}: is {actual}.", expected=expected)
    rest = stream.read()
    if len(rest) != dtype.itemsize * int(np.prod(shape, dtype=object)):
        raise ModelFileError(f"{where}: has {len(rest):,} bytes, which is not {dtype} of shape {shape}.")
    values = np.frombuffer(rest, dtype=dtype).reshape(shape).copy()
    if dtype.kind == "f" and not np.isfinite(values).all():
        raise ModelFileError(f"{where}: holds numbers that are not finite.", expected="finite numbers")
    return values
