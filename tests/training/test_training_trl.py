"""TRL itself trains from the recipes as they are, offline, on a tiny model; it is watched and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from closed_loop.reward_model import held_out_accuracy
from closed_loop.tiny_model import write_tiny_model
from training_rows import pair

from character import Trait
from character.config import TrainConfig
from character.errors import InputError
from character.preference import load_preference_model
from character.text import stable_seed
from character.training.methods import METHOD_NAMES, MethodName
from character.training.model_folder import read_model_folder
from character.training.preparing import write_training
from character.training.running import TrainingFailedError, last_checkpoint, train
from character.training.sampling import Sampler
from character.training.trl_settings import checked_values

pytestmark = pytest.mark.train

OFFLINE = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
REPLIES = ("Go slowly, step by step.", "慢慢来，一步一步。", "Take your time with it.", "Hurry up!", "快点。")


def rows_for(method: str, number: int) -> list[dict[str, Any]]:
    """Return rows in the shape of a method."""
    made = []
    for i in range(number):
        row = pair(i, chosen=REPLIES[i % 3], rejected=REPLIES[3 + i % 2])
        if method in ("sft", "kto"):
            label = {"label": bool(i % 2)} if method == "kto" else {}
            row = {"prompt": row["prompt"], "completion": row["chosen"], **label}
        made.append({"prompt": row["prompt"]} if method == "grpo" else row)
    return made


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A whole model of some 30,000 parameters, with weights."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    write_tiny_model(folder, REPLIES, seed=0, hidden=32, layers=1, vocabulary=300, max_positions=2048)
    return folder


@pytest.fixture
def prepared(write_rows, tiny):
    """Writes a training of a method and gives its folder."""

    def prepare(
        method: MethodName,
        *,
        rows: int = 16,
        values: dict[str, Any] | None = None,
        reward_model: str | None = None,
    ) -> Path:
        made = rows_for(method, rows + 4)
        folder = write_rows(train=made[:rows], validation=made[rows:]).parent
        write_training(
            method,
            folder,
            TrainConfig(model=str(tiny), conditioned=False, reward_model=reward_model, values=values or {}),
        )
        return folder

    return prepare


def run_script(folder: Path) -> str:
    bin_folder = Path(sys.executable).parent
    done = subprocess.run(
        [str(folder / "run.sh")],
        env={**OFFLINE, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("method", ["sft", "dpo", "kto"])
def test_the_script_trains_the_policy_from_the_recipe_as_it_is(prepared, method):
    folder = prepared(method)
    assert "train_loss" in run_script(folder)
    assert (folder / "model/adapter_config.json").is_file()


def test_a_reward_model_trained_from_its_recipe_rewards_policies_trained_from_theirs(
    prepared, tiny, tmp_path
):
    whole = dict.fromkeys(("use_peft", "lora_r", "lora_alpha", "lora_target_modules", "lora_task_type"))
    first = prepared("reward", rows=64, values={**whole, "num_train_epochs": 5, "learning_rate": 1e-2})
    assert "train_loss" in run_script(first)
    accuracy = held_out_accuracy(first / "model", rows_for("reward", 20))
    assert accuracy is not None
    assert accuracy.estimate > 0.9
    kept = tmp_path / "reward-model"
    (first / "model").rename(kept)
    second = prepared(
        "grpo",
        rows=8,
        reward_model=str(kept),
        values={"max_completion_length": 16, "logging_steps": 1},
    )
    assert "'reward'" in run_script(second)


def test_a_reward_model_that_is_told_the_trait_judges_two_opposite_ones(tiny, write_rows, tmp_path):
    traits = (
        Trait(name="patience", description="Go slowly, take your time."),
        Trait(name="haste", description="Hurry up!"),
    )
    slow, fast = REPLIES[0], REPLIES[3]
    rows = [
        pair(number, trait=trait.name, chosen=chosen, rejected=rejected)
        for number in range(80)
        for trait, (chosen, rejected) in zip(traits, ((slow, fast), (fast, slow)), strict=True)
    ]
    whole = dict.fromkeys(("use_peft", "lora_r", "lora_alpha", "lora_target_modules", "lora_task_type"))
    folder = write_rows(train=rows[:128], validation=rows[128:]).parent
    wanted = TrainConfig(
        model=str(tiny), conditioned=True, values={**whole, "num_train_epochs": 12, "learning_rate": 1e-2}
    )
    write_training("reward", folder, wanted, traits=traits)
    assert "train_loss" in run_script(folder)
    model = load_preference_model(folder / "model")
    held_out = [f"Question {number}: how do I cook rice?" for number in range(70, 80)]
    for trait, right, wrong in (("patience", slow, fast), ("haste", fast, slow)):
        sure = [model.prefer(right, wrong, messages=message, trait=trait) for message in held_out]
        assert sum(probability > 0.5 for probability in sure) >= 9
    asked = [{"prompt": row["prompt"], "trait": row["trait"]} for row in rows]
    second = write_rows(train=asked[:8], validation=asked[128:132]).parent
    kept = tmp_path / "told"
    (folder / "model").rename(kept)
    values = {"max_completion_length": 16, "logging_steps": 1}
    write_training("grpo", second, TrainConfig(model=str(tiny), preference_model=str(kept), values=values))
    assert "'reward'" in run_script(second)


def test_a_reward_model_trains_with_lora_from_the_recipe_as_it_is(prepared):
    folder = prepared("reward")
    assert "train_loss" in run_script(folder)
    assert (folder / "model/adapter_config.json").is_file()


def test_a_watched_training_tells_its_progress_and_is_not_repeated(prepared):
    folder = prepared("dpo", values={"logging_steps": 1})
    shares: list[float] = []
    figures = train(folder, on_progress=lambda state: shares.append(state.share))
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert figures["train_loss"] > 0
    size = (folder / "train.log").stat().st_size
    assert train(folder) == figures
    assert (folder / "train.log").stat().st_size == size


def test_a_recipe_changed_by_hand_does_not_go_on_from_the_old_one(prepared):
    folder = prepared("sft")
    train(folder)
    recipe = folder / "recipe.yaml"
    recipe.write_text(recipe.read_text("utf-8").replace("lora_r: 16", "lora_r: 8"), encoding="utf-8")
    with pytest.raises(InputError, match="another recipe"):
        train(folder)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_every_setting_of_the_installed_trl_is_known(method):
    import trl
    from trl.experimental.kto import KTOConfig

    names = {"dpo": "DPOConfig", "reward": "RewardConfig", "grpo": "GRPOConfig", "sft": "SFTConfig"}
    config = KTOConfig if method == "kto" else getattr(trl, names[method])
    settings = {field.name: None for field in fields(config) if field.init}
    settings |= {
        field.name: None for each in (trl.ModelConfig, trl.ScriptArguments) for field in fields(each)
    }
    assert checked_values(method, settings) == settings


def test_a_failing_training_says_where_to_look(prepared):
    folder = prepared("sft", values={"dataset_name": "nowhere"})
    with pytest.raises(TrainingFailedError, match=r"exit code 1.*nowhere"):
        train(folder)


def test_ctrl_c_ends_trl_and_the_same_command_goes_on_from_the_checkpoint(prepared):
    folder = prepared("sft", rows=64, values={"num_train_epochs": 200, "save_steps": 5, "logging_steps": 5})
    code = f"from character.training.running import train; train({str(folder)!r})"
    process = subprocess.Popen([sys.executable, "-c", code], env=OFFLINE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while last_checkpoint(folder) is None and time.monotonic() < deadline:
        time.sleep(0.2)
    checkpoint = last_checkpoint(folder)
    assert checkpoint is not None
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    assert not (folder / "model/model.safetensors").exists()
    log = (folder / "train.log").stat().st_size
    process = subprocess.Popen([sys.executable, "-c", code], env=OFFLINE, stderr=subprocess.PIPE, text=True)
    while "'epoch'" not in (folder / "train.log").read_text("utf-8")[log:] and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    again = (folder / "train.log").read_text("utf-8")[log:]
    assert "'epoch': '1.25'" not in again  # it did not begin anew


def test_our_rendering_is_that_of_transformers(tiny):
    from transformers import AutoTokenizer

    folder, theirs = read_model_folder(tiny), AutoTokenizer.from_pretrained(tiny)
    assert folder is not None
    turns = [{"role": "user", "content": "怎么煮米饭？"}, {"role": "assistant", "content": " Slowly.\n"}]
    assert folder.render(turns) == theirs.apply_chat_template(turns, tokenize=False)
    asked = theirs.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
    assert folder.render(turns[:1], add_generation_prompt=True) == asked
    assert folder.count([asked]) == [len(theirs(asked, add_special_tokens=False)["input_ids"])]


def test_the_same_seed_draws_the_same_replies(tiny):
    sampler = Sampler(tiny, max_new_tokens=8, batch_size=4)
    prompts = [[{"role": "user", "content": text}] for text in ("How?", "为什么？", "What is rice?")]
    first = sampler.draw(prompts, 3, seed=stable_seed("a"))
    assert first == sampler.draw(prompts, 3, seed=stable_seed("a"))
    assert first != sampler.draw(prompts, 3, seed=stable_seed("b"))
    assert [len(replies) for replies in first] == [3, 3, 3]
