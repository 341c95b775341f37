"""Exported files hold any text, are whole or absent, and never replace what they did not write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from character.errors import InputError, StoreError
from character.exports import Split, export
from character.exports.files import staged_folder
from character.files import json_text, write_text

ALL_IN_TRAIN = Split(train=1, validation=0, test=0)


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@given(st.text())
def test_a_row_is_one_line_for_every_line_reader_and_reads_back_the_same(text):
    line = json_text({"text": text})
    assert line.splitlines() == [line]
    assert json.loads(line) == {"text": text}


def test_unicode_line_ends_survive_the_files_and_datasets(make_rollout, make_data, tmp_path):
    text = "一\u2028二\u2029三\x85四\x0b\x0c\x1c五\r\n六\x00🙂"
    export(make_data(make_rollout(text)), "trl", tmp_path / "out", split=ALL_IN_TRAIN)
    raw = (tmp_path / "out/train.jsonl").read_bytes()
    assert "🙂" in raw.decode("utf-8")
    assert b"\r" not in raw
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded[0]["prompt"][0]["content"] == text


def test_the_same_run_writes_the_same_bytes(sixty, tmp_path):
    for name in ("one", "two"):
        export(sixty, "trl", tmp_path / name)
    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")


def test_a_folder_that_holds_something_is_refused_and_left_alone(sixty, tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"notes\.txt.*\n.*\n.*overwrite=True") as caught:
        export(sixty, "trl", tmp_path)
    assert caught.value.exit_code == 2
    assert content_of(tmp_path) == {"notes.txt": b"mine"}


def test_overwriting_replaces_the_earlier_export_and_keeps_other_files(sixty, make_data, tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    export(sixty, "llamafactory", tmp_path, overwrite=True)
    assert (tmp_path / "test.jsonl").exists()
    export(make_data(*sixty.rollouts[:3]), "trl", tmp_path, overwrite=True, split=ALL_IN_TRAIN)
    assert sorted(content_of(tmp_path)) == ["README.md", "export.json", "notes.txt", "train.jsonl"]
    assert len((tmp_path / "train.jsonl").read_text(encoding="utf-8").splitlines()) == 6


def test_an_earlier_export_that_cannot_be_understood_is_not_replaced(sixty, tmp_path):
    export(sixty, "trl", tmp_path)
    (tmp_path / "export.json").write_text("{", encoding="utf-8")
    before = content_of(tmp_path)
    with pytest.raises(InputError, match=r"export\.json cannot be read"):
        export(sixty, "openai", tmp_path, overwrite=True)
    assert content_of(tmp_path) == before


def test_a_file_in_the_way_is_refused_even_when_overwriting(sixty, tmp_path):
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is a file"):
        export(sixty, "trl", tmp_path / "out", overwrite=True)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


def test_a_path_the_disk_refuses_is_a_store_error(sixty, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written") as caught:
        export(sixty, "trl", tmp_path / "file" / "out")
    assert caught.value.exit_code == 2


def test_nothing_to_export_says_why_and_leaves_no_folder(make_rollout, make_data, tmp_path):
    tied = make_rollout(scores=(0.5, 0.5, 0.5))
    with pytest.raises(InputError, match="1 no_pairs"):
        export(make_data(tied), "trl", tmp_path / "out")
    with pytest.raises(InputError, match="none were given"):
        export(make_data(), "recipe", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def write_half(out: Path) -> None:
    with staged_folder(out, overwrite=True) as folder:
        write_text(folder / "train.jsonl", "half a line")
        raise RuntimeError("half way")


def test_a_failure_half_way_leaves_the_earlier_export_as_it_was(sixty, tmp_path):
    export(sixty, "trl", tmp_path)
    before = content_of(tmp_path)
    with pytest.raises(RuntimeError, match="half way"):
        write_half(tmp_path)
    assert content_of(tmp_path) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from character.exports.files import staged_folder
from character.files import write_text
with staged_folder(Path(sys.argv[1]), overwrite=True) as folder:
    write_text(folder / "train.jsonl", "half a line")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_export_changes_no_file_and_does_not_block_the_next(sixty, tmp_path):
    out = tmp_path / "out"
    dead = subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False)
    assert dead.returncode == -9
    assert not (out / "train.jsonl").exists()
    export(sixty, "trl", out)
    assert (out / "export.json").exists()


def test_parquet_without_pyarrow_names_the_extra(tmp_path):
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from character.exports.files import parquet_sink\nfrom pathlib import Path\n"
        "with parquet_sink(Path(sys.argv[1])) as write: pass\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")], check=False, capture_output=True, text=True
    )
    assert "MissingExtraError" in run.stderr
    assert "character-framework[parquet]" in run.stderr


def test_importing_exports_loads_nothing_heavy():
    code = "import sys, character.exports; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(run.stdout.split())
    assert not loaded & {"dspy", "litellm", "pyarrow", "datasets", "huggingface_hub", "httpx", "torch", "trl"}


def test_the_cache_of_datasets_never_gives_the_rows_of_another_folder_of_the_same_name(
    make_data, make_rollout, tmp_path
):
    texts = {"first": "How do I learn to cook?", "second": "Why is the sky blue at noon?"}
    for place, text in texts.items():
        export(make_data(make_rollout(text)), "trl", tmp_path / place / "trl", split=ALL_IN_TRAIN)
    for place, text in texts.items():
        # One cache for both, and each folder by its name alone, as a recipe beside it says it.
        rows = subprocess.run(
            [
                sys.executable,
                "-c",
                "import datasets; print(datasets.load_dataset('trl', split='train')[0]['prompt'][0]['content'])",
            ],
            cwd=tmp_path / place,
            env={**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert rows.stdout.strip() == text
