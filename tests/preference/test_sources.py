"""Pairs are read from runs, exports and plain files; what cannot be read is named by file, line and field."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from character import Config, Constitution, run
from character.cli import cli
from character.errors import InputError, StoreError
from character.preference.sources import read_pairs
from character.review.answers import CheckAnswer, target_key
from character.review.store import ReviewStore
from character.store.run_store import RunStore

PLAIN = {
    "prompt": "Why is 0.999… 1?",
    "chosen": "Take your time.",
    "rejected": "Just is.",
    "trait": "patience",
}

SIDES, SYSTEM = ("chosen", "rejected"), {"role": "system", "content": "Be brief."}


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small run in Chinese."""
    folder = tmp_path_factory.mktemp("made") / "run"
    traits = [
        {"name": "耐心", "description": "肯花时间。"},
        {"name": "幽默感", "description": "偶尔开个玩笑。"},
    ]
    constitution = Constitution.model_validate({"name": "两个", "language": "zh", "traits": traits})
    run(constitution, folder, config=Config.model_validate({"messages": {"per_trait": 6}}))
    return folder


def test_the_test_split_of_an_export_can_be_left_out(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "trl"
    split = ["--split", "60/20/20"]
    cli.main(["export", str(made), "--format", "trl", "--out", str(out), *split], standalone_mode=False)
    test = read_pairs(out / "test.jsonl").pairs
    found = read_pairs(out, with_test=False)
    assert found.dropped["test_split"] == len(test) > 0
    assert len(found.pairs) + len(test) == len(read_pairs(out).pairs)


def test_what_reviewers_vetoed_is_left_out(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made, tmp_path / "run")
    before = read_pairs(folder).pairs
    with ReviewStore(folder) as reviews:
        veto = CheckAnswer(verdict="veto", note="no")
        reviews.record("Ann", "check", {target_key("trait", "耐心"): veto}, seen=0, nonce="1")
    found = read_pairs(folder)
    assert {pair.trait for pair in before} == {"耐心", "幽默感"}
    assert {pair.trait for pair in found.pairs} == {"幽默感"}
    assert found.dropped["vetoed_trait"] == 6


def test_an_effect_is_no_run(tmp_path: Path) -> None:
    folder = tmp_path / "effect"
    with RunStore.create(folder) as store:
        store.set_meta("effect", "{}")
    with pytest.raises(StoreError, match="holds an effect, not a run"):
        read_pairs(folder)


def test_a_run_and_its_exports_give_the_same_pairs(made: Path, tmp_path: Path) -> None:
    whole = {(p.trait, p.prompt[-1].content, p.chosen, p.rejected) for p in read_pairs(made).pairs}
    assert {trait.name for trait in read_pairs(made).traits} == {"耐心", "幽默感"}
    for format in ("trl", "recipe"):
        out = tmp_path / format
        cli.main(["export", str(made), "--format", format, "--out", str(out)], standalone_mode=False)
        found = read_pairs(out)
        assert {(p.trait, p.prompt[-1].content, p.chosen, p.rejected) for p in found.pairs} == whole


def test_the_plain_shape_turns_and_implicit_prompts_are_read(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "你会怎么做？"}]
    answers = {
        side: [*asked, {"role": "assistant", "content": text}]
        for side, text in (("chosen", "慢慢来"), ("rejected", "不知道"))
    }
    system = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
    found = read_pairs(
        written(
            tmp_path / "p.jsonl",
            {**PLAIN, "probability": 0.8, "kind": "情境型", "column of another tool": 1},
            {**answers, "trait": "耐心"},
            {**PLAIN, "prompt": system},
        )
    )
    plain, implicit, with_system = found.pairs
    assert (plain.probability, plain.kind, plain.language, plain.margin) == (0.8, "situation", "en", 1.0)
    assert (implicit.prompt[-1].content, implicit.chosen, implicit.language) == (
        "你会怎么做？",
        "慢慢来",
        "zh",
    )
    assert [turn.role for turn in with_system.prompt] == ["user"]
    assert found.dropped == {"system_turn": 1}


def test_what_says_nothing_is_dropped_and_counted(tmp_path: Path) -> None:
    rows = [PLAIN, PLAIN, {**PLAIN, "rejected": " "}, {**PLAIN, "rejected": "Take your time. "}]
    assert read_pairs(written(tmp_path / "p.jsonl", *rows)).dropped == {
        "duplicate": 1,
        "empty_side": 1,
        "identical_sides": 1,
    }


def test_scores_become_the_margin(tmp_path: Path) -> None:
    (pair,) = read_pairs(
        written(tmp_path / "p.jsonl", {**PLAIN, "score_chosen": 0.9, "score_rejected": 0.2})
    ).pairs
    assert pair.margin == pytest.approx(0.7)


def without(field: str) -> dict[str, str]:
    return {key: value for key, value in PLAIN.items() if key != field}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (without("trait"), "line 1: trait: found none"),
        (without("prompt"), "line 1: prompt: found none"),
        (without("rejected"), "found an object with the fields 'prompt', 'chosen', 'trait'"),
        ({**PLAIN, "chosen": 7}, "chosen: found no text"),
        ({**PLAIN, "chosen": [{"role": "assistant"}]}, "no turn with role and content"),
        ({**PLAIN, "prompt": [{"role": "assistant", "content": "x"}]}, "no turns that end with the user's"),
        ({**PLAIN, "kind": "quiz"}, "'quiz' is not known"),
        ({**PLAIN, "probability": 2}, "line 1: probability"),
        ({**PLAIN, "score_chosen": 0.1, "score_rejected": 0.2}, "must score higher"),
        ({**PLAIN, "score_chosen": "high", "score_rejected": 0.2}, "score_chosen"),
        ({"prompt": "x", "preferred": "y", "less_preferred": "z"}, "less_preferred: found no list"),
        ({side: [SYSTEM, {"role": "assistant", "content": side}] for side in SIDES}, "prompt: found none"),
        ({"input": {}, "preferred_output": []}, "found an object with the fields"),
        (["a"], "line 1"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: object, said: str, tmp_path: Path) -> None:
    path = written(tmp_path / "p.jsonl", row)
    with pytest.raises(InputError) as refused:
        read_pairs(path)
    assert said in str(refused.value)
    assert "Expected" in str(refused.value)


def test_one_trait_for_all_rows_can_be_given(tmp_path: Path) -> None:
    path = written(tmp_path / "p.jsonl", without("trait"))
    assert read_pairs(path, trait="patience").pairs[0].trait == "patience"


def test_places_without_pairs_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "bent.jsonl").write_text('{"prompt": ')
    for name, said in (
        ("empty.jsonl", "there is no pair"),
        ("folder", "neither a run nor"),
        ("bent.jsonl", "not valid JSON"),
        ("none", "cannot be read"),
    ):
        with pytest.raises(InputError, match=said):
            read_pairs(tmp_path / name)
