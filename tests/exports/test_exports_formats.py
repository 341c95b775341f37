"""Each format has the shape its reader documents, and loads with the real ``datasets`` library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml

from character.errors import InputError, UnknownNameError
from character.exports import EXPORT_FORMATS, Split, export
from character.records import Message, Ranking, Rollout

ALL_IN_TRAIN = Split(train=1, validation=0, test=0)
USER = {"role": "user", "content": "Q"}
PAIR_FORMATS = ["trl", "openai", "axolotl", "llamafactory", "openrlhf", "parquet"]


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def first_row(make_rollout, make_data, tmp_path):
    """Exports one message with the candidates A (0.9), B (0.4), in a format, and gives the first row."""

    def give(format: str, **options: Any) -> dict[str, Any]:
        data = make_data(make_rollout("Q", answers=["A", "B"], scores=[0.9, 0.4], language="en"))
        export(data, format, tmp_path / format, split=ALL_IN_TRAIN, **options)
        return rows_of(tmp_path / format / "train.jsonl")[0]

    return give


def test_trl_row_is_conversational_with_scores_and_without_a_margin(first_row):
    row = first_row("trl")
    ids = {key: row.pop(key) for key in ("pair_id", "message_id")}
    assert all(len(value) == 16 for value in ids.values())
    assert row == {
        "prompt": [USER],
        "chosen": [said("A")],
        "rejected": [said("B")],
        "score_chosen": 0.9,
        "score_rejected": 0.4,
        "trait": "耐心",
        "kind": "question",
        "language": "en",
        "design": "best_rest",
        "chosen_level": "natural",
        "rejected_level": "absent",
    }


@pytest.mark.parametrize("format", ["trl", "openrlhf"])
def test_a_margin_is_written_only_when_asked_for(first_row, format):
    assert first_row(format, include_margin=True)["margin"] == pytest.approx(0.5)


def test_openai_row_has_the_documented_keys_and_no_others(first_row):
    assert first_row("openai") == {
        "input": {"messages": [USER], "tools": [], "parallel_tool_calls": True},
        "preferred_output": [said("A")],
        "non_preferred_output": [said("B")],
    }


def test_axolotl_row_and_the_configuration_beside_it_name_the_same_fields_and_files(first_row, tmp_path):
    row = first_row("axolotl")
    row.pop("pair_id")
    assert row == {"messages": [USER], "chosen": said("A"), "rejected": said("B")}
    entry = {"path": "train.jsonl", "ds_type": "json", "split": "train", "type": "chat_template.default"}
    config = yaml.safe_load((tmp_path / "axolotl/axolotl.yaml").read_text(encoding="utf-8"))
    assert config == {"rl": "dpo", "datasets": [entry]}


def test_axolotl_responses_have_no_outer_blanks_that_a_chat_template_would_strip(
    make_rollout, make_data, tmp_path
):
    data = make_data(make_rollout(answers=[" A\n", "\nB"], scores=[1, 0]))
    export(data, "axolotl", tmp_path, split=ALL_IN_TRAIN)
    assert rows_of(tmp_path / "train.jsonl")[0]["chosen"] == said("A")


def test_llamafactory_row_and_its_dataset_info_belong_together(first_row, tmp_path):
    row = first_row("llamafactory")
    row.pop("pair_id")
    gpt = {"from": "gpt"}
    assert row == {
        "conversations": [{"from": "human", "value": "Q"}],
        "chosen": gpt | {"value": "A"},
        "rejected": gpt | {"value": "B"},
    }
    info = json.loads((tmp_path / "llamafactory/dataset_info.json").read_text(encoding="utf-8"))
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
    common = {"ranking": True, "formatting": "sharegpt", "columns": columns}
    assert info == {"character_train": {"file_name": "train.jsonl", **common}}


def test_openrlhf_row_is_three_lists_that_can_be_joined(first_row):
    row = first_row("openrlhf")
    assert row["prompt"] + row["chosen"] == [USER, said("A")]
    assert row["prompt"] + row["rejected"] == [USER, said("B")]
    assert "margin" not in row


def test_trl_reward_row_holds_all_candidates_in_their_own_order(make_rollout, make_data, tmp_path):
    data = make_data(make_rollout("Q", answers=["A", "B", "C"], scores=[0.25, 0.75, 0.25]))
    export(data, "trl-reward", tmp_path, split=ALL_IN_TRAIN)
    row = rows_of(tmp_path / "train.jsonl")[0]
    assert row["completions"] == [[said("A")], [said("B")], [said("C")]]
    assert row["scores"] == [0.25, 0.75, 0.25]
    assert row["levels"] == ["natural", "absent", "opposite"]


def test_kto_labels_each_response_once_and_leaves_out_one_on_both_sides(make_rollout, make_data, tmp_path):
    rollout = make_rollout("Q", answers=["A", "B", "C"], scores=[0.9, 0.5, 0.1])
    middle = rollout.pairs[1].model_copy(
        update={"id": "second", "chosen": "B", "score_chosen": 0.5, "margin": 0.4}
    )
    report = export(
        make_data(rollout.model_copy(update={"pairs": (*rollout.pairs, middle)})),
        "trl-kto",
        tmp_path,
        split=ALL_IN_TRAIN,
    )
    rows = rows_of(tmp_path / "train.jsonl")
    assert [(row["prompt"], row["completion"], row["label"]) for row in rows] == [
        ([USER], [said("A")], True),
        ([USER], [said("C")], False),
    ]
    assert report.skipped == {"chosen_and_rejected": 1}


def test_prompts_come_once_per_message_ranked_or_not_but_never_unsuitable(make_rollout, make_data, tmp_path):
    ranked = make_rollout("one")
    bare = Rollout(message=Message.of("two", trait="耐心"))
    judged = make_rollout("three")
    ranking = Ranking(message_id=judged.message.id, candidates_id="c", trait="耐心", status="unsuitable")
    unsuitable = Rollout(message=judged.message, candidates=judged.candidates, ranking=ranking)
    report = export(make_data(ranked, bare, unsuitable, ranked), "trl-prompt", tmp_path, split=ALL_IN_TRAIN)
    assert [row["prompt"][0]["content"] for row in rows_of(tmp_path / "train.jsonl")] == ["one", "two"]
    assert report.skipped == {"duplicate_message": 1, "unsuitable": 1}


@pytest.mark.parametrize("format", sorted(EXPORT_FORMATS))
def test_load_dataset_of_the_folder_gives_every_row_in_its_split(sixty, tmp_path, format):
    even = Split(train=0.5, validation=0.25, test=0.25)
    report = export(sixty, format, tmp_path / format, split=even)
    loaded = datasets.load_dataset(str(tmp_path / format), cache_dir=str(tmp_path / "cache"))
    main = report.files[0].table
    expected = {file.split or "train": file.rows for file in report.files if file.table == main}
    assert {name: len(split) for name, split in loaded.items()} == expected
    assert all("margin" not in split.column_names for split in loaded.values())


@pytest.mark.parametrize("format", ["trl", "parquet"])
def test_pairs_read_back_with_datasets_are_the_pairs_that_went_in(sixty, tmp_path, format):
    export(sixty, format, tmp_path / format, split=ALL_IN_TRAIN)
    loaded = datasets.load_dataset(str(tmp_path / format), split="train", cache_dir=str(tmp_path / "cache"))
    pairs = {pair.id: pair for rollout in sixty.rollouts for pair in rollout.pairs}
    assert set(loaded["pair_id"]) == set(pairs)
    for row in loaded:
        pair = pairs[row["pair_id"]]
        assert row["prompt"] == [{"role": turn.role, "content": turn.content} for turn in pair.prompt]
        assert (row["chosen"], row["rejected"]) == ([said(pair.chosen)], [said(pair.rejected)])
        assert (row["score_chosen"], row["score_rejected"]) == (pair.score_chosen, pair.score_rejected)


def test_the_recipes_other_tables_load_by_name(sixty, tmp_path):
    export(sixty, "recipe", tmp_path / "out")
    for name, column in (
        ("candidates", "candidates"),
        ("scores", "scores"),
        ("messages", "type"),
        ("traits", "trait"),
    ):
        table = datasets.load_dataset(
            str(tmp_path / "out"), name, split="train", cache_dir=str(tmp_path / "cache")
        )
        assert column in table.column_names


def test_parquet_is_typed_and_compressed(sixty, tmp_path):
    import pyarrow.parquet as pq

    export(sixty, "parquet", tmp_path, include_margin=True, split=ALL_IN_TRAIN)
    file = pq.ParquetFile(tmp_path / "train.parquet")
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert types["margin"] == types["score_chosen"] == "double"
    assert types["chosen_model"] == "string"
    assert types["prompt"].startswith("list<")
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("format", PAIR_FORMATS)
def test_what_has_no_pair_is_counted_by_reason(make_rollout, make_data, tmp_path, format):
    good, tied = make_rollout("one"), make_rollout("two", scores=(0.5, 0.5, 0.5))
    unasked = Rollout(message=Message.of("three", trait="耐心"))
    unranked = Rollout(message=good.message, candidates=good.candidates)
    report = export(make_data(good, tied, unasked, unranked, good), format, tmp_path, split=ALL_IN_TRAIN)
    assert report.skipped == {"duplicate_pair": 2, "no_candidates": 1, "no_pairs": 1, "not_ranked": 1}


def test_a_pair_whose_sides_differ_by_blanks_alone_is_never_written(make_rollout, make_data, tmp_path):
    rollout = make_rollout()
    same = rollout.pairs[0].model_copy(update={"rejected": f" {rollout.pairs[0].chosen}\n"})
    report = export(
        make_data(rollout.model_copy(update={"pairs": (same, rollout.pairs[1])})), "trl", tmp_path
    )
    assert report.skipped == {"identical_sides": 1}
    assert sum(file.rows for file in report.files) == 1


def test_an_unknown_format_names_the_known_ones_and_the_nearest(sixty, tmp_path):
    with pytest.raises(UnknownNameError, match=r"did you mean 'axolotl'"):
        export(sixty, "axolot", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_margin_where_there_is_no_place_for_one_is_said(first_row, sixty, tmp_path):
    report = export(sixty, "openai", tmp_path / "out", include_margin=True)
    assert any("margin" in warning for warning in report.warnings)


def test_too_few_rows_for_the_service_are_said(make_rollout, make_data, tmp_path):
    report = export(make_data(make_rollout()), "openai", tmp_path, split=ALL_IN_TRAIN)
    assert any("at least 10" in warning for warning in report.warnings)


def test_a_trait_that_the_constitution_does_not_have_is_refused(make_rollout, make_data, tmp_path):
    with pytest.raises(InputError, match="好奇"):
        export(make_data(make_rollout(trait="好奇")), "trl", tmp_path / "out")
