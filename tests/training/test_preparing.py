"""A run becomes a folder that TRL can train on: data, recipe, script, checks, and what each was made from."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess

import pytest
import yaml
from training_rows import pair

from character import Trait
from character.config import TrainConfig
from character.constitution import Constitution
from character.errors import InputError, UnknownNameError
from character.exports import ExportData
from character.pairs.balance import balance
from character.preference import preference_model
from character.records import Candidate, Candidates, Message, PreferencePair, Ranking, Rollout
from character.training.data import Mix
from character.training.methods import METHOD_NAMES, PRESET_NAMES
from character.training.model_folder import read_model_folder
from character.training.preparing import prepare, read_training, write_training

CONSTITUTION = Constitution(
    name="pair",
    language="en",
    traits=(
        Trait(name="patience", description="Takes the time an explanation needs."),
        Trait(name="humour", description="Lets jokes and laughter lighten things."),
    ),
)


def rollout(number: int, chosen: str = "Go slowly.", rejected: str = "Hurry up!!") -> Rollout:
    """Return a ranked message with one pair, of the trait patience."""
    message = Message.of(f"Question {number}: how do I cook rice?", trait="patience")
    items = (Candidate(text=chosen, model="openai/x"), Candidate(text=rejected, model="openai/x"))
    candidates = Candidates(message_id=message.id, trait="patience", items=items)
    ranking = Ranking.from_scores(candidates, [0.9, 0.2])
    made = PreferencePair(
        trait="patience",
        message_id=message.id,
        ranking_id=ranking.id,
        kind="question",
        language="en",
        prompt=message.turns,
        chosen=chosen,
        rejected=rejected,
        score_chosen=0.9,
        score_rejected=0.2,
        margin=0.7,
        design="all",
    )
    return Rollout(message=message, candidates=candidates, ranking=ranking, pairs=(made,))


def data(*rollouts: Rollout) -> ExportData:
    manifest = {"rehearsal": False, "run_fingerprint": "0123456789abcdef"}
    return ExportData(constitution=CONSTITUTION, rollouts=rollouts, manifest=manifest)


@pytest.fixture
def sixty() -> ExportData:
    return data(*(rollout(number) for number in range(60)))


def reward_for(method, model):
    return str(model) if method == "grpo" else None


@pytest.mark.parametrize("preset", PRESET_NAMES)
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_every_recipe_reads_back_as_what_the_report_says(sixty, model, tmp_path, method, preset):
    wanted = TrainConfig(
        model=str(model), preset=preset, conditioned=False, reward_model=reward_for(method, model)
    )
    report = prepare(method, sixty, tmp_path / "out", wanted, seed=7)
    text = (tmp_path / "out/recipe.yaml").read_text("utf-8")
    settings = yaml.safe_load(text)
    assert settings == report.settings
    assert isinstance(settings["learning_rate"], float)
    assert settings["seed"] == 7
    assert "0123456789abcdef" in text
    assert report.facts.data_fingerprint in text
    assert report.facts.model_fingerprint in text
    assert report.facts.chat_template_fingerprint in text
    assert read_training(tmp_path / "out") == report
    assert os.access(tmp_path / "out/run.sh", os.X_OK)


def test_a_reward_model_with_lora_is_told_its_task(sixty, model, tmp_path):
    report = prepare(
        "reward", sixty, tmp_path / "out", TrainConfig(model=str(model), preset="gpu24", conditioned=False)
    )
    assert report.settings["lora_task_type"] == "SEQ_CLS"


def test_a_relative_model_is_named_as_the_recipe_sees_it(sixty, model, tmp_path):
    with contextlib.chdir(tmp_path):
        report = prepare("dpo", sixty, "deep/out", TrainConfig(model="base"))
    assert report.settings["model_name_or_path"] == "../../base"


def test_values_replace_add_and_take_out(sixty, model, tmp_path):
    wanted = TrainConfig(model=str(model), values={"beta": 0.2, "lora_r": None, "ld_alpha": 0.5})
    settings = prepare("dpo", sixty, tmp_path / "out", wanted).settings
    assert (settings["beta"], settings["ld_alpha"], "lora_r" in settings) == (0.2, 0.5, False)


def test_our_preference_model_is_a_reward_by_name_and_environment(sixty, model, tmp_path):
    light = tmp_path / "light"
    preference_model().fit([each for rollout in sixty.rollouts for each in rollout.pairs]).save(light)
    report = prepare(
        "grpo", sixty, tmp_path / "out", TrainConfig(model=str(model), preference_model=str(light))
    )
    assert report.settings["reward_funcs"] == ["character.rewards.preference"]
    assert report.settings["env"] == {"CHARACTER_PREFERENCE_MODEL": str(light)}
    assert any("not fitted on humour" in warning for warning in report.warnings)
    for folder, said in ((tmp_path / "none", "cannot be read"), (light, "none of the traits tidiness")):
        wanted = TrainConfig(model=str(model), preference_model=str(folder))
        other = CONSTITUTION.model_copy(update={"traits": (Trait(name="tidiness", description="Tidies."),)})
        with pytest.raises(InputError, match=said):
            prepare("grpo", sixty.model_copy(update={"constitution": other}), tmp_path / "other", wanted)
        assert not (tmp_path / "other").exists()


def test_no_message_is_in_two_splits(sixty, model, tmp_path):
    report = prepare("dpo", sixty, tmp_path / "out", TrainConfig(model=str(model), split="70/30/0"))
    assert {file.split for file in report.files} == {"train", "validation"}
    assert next(check for check in report.checks if check.code == "shared_prompts").weight == "fine"


def test_balancing_evens_out_another_trait_too(model, tmp_path):
    # Length and words but those of humour are the same on both sides.
    jokes = [rollout(number, "A joke now.", "A word now.") for number in range(40)]
    plain = [rollout(number, "A word now.", "A joke now.") for number in range(40, 60)]
    leaning = prepare("dpo", data(*jokes, *plain), tmp_path / "as-is", TrainConfig(model=str(model)))
    evened = prepare(
        "dpo", data(*jokes, *plain), tmp_path / "evened", TrainConfig(model=str(model), balance=0.1)
    )

    def humour(report):
        return next(check for check in report.checks if check.code == "other_trait:humour")

    assert humour(leaning).weight == "look"
    assert humour(evened).weight == "note"
    assert "too wide to tell" in humour(evened).text
    assert abs(humour(evened).numbers["difference"]) <= 0.1 + 1e-9


def test_a_contrast_is_balanced_like_a_feature():
    pairs = [rollout(number).pairs[0] for number in range(60)]
    leaning = {one.id: 1.0 if number < 40 else -1.0 for number, one in enumerate(pairs)}
    found = balance(
        pairs, contrasts={"trait:humour": leaning}, ignore=("characters", "tokens", "exclamations")
    )
    row = {each.name: each for each in found.rows}["trait:humour"]
    assert row.effect_before == pytest.approx(1 / 3)
    assert abs(row.effect_after) <= 0.1 + 1e-6


def test_ordinary_rows_make_their_share_and_repeat_no_prompt_of_ours(sixty, model, tmp_path):
    rows = [pair(number) for number in range(10)]  # prompts of ours
    rows += [
        row | {"prompt": [{"role": "user", "content": f"Sum {n}?"}]}
        for n, row in enumerate(map(pair, range(100)))
    ]
    ordinary = tmp_path / "ordinary.jsonl"
    ordinary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    report = prepare("dpo", sixty, tmp_path / "out", TrainConfig(model=str(model), mix=(f"{ordinary}:0.5",)))
    (mixed,) = report.mixed
    train = next(file.rows for file in report.files if file.split == "train")
    assert train == 2 * mixed.rows
    assert mixed.skipped == {"prompt_of_ours": 10}
    assert report.settings["dataset_name"] == "mixed"


def test_too_few_ordinary_rows_are_an_error_that_says_how_many_it_takes(sixty, model, tmp_path):
    few = tmp_path / "few.jsonl"
    few.write_text(json.dumps(pair(900)) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"1 usable rows"):
        prepare("dpo", sixty, tmp_path / "out", TrainConfig(model=str(model), mix=(f"{few}:0.5",)))


@pytest.mark.parametrize("text", ["rows.jsonl", "rows.jsonl:1.0", "rows.jsonl:half", ":0.5"])
def test_a_mix_that_says_no_share_is_refused(text):
    with pytest.raises(InputError, match="FILE:share"):
        Mix.parse(text)


def test_what_cannot_be_is_refused_by_name(sixty, model, tmp_path):
    with pytest.raises(UnknownNameError, match="dpoo"):
        prepare("dpoo", sixty, tmp_path / "a", TrainConfig(model=str(model)))  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="laptopp"):
        prepare("dpo", sixty, tmp_path / "b", TrainConfig(model=str(model), preset="laptopp"))
    with pytest.raises(InputError, match="without a reward"):
        prepare("grpo", sixty, tmp_path / "c", TrainConfig(model=str(model)))
    with pytest.raises(InputError, match=r"has no config\.json"):
        prepare("dpo", sixty, tmp_path / "d", TrainConfig(model=str(tmp_path)))
    with pytest.raises(InputError, match="messages alone"):
        prepare(
            "grpo",
            sixty,
            tmp_path / "e",
            TrainConfig(model=str(model), reward_model=reward_for("grpo", model), balance=0.1),
        )


def test_a_column_that_is_missing_is_named_with_its_line(write_rows, model):
    folder = write_rows(train=[pair(1), {"prompt": "x", "chosen": "y"}])
    with pytest.raises(InputError, match=r"line 2: the column 'rejected'"):
        write_training("dpo", folder.parent, TrainConfig(model=str(model)))


def test_the_script_goes_on_from_the_newest_checkpoint(sixty, model, tmp_path):
    prepare("dpo", sixty, tmp_path / "out", TrainConfig(model=str(model)))
    for number in (9, 10):
        (tmp_path / f"out/model/checkpoint-{number}").mkdir(parents=True)
    trl = tmp_path / "bin/trl"
    trl.parent.mkdir()
    trl.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    trl.chmod(0o755)
    done = subprocess.run(
        [str(tmp_path / "out/run.sh"), "--max_steps", "1"],
        env={**os.environ, "PATH": f"{trl.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == (
        [
            "dpo",
            "--config",
            "recipe.yaml",
            "--resume_from_checkpoint",
            "model/checkpoint-10",
            "--max_steps",
            "1",
        ]
    )


def test_a_conversation_is_written_as_the_template_says(model):
    folder = read_model_folder(model)
    assert folder is not None
    turns = [{"role": "user", "content": "Hi"}]
    assert folder.render(turns, add_generation_prompt=True) == "<|user|>Hi<|end|><|assistant|>"
    assert folder.count(["Hi<|end|>"]) == [3]
