"""``character train`` on a real run: what it writes, what it says, and how it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from training_rows import write_model

from character import Constitution, load_config, run


def character(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "character", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def finished(constitution: Constitution, tmp_path: Path) -> Path:
    config = load_config(overrides={"messages": {"per_trait": 6}, "seed": 1})
    run(constitution, tmp_path / "run", config=config)
    return tmp_path / "run"


def test_a_run_becomes_a_folder_to_train_from(finished, tmp_path):
    base = write_model(tmp_path / "base")
    done = character(
        *("train", "dpo", finished, "--out", tmp_path / "dpo", "--model", base),
        *("--preset", "gpu24", "--set", "beta=0.2", "--json"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["facts"]["run_fingerprint"]
    settings = yaml.safe_load((tmp_path / "dpo/recipe.yaml").read_text("utf-8"))
    assert settings == report["settings"]
    assert (settings["beta"], settings["lora_r"]) == (0.2, 64)
    assert "Checks before training" in (tmp_path / "dpo/checks.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--reward-model", "x", "--preference-model", "y"], "both given"),
        (["--set", "beta"], "says no setting"),
        (["--mix", "rows.jsonl"], "FILE:share"),
        (["--design", "bestt"], "did you mean"),
        (["--reward-model", "x"], "was given a reward"),
    ],
)
def test_what_cannot_be_is_refused_with_exit_code_2_and_no_traceback(finished, tmp_path, more, said):
    base = write_model(tmp_path / "base")
    done = character("train", "dpo", finished, "--out", tmp_path / "dpo", "--model", base, *more)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
