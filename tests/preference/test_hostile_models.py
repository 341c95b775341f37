"""Saved models that someone tampered with: each is refused with what was wrong, and nothing in them ever runs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preference.teaching import pairs_of

from character.errors import ModelFileError
from character.preference import load_preference_model, preference_model
from character.preference.container import MOST_BYTES
from character.text import fingerprint

Facts = dict[str, Any]
Members = dict[str, bytes]


class Runs:
    """An object whose pickle calls what it likes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('the pickle ran')",)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a sound model."""
    folder = tmp_path_factory.mktemp("sound")
    preference_model("light").fit([*pairs_of(number=8), *pairs_of("humour", "zh", number=8)]).save(folder)
    return folder


def copied(sound: Path, target: Path) -> Path:
    target.mkdir(exist_ok=True)
    for name in ("preference.json", "preference.npz"):
        (target / name).write_bytes((sound / name).read_bytes())
    return target


def with_facts(change: Callable[[Facts], object]) -> Callable[[Path], None]:
    """Return what edits the JSON, with the right fingerprint in it."""

    def edit(folder: Path) -> None:
        facts = json.loads((folder / "preference.json").read_text(encoding="utf-8"))
        change(facts)
        facts["fingerprint"] = fingerprint({name: facts[name] for name in facts if name != "fingerprint"})
        (folder / "preference.json").write_text(json.dumps(facts), encoding="utf-8")

    return edit


def with_text(old: str, new: str) -> Callable[[Path], None]:
    """Return what bends the JSON's text."""

    def edit(folder: Path) -> None:
        text = (folder / "preference.json").read_text(encoding="utf-8")
        assert old in text
        (folder / "preference.json").write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def with_archive(data: Callable[[Path], bytes]) -> Callable[[Path], None]:
    """Return what puts other bytes in the place of the arrays, with the right SHA-256 beside them."""

    def edit(folder: Path) -> None:
        content = data(folder)
        (folder / "preference.npz").write_bytes(content)
        with_facts(lambda facts: facts.update(arrays_sha256=hashlib.sha256(content).hexdigest()))(folder)

    return edit


def members_of(folder: Path) -> Members:
    with zipfile.ZipFile(folder / "preference.npz") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: Members | list[tuple[str, bytes]], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, data in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, data)
    return buffer.getvalue()


def npy(array: Any, *, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def with_array(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Return what changes one array."""

    def data(folder: Path) -> bytes:
        members = members_of(folder)
        array = np.load(io.BytesIO(members[f"{name}.npy"]))
        return zipped({**members, f"{name}.npy": npy(change(array))})

    return with_archive(data)


def with_member(name: str, data: bytes) -> Callable[[Path], None]:
    """Return what puts other bytes in the place of one member."""
    return with_archive(lambda folder: zipped({**members_of(folder), name: data}))


def renamed(old: str, new: str) -> Callable[[Path], None]:
    def data(folder: Path) -> bytes:
        members = members_of(folder)
        members[new] = members.pop(old)
        return zipped(members)

    return with_archive(data)


def poked(place: int, value: float) -> Callable[[Any], Any]:
    def change(array: Any) -> Any:
        array.flat[place] = value
        return array

    return change


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    raw = text.encode("latin1") + b"\n"
    return b"\x93NUMPY" + version + len(raw).to_bytes(2, "little") + raw


def linked(name: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        (folder / name).rename(folder / f"real-{name}")
        (folder / name).symlink_to(folder / f"real-{name}")

    return edit


def piped(folder: Path) -> None:
    (folder / "preference.npz").unlink()
    os.mkfifo(folder / "preference.npz")


def foldered(folder: Path) -> None:
    (folder / "preference.npz").unlink()
    (folder / "preference.npz").mkdir()


def swollen(folder: Path) -> None:
    with (folder / "preference.npz").open("r+b") as file:
        file.truncate(MOST_BYTES + 1)  # sparse: it takes no room on the disk


def truncated(folder: Path) -> bytes:
    data = (folder / "preference.npz").read_bytes()
    return data[: len(data) // 2]


def lying_sizes(folder: Path) -> bytes:
    """Return an archive whose directory claims that the first member is larger than the file."""
    data = bytearray((folder / "preference.npz").read_bytes())
    entry = data.rindex(b"PK\x01\x02") if data.count(b"PK\x01\x02") == 1 else data.index(b"PK\x01\x02")
    for offset in (20, 24):
        data[entry + offset : entry + offset + 4] = (2**31 - 1).to_bytes(4, "little")
    return bytes(data)


def flipped(folder: Path) -> bytes:
    """Return an archive with one byte of an array changed, so that its checksum is wrong."""
    data = bytearray((folder / "preference.npz").read_bytes())
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


def bomb(_folder: Path) -> bytes:
    return zipped({"weights.npy": b"\0" * 50_000_000}, compression=zipfile.ZIP_DEFLATED)


def compressed(folder: Path) -> bytes:
    return zipped(members_of(folder), compression=zipfile.ZIP_DEFLATED)


def doubled(folder: Path) -> bytes:
    members = list(members_of(folder).items())
    return zipped([*members, members[0]])


def crowded(array: Any) -> Any:
    return np.arange(len(array), dtype=array.dtype)


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    # -- the JSON
    "an unknown key": (with_facts(lambda f: f.update(hook="os.system")), "hook: this key does not belong"),
    "an unknown key of a head": (with_facts(lambda f: f["heads"][0].update(path="/etc")), "path: this key"),
    "a dunder key": (with_facts(lambda f: f.update(__class__="x")), "__class__: this key"),
    "another version": (with_facts(lambda f: f.update(format_version=3)), "format_version"),
    "another kind": (with_facts(lambda f: f.update(kind="character-ranker")), "no preference model"),
    "a model of another kind": (with_facts(lambda f: f.update(model="pickle")), "model: Input should be"),
    "no heads": (with_facts(lambda f: f.update(heads=[])), "heads"),
    "a trait renamed by hand": (with_text('"trait": "patience"', '"trait": "haste"'), "was changed since it was saved"),
    "a seed changed by hand": (with_text('"seed": 0', '"seed": 1'), "was changed since it was saved"),
    "a fingerprint of something else": (with_text('"fingerprint": "', '"fingerprint": "00'), "was changed since it was saved"),
    "two heads of one trait": (with_facts(lambda f: f["heads"][1].update(trait="patience")), "two heads"),
    "more heads than lines": (with_facts(lambda f: f["heads"].append({**f["heads"][0], "trait": "x"})), "weights: is"),
    "a huge vocabulary": (with_facts(lambda f: f.update(num_features=10**8)), "num_features"),
    "a vocabulary of another size": (with_facts(lambda f: f.update(num_features=17)), "of shape"),
    "a negative count": (with_facts(lambda f: f["heads"][0].update(num_pairs=-1)), "num_pairs"),
    "a temperature of 0": (with_facts(lambda f: f["heads"][0].update(temperature=0.0)), "temperature"),
    "a text for a number": (with_facts(lambda f: f["heads"][0].update(temperature="1.0")), "temperature"),
    "a number for a truth value": (with_facts(lambda f: f.update(length_free=1)), "length_free"),
    "no weight for strange n-grams": (with_facts(lambda f: f.update(strange_idf=None)), "strange_idf"),
    "a trait with control characters": (with_facts(lambda f: f["heads"][0].update(trait="a\x1b[2J")), "control"),
    "a trait name without end": (with_facts(lambda f: f["heads"][0].update(trait="a" * 5000)), "at most 400"),
    "NaN": (with_text('"seed": 0', '"seed": NaN'), "the number NaN"),
    "infinity": (with_text('"seed": 0', '"seed": 1e999'), "not finite"),
    "a number of a million digits": (with_text('"seed": 0', '"seed": ' + "9" * 1_000_000), "not plain JSON"),
    "the same key twice": (with_text('"seed": 0', '"seed": 0, "seed": 1'), "occurs twice"),
    "deep nesting": (with_text('"seed": 0', '"seed": ' + "[" * 60 + "]" * 60), "nested deeper"),
    "nesting that would exhaust the stack": (with_text('"seed": 0', '"seed": ' + "[" * 900_000), "nested deeper"),
    "a list": (lambda d: _write(d / "preference.json", b"[]"), "holds a list"),
    "a pickle for the JSON": (lambda d: _write(d / "preference.json", pickle.dumps(Runs())), "not UTF-8"),
    "UTF-16": (lambda d: _write(d / "preference.json", "{}".encode("utf-16")), "not UTF-8"),
    "nothing for the JSON": (lambda d: _write(d / "preference.json", b""), "not plain JSON"),
    "junk behind the JSON": (with_text('"seed": 0', '"seed": 0}{"seed": 0'), "not plain JSON"),
    "JSON of thirty megabytes": (with_text('"seed": 0', " " * 30_000_000 + '"seed": 0'), "larger than"),
    "a SHA-256 that is a path": (with_facts(lambda f: f.update(arrays_sha256="../../etc/passwd")), "arrays_sha256"),
    "the SHA-256 of other arrays": (with_facts(lambda f: f.update(arrays_sha256="0" * 64)), "its SHA-256 is"),
    # -- the archive
    "a pickle for the archive": (with_archive(lambda _: pickle.dumps(Runs())), "no sound zip"),
    "a lone .npy": (with_archive(lambda _: npy(np.zeros(3))), "no sound zip"),
    "half an archive": (with_archive(truncated), "no sound zip"),
    "nothing for the archive": (with_archive(lambda _: b""), "no sound zip"),
    "an empty archive": (with_archive(lambda _: zipped({})), "its members are not"),
    "a zip bomb": (with_archive(bomb), "its members are not"),
    "compressed members": (with_archive(compressed), "compressed or encrypted"),
    "members that claim to be larger than the file": (with_archive(lying_sizes), "larger than the file"),
    "one byte changed": (with_archive(flipped), "no sound zip"),
    "a member that climbs folders": (renamed("weights.npy", "../../weights.npy"), "'../../weights.npy'"),
    "a member with an absolute path": (renamed("weights.npy", "/etc/cron.d/weights.npy"), "its members are not"),
    "an extra member": (with_member("extra.npy", npy(np.zeros(3))), "'extra.npy'"),
    "an extra member that is code": (with_member("__init__.py", b"raise SystemExit"), "'__init__.py'"),
    "the same member twice": (with_archive(doubled), "its members are not"),
    "something before the archive": (with_archive(lambda d: b"#!/bin/sh\n" + (d / "preference.npz").read_bytes()), "before or behind"),
    # -- the arrays
    "an array of objects": (with_member("weights.npy", npy(np.array([Runs()], dtype=object), allow_pickle=True)), "weights: is object"),
    "a pickle with the name of an array": (with_member("weights.npy", pickle.dumps(Runs())), "no plain array"),
    "a header that is code": (with_member("weights.npy", header("__import__('os').system('id')")), "no plain array"),
    "a header without end": (with_member("weights.npy", header("{" + "'a':(" * 9_000)), "no plain array"),
    "a header of nested brackets": (with_member("weights.npy", header("(" * 3_000)), "no plain array"),
    "a header of another version": (with_member("weights.npy", header("{}", b"\x03\x00")), "no plain array"),
    "a header that claims more than there is": (with_member("idf.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (10**12,), }")), "no plain array"),
    "more bytes than the shape says": (with_archive(lambda d: zipped({**members_of(d), "idf.npy": members_of(d)["idf.npy"] + b"\0" * 8})), "idf: has"),
    "double precision": (with_array("weights", lambda a: a.astype("<f8")), "weights: is float64"),
    "the other byte order": (with_array("idf", lambda a: a.astype(">f4")), "idf: is"),
    "columns before rows": (with_array("weights", np.asfortranarray), "by column"),
    "one dimension too many": (with_array("idf", lambda a: a[:, None]), "of shape"),
    "a line too few": (with_array("weights", lambda a: a[:-1]), "weights: is"),
    "a weight that is no number": (with_array("weights", poked(3, np.nan)), "weights: holds numbers that are not finite"),
    "an infinite weight": (with_array("weights", poked(0, np.inf)), "not finite"),
    "an idf below 0": (with_array("idf", poked(0, -1.0)), "idf: holds"),
    "a block that is none": (with_array("blocks", poked(0, 7)), "blocks: holds"),
    "hashes out of order": (with_array("hashes", lambda a: a[::-1].copy()), "hashes: not in strictly rising order"),
    "hashes that make every look-up slow": (with_array("hashes", crowded), "too close together"),
    "messages out of order": (with_array("messages", lambda a: np.concatenate([a[::-1], a])), "messages: not in"),
    # -- the files
    "a link for the JSON": (linked("preference.json"), "is a link"),
    "a link for the archive": (linked("preference.npz"), "is a link"),
    "a pipe": (piped, "is no file"),
    "a folder": (foldered, "preference.npz"),
    "no archive": (lambda d: (d / "preference.npz").unlink(), "cannot be read"),
    "an archive of gigabytes": (swollen, "larger than"),
}  # fmt: skip


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def test_there_are_many_kinds() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_model_is_refused_with_what_was_wrong(name: str, sound: Path, tmp_path: Path) -> None:
    folder = copied(sound, tmp_path / "model")
    edit, said = HOSTILE[name]
    edit(folder)
    with pytest.raises(ModelFileError) as refused:
        load_preference_model(folder)
    assert said in str(refused.value)
    assert str(folder) in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_the_model_they_were_made_from_is_loaded(sound: Path, tmp_path: Path) -> None:
    model = load_preference_model(copied(sound, tmp_path / "model"))
    assert model.traits == ("patience", "humour")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_preference_model(tmp_path / "none")
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_preference_model(tmp_path / "nul\0")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_done_to_the_archive_it_is_refused_or_gives_the_same_model(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = copied(sound, tmp_path_factory.mktemp("bent"))
    whole = (folder / "preference.npz").read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    bent = whole[:start] + data.draw(st.binary(max_size=40)) + whole[end:]
    with_archive(lambda _: bent)(folder)
    try:
        model = load_preference_model(folder)
    except ModelFileError:
        return
    assert model.traits == ("patience", "humour")
    assert np.isfinite(model.score("", "no need to hurry", "patience"))
