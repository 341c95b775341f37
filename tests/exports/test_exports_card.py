"""The dataset card tells the hub and the reader what the data is, and tells nobody what is not theirs to know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard

from character.constitution.models import Constitution, Trait
from character.errors import InputError
from character.exports import ExportData, export
from character.exports.card import size_category

MANIFEST: dict[str, Any] = {
    "models": {"messages": "openai/gpt-test", "ranking": ["anthropic/judge-a", "openai/judge-b"]},
    "seed": 7,
    "config_fingerprint": "c0ffee",
    "created_at": "2026-01-02T03:04:05Z",
    "rehearsal": False,
    "usage": {"calls": 12, "prompt_tokens": 100, "completion_tokens": 50, "cost_usd": 1.5, "reasks": 0},
    "drops": {"responses": {"refusal": 3}},
}


def card_of(folder: Path) -> DatasetCard:
    return DatasetCard.load(folder / "README.md")


def test_the_header_is_what_the_hub_reads(sixty, tmp_path):
    export(sixty, "trl", tmp_path, license="cc-by-4.0")
    data = card_of(tmp_path).data.to_dict()
    assert data["license"] == "cc-by-4.0"
    assert data["language"] == ["en", "zh"]
    assert data["size_categories"] == ["n<1K"]
    assert data["tags"] == ["character-training", "preference", "synthetic", "trl"]
    splits = [file["split"] for file in data["configs"][0]["data_files"]]
    assert splits == ["train", "validation", "test"]


def test_without_a_license_the_card_says_that_none_was_chosen(sixty, tmp_path):
    export(sixty, "trl", tmp_path)
    card = card_of(tmp_path)
    assert card.data.to_dict()["license"] == "other"
    assert "No license was chosen" in card.text


def test_the_body_says_how_the_data_was_made_and_what_was_left_out(sixty, make_rollout, make_data, tmp_path):
    tied = make_rollout("tied", scores=(0.5, 0.5, 0.5))
    data = make_data(*sixty.rollouts, tied, manifest=MANIFEST)
    report = export(data, "trl", tmp_path)
    text = card_of(tmp_path).text
    for part in (
        "- Model for messages: openai/gpt-test",
        "- Model for ranking: anthropic/judge-a, openai/judge-b",
        "- Seed of the run: 7",
        "- Configuration: c0ffee",
        "- Made at (UTC): 2026-01-02T03:04:05Z",
        "12 model calls, 150 tokens, cost 1.50 USD",
        f"fingerprint `{data.constitution.fingerprint}`",
        "| responses | refusal | 3 |",
        "| export | no_pairs | 1 |",
        "| 幽默感 | 在适当场合加入轻松幽默的回答 |",
        "## 中文说明",
    ):
        assert part in text
    assert report.drops == {"responses": {"refusal": 3}}


def test_the_counts_in_the_card_add_up_to_the_rows_in_the_files(sixty, tmp_path):
    report = export(sixty, "trl", tmp_path)
    section = card_of(tmp_path).text.partition("## Rows by trait")[2].partition("##")[0]
    cells = [line.split("|") for line in section.splitlines() if line.startswith(("| 耐心", "| 幽默"))]
    counts = [int(cell[-2]) for cell in cells]
    assert sum(counts) == sum(file.rows for file in report.files) == 120


def test_rehearsal_data_says_so_in_both_languages_and_in_the_tags(sixty, make_data, tmp_path):
    report = export(make_data(*sixty.rollouts, manifest={"rehearsal": True}), "trl", tmp_path)
    card = card_of(tmp_path)
    assert report.rehearsal is True
    assert "rehearsal" in card.data.to_dict()["tags"]
    assert "Made by the rehearsal backend: for trying and testing, not for training." in card.text
    assert "由演练后端生成：仅供试用和测试，请勿用于训练。" in card.text
    assert any("not for training" in warning for warning in report.warnings)


def test_one_rehearsed_candidate_outweighs_a_manifest_that_denies_it(
    sixty, make_rollout, make_data, tmp_path
):
    data = make_data(
        *sixty.rollouts, make_rollout("x", model="rehearsal/default"), manifest={"rehearsal": False}
    )
    assert export(data, "trl", tmp_path).rehearsal is True


def test_a_manifest_that_does_not_say_is_reported_as_unknown(sixty, make_data, tmp_path):
    report = export(make_data(*sixty.rollouts, manifest={}), "trl", tmp_path)
    assert report.rehearsal is None
    assert "not recorded whether a real model" in card_of(tmp_path).text


def test_no_unknown_key_of_the_manifest_reaches_any_file(sixty, make_data, tmp_path):
    secret = "sk-very-secret"
    hidden = {
        **MANIFEST,
        "api_key": secret,
        "usage": {**MANIFEST["usage"], "key": secret},
        "environment": {"X": secret},
    }
    export(make_data(*sixty.rollouts, manifest=hidden), "trl", tmp_path)
    assert all(secret.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_manifest_of_the_wrong_type_names_the_field_and_not_the_value(sixty, make_data, tmp_path):
    bad = {"models": {"messages": {"model": "m", "api_key": "sk-very-secret"}}}
    with pytest.raises(InputError, match=r"models\.messages") as caught:
        export(make_data(*sixty.rollouts, manifest=bad), "trl", tmp_path / "out")
    assert "sk-very-secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_description_cannot_break_out_of_its_table_or_the_header(make_rollout, tmp_path):
    trait = Trait(name="耐心", description="a | b\n\n# Not a heading\n---\nlicense: mit")
    constitution = Constitution(name="x\n---\nlicense: mit", traits=(trait,))
    export(ExportData(constitution=constitution, rollouts=(make_rollout(),)), "trl", tmp_path)
    card = card_of(tmp_path)
    assert card.data.to_dict()["license"] == "other"
    assert "| 耐心 | a \\| b # Not a heading --- license: mit | 2 |" in card.text


def test_the_metadata_beside_the_data_agrees_with_the_report(sixty, tmp_path):
    report = export(sixty, "trl-kto", tmp_path, seed=3)
    metadata = json.loads((tmp_path / "export.json").read_text(encoding="utf-8"))
    assert metadata["files"] == [file.model_dump() for file in report.files]
    assert (metadata["format"], metadata["seed"], metadata["rehearsal"]) == ("trl-kto", 3, False)
    assert str(tmp_path) not in json.dumps(metadata)


@pytest.mark.parametrize(
    ("rows", "name"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10_000_000, "10M<n<100M")],
)
def test_size_categories_are_the_hubs(rows, name):
    assert size_category(rows) == name
