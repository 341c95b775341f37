"""Saved rankers on the command line: listed, used in a run, part of what makes the run this run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, as_rehearsal, asks_for
from saved_rankers import ADVICE, artifact, tuned_ranker

from character import Config, Ranker, build_lms
from character.config import load_config
from character.errors import ConfigError
from character.locale import LANGUAGES, wording
from character.ranking.saved import build_ranker, keep_ranker, ranker_notes, with_tuned_ranker
from optimizers.artifact.artifact import load_artifact, save_artifact
from optimizers.artifact.records import LabelledFacts
from optimizers.calibration.calibration import Calibration

REHEARSAL_WORDS = {language: wording("report.page", language)["rehearsal"] for language in LANGUAGES}
TRAITS = '[{"trait": "耐心", "description": "在解释时详细，不急躁"}]'


def character(*arguments: object, cwd: Path, columns: int = 200) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "character", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=environment
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a constitution, a tuned ranker and two files that are none."""
    (tmp_path / "c.json").write_text(TRAITS, encoding="utf-8")
    save_artifact(tmp_path / "tuned" / "ranker.json", artifact())
    return tmp_path


def test_rankers_lists_what_is_saved_and_says_why_a_file_is_refused(folder: Path) -> None:
    save_artifact(folder / "tuned" / "other.json", artifact(adopted=False, reason="no gain was shown"))
    data = json.loads((folder / "tuned" / "ranker.json").read_text(encoding="utf-8"))
    (folder / "tuned" / "bad.json").write_text(json.dumps({**data, "api_base": "http://x.invalid"}))
    (folder / "tuned" / "notes.json").write_text("{}")
    shown = character("rankers", folder, cwd=folder, columns=80)
    assert shown.returncode == 0, shown.stderr
    for said in ("tuned/ranker.json", "few_shot", "0.60 → 0.80", "+0.20 [+0.10, +0.30]", "no", "refused"):
        assert said in shown.stdout
    assert max(len(line) for line in shown.stdout.split("\n")) <= 80
    assert "…" not in shown.stdout
    detailed = character("rankers", folder, "--details", cwd=folder, columns=80).stdout
    for said in (
        "few_shot on openai/fake-model",
        "24 patience",
        "no gain was shown",
        "api_base: this key does",
    ):
        assert said in detailed
    assert "notes.json" not in detailed
    rows = {row["file"]: row for row in json.loads(character("rankers", "--json", cwd=folder).stdout)}
    assert set(rows) == {f"tuned/{name}.json" for name in ("bad", "other", "ranker")}
    assert rows["tuned/bad.json"]["refused"].startswith("api_base: this key does not belong")
    assert rows["tuned/ranker.json"]["fingerprint"] == artifact().fingerprint


def test_a_ranker_that_measures_length_is_listed_and_used_with_a_warning(folder: Path) -> None:
    tuned = tuned_ranker(calibration=Calibration(length_credit=-0.1, length_share=0.5))
    save_artifact(folder / "tuned" / "ranker.json", artifact(tuned))
    saved = json.loads((folder / "tuned" / "ranker.json").read_text(encoding="utf-8"))
    assert (saved["calibration"]["length_credit"], saved["calibration"]["length_share"]) == (-0.1, 0.5)
    said = "a candidate twice as long gets 0.07 less"
    assert said in " ".join(character("rankers", folder, cwd=folder).stdout.split())
    (row,) = json.loads(character("rankers", "--json", cwd=folder).stdout)
    assert said in row["warning"]
    config = Config.model_validate({"ranking": {"ranker": str(folder / "tuned" / "ranker.json")}})
    assert any(said in note for note in ranker_notes(config))


def test_labels_in_another_language_and_the_rehearsal_model_are_told(folder: Path) -> None:
    facts = LabelledFacts(name="patience", fingerprint="ab" * 8, num_items=24, languages=("en",))
    path = folder / "tuned" / "ranker.json"
    save_artifact(path, artifact(labelled=facts, rehearsal=True))
    done = character("run", "c.json", "--out", "run", "--dry-run", "--ranker", path, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "tuned on labels in en; here it judges in zh" in done.stderr
    assert REHEARSAL_WORDS["en"] in done.stderr
    assert REHEARSAL_WORDS["en"] in " ".join(character("rankers", folder, cwd=folder).stdout.split())
    config = config_with(path)
    assert not [note for note in ranker_notes(config, "en-GB") if "labels in" in note]
    save_artifact(path, artifact())
    assert not [note for note in ranker_notes(config, "zh") if "labels in" in note or "trying" in note]


def test_an_empty_folder_says_how_to_make_one(tmp_path: Path) -> None:
    done = character("rankers", tmp_path, cwd=tmp_path)
    assert (done.returncode, "character optimize" in done.stdout) == (0, True)


def run_at(folder: Path, server: FakeServer, *more: object) -> subprocess.CompletedProcess[str]:
    fixed = ("run", "c.json", "--out", "run", "--messages-per-trait", 1, "--json")
    backend = ("--lm", "openai/fake-model", "--api-base", server.url)
    return character(*fixed, *backend, "--ranker", "tuned/ranker.json", *more, cwd=folder)


def test_a_run_ranks_as_tuned_and_keeps_a_copy(folder: Path, server: FakeServer) -> None:
    tuned = tuned_ranker(passes=3, max_passes=3)
    tuned.rank.config = {"temperature": 0.3}
    save_artifact(folder / "tuned" / "ranker.json", artifact(tuned))
    done = run_at(folder, server)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pairs"] > 0
    assert "was tuned on" not in done.stderr, "the model is the one it was tuned on"
    judged = [request for request in server.requests if asks_for(request) == "scores"]
    assert len(judged) == 3, "it asks as often as it was measured with"
    for request in judged:
        assert request["temperature"] == 0.3
        said = [message["content"] for message in request["messages"]]
        assert ADVICE.strip() in said[0]
        assert "How do I add fractions?" in said[1]
    others = [request for request in server.requests if asks_for(request) != "scores"]
    assert not any("add fractions" in json.dumps(request) for request in others)
    assert load_artifact(folder / "run" / "ranker.json") == load_artifact(folder / "tuned" / "ranker.json")


def test_the_same_ranker_elsewhere_goes_on_and_another_one_is_another_run(
    folder: Path, server: FakeServer
) -> None:
    assert run_at(folder, server).returncode == 0
    asked = len(server.requests)
    (folder / "moved.json").write_bytes((folder / "tuned" / "ranker.json").read_bytes())
    moved = run_at(folder, server, "--ranker", "moved.json")
    assert moved.returncode == 0, moved.stderr
    assert len(server.requests) == asked
    other = tuned_ranker()
    other.rank.demos = []
    save_artifact(folder / "tuned" / "ranker.json", artifact(other))
    changed = run_at(folder, server)
    assert changed.returncode == 2
    assert "ranking.ranker" in changed.stderr
    save_artifact(folder / "run" / "ranker.json", artifact(other))
    swapped = run_at(folder, server, "--ranker", "moved.json")
    assert swapped.returncode == 2
    assert "is another ranker" in swapped.stderr


def test_another_model_and_one_that_was_not_adopted_are_told(folder: Path) -> None:
    save_artifact(folder / "tuned" / "ranker.json", artifact(adopted=False, reason="no gain was shown"))
    with FakeServer(script=as_rehearsal, name="other") as server:
        done = run_at(folder, server, "--lm-ranking", "openai/other")
    assert done.returncode == 0, done.stderr
    assert "was tuned on openai/fake-model; here openai/other judges" in done.stderr
    assert "character optimize LABELLED --recheck tuned/ranker.json" in done.stderr
    assert "was not adopted: no gain was shown" in done.stderr
    notes = [line for line in (folder / "run" / "log.jsonl").read_text().splitlines() if "tuned on" in line]
    assert len(notes) == 1


def config_with(path: Path, **ranking: Any) -> Config:
    return load_config(overrides={"ranking": {"ranker": str(path), **ranking}})


def test_settings_given_in_the_configuration_win_over_the_saved_ones(folder: Path) -> None:
    path = folder / "r.json"
    save_artifact(path, artifact(tuned_ranker(strategy="pairwise", passes=3, max_passes=6)))
    taken = with_tuned_ranker(config_with(path)).ranking
    assert (taken.strategy, taken.passes, taken.max_passes) == ("pairwise", 3, 6)
    given = with_tuned_ranker(config_with(path, passes=1))
    assert (given.ranking.passes, given.ranking.most_passes) == (1, 1)
    assert any("measured with passes = 3, here it is 1" in note for note in ranker_notes(given))
    built = build_ranker(config_with(path, passes=2).ranking, {})
    assert (built.strategy, built.passes, len(built.rank.demos)) == ("pairwise", 2, 1)
    with pytest.raises(ConfigError, match="judges by pairwise"):
        with_tuned_ranker(config_with(path, strategy="scores"))


def test_a_resolved_configuration_resolves_to_itself(folder: Path) -> None:
    config = with_tuned_ranker(config_with(folder / "tuned" / "ranker.json"))
    assert with_tuned_ranker(config) == config
    assert with_tuned_ranker(Config.model_validate_json(config.model_dump_json())) == config
    assert with_tuned_ranker(Config()) == Config()
    assert keep_ranker(folder, Config()) == Config()
    assert ranker_notes(Config()) == []


def test_each_juror_that_is_another_model_is_told(folder: Path) -> None:
    jurors = {
        "a": {"model": "openai/fake-model", "api_base": "http://127.0.0.1:9/v1"},
        "b": {"kind": "rehearsal"},
    }
    config = load_config(
        overrides={
            "ranking": {"ranker": str(folder / "tuned" / "ranker.json"), "backends": ["a", "b"]},
            "backends": jurors,
        }
    )
    (note,) = ranker_notes(config)
    assert "here rehearsal/default judges" in note
    assert set(build_ranker(config.ranking, build_lms(config)).jurors) == {"a", "b"}


def test_the_estimate_counts_the_examples_in_the_prompt(folder: Path) -> None:
    fixed = ("run", "c.json", "--out", "run", "--dry-run", "--json")
    plain = json.loads(character(*fixed, cwd=folder).stdout)["ranking"]
    tuned = json.loads(character(*fixed, "--ranker", "tuned/ranker.json", cwd=folder).stdout)["ranking"]
    each = plain["prompt_tokens"] / plain["calls"], tuned["prompt_tokens"] / tuned["calls"]
    assert each[1] - each[0] > 100
    assert not (folder / "run").exists()


def test_a_program_of_ones_own_takes_the_tuned_ranker(folder: Path) -> None:
    from character import CharacterProgram

    program = CharacterProgram.from_config(config_with(folder / "tuned" / "ranker.json"))
    assert isinstance(program.ranker, Ranker)
    assert ADVICE in program.ranker.rank.signature.instructions
