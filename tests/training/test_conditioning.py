"""A reward model that is told the trait: its rows, its folder, and what would train or ask it wrongly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from training_rows import pair

from character import Trait
from character.config import TrainConfig
from character.errors import InputError
from character.files import jsonl_sink
from character.preference.folds import text_key
from character.preference.transformer import TransformerFacts
from character.training.preparing import write_training

TRAITS = (
    Trait(name="patience", description="Takes the time an explanation needs."),
    Trait(name="幽默", description="用玩笑让气氛轻松。"),
)


@pytest.fixture
def folder(write_rows, model, tmp_path) -> Path:
    rows = [pair(number, trait=TRAITS[number % 2].name) for number in range(8)]
    return write_rows(train=rows[:6], validation=rows[6:]).parent


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_every_row_says_its_trait_before_the_message(folder, model):
    report = write_training("reward", folder, TrainConfig(model=str(model), conditioned=True), traits=TRAITS)
    assert report.settings["dataset_name"] == "conditioned"
    told, plain = (lines(folder / name / "train.jsonl") for name in ("conditioned", "data"))
    assert told[0]["prompt"][0]["content"] == (
        "[patience: Takes the time an explanation needs.]\n\nQuestion 0: how do I cook rice?"
    )
    assert told[1]["prompt"][0]["content"].startswith("[幽默: 用玩笑让气氛轻松。]\n\n")
    assert [(row["chosen"], row["rejected"]) for row in told] == [
        (row["chosen"], row["rejected"]) for row in plain
    ]
    assert len(lines(folder / "conditioned" / "validation.jsonl")) == 2


def test_the_folder_says_how_the_model_is_asked_and_what_it_saw(folder, model):
    wanted = TrainConfig(model=str(model), conditioned=True, values={"max_length": 256})
    write_training("reward", folder, wanted, traits=TRAITS)
    facts = TransformerFacts.model_validate_json((folder / "model/preference.json").read_bytes())
    assert (facts.conditioned, facts.max_length) == (True, 256)
    assert facts.descriptions == {trait.name: trait.description for trait in TRAITS}
    seen = {text_key(f"Question {number}: how do I cook rice?") for number in range(6)}  # not those held out
    assert {int(facts.messages[i : i + 16], 16) for i in range(0, len(facts.messages), 16)} == seen


def test_ordinary_rows_are_told_no_trait(folder, model, tmp_path):
    with jsonl_sink(tmp_path / "ordinary.jsonl") as write:
        for number in range(100, 120):
            write(pair(number))
    wanted = TrainConfig(model=str(model), conditioned=True, mix=(f"{tmp_path}/ordinary.jsonl:0.5",))
    write_training("reward", folder, wanted, traits=TRAITS)
    told = [row["prompt"][0]["content"] for row in lines(folder / "conditioned/train.jsonl")]
    assert sum(text.startswith("[") for text in told) == 6
    assert len(told) == 12


def test_a_trait_that_nobody_can_explain_is_refused(folder, model):
    with pytest.raises(InputError, match="'幽默', which the constitution does not have"):
        write_training("reward", folder, TrainConfig(model=str(model), conditioned=True), traits=TRAITS[:1])


def test_only_a_reward_model_is_told(folder, model):
    with pytest.raises(InputError, match="for a reward model alone"):
        write_training("dpo", folder, TrainConfig(model=str(model), conditioned=True), traits=TRAITS)


def test_as_a_reward_of_trls_own_it_is_refused(folder, model, write_rows):
    write_training("reward", folder, TrainConfig(model=str(model), conditioned=True), traits=TRAITS)
    reward_model = str(folder / "model")
    with pytest.raises(InputError, match="must be told the trait"):
        write_training("grpo", folder, TrainConfig(model=str(model), reward_model=reward_model))
