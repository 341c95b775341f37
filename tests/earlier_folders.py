"""What the folders of an earlier version are compared by; they lie packed in ``fixtures/folders``.

Only the command line, SQL and JSON are used here, so that the comparison outlives every change of the code.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import re
import runpy
import shutil
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest import mock

import pytest

FOLDERS = Path(__file__).parent / "fixtures" / "folders"
RECORD: dict[str, dict[str, Any]] = (
    json.loads((FOLDERS / "folders.json").read_text(encoding="utf-8"))
    if (FOLDERS / "folders.json").exists()
    else {}
)
"""Per folder the ``command`` that made it, how many ``calls`` it holds, and how many are ``missing``."""

EXPORTS = {"recipe": ("--format", "recipe"), "trl": ("--format", "trl")}
"""Exports whose files are kept, by the name of their folder."""
DIGESTED_EXPORTS = (
    "--format trl-kto",
    "--format trl-prompt",
    "--format trl-sft",
    "--format trl-reward --margin",
    "--format openai",
    "--format axolotl",
    "--format llamafactory",
    "--format openrlhf",
    "--format trl --design adjacent --split 60/20/20 --seed 3",
    "--format trl --debias --min-margin 0.05",
)
"""Exports of which only digests are kept, by their arguments."""


def character(*arguments: object, code: int = 0) -> str:
    """Run the command line in this process; return what it prints on stdout, and check its exit code."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["character", *map(str, arguments)]
    with (
        mock.patch.object(sys, "argv", argv),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        runpy.run_module("character", run_name="__main__")
    assert end.value.code == code, f"{argv}: exit code {end.value.code}\n{err.getvalue()}"
    return out.getvalue()


def unpack(to: Path) -> None:
    """Copy all folders, as they were when their commands ended, and their inputs."""
    shutil.copytree(FOLDERS, to, dirs_exist_ok=True)
    for packed in to.rglob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()


ADDED_TABLES = ("systems", "outcomes")
"""Tables that this version adds to such a file: what was asked, and what became of it."""


def tables(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every table of a SQLite file that an earlier version made, rows in order, and as ``layout`` how
    these were made.
    """
    connection = sqlite3.connect(path)
    try:
        made = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
        layout = sorted((row for row in made if row[2] not in ADDED_TABLES), key=repr)
        names = [name for kind, name, *_ in layout if kind == "table" and not name.startswith("sqlite_")]
        found = {"layout": layout}
        for name in names:
            found[name] = sorted(connection.execute(f"SELECT * FROM {name}"), key=repr)  # noqa: S608
        return found
    finally:
        connection.close()


def number_of_calls(folder: Path) -> int:
    """Return how many finished calls a folder holds."""
    return len(tables(folder / "run.sqlite")["calls"])


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name, without the number of the version that wrote them."""
    return {
        str(path.relative_to(folder)): re.sub(
            rb"character-framework [0-9][\w.+]*", b"character-framework VERSION", path.read_bytes()
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def digests(folder: Path) -> dict[str, str]:
    """Return the digests of the files of a folder, by name."""
    return {name: hashlib.sha256(data).hexdigest()[:16] for name, data in contents(folder).items()}


def differences(
    before: Any, now: Any, where: str = "", *, drawn: Mapping[str, float] = MappingProxyType({})
) -> list[str]:
    """Return in words each value of ``before`` that is another in ``now``, or gone; new ones do not count.

    ``drawn`` names figures that are drawn, and how far two draws of one may lie apart.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            line
            for name, value in before.items()
            for line in differences(value, now.get(name, "nothing"), f"{where}.{name}", drawn=drawn)
        ]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [
            line
            for place, pair in enumerate(zip(before, now, strict=True))
            for line in differences(*pair, f"{where}[{place}]", drawn=drawn)
        ]
    if where.rpartition(".")[2] in drawn and isinstance(before, float) and isinstance(now, float):
        return (
            []
            if abs(before - now) <= drawn[where.rpartition(".")[2]]
            else [f"{where}: {before} before, {now} now"]
        )
    return [] if before == now else [f"{where}: {before!r} before, {now!r} now"]
