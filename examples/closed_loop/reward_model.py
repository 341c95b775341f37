"""A reward model that TRL trained, and how it fares on pairs that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from character.errors import InputError, MissingExtraError
from character.statistics.intervals import Interval, bootstrap_mean
from character.training.data import Row, prompt_key, turns_of
from character.training.model_folder import Turns, read_model_folder

_BATCH = 64


def rewards(model: Path | str, conversations: Sequence[Turns], *, max_length: int = 1024) -> list[float]:
    """Return the reward of each conversation, which ends with the response to be judged; higher is better.

    Raises MissingExtraError without transformers and InputError for a folder without a chat template.
    """
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError:
        raise MissingExtraError("a reward model in a folder", "train") from None
    folder = read_model_folder(model)
    if folder is None or not folder.chat_template:
        raise InputError(
            f"{model} is no reward model with a chat template.", fix="give the folder TRL wrote."
        )
    tokenizer: Any = AutoTokenizer.from_pretrained(folder.path, padding_side="right")
    judge = AutoModelForSequenceClassification.from_pretrained(folder.path, num_labels=1).eval()
    texts = [folder.render(turns) for turns in conversations]
    found: list[float] = []
    for start in range(0, len(texts), _BATCH):
        encoded = tokenizer(
            texts[start : start + _BATCH],
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=max_length,
            add_special_tokens=False,
            return_token_type_ids=False,
        )
        with torch.inference_mode():
            found += judge(**encoded).logits[:, 0].tolist()
    return found


def held_out_accuracy(model: Path | str, rows: Sequence[Row]) -> Interval | None:
    """Return the share of pairs whose chosen side has the higher reward, with its interval over messages.

    None without rows. Equal rewards count half.
    """
    sides = [
        [*turns_of(row["prompt"], "user"), *turns_of(row[side], "assistant")]
        for row in rows
        for side in ("chosen", "rejected")
    ]
    if not sides:
        return None
    found = rewards(model, sides)
    wins = [
        0.5 if chosen == rejected else float(chosen > rejected)
        for chosen, rejected in zip(found[::2], found[1::2], strict=True)
    ]
    return bootstrap_mean(wins, groups=[prompt_key(row) for row in rows])
