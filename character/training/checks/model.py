"""Checks of the base model's folder: a chat template is there and does what training takes for granted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from character.training.checks.findings import check
from character.training.data import TrainingData, responses_of, turns_of
from character.training.model_folder import ModelFolder
from character.training.reports import Check

_SAMPLE = 20


def chat_template(data: TrainingData, model: ModelFolder | None, name: str) -> Iterator[Check]:
    """Look for a chat template, and whether a reply continues the prompt that it is trained after."""
    if model is None:
        yield check("chat_template", "note", name=name)
    elif not any(isinstance(row["prompt"], list) for row in data.rows):
        return
    elif not model.chat_template:
        yield check("chat_template", "stop", path=model.path)
    else:
        yield _prefix(data, model)


def _prefix(data: TrainingData, model: ModelFolder) -> Check:
    broken = [turns for turns, response in _examples(data) if not _continues(model, turns, response)]
    if not broken:
        return check("template_prefix", "fine")
    prompt = model.render(broken[0], add_generation_prompt=True)
    return check("template_prefix", "stop", {"rows": len(broken)}, end=prompt[-40:])


def _examples(data: TrainingData) -> Iterator[tuple[list[dict[str, str]], list[dict[str, str]]]]:
    for row in islice((row for row in data.rows if isinstance(row["prompt"], list)), _SAMPLE):
        response = next(iter(responses_of(row)), [{"role": "assistant", "content": "…"}])
        yield turns_of(row["prompt"], "user"), turns_of(response, "assistant")


def _continues(model: ModelFolder, turns: list[dict[str, str]], response: list[dict[str, str]]) -> bool:
    prompt = model.render(turns, add_generation_prompt=True)
    return model.render([*turns, *response]).startswith(prompt)


def padding(model: ModelFolder | None) -> Iterator[Check]:
    """Look for a padding token that is the end token too."""
    if model is None:
        return
    end, pad = model.special.get("eos_token"), model.special.get("pad_token")
    if pad is not None and pad == end:
        yield check("pad_is_eos", "look", pad=pad)
    elif pad is None and model.tokenizer is not None:
        yield check("pad_is_eos", "note")
