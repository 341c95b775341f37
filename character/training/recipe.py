"""The recipe: what TRL is told, as commented YAML that can be read, changed and run without us."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from character.config import TrainConfig
from character.errors import InputError
from character.training.methods import Method
from character.training.presets import Preset
from character.training.reports import RecipeFacts

MODEL_FOLDER = "model"
"""Where the trained model goes, below the folder of the recipe."""
MAX_LENGTH = 1024
"""The most tokens of a prompt with its response, unless told otherwise."""
_GENERATIONS = 8


class Setting(NamedTuple):
    """One line of a recipe and why it is there."""

    key: str
    value: Any
    why: str = ""


class RecipePart(NamedTuple):
    """Settings under a heading."""

    heading: str
    settings: tuple[Setting, ...]


class Reward(NamedTuple):
    """What GRPO is rewarded by: a reward model of TRL's, or a preference model of ours as a function."""

    model: str
    is_ours: bool


def reward_of(config: TrainConfig) -> Reward | None:
    """Return what a configuration rewards GRPO by, None for nothing; raises InputError where it names two."""
    theirs, ours = config.reward_model, config.preference_model
    if theirs and ours:
        raise InputError(
            "--reward-model and --preference-model are both given.",
            expected="one of them",
            fix="leave one out.",
        )
    folder = theirs or ours
    return Reward(folder, is_ours=bool(ours)) if folder else None


def recipe_parts(
    method: Method, preset: Preset, facts: RecipeFacts, *, reward: Reward | None = None, has_validation: bool
) -> list[RecipePart]:
    """Return what the recipe of a method says, before the user's own settings."""
    how = _HOW[method.name](preset, facts)
    return [
        RecipePart(
            "what is trained, and on what", tuple(_data(preset, facts, has_validation=has_validation))
        ),
        RecipePart(f"how: {method.trains}", (*how, *_rewarded(reward))),
        RecipePart("batches and steps", tuple(_steps(method, preset, facts))),
        RecipePart(f"the machine: {preset.machine}", tuple(_machine(method, preset))),
        RecipePart("what is kept", tuple(_kept(has_validation=has_validation))),
    ]


def with_values(parts: Iterable[RecipePart], values: Mapping[str, Any]) -> list[RecipePart]:
    """Return the parts with the user's values: those of settings there stand in place, others at the end.

    A value of None takes a setting out.
    """
    left = dict(values)
    changed = []
    for part in parts:
        settings = (each._replace(value=left.pop(each.key, each.value)) for each in part.settings)
        changed.append(part._replace(settings=tuple(each for each in settings if each.value is not None)))
    more = tuple(Setting(key, value) for key, value in left.items() if value is not None)
    return [*changed, RecipePart("further settings", more)] if more else changed


def as_mapping(parts: Iterable[RecipePart]) -> dict[str, Any]:
    """Return the settings as a plain mapping."""
    return {setting.key: setting.value for part in parts for setting in part.settings}


def recipe_text(parts: Iterable[RecipePart], head: Iterable[str]) -> str:
    """Return the YAML text with its comments; ``head`` are lines for the top."""
    lines = [f"# {line}".rstrip() for line in head]
    for part in parts:
        if part.settings:
            lines += ["", f"# -- {part.heading}"]
        for setting in part.settings:
            lines += [f"# {line}" for line in setting.why.split("\n") if line]
            lines.append(_line(setting))
    return "\n".join(lines) + "\n"


def _line(setting: Setting) -> str:
    if isinstance(setting.value, float) and "e" in repr(setting.value):
        # PyYAML reads 5e-05 as a text, because YAML 1.1 asks for a point in the mantissa.
        mantissa, _, exponent = repr(setting.value).partition("e")
        return f"{setting.key}: {mantissa if '.' in mantissa else f'{mantissa}.0'}e{int(exponent)}"
    flow = isinstance(setting.value, list)
    line = {setting.key: setting.value}
    text = yaml.safe_dump(
        line, default_flow_style=None if flow else False, allow_unicode=True, sort_keys=False, width=1000
    )
    return text.rstrip()


def _data(preset: Preset, facts: RecipeFacts, *, has_validation: bool) -> Iterator[Setting]:
    yield Setting("model_name_or_path", facts.model)
    yield Setting("dtype", "float32" if preset.on_cpu else "bfloat16")
    yield Setting(
        "dataset_name", facts.data_folder, "A folder, as seen from this file; run.sh goes there first."
    )
    yield Setting("dataset_train_split", "train")
    if has_validation:
        yield Setting("dataset_test_split", "validation", "Split by message: no message is in two splits.")
    yield Setting("seed", facts.seed)


def _steps(method: Method, preset: Preset, facts: RecipeFacts) -> Iterator[Setting]:
    rows = _GENERATIONS if method.name == "grpo" else preset.rows_at_once
    batch = rows * preset.accumulation
    per_gpu = " times the number of GPUs" if preset.launcher else ""
    yield Setting("num_train_epochs", 1)
    yield Setting("per_device_train_batch_size", rows)
    yield Setting("gradient_accumulation_steps", preset.accumulation, f"A batch is {batch} rows{per_gpu}.")
    yield Setting("lr_scheduler_type", "cosine")
    yield Setting("warmup_steps", 0.1, "Below 1 it is a share of all steps.")
    if method.name != "grpo":
        yield Setting("max_length", facts.max_length, _TOO_LONG[method.name])


_TOO_LONG = {
    **dict.fromkeys(
        ("dpo", "kto"),
        "Tokens of prompt and response. Longer rows are cut, those whose prompt alone is too long left out, "
        "in silence.",
    ),
    "reward": "Tokens of prompt and response. TRL leaves longer pairs out without a word.",
    "sft": "Tokens of prompt and response. Longer rows are cut.",
}


def _machine(method: Method, preset: Preset) -> Iterator[Setting]:
    if preset.launcher:
        yield Setting("accelerate_config", preset.launcher, "TRL's own; num_processes is the number of GPUs.")
        yield Setting("num_processes", 8)
    if preset.on_cpu:
        yield Setting("use_cpu", True)
        yield Setting("bf16", False)
        yield Setting(
            "gradient_checkpointing",
            False,
            "Checkpointing saves memory and costs time; here it is 2.3 times as slow.",
        )
    else:
        yield Setting("bf16", True)
        yield Setting("gradient_checkpointing", True)
    if preset.lora_rank:
        yield Setting("use_peft", True, "LoRA. Without it the learning rate must be about ten times smaller.")
        yield Setting("lora_r", preset.lora_rank)
        yield Setting("lora_alpha", 2 * preset.lora_rank)
        yield Setting("lora_target_modules", ["all-linear"])
        if method.name == "reward":
            yield Setting(
                "lora_task_type", "SEQ_CLS", "TRL's default is for language models and crashes here."
            )


def _kept(*, has_validation: bool) -> Iterator[Setting]:
    yield Setting("output_dir", MODEL_FOLDER)
    yield Setting("eval_strategy", "epoch" if has_validation else "no")
    yield Setting("logging_steps", 10)
    yield Setting("save_strategy", "steps", "Checkpoints, to go on from after a stop.")
    yield Setting("save_steps", 0.2, "Below 1 it is a share of all steps.")
    yield Setting("save_total_limit", 1)
    yield Setting(
        "report_to", "none", "Nothing leaves the machine; wandb, trackio and others are possible here."
    )


def _rate(preset: Preset, lora: float, full: float) -> Setting:
    value, use = (lora, "LoRA") if preset.lora_rank else (full, "full fine-tuning")
    return Setting("learning_rate", value, f"A rate for {use}.")


def _dpo(preset: Preset, _facts: RecipeFacts) -> Iterator[Setting]:
    yield _rate(preset, 5e-5, 1e-6)
    yield Setting("beta", 0.1, "How dearly leaving the base model is paid for; smaller moves further.")
    yield Setting(
        "loss_type",
        ["sigmoid", "sft"],
        "The second term keeps the chosen responses probable. Without it what was not asked about suffers "
        "more.\n"
        "Where the sides differ in length, sigmoid_norm, or ld_alpha: 0.5, keeps length out of the loss.",
    )
    yield Setting("loss_weights", [1.0, 1.0])
    if not preset.lora_rank:
        yield Setting("precompute_ref_log_probs", True, "The base model then need not stay in memory.")


def _reward(preset: Preset, _facts: RecipeFacts) -> Iterator[Setting]:
    yield _rate(preset, 1e-4, 1e-5)


def _grpo(preset: Preset, facts: RecipeFacts) -> Iterator[Setting]:
    yield _rate(preset, 1e-5, 1e-6)
    yield Setting(
        "beta", 0.04, "The price of leaving the base model. TRL's default of 0 lets the policy drift."
    )
    yield Setting(
        "num_generations", _GENERATIONS, "Replies to each message, which are compared with one another."
    )
    yield Setting("max_completion_length", facts.max_length // 2)
    yield Setting("temperature", 1.0)


def _sft(preset: Preset, _facts: RecipeFacts) -> Iterator[Setting]:
    yield _rate(preset, 2e-4, 2e-5)
    yield Setting("completion_only_loss", True, "Messages are read, not learnt.")


def _kto(preset: Preset, facts: RecipeFacts) -> Iterator[Setting]:
    yield _rate(preset, 5e-5, 1e-6)
    yield Setting("beta", 0.1)
    yield Setting("desirable_weight", facts.kto_weight, "So that both labels weigh the same altogether.")


_HOW: dict[str, Any] = {"dpo": _dpo, "reward": _reward, "grpo": _grpo, "sft": _sft, "kto": _kto}


def _rewarded(reward: Reward | None) -> Iterator[Setting]:
    if reward is None:
        return
    if reward.is_ours:
        yield Setting(
            "reward_funcs",
            ["character.rewards.preference"],
            "A linear model of words can be gamed: watch the other traits. A reward model of TRL's is harder "
            "to fool.",
        )
        yield Setting("env", {"CHARACTER_PREFERENCE_MODEL": reward.model})
    else:
        yield Setting("reward_model_name_or_path", reward.model)
