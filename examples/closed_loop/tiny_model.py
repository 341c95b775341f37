"""A language model of half a million parameters, untrained: tokenizer, configuration and weights in a folder.

The weights are drawn by numpy, so no deep-learning library is needed to make it, and the same seed gives the
same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from character.errors import MissingExtraError
from character.files import write_text

SPECIAL = ("<|pad|>", "<|end|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{% for turn in messages %}<|{{ turn['role'] }}|>{{ turn['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_STANDARD_DEVIATION = 0.02


def write_tiny_model(
    folder: Path,
    texts: Iterable[str],
    *,
    seed: int,
    hidden: int = 128,
    layers: int = 2,
    vocabulary: int = 1200,
    max_positions: int = 128,
) -> None:
    """Write an untrained Llama with a byte-level tokenizer that was trained on ``texts``.

    ``hidden`` is the width (a multiple of 32), ``max_positions`` the most tokens it can read. Raises
    MissingExtraError without safetensors, which comes with transformers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = _write_tokenizer(folder, texts, vocabulary, max_positions)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": size,
        "hidden_size": hidden,
        "intermediate_size": hidden * 8 // 3 // 8 * 8,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 32,
        "num_key_value_heads": hidden // 32,
        "max_position_embeddings": max_positions,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": SPECIAL.index("<|end|>"),
        "pad_token_id": SPECIAL.index("<|pad|>"),
        "dtype": "float32",
    }
    write_text(folder / "config.json", json.dumps(config, indent=2) + "\n")
    _write_weights(folder, config, seed)


def _write_tokenizer(folder: Path, texts: Iterable[str], vocabulary: int, max_positions: int) -> int:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<|pad|>",
        "eos_token": "<|end|>",
        "model_max_length": max_positions,
        "clean_up_tokenization_spaces": False,
    }
    write_text(folder / "tokenizer_config.json", json.dumps(config, indent=2) + "\n")
    write_text(folder / "chat_template.jinja", CHAT_TEMPLATE)
    return int(tokenizer.get_vocab_size())


def _write_weights(folder: Path, config: dict[str, Any], seed: int) -> None:
    try:
        from safetensors.numpy import save_file
    except ImportError:
        raise MissingExtraError("a model of our own", "train") from None
    random = np.random.default_rng(seed)
    weights = {
        name: np.ones(shape, dtype=np.float32)
        if len(shape) == 1
        else random.normal(0.0, _STANDARD_DEVIATION, shape).astype(np.float32)
        for name, shape in _shapes(config)
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _shapes(config: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the name and the shape of every weight of a Llama; norms have one dimension."""
    hidden, middle = config["hidden_size"], config["intermediate_size"]
    yield "model.embed_tokens.weight", (config["vocab_size"], hidden)
    for number in range(config["num_hidden_layers"]):
        layer = f"model.layers.{number}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            yield f"{layer}.self_attn.{name}.weight", (hidden, hidden)
        yield f"{layer}.mlp.gate_proj.weight", (middle, hidden)
        yield f"{layer}.mlp.up_proj.weight", (middle, hidden)
        yield f"{layer}.mlp.down_proj.weight", (hidden, middle)
        yield f"{layer}.input_layernorm.weight", (hidden,)
        yield f"{layer}.post_attention_layernorm.weight", (hidden,)
    yield "model.norm.weight", (hidden,)
