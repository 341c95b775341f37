"""Labelled sets as files: every shape and every trap, and errors that say where."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from character.errors import CharacterError
from optimizers.labelled import (
    LabelledError,
    LabelledItem,
    LabelledSet,
    check_labelled,
    from_candour,
    from_human_rankings,
    from_judge_votes,
    merge_labelled,
    read_judge_votes,
    read_labelled,
    write_labelled,
)

ROW: dict[str, Any] = {
    "message": "Why is the sky blue?",
    "trait": {"name": "patience", "description": "takes its time"},
    "candidates": ["a", "b", "c"],
    "labels": [{"rater": "x", "scores": [0.9, None, 0.1]}],
}


def _written(folder: Path, text: str | bytes, name: str = "set.jsonl") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def _lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.mark.parametrize(
    "spelling",
    [
        lambda rows: _lines(*rows),
        lambda rows: _lines(*rows).rstrip("\n"),
        lambda rows: "\ufeff" + _lines(*rows).replace("\n", "\r\n"),
        lambda rows: json.dumps(rows),
        lambda rows: json.dumps(rows, indent=2) + "\n",
        lambda rows: "\n\n".join(json.dumps(row, indent=1) for row in rows),
    ],
    ids=["lines", "no final newline", "mark and CRLF", "list", "indented list", "indented objects"],
)
def test_however_a_set_is_spelled_it_is_the_same_set(tmp_path: Path, spelling: Any) -> None:
    rows = [ROW, {**ROW, "message": "And a sunset?\u2028Two lines."}]
    labelled = read_labelled(_written(tmp_path, spelling(rows)))
    assert [item.message for item in labelled.items] == [row["message"] for row in rows]
    assert labelled.fingerprint == read_labelled(_written(tmp_path, _lines(*rows), "again.jsonl")).fingerprint


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_ITEMS = st.builds(
    lambda message, texts, rater, group, scores: LabelledItem.model_validate(
        {
            "turns": [{"role": "user", "content": message}],
            "trait": {"name": "trait"},
            "candidates": texts,
            "group": group,
            "labels": [{"rater": rater, "scores": scores[: len(texts)]}, {"order": [[1], [0]]}],
        }
    ),
    _TEXT,
    st.lists(_TEXT, min_size=2, max_size=4),
    _TEXT,
    st.sampled_from(["", "g"]),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
)


@given(st.lists(_ITEMS, min_size=1, max_size=4, unique_by=lambda item: item.id))
def test_what_is_written_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, items: list[LabelledItem]
) -> None:
    path = tmp_path_factory.mktemp("sets") / "set.jsonl"
    labelled = LabelledSet(items=tuple(items), name="set")
    write_labelled(path, labelled)
    assert read_labelled(path) == labelled
    assert len(path.read_bytes().strip(b"\n").split(b"\n")) == len(items)


def test_conversations_keep_their_turns(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "再讲一遍，好吗？"},
    ]
    item = read_labelled(_written(tmp_path, _lines({**ROW, "message": turns}))).items[0]
    assert item.message == turns
    assert item.language == "zh"


def test_the_recipes_scores_are_read_as_they_stand(tmp_path: Path) -> None:
    candidates = {
        "prompt": "我不理解这个数学问题, 你能解释一下吗?",
        "trait": "耐心",
        "candidates": ["慢慢来", "背公式", "自己试"],
    }
    apart = read_labelled(
        _written(tmp_path, json.dumps(candidates, indent=2) + '\n\n{\n  "scores": [0.95, 0.3, 0.1]\n}\n')
    )
    beside = read_labelled(
        _written(tmp_path, json.dumps([{**candidates, "type": "问题型", "scores": [0.95, 0.3, 0.1]}]))
    )
    assert apart.items == beside.items
    item = apart.items[0]
    assert item.consensus() == [0.95, 0.3, 0.1]
    assert (item.trait, item.language, item.kind) == (
        {"name": "耐心", "description": "耐心"},
        "zh",
        "question",
    )


def test_the_recipes_preferences_are_read_as_an_order(tmp_path: Path) -> None:
    row = {"prompt": "解释一下?", "preferred": "慢慢来", "less_preferred": ["背公式", "自己试"]}
    labelled = read_labelled(_written(tmp_path, _lines(row)), trait="耐心：不急躁")
    assert labelled.items[0].pairs() == [(0, 1, 1.0), (0, 2, 1.0)]
    assert labelled.items[0].trait == {"name": "耐心", "description": "不急躁"}


def test_rows_with_one_id_are_one_item_with_all_labels(tmp_path: Path) -> None:
    second = {
        **ROW,
        "labels": [{"rater": "y", "order": [[2], [0]]}, {"rater": "z", "scores": [None, None, None]}],
    }
    labelled = read_labelled(_written(tmp_path, _lines(ROW, second, ROW)))
    assert [label.rater for label in labelled.items[0].labels] == ["x", "y"]
    assert labelled.dropped == {"duplicate": 1, "empty": 1}
    assert merge_labelled([labelled, labelled]).items == labelled.items


def test_several_raters_partial_orders_and_answers_that_are_no_order(tmp_path: Path) -> None:
    said = [
        {"rater": "ann", "order": [[2], [0, 1]]},
        {"rater": "bob", "order": [[0], [2]]},
        {"rater": "cem", "answer": "unsuitable"},
        {"rater": "dora", "answer": "skip"},
        {"rater": "eve", "scores": [None, None, None]},
    ]
    nobody = {**ROW, "message": "你好？", "labels": [{"rater": "cem", "answer": "unsuitable"}]}
    labelled = read_labelled(_written(tmp_path, _lines({**ROW, "labels": said}, nobody)))
    first, second = labelled.items
    assert [label.rater for label in first.labels] == ["ann", "bob"]
    assert first.pairs() == [(2, 1, 1.0)], "0 against 2 is one vote each, 0 and 1 are tied"
    assert second.labels == ()
    assert labelled.dropped == {"unsuitable": 2, "skipped": 1, "empty": 1}
    assert "2 unsuitable" in " ".join(check_labelled(labelled).notes)


def test_an_answer_leaves_the_identity_of_the_labels_alone(tmp_path: Path) -> None:
    with_answer = {**ROW, "labels": [*ROW["labels"], {"rater": "y", "answer": "skip"}]}
    sets = [
        read_labelled(_written(tmp_path, _lines(row), f"{i}.jsonl"))
        for i, row in enumerate((ROW, with_answer))
    ]
    assert sets[0].fingerprint == sets[1].fingerprint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing in it"),
        (_lines({**ROW, "labels": [{"answer": "maybe"}]}), "labels.0.answer"),
        (_lines({**ROW, "labels": [{"answer": "skip", "order": [[0], [1]]}]}), "'skip' beside an order"),
        ("not json", "line 1, column 1: not valid JSON"),
        (_lines(ROW) + '{"message": "x",\n', "not valid JSON"),
        (_lines(ROW) + "7\n", "line 2: found int where"),
        (_lines(ROW, {**ROW, "stars": 5}), "line 2: the field 'stars' is not known"),
        (json.dumps([ROW, {**ROW, "stars": 5}]), "line 1, item 2: the field 'stars'"),
        (_lines({**ROW, "labels": [{"scores": [0.9, 0.1]}]}), "2 scores for 3"),
        (_lines({**ROW, "labels": [{"order": [[0], [7]]}]}), "index 7"),
        (_lines(ROW).replace("0.9", "NaN"), "NaN"),
        (_lines(ROW).replace("0.9", "1e999"), "labels.0.scores.0"),
        (_lines(ROW).replace("0.9", "9" * 5000), "line 1"),
        (_lines(ROW).replace('"rater": "x"', '"rater": "x", "rater": "y"'), "'rater' stands twice"),
        (_lines({**ROW, "candidates": ["a"]}), "candidates: .*at least 2"),
        (_lines({**ROW, "candidates": ["a", "", "c"]}), "candidates.1"),
        (_lines({key: value for key, value in ROW.items() if key != "trait"}), "trait: found no trait"),
        (_lines({**ROW, "trait": {"description": "x"}}), "trait: found no name"),
        (_lines({key: value for key, value in ROW.items() if key != "message"}), "message: found none"),
        (_lines({**ROW, "message": [{"role": "assistant", "content": "x"}]}), "end with the user's"),
        (_lines({**ROW, "levels": ["natural"]}), "1 levels for 3"),
        (
            _lines({**ROW, "id": "i"}, {**ROW, "id": "i", "message": "y"}),
            "two different items have the id 'i'",
        ),
        ('{"scores": [0.1]}\n', "scores without candidates"),
        ("[" * 100_000, "nests too deeply"),
        (b"\xff\xfe{\x00", "UTF-16"),
        (_lines(ROW).encode() + b"\xff", "line 2: the byte 0xFF is not UTF-8"),
        (_lines(ROW).replace("sky", "\\ud800"), "message"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(LabelledError, match=said) as caught:
        read_labelled(_written(tmp_path, text))
    assert "set" in caught.value.found


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelledError, match=r"none.jsonl: cannot be read"):
        read_labelled(tmp_path / "none.jsonl")


def test_the_command_line_shows_such_an_error_without_a_traceback(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['character', 'broken']\n"
        "import character.cli as c, click\n"
        "from optimizers.labelled import read_labelled\n"
        f"c.cli.get_command = lambda ctx, name: click.Command(name, callback=lambda: read_labelled({str(tmp_path / 'x')!r}))\n"
        "c.main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("Error: ")
    assert "Traceback" not in ended.stderr


def test_candour_is_turned_round_and_both_sides_of_a_quarrel_stay_together(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"pickside-{i:03}",
            "task": "pickside",
            "judges": ["one", "two"],
            "prompt": f"quarrel {i // 2}, side {i % 2}",
            "candidates": [
                {"text": "you are right", "judges": [5.0, 4.0]},
                {"text": "it depends", "judges": [0.0, -1.0]},
                {"text": " ", "judges": [0.0, 0.0]},
                {"text": "you are wrong", "judges": [-5.0, None]},
            ],
        }
        for i in range(6)
    ]
    labelled = from_candour(_written(tmp_path, _lines(*rows)))
    first = labelled.items[0]
    assert first.labels[0].scores == (0.0, 0.5, 1.0)
    assert first.labels[1].scores == (pytest.approx(0.1), pytest.approx(0.6), None)
    assert [item.group for item in labelled.items] == [f"pickside-{k}" for k in (0, 0, 1, 1, 2, 2)]
    assert labelled.dropped == {"no_text": 6}
    few = from_candour(_written(tmp_path, _lines(*rows)), num_candidates=2, seed=4)
    assert {len(item.candidates) for item in few.items} == {2}
    assert few == from_candour(_written(tmp_path, _lines(*rows)), num_candidates=2, seed=4)
    with pytest.raises(LabelledError, match="2 sets of 2 candidates, found 3"):
        from_candour(_written(tmp_path, _lines(*rows)), num_candidates=2, num_sets=2)


def test_several_sets_of_one_prompt_share_no_reply_and_stay_together(tmp_path: Path) -> None:
    replies = [{"text": f"reply {i}", "judges": [float(i % 6)]} for i in range(9)]
    row = {"id": "d", "task": "delusion", "judges": ["one"], "prompt": "p", "candidates": replies}
    labelled = from_candour(
        _written(tmp_path, _lines(row, {**row, "id": "e", "prompt": "q"})), num_candidates=3, num_sets=3
    )
    assert [item.id for item in labelled.items] == ["d/1", "d/2", "d/3", "e/1", "e/2", "e/3"]
    assert len({text for item in labelled.items[:3] for text in item.candidates}) == 9
    assert {frozenset(item.id[0] for item in part.items) for part in labelled.split((0.5, 0.5))} == {
        frozenset("d"),
        frozenset("e"),
    }


def test_human_comparisons_become_choices_of_each_annotator(tmp_path: Path) -> None:
    row = {
        "id": "p0",
        "instruction": "Rewrite.",
        "input": "Long text.",
        "candidates": {"m1": "one", "m2": "two", "m3": "", "m4": True},
        "pairs": [
            {"a": "m2", "b": "m1", "human": [1, 2, 0]},
            {"a": "m1", "b": "m2", "human": [0, "?"]},
            {"a": "m1", "b": "m3", "human": [1]},
        ],
    }
    alone = {**row, "id": "p1", "candidates": {"m1": "one", "m2": ""}}
    labelled = from_human_rankings(_written(tmp_path, _lines(row, alone)))
    item = labelled.items[0]
    assert item.message == "Rewrite.\n\nLong text."
    assert item.candidates == ("one", "two")
    assert [label.choices for label in item.labels] == [
        ((1, 0, 1.0), (0, 1, 0.5)),
        ((1, 0, 0.0),),
        ((1, 0, 0.5),),
    ]
    assert labelled.dropped == {"no_text": 3, "too_few": 1, "unreadable": 1}


def test_judge_votes_join_the_known_answer(tmp_path: Path) -> None:
    texts = [
        {"input": f"q{i}", "output_1": "a", "output_2": "b", "label": label}
        for i, label in enumerate((1, "2"))
    ]
    rows = _lines({"set": "s", "evaluator": "judge/Plain", "note": "", "votes": [[1, 2, 1], [None, None, 2]]})
    votes = read_judge_votes(_written(tmp_path, rows, "votes.jsonl"))
    assert (votes[0].judge, votes[0].wording, votes[0].votes[1]) == ("judge", "Plain", (None, None, 2))
    labelled = from_judge_votes(_written(tmp_path, json.dumps(texts), "dataset.json"), votes)
    assert [[(label.rater, label.choices) for label in item.labels] for item in labelled.items] == [
        [("gold", ((0, 1, 1.0),)), ("judge/Plain", ((0, 1, 0.5),))],
        [("gold", ((0, 1, 0.0),))],
    ]
    with pytest.raises(LabelledError, match="2 votes for the 1 items"):
        from_judge_votes(_written(tmp_path, json.dumps(texts[:1]), "dataset.json"), votes)
    with pytest.raises(LabelledError, match="a vote that is none"):
        read_judge_votes(_written(tmp_path, rows.replace("[1, 2, 1]", "[1, 3, 1]")))


@pytest.mark.parametrize(
    ("convert", "row"),
    [
        (from_candour, {"task": "delusion", "candidates": [{"text": "a"}, {"text": "b"}]}),
        (from_candour, {"task": "delusion", "candidates": "none"}),
        (
            from_human_rankings,
            {"candidates": {"a": "1", "b": "2"}, "instruction": "x", "pairs": [{"a": "a"}]},
        ),
        (from_human_rankings, {"candidates": 3}),
    ],
)
def test_a_row_of_another_shape_than_its_source_is_told_by_its_place(
    tmp_path: Path, convert: Callable[[Path], LabelledSet], row: dict[str, Any]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(CharacterError, match=r"rows\.jsonl, line 1: the row is of another shape"):
        convert(path)
