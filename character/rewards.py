"""A saved preference model as reward functions for TRL's GRPO, which a recipe names.

    reward_funcs: [character.rewards.preference]
    env: {CHARACTER_PREFERENCE_MODEL: /path/to/model}

``character.rewards.preference`` takes the trait of each row from the column ``trait``; any other name is that
of a trait, for data sets without this column. The model's folder is read from the variable above, on first
use. A reward is the model's score in log-odds; GRPO compares those of one prompt alone, so their zero does
not matter.

A linear model of n-grams can be gamed by repeating what it likes: watch the other traits and read samples, or
use a reward model that was trained (``trl reward``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from character.errors import ConfigError, InputError, UnknownNameError
from character.records import Turn

if TYPE_CHECKING:
    from character.preference.protocol import PreferenceModel

MODEL_VARIABLE = "CHARACTER_PREFERENCE_MODEL"
BY_COLUMN = "preference"

Reward = Callable[..., list[float]]


def __getattr__(name: str) -> Reward:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name != BY_COLUMN and name not in _model().traits:
        raise UnknownNameError("reward", name, [BY_COLUMN, *_model().traits])
    return _reward(None if name == BY_COLUMN else name, name)


def _reward(trait: str | None, name: str) -> Reward:
    def reward(
        completions: Sequence[Any], prompts: Sequence[Any] | None = None, **columns: Any
    ) -> list[float]:
        """Return the score of each completion: a text, or a conversation that ends with the response."""
        from character.preference.protocol import Judged

        traits = [trait] * len(completions) if trait else _column(columns, len(completions))
        asked = prompts if prompts is not None else [()] * len(completions)
        judged = [
            Judged(_turns(prompt), _text(completion), of)
            for prompt, completion, of in zip(asked, completions, traits, strict=True)
        ]
        return [float(score) for score in _model().scores(judged)]

    reward.__name__ = reward.__qualname__ = name  # TRL logs a reward by this name
    return reward


def _column(columns: Mapping[str, Any], number: int) -> list[str]:
    traits = columns.get("trait")
    if not isinstance(traits, Sequence) or isinstance(traits, str) or len(traits) != number:
        raise InputError(
            "the rows do not say which trait they are of.",
            expected="a column `trait` with texts, as `character export --format trl-prompt` writes it",
            fix="or name one trait for all rows: reward_funcs: [character.rewards.TRAIT].",
        )
    return [str(trait) for trait in traits]


def _text(completion: Any) -> str:
    """Return the response of a completion: a text as it stands, or the last turn of a conversation."""
    if isinstance(completion, str):
        return completion
    turns = [turn for turn in completion if isinstance(turn, Mapping) and turn.get("role") == "assistant"]
    return str(turns[-1].get("content") or "") if turns else ""


def _turns(prompt: Any) -> Sequence[Turn] | str:
    if isinstance(prompt, str):
        return prompt
    return [
        Turn(role=turn["role"], content=turn["content"])
        for turn in prompt
        if turn.get("role") in ("user", "assistant") and turn.get("content")
    ]


def _model() -> PreferenceModel:
    folder = os.environ.get(MODEL_VARIABLE)
    if not folder:
        raise ConfigError(
            f"the variable {MODEL_VARIABLE} is not set.",
            expected="the folder of a saved preference model",
            fix=f"in the recipe: env: {{{MODEL_VARIABLE}: FOLDER}}.",
        )
    return _loaded(folder)


@lru_cache(maxsize=4)
def _loaded(folder: str) -> PreferenceModel:
    from character.preference import load_preference_model

    return load_preference_model(folder)
