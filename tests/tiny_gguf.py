"""A language model of a few kilobytes in a GGUF file: it draws words at random, whatever it is asked."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

WORDS = (
    "patience",
    "takes",
    "time",
    "and",
    "we",
    "go",
    "on",
    "slowly",
    "together",
    "so",
    "ask",
    "me",
    "again",
)
WIDTH, HEADS = 32, 2
_CODES = {int: (4, "I"), float: (6, "f")}
_INT32, _TEXT, _LIST = 5, 8, 9
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_ALIGNED = 32


def write_tiny_gguf(path: Path) -> Path:
    """Write the weights and return their path.

    All tokens have one embedding and all layers add nothing, so that the logits are those of ``output.weight``
    whatever came before: words are likely, an end or a quote comes after about fifteen of them, bytes
    only where a grammar asks for one.
    """
    tokens = [("<unk>", _UNKNOWN, -30.0), ("<s>", _CONTROL, -30.0), ("</s>", _CONTROL, 0.1)]
    tokens += [(f"<0x{byte:02X}>", _BYTE, -12.0) for byte in range(256)]
    tokens += [('"', _NORMAL, 0.05), *((f"▁{word}", _NORMAL, 0.0) for word in WORDS)]
    logits = np.array([logit for _, _, logit in tokens], "<f4")
    flat, square = np.ones(WIDTH, "<f4"), np.zeros((WIDTH, WIDTH), "<f4")
    tensors = {
        "token_embd.weight": np.ones((len(tokens), WIDTH), "<f4"),
        "output_norm.weight": flat,
        "output.weight": np.repeat(logits[:, None] / WIDTH, WIDTH, axis=1).astype("<f4"),
        "blk.0.attn_norm.weight": flat,
        "blk.0.ffn_norm.weight": flat,
        **{f"blk.0.{name}.weight": square for name in ("attn_q", "attn_k", "attn_v", "attn_output")},
        **{f"blk.0.{name}.weight": square for name in ("ffn_gate", "ffn_up", "ffn_down")},
    }
    facts: dict[str, Any] = {
        "general.architecture": "llama",
        "general.name": "tiny",
        "llama.context_length": 65536,
        "llama.embedding_length": WIDTH,
        "llama.block_count": 1,
        "llama.feed_forward_length": WIDTH,
        "llama.attention.head_count": HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [name for name, _, _ in tokens],
        "tokenizer.ggml.scores": [0.0 for _ in tokens],
        "tokenizer.ggml.token_type": [kind for _, kind, _ in tokens],
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.chat_template": "{% for m in messages %}{{ m.content }}\n{% endfor %}",
    }
    data, infos = b"", b""
    for name, values in tensors.items():
        shape = values.shape[::-1]  # the format counts the innermost dimension first
        infos += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += values.tobytes()
        data += bytes(-len(data) % _ALIGNED)
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(facts))
    head += b"".join(_text(name) + _typed(value) for name, value in facts.items()) + infos
    path.write_bytes(head + bytes(-len(head) % _ALIGNED) + data)
    return path


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _typed(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _TEXT) + _text(value)
    if isinstance(value, list):
        code = _INT32 if isinstance(value[0], int) else struct.unpack("<I", _typed(value[0])[:4])[0]
        return struct.pack("<IIQ", _LIST, code, len(value)) + b"".join(_typed(each)[4:] for each in value)
    code, form = _CODES[type(value)]
    return struct.pack(f"<I{form}", code, value)
