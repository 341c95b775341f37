"""The two files of a saved model, read with suspicion: JSON of known keys, and plain arrays in an uncompressed zip."""

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
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import StringConstraints, ValidationError

from character import files
from character.errors import ModelFileError
from character.records import Record
from character.text import fingerprint
from optimizers.artifact.text import ArtifactError, parse_plain

MOST_BYTES = 256 * 2**20
MOST_JSON_BYTES = 20_000_000
_MOST_HEADER_BYTES = 4_096

T = TypeVar("T", bound=Record)
Fingerprint = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{8,64})?$")]
"""The identity of a file's content, written into it; empty only until it is."""
Arrays = dict[str, NDArray[Any]]
Expected = Mapping[str, tuple[str, tuple[int | None, ...]]]
"""The arrays that must be there, by name: type (as ``<f4``) and shape, None for a length that may be any."""


def read_file(path: Path, most_bytes: int) -> bytes:
    """Return the bytes of a regular file, of at most so many; links, pipes and folders are refused unread."""
    try:
        flags = (
            os.O_RDONLY
            | getattr(os, "O_NOFOLLOW", 0)
            | getattr(os, "O_NONBLOCK", 0)
            | getattr(os, "O_BINARY", 0)
        )
        handle = os.open(path, flags)
    except (OSError, ValueError) as error:
        if path.is_symlink():
            raise ModelFileError(f"{path}: is a link.", expected="a file") from None
        said = error.strerror if isinstance(error, OSError) else error
        raise ModelFileError(
            f"{path}: cannot be read ({said}).", fix="give the folder of a saved model."
        ) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ModelFileError(f"{path}: is no file.", expected="a file")
    with open(handle, "rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ModelFileError(f"{path}: is larger than {most_bytes:,} bytes.", expected="a smaller model")
    return data


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file: plain, shallow, each key once, every number finite (see ``parse_plain``)."""
    data = read_file(path, MOST_JSON_BYTES)
    try:
        value = parse_plain(data, str(path))
    except ArtifactError as error:
        raise ModelFileError(error.found, expected=error.expected) from None
    if not isinstance(value, dict):
        raise ModelFileError(f"{path}: holds a {type(value).__name__}.", expected="one JSON object")
    return value


def checked_facts(shape: type[T], data: dict[str, Any], where: Path) -> T:
    """Return the record of a JSON object, refusing unknown keys, wrong types and wrong values by name."""
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the whole"
        said = "this key does not belong there" if problem["type"] == "extra_forbidden" else problem["msg"]
        raise ModelFileError(
            f"{where}: {place[:80]}: {said}.",
            expected="what saving a preference model writes, and nothing else",
            fix="take the model from where it was made, or fit it again.",
        ) from None


def content_fingerprint(facts: Record) -> str:
    """Return the identity of all that a model's ``preference.json`` says, its own ``fingerprint`` left out."""
    return fingerprint(facts.model_dump(mode="json", exclude={"fingerprint"}))


def check_fingerprint(facts: Record, said: str, where: Path) -> None:
    """Raise ModelFileError where a file does not say what was saved: something in it was changed since."""
    found = content_fingerprint(facts)
    if found != said:
        raise ModelFileError(
            f"{where}: was changed since it was saved (its fingerprint is {said[:12]}…, its content amounts to {found[:12]}…).",
            expected="the file as it was saved: a trait renamed by hand is another trait than was learnt",
            fix="take the model from where it was made, or fit it again.",
        )


def facts_text(facts: Record) -> bytes:
    """Return the bytes of a ``preference.json`` with its fingerprint in it."""
    data = {**facts.model_dump(mode="json"), "fingerprint": content_fingerprint(facts)}
    return (json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode("utf-8")


def read_arrays(path: Path, expected: Expected, sha256: str) -> Arrays:
    """Return the arrays of a file; raises ModelFileError for any other content than exactly these."""
    data = read_file(path, MOST_BYTES)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelFileError(
            f"{path}: its SHA-256 is {found[:12]}…, not {sha256[:12]}… as its preference.json says.",
            expected="the two files of one model",
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_members(archive, expected, len(data), path)
            return {name: _array(archive, name, expected[name], path) for name in expected}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ModelFileError(f"{path}: is no sound zip of arrays ({error}).") from None


def write_arrays(path: Path, arrays: Arrays) -> str:
    """Write arrays as an uncompressed .npz, whole or not at all, and return the SHA-256 of the file."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    data = buffer.getvalue()
    if len(data) > MOST_BYTES:
        raise ModelFileError(
            f"the model has {len(data):,} bytes, more than could be loaded again.",
            expected=f"at most {MOST_BYTES:,}",
            fix="fit several models of fewer traits.",
        )
    write_whole(path, data)
    return hashlib.sha256(data).hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; raises ModelFileError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(data, path)
    except OSError as error:
        raise ModelFileError(
            f"{path}: cannot be written ({error.strerror or error}).", fix="choose another folder."
        ) from None


def _check_members(archive: zipfile.ZipFile, expected: Expected, size: int, path: Path) -> None:
    members = archive.infolist()
    names = sorted(member.filename for member in members)
    wanted = sorted(f"{name}.npy" for name in expected)
    if names != wanted:
        odd = (
            [name for name in names if name not in wanted]
            or [name for name in wanted if name not in names]
            or names
        )
        raise ModelFileError(
            f"{path}: its members are not those of such a model ({odd[0][:60]!r}).",
            expected=", ".join(wanted),
        )
    if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
        raise ModelFileError(
            f"{path}: a member is compressed or encrypted.", expected="members stored as they are"
        )
    if any(member.file_size != member.compress_size for member in members) or (
        sum(member.file_size for member in members) > size
    ):
        raise ModelFileError(f"{path}: its members claim to be larger than the file.")
    if archive.comment or min(member.header_offset for member in members):
        raise ModelFileError(f"{path}: there is something before or behind its members.")


def _array(
    archive: zipfile.ZipFile, name: str, expected: tuple[str, tuple[int | None, ...]], path: Path
) -> NDArray[Any]:
    wanted_type, wanted_shape = expected
    stream = io.BytesIO(archive.read(f"{name}.npy"))
    try:
        np.lib.format.read_magic(
            stream
        )  # a header of another version than 1.0 is not read as one, and refused
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(
            stream, max_header_size=_MOST_HEADER_BYTES
        )
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, TokenError) as error:
        raise ModelFileError(f"{path}: {name}: is no plain array ({str(error)[:80]}).") from None
    fits = len(shape) == len(wanted_shape) and all(
        b in (None, a) for a, b in zip(shape, wanted_shape, strict=True)
    )
    if dtype.str != wanted_type or not fits or by_column:
        raise ModelFileError(
            f"{path}: {name}: is {dtype} of shape {shape}{' by column' if by_column else ''}.",
            expected=f"{np.dtype(wanted_type)} of shape {tuple('any' if n is None else n for n in wanted_shape)}",
        )
    rest = stream.read()
    if len(rest) != dtype.itemsize * int(np.prod(shape, dtype=object)):
        raise ModelFileError(
            f"{path}: {name}: has {len(rest):,} bytes, which is not {dtype} of shape {shape}."
        )
    values = np.frombuffer(rest, dtype=dtype).reshape(shape).copy()
    if dtype.kind == "f" and not np.isfinite(values).all():
        raise ModelFileError(f"{path}: {name}: holds numbers that are not finite.", expected="finite numbers")
    return values
