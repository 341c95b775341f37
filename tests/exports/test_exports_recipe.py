"""The recipe's JSON shapes come out field for field, as the recipe spells them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from character.exports import Split, export
from character.exports.rows import recipe_prompt
from character.records import Candidates, Message, Ranking, Rollout, Turn


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_recipes_own_example_comes_out_as_the_recipe_writes_it(make_rollout, make_data, tmp_path):
    data = make_data(
        make_rollout(),
        make_rollout(
            "有人问你为什么迟到, 你怎么回答?",
            trait="幽默感",
            kind="situation",
            answers=["a", "b"],
            scores=[0.5, 0.75],
        ),
        make_rollout(
            "你觉得自己是个幽默的人吗?",
            trait="幽默感",
            kind="self_reflection",
            answers=["a", "b"],
            scores=[1.0, 0.0],
        ),
    )
    export(data, "recipe", tmp_path)

    assert json.loads((tmp_path / "traits.json").read_text(encoding="utf-8")) == [
        {"trait": "耐心", "description": "在解释或回答问题时详细、耐心, 不急躁"},
        {"trait": "幽默感", "description": "在适当场合加入轻松幽默的回答"},
    ]
    assert json.loads((tmp_path / "messages.json").read_text(encoding="utf-8")) == [
        {"type": "问题型", "prompt": "我不理解这个数学问题, 你能解释一下吗?"},
        {"type": "情境型", "prompt": "有人问你为什么迟到, 你怎么回答?"},
        {"type": "自我反思型", "prompt": "你觉得自己是个幽默的人吗?"},
    ]
    assert lines(tmp_path / "candidates.jsonl")[0] == {
        "prompt": "我不理解这个数学问题, 你能解释一下吗?",
        "trait": "耐心",
        "candidates": [
            "当然可以, 我可以从基础概念开始慢慢解释……",
            "这个题很简单, 你只要记住公式就行。",
            "数学有点难, 你自己再试试吧。",
        ],
    }
    assert lines(tmp_path / "scores.jsonl") == [
        {"scores": [0.95, 0.3, 0.1]},
        {"scores": [0.5, 0.75]},
        {"scores": [1.0, 0.0]},
    ]
    assert lines(tmp_path / "preferences.jsonl")[0] == {
        "prompt": "我不理解这个数学问题, 你能解释一下吗?",
        "preferred": "当然可以, 我可以从基础概念开始慢慢解释……",
        "less_preferred": ["这个题很简单, 你只要记住公式就行。", "数学有点难, 你自己再试试吧。"],
    }


def test_a_tie_for_the_best_gives_one_preference_row_per_chosen_response(make_rollout, make_data, tmp_path):
    rollout = make_rollout(answers=["x", "y", "z"], scores=[0.9, 0.8, 0.1])
    again = rollout.pairs[1].model_copy(
        update={"id": "other", "chosen": "y", "score_chosen": 0.8, "margin": 0.7}
    )
    export(make_data(rollout.model_copy(update={"pairs": (*rollout.pairs, again)})), "recipe", tmp_path)
    rows = [(row["preferred"], row["less_preferred"]) for row in lines(tmp_path / "preferences.jsonl")]
    assert rows == [("x", ["y", "z"]), ("y", ["z"])]


def test_row_n_of_the_scores_belongs_to_row_n_of_the_candidates_when_some_are_unranked(
    make_rollout, make_data, tmp_path
):
    whole = make_rollout("first", answers=["a", "b"], scores=[1.0, 0.0])
    message = Message.of("second", trait="耐心")
    candidates = Candidates(message_id=message.id, trait="耐心", items=whole.candidates.items)
    unranked = Ranking(
        message_id=message.id,
        candidates_id=candidates.id,
        trait="耐心",
        status="unranked",
        reason="judge_unreadable",
    )
    last = make_rollout("third", answers=["c", "d"], scores=[0.25, 0.5])
    data = make_data(whole, Rollout(message=message, candidates=candidates, ranking=unranked), last)

    report = export(data, "recipe", tmp_path)

    prompts = [row["prompt"] for row in lines(tmp_path / "candidates.jsonl")]
    scores = [row["scores"] for row in lines(tmp_path / "scores.jsonl")]
    assert list(zip(prompts, scores, strict=True)) == [("first", [1.0, 0.0]), ("third", [0.25, 0.5])]
    assert report.skipped == {"unranked": 1}


def test_the_recipe_is_never_split(make_rollout, make_data, tmp_path):
    report = export(
        make_data(make_rollout()), "recipe", tmp_path, split=Split(train=0, validation=0.5, test=0.5)
    )
    assert {file.split for file in report.files} == {None}
    assert report.empty_splits == ()


def test_a_conversation_becomes_one_string_with_speakers_in_its_language():
    turns = [
        Turn(role="user", content="你好"),
        Turn(role="assistant", content="在"),
        Turn(role="user", content="为什么？\n急"),
    ]
    assert recipe_prompt(turns, "zh-Hans") == "用户：你好\n\n助手：在\n\n用户：为什么？\n急"
    assert recipe_prompt(turns, "en") == "User: 你好\n\nAssistant: 在\n\nUser: 为什么？\n急"
    assert recipe_prompt(turns[:1], "zh") == "你好"
