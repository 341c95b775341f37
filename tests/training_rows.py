"""Rows of training data, and a model folder without weights, for the tests of training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from closed_loop.tiny_model import CHAT_TEMPLATE, SPECIAL

Row = dict[str, Any]


def write_model(folder: Path, *, template: str = CHAT_TEMPLATE, pad: str = "<|pad|>") -> Path:
    """Write the configuration, byte-level tokenizer and chat template of a model, without weights."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: place for place, token in enumerate([*SPECIAL, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    special = {"eos_token": "<|end|>", "pad_token": pad}
    (folder / "tokenizer_config.json").write_text(json.dumps(special), encoding="utf-8")
    if template:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


def pair(number: int, *, chosen: str = "Slowly.", rejected: str = "Hurry.", **more: Any) -> Row:
    """Return one preference row in TRL's conversational shape."""
    return {
        "prompt": [{"role": "user", "content": f"Question {number}: how do I cook rice?"}],
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
        **more,
    }
