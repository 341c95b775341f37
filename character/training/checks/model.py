"""Checks of the base model's folder: a chat template is there and does what training takes for granted."""

from __future__ import annotations

from collections.abc import Iterator

from character.training.data import TrainingData, responses_of, turns_of
from character.training.model_folder import ModelFolder
from character.training.reports import Check

_SAMPLE = 20


def chat_template(data: TrainingData, model: ModelFolder | None, name: str) -> Iterator[Check]:
    """Look for a chat template, and whether a reply continues the prompt that it is trained after."""
    if model is None:
        yield Check(
            code="chat_template",
            weight="note",
            text=f"{name} is not a folder here, so its chat template and its tokens were not checked.",
        )
        return
    if not any(isinstance(row["prompt"], list) for row in data.rows):
        return
    if not model.chat_template:
        yield Check(
            code="chat_template",
            weight="stop",
            text=f"{model.path} has no chat template, and the data are conversations: TRL crashes. Take an "
            "instruction-tuned model, or put a chat_template.jinja into the folder.",
        )
        return
    yield from _prefix(data, model)


def _prefix(data: TrainingData, model: ModelFolder) -> Iterator[Check]:
    broken = [example for example in _examples(data) if not _continues(model, *example)]
    if broken:
        turns, _response = broken[0]
        prompt = model.render(turns, add_generation_prompt=True)
        yield Check(
            code="template_prefix",
            weight="stop",
            text="The chat template writes a prompt that ends otherwise than the same prompt within a "
            f"conversation (…{prompt[-40:]!r}), so the model would be trained after a context that it never "
            "sees. Give it a template whose generation prompt is how the assistant's turn begins.",
            numbers={"rows": len(broken)},
        )
    else:
        yield Check(
            code="template_prefix", weight="fine", text="The chat template's replies continue its prompts."
        )


def _examples(data: TrainingData) -> list[tuple[list[dict[str, str]], list[dict[str, str]]]]:
    examples: list[tuple[list[dict[str, str]], list[dict[str, str]]]] = []
    for row in data.rows:
        if isinstance(row["prompt"], list):
            response = next(iter(responses_of(row)), [{"role": "assistant", "content": "…"}])
            examples.append((turns_of(row["prompt"], "user"), turns_of(response, "assistant")))
        if len(examples) == _SAMPLE:
            break
    return examples


def _continues(model: ModelFolder, turns: list[dict[str, str]], response: list[dict[str, str]]) -> bool:
    prompt = model.render(turns, add_generation_prompt=True)
    return model.render([*turns, *response]).startswith(prompt)


def padding(model: ModelFolder | None) -> Iterator[Check]:
    """Look for a padding token that is the end token too."""
    if model is None:
        return
    end, pad = model.special.get("eos_token"), model.special.get("pad_token")
    if pad is not None and pad == end:
        yield Check(
            code="pad_is_eos",
            weight="look",
            text=f"The padding token is the end token ({pad!r}). Where padding is left out of the loss, the "
            "end is too, and the model may not learn to stop: give it a padding token of its own, and look "
            "at what the replies end with.",
        )
    elif pad is None and model.tokenizer is not None:
        yield Check(
            code="pad_is_eos",
            weight="note",
            text="The tokenizer has no padding token; TRL then takes the end token.",
        )
