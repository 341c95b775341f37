"""TRL itself accepts what is exported for it: its data utilities, and one training step of each trainer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pytest

from character.exports import Split, export

pytestmark = pytest.mark.train

ALL_IN_TRAIN = Split(train=1, validation=0, test=0)
CHAT_TEMPLATE = (
    "{% for turn in messages %}<|{{ turn['role'] }}|>{{ turn['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture
def exported(sixty, tmp_path):
    """Exports sixty messages in a format and gives them as TRL would load them."""

    def give(format: str, **options: Any) -> datasets.Dataset:
        out = tmp_path / f"{format}-{len(options)}"
        export(sixty, format, out, split=ALL_IN_TRAIN, **options)
        return datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))

    return give


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A byte-level tokenizer made on the spot, with a chat template; nothing is downloaded."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*special, *letters])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(special)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<|pad|>", eos_token="<|end|>", chat_template=CHAT_TEMPLATE
    )


def tiny(kind: str, tokenizer: Any) -> Any:
    """Return a Llama of a few thousand parameters, as a language model or with one reward."""
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config) if kind == "language" else LlamaForSequenceClassification(config)


def one_step(out: Path) -> dict[str, Any]:
    """Return arguments for one step on the CPU that writes and reports nothing."""
    return {
        "output_dir": str(out),
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "report_to": [],
        "save_strategy": "no",
        "logging_steps": 1,
        "use_cpu": True,
        "bf16": False,
        "disable_tqdm": True,
    }


@pytest.mark.parametrize("format", ["trl", "trl-kto", "trl-prompt", "parquet", "openrlhf"])
def test_every_row_is_conversational_to_trl(exported, format):
    from trl.data_utils import is_conversational

    rows = exported(format)
    assert len(rows) >= 60
    assert all(is_conversational(row) for row in rows)


def test_the_prompt_is_explicit_so_trl_extracts_the_same_one(exported):
    from trl.data_utils import maybe_extract_prompt

    for row in exported("trl"):
        joined = {side: row["prompt"] + row[side] for side in ("chosen", "rejected")}
        taken = maybe_extract_prompt(joined)
        assert (taken["prompt"], taken["chosen"], taken["rejected"]) == (
            row["prompt"],
            row["chosen"],
            row["rejected"],
        )


def test_the_chat_template_keeps_prompt_and_responses_apart(exported, tokenizer):
    from trl.data_utils import apply_chat_template

    row = exported("trl")[0]
    texts = apply_chat_template({key: row[key] for key in ("prompt", "chosen", "rejected")}, tokenizer)
    assert texts["prompt"] == f"<|user|>{row['prompt'][0]['content']}<|end|><|assistant|>"
    assert texts["chosen"] == f"{row['chosen'][0]['content']}<|end|>"


def test_unpaired_rows_are_those_that_trl_makes_of_the_pairs_each_once(exported):
    from trl import unpair_preference_dataset

    pairs = exported("trl").select_columns(["prompt", "chosen", "rejected"])
    by_trl = {row_key(row) for row in unpair_preference_dataset(pairs)}
    ours = Counter(row_key(row) for row in exported("trl-kto"))
    assert set(ours) == by_trl
    assert len(ours) == sum(ours.values()) == 3 * 60


def row_key(row: dict[str, Any]) -> tuple[str, str, bool]:
    return (str(row["prompt"]), str(row["completion"]), row["label"])


def test_dpo_trains_on_the_pairs_and_drops_none(exported, tokenizer, tmp_path):
    from trl import DPOConfig, DPOTrainer

    rows = exported("trl")
    trainer = DPOTrainer(
        model=tiny("language", tokenizer),
        ref_model=tiny("language", tokenizer),
        args=DPOConfig(**one_step(tmp_path / "model")),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    assert len(trainer.train_dataset) == len(rows)
    assert trainer.train().training_loss > 0


def test_kto_trains_on_the_labelled_responses(exported, tokenizer, tmp_path):
    from trl import KTOConfig, KTOTrainer

    trainer = KTOTrainer(
        model=tiny("language", tokenizer),
        ref_model=tiny("language", tokenizer),
        args=KTOConfig(**one_step(tmp_path / "model")),
        train_dataset=exported("trl-kto"),
        processing_class=tokenizer,
    )
    assert trainer.train().global_step == 1


@pytest.mark.parametrize("include_margin", [False, True])
def test_the_reward_trainer_sees_a_margin_only_when_asked_for(exported, tokenizer, tmp_path, include_margin):
    from trl import RewardConfig, RewardTrainer

    trainer = RewardTrainer(
        model=tiny("reward", tokenizer),
        args=RewardConfig(**one_step(tmp_path / "model")),
        train_dataset=exported("trl", include_margin=include_margin),
        processing_class=tokenizer,
    )
    batch = next(iter(trainer.get_train_dataloader()))
    assert ("margin" in batch) is include_margin
    assert trainer.train().training_loss > 0


def test_grpo_trains_on_the_prompts_and_hands_their_columns_to_the_reward(exported, tokenizer, tmp_path):
    from trl import GRPOConfig, GRPOTrainer

    seen: list[str] = []

    def reward(completions: list[Any], trait: list[str], **_: Any) -> list[float]:
        seen.extend(trait)
        return [float(len(str(completion))) for completion in completions]

    arguments = one_step(tmp_path / "model") | {"num_generations": 2, "max_completion_length": 4}
    trainer = GRPOTrainer(
        model=tiny("language", tokenizer),
        args=GRPOConfig(**arguments),
        train_dataset=exported("trl-prompt"),
        processing_class=tokenizer,
        reward_funcs=reward,
    )
    assert trainer.train().global_step == 1
    assert set(seen) <= {"耐心", "幽默感"}
    assert seen
