"""``character preference`` and ``audit --preference``: what they write and print, and how they fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from character import Config, load_constitution, run

EXAMPLES = Path(__file__).parents[2] / "examples"


def character(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "character", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def json_of(*arguments: object, code: int = 0) -> Any:
    return json.loads(character(*arguments, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Return a run in Chinese, another in English, and a model that was fitted on the first."""
    folder = tmp_path_factory.mktemp("preference")
    settings = Config.model_validate({"messages": {"per_trait": 10}})
    for name, language in (("first", "zh"), ("second", "en")):
        constitution = load_constitution(EXAMPLES / "constitutions" / f"patience-and-humour.{language}.toml")
        run(constitution, folder / name, config=settings)
    character("preference", "fit", folder / "first", "--out", folder / "model")
    return folder / "first", folder / "second", folder / "model"


def test_fit_says_what_it_learnt_and_from_how_much(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    first, _, _ = made
    said = json_of("preference", "fit", first, "--out", tmp_path / "m", "--no-length-free")
    assert {head["trait"] for head in said["heads"]} == {"耐心", "幽默感"}
    assert sum(head["num_pairs"] for head in said["heads"]) == said["pairs"]
    assert (
        json.loads((tmp_path / "m" / "preference.json").read_text(encoding="utf-8"))["length_free"] is False
    )


def test_evaluate_cross_validates_and_writes_a_report(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    first, _, _ = made
    found = json_of("preference", "evaluate", first, "--out", tmp_path / "r.html", "--language", "zh")
    assert (found["how"], found["num_folds"]) == ("cross_validated", 5)
    assert "偏好模型" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8")) == found


def test_a_saved_model_is_measured_on_what_it_has_not_seen(made: tuple[Path, Path, Path]) -> None:
    first, second, model = made
    found = json_of("preference", "evaluate", second, "--model", model)
    assert (found["how"], found["num_seen"]) == ("held_out", 0)
    refused = json_of("preference", "evaluate", first, "--model", model, code=2)
    assert "fitted on the messages of all" in refused["error"]


def test_why_names_words(made: tuple[Path, Path, Path]) -> None:
    found = json_of("preference", "why", made[2], "换个说法再讲一遍也没关系", "自己看书", "--trait", "耐心")
    assert found["reasons"]
    assert (
        "for A"
        in character(
            "preference", "why", made[2], "换个说法再讲一遍也没关系", "自己看书", "--trait", "耐心"
        ).stdout
    )


def test_the_audit_shows_a_second_opinion_and_says_what_the_model_has_seen(
    made: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    first, second, model = made
    other = json_of("audit", second, "--preference", model, "--out", tmp_path / "a.html")["second_opinion"]
    assert other["num_seen"] == 0
    assert 0 <= other["agreement"]["value"] <= 1
    shown = [one["probability"] for one in other["disagreements"]]
    assert shown == sorted(shown, reverse=True)
    assert "A second opinion" in (tmp_path / "a.html").read_text(encoding="utf-8")
    own = json_of("audit", first, "--preference", model, "--out", tmp_path / "b.html")
    assert own["second_opinion"]["agreement"] is None
    assert "second_opinion_seen" in {finding["code"] for finding in own["findings"]}
    assert json_of("audit", first, "--out", tmp_path / "c.html")["second_opinion"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["preference", "fit", "nowhere", "--out", "m"], "cannot be read"),
        (["preference", "why", "nowhere", "a", "b", "--trait", "x"], "cannot be read"),
        (["preference", "fit", "nowhere"], "Missing option '--out'"),
        (["preference", "evaluate", "nowhere"], "cannot be read"),
    ],
)
def test_mistakes_get_one_clear_error(arguments: list[str], said: str) -> None:
    assert said in character(*arguments, code=2).stderr


def test_a_model_is_not_written_over_a_file_or_into_a_run(
    made: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    first, second, _ = made
    (tmp_path / "pairs.jsonl").write_text("", encoding="utf-8")
    for out, said in ((tmp_path / "pairs.jsonl", "is a file"), (second, "is the folder of a run")):
        assert said in character("preference", "fit", first, "--out", out, code=2).stderr


def test_a_trait_it_was_not_fitted_on_is_said_to_be_one(made: tuple[Path, Path, Path]) -> None:
    *_, model = made
    known = character("preference", "why", model, "慢慢来。", "快点。", "--trait", "耐心")
    assert "not fitted" not in known.stderr
    other = character("preference", "why", model, "慢慢来。", "快点。", "--trait", "勇敢")
    assert "was not fitted on '勇敢'" in other.stderr
