"""``character preference`` and ``audit --preference``: what they write and print, and how they fail."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from training_rows import write_model

from character import Config, load_constitution, run
from character.locale import LANGUAGES, Language, wording
from character.preference import load_preference_model

CONSTITUTIONS = Path(__file__).parents[2] / "examples" / "constitutions"
REHEARSAL_WORDS = {language: wording("report.page", language)["rehearsal"] for language in LANGUAGES}


def character(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "character", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def visible(page: str) -> str:
    """Return the text of a page without its scripts, styles, and what models wrote."""
    text = re.sub(r"<(script|style)[^>]*>.*?</\1>", " ", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "\n", text))


def json_of(*arguments: object, code: int = 0) -> Any:
    return json.loads(character(*arguments, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Return a run in Chinese, another of the same traits with other messages, and a model fitted on the first."""
    folder = tmp_path_factory.mktemp("preference")
    for name, seed in (("first", 0), ("second", 7)):
        settings = Config.model_validate({"messages": {"per_trait": 10}, "seed": seed})
        run(load_constitution(CONSTITUTIONS / "patience-and-humour.zh.toml"), folder / name, config=settings)
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
    done = character("preference", "evaluate", first, "--out", tmp_path / "r.html")
    found = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (found["how"], found["num_folds"]) == ("cross_validated", 5)
    assert "它有多可靠" in done.stdout
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "轻量模型 · 按消息分 5 折交叉验证" in page
    assert not re.findall(r"(?i)\b(light|accuracy|question|situation|best_rest)\b", visible(page))
    assert not re.findall(r"[\u4e00-\u9fff] ?[,;:]", visible(page))
    character("preference", "evaluate", first, "--out", tmp_path / "r.html", "--language", "en")
    assert "What it is worth" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_the_rehearsal_model_is_named_wherever_its_figures_go(
    made: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    first, second, model = made
    assert json.loads((model / "preference.json").read_text(encoding="utf-8"))["rehearsal"] is True
    assert load_preference_model(model).rehearsal is True
    assert REHEARSAL_WORDS["en"] in character("preference", "fit", first, "--out", tmp_path / "m").stdout
    assert REHEARSAL_WORDS["en"] in character("preference", "why", model, "a", "b", "--trait", "耐心").stderr
    opinion = json_of("audit", second, "--preference", model, "--out", tmp_path / "a.html")["second_opinion"]
    assert opinion["rehearsal"] is True
    character("export", first, "--format", "trl", "--out", tmp_path / "rows")
    plain = tmp_path / "plain.jsonl"
    plain.write_bytes((tmp_path / "rows" / "train.jsonl").read_bytes())
    runs: tuple[tuple[Path, tuple[Any, ...], Language], ...] = (
        (second, ("--model", model), "zh"),
        (tmp_path / "rows", (), "zh"),
        (tmp_path / "rows" / "train.jsonl", ("--language", "en"), "en"),
    )
    for pairs, more, said in runs:
        character("preference", "evaluate", pairs, *more, "--out", tmp_path / "e.html")
        assert REHEARSAL_WORDS[said] in (tmp_path / "e.html").read_text(encoding="utf-8")
        assert json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))["rehearsal"] is True
    assert json_of("preference", "evaluate", plain)["rehearsal"] is None


def test_a_saved_model_is_measured_on_what_it_has_not_seen(made: tuple[Path, Path, Path]) -> None:
    first, second, model = made
    found = json_of("preference", "evaluate", second, "--model", model)
    assert found["how"] == "held_out"
    assert found["overall"]["num_pairs"] > found["num_seen"]
    assert found["not_fitted"] == []
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
    assert other["num_seen"] < other["num_pairs"]
    assert 0 <= other["agreement"]["value"] <= 1
    shown = [one["probability"] for one in other["disagreements"]]
    assert shown == sorted(shown, reverse=True)
    assert "第二意见" in (tmp_path / "a.html").read_text(encoding="utf-8")
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
    assert "was not fitted on 勇敢" in other.stderr


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory, made: tuple[Path, Path, Path]) -> tuple[Path, Path]:
    """Return a run of traits that the model does not know, and one of which it knows one of two."""
    folder = tmp_path_factory.mktemp("others")
    known = load_constitution(CONSTITUTIONS / "patience-and-humour.zh.toml")
    strange = load_constitution(CONSTITUTIONS / "patience-and-humour.en.toml")
    mixed = known.model_copy(update={"traits": (known.traits[0], strange.traits[1])})
    for name, constitution in (("strange", strange), ("mixed", mixed)):
        settings = Config.model_validate({"messages": {"per_trait": 4}, "seed": 3})
        run(constitution, folder / name, config=settings)
    return folder / "strange", folder / "mixed"


def test_a_model_that_knows_none_of_the_traits_is_refused_everywhere(
    made: tuple[Path, Path, Path], others: tuple[Path, Path], tmp_path: Path
) -> None:
    model, base, out = made[2], write_model(tmp_path / "base"), tmp_path / "out"
    for command in (
        ("preference", "evaluate", others[0], "--model", model, "--out", tmp_path / "e.html"),
        ("audit", others[0], "--preference", model, "--out", tmp_path / "a.html"),
        ("train", "grpo", others[0], "--preference-model", model, "--model", base, "--out", out),
    ):
        said = character(*command, code=2).stderr
        assert "none of the traits patience, humour" in said
        assert "耐心, 幽默感" in said
    assert {path.name for path in tmp_path.iterdir()} == {"base"}


def test_a_trait_that_the_model_does_not_know_beside_one_that_it_does_is_said(
    made: tuple[Path, Path, Path], others: tuple[Path, Path], tmp_path: Path
) -> None:
    said = character("preference", "evaluate", others[1], "--model", made[2], "--out", tmp_path / "e.html")
    assert "humour" in said.stdout
    assert json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))["not_fitted"] == ["humour"]
    found = json_of("audit", others[1], "--preference", made[2], "--out", tmp_path / "a.html")
    assert found["second_opinion"]["not_fitted"] == ["humour"]
    assert "second_opinion_not_fitted" in {finding["code"] for finding in found["findings"]}


def test_one_trait_of_a_run_is_looked_at_alone_and_an_unknown_one_is_refused(
    made: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    found = json_of("preference", "evaluate", made[1], "--model", made[2], "--trait", "耐心")
    assert set(found["groups"]["trait"]) == {"耐心"}
    assert found["left_out"]["other_trait"] > 0
    for command in (("evaluate", made[1]), ("fit", made[1], "--out", tmp_path / "m")):
        said = character("preference", *command, "--trait", "耐心的", code=2).stderr
        assert "trait '耐心的' is not known" in said
        assert "one of 幽默感, 耐心" in said
