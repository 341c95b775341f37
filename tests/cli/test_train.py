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
from character.review.answers import CheckAnswer
from character.review.store import ReviewStore
from character.store.run_store import RunStore


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


def test_the_section_train_of_a_configuration_says_what_flags_say(finished, tmp_path):
    base = write_model(tmp_path / "base")
    config = tmp_path / "config.toml"
    section = f'[train]\nmodel = "{base}"\npreset = "gpu24"\nsplit = "50/50/0"\nvalues = {{ beta = 0.2 }}\n'
    config.write_text(f"seed = 3\n{section}", encoding="utf-8")
    flags = ("--model", base, "--preset", "gpu24", "--split", "50/50/0", "--set", "beta=0.2", "--seed", 3)
    for name, more in (("toml", ("--config", config)), ("flags", flags)):
        done = character("train", "dpo", finished, "--out", tmp_path / name, *more)
        assert done.returncode == 0, done.stderr
    recipes = [(tmp_path / name / "recipe.yaml").read_text("utf-8") for name in ("toml", "flags")]
    assert recipes[0] == recipes[1]
    assert "beta: 0.2" in recipes[0]
    done = character("train", "dpo", finished, "--out", tmp_path / "none")
    assert done.returncode == 2
    assert "no base model is named" in done.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--reward-model", "x", "--preference-model", "y"], "both given"),
        (["--set", "beta"], "says no setting"),
        (["--set", "beta=abc"], "the setting beta is 'abc'"),
        (["--set", "bata=0.2"], "did you mean beta"),
        (["--set", "max_length=ten"], "Expected: a whole number"),
        (["--set", "learning_rate=-1"], "a number above 0"),
        (["--set", "bf16=maybe"], "Expected: true or false"),
        (["--set", "beta=[1"], "has a value that cannot be read"),
        (["--set", "num_generations=4"], "'num_generations' is not known for dpo"),
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
    assert not (tmp_path / "dpo").exists()


@pytest.mark.parametrize("content", [b'{"a": ', b"\xff\xfe", b"[]"])
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_model_folder_that_cannot_be_read_is_named(finished, tmp_path, name, content):
    base = write_model(tmp_path / "base")
    (base / name).write_bytes(content)
    done = character("train", "dpo", finished, "--out", tmp_path / "dpo", "--model", base)
    assert done.returncode == 2, done.stderr
    assert f"{base / name} cannot be read" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "dpo").exists()


def test_a_number_in_any_notation_and_an_empty_value_are_understood(finished, tmp_path):
    base = write_model(tmp_path / "base")
    options = ("--set", "learning_rate=1e-5", "--set", "lr_scheduler_type=")
    done = character("train", "dpo", finished, "--out", tmp_path / "dpo", "--model", base, *options)
    assert done.returncode == 0, done.stderr
    settings = yaml.safe_load((tmp_path / "dpo/recipe.yaml").read_text("utf-8"))
    assert (settings["learning_rate"], "lr_scheduler_type" in settings) == (1e-5, False)


def test_what_reviewers_vetoed_is_counted_in_the_checks(finished, tmp_path):
    with RunStore(finished) as store:
        paired = [rollout for rollout in store.rollouts() if rollout.pairs]
    vetoes = (f"message:{paired[0].message.id}", f"pair:{paired[1].pairs[0].id}")
    with ReviewStore(finished) as reviews:
        for item in vetoes:
            reviews.record("Ann", "check", {item: CheckAnswer(verdict="veto")}, seen=0, nonce=item)
    base = write_model(tmp_path / "base")
    done = character("train", "dpo", finished, "--out", tmp_path / "dpo", "--model", base)
    assert done.returncode == 0, done.stderr
    said = "Left out by reviewers' vetoes: 1 vetoed messages, 1 vetoed pairs."
    assert said in done.stdout
    assert said in (tmp_path / "dpo/checks.md").read_text("utf-8")
