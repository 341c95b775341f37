"""The reward functions speak TRL's convention, and take the model from the environment."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from preference.teaching import pairs_of

from character.errors import ConfigError, InputError, UnknownNameError
from character.preference import preference_model

PATIENT, OTHER = "Well, no need to hurry here.", "Well, the weather stays dry."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a saved model of two traits."""
    where = tmp_path_factory.mktemp("reward")
    preference_model("light").fit([*pairs_of("patience"), *pairs_of("humour", "zh")]).save(where)
    return where


def rewards(monkeypatch: pytest.MonkeyPatch, folder: Path | None) -> object:
    if folder is None:
        monkeypatch.delenv("CHARACTER_PREFERENCE_MODEL", raising=False)
    else:
        monkeypatch.setenv("CHARACTER_PREFERENCE_MODEL", str(folder))
    return import_module("character.rewards")


def test_a_trait_by_name_rewards_texts_and_conversations_alike(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reward = getattr(rewards(monkeypatch, folder), "patience")  # noqa: B009 - as TRL gets it
    texts = reward(
        prompts=["Why?", "Why?"], completions=[PATIENT, OTHER], completion_ids=[[1], [2]], trainer_state=None
    )
    turns = reward(
        prompts=[[{"role": "user", "content": "Why?"}]] * 2,
        completions=[[{"role": "assistant", "content": text}] for text in (PATIENT, OTHER)],
    )
    assert texts == turns
    assert texts[0] > texts[1]
    assert all(type(value) is float for value in texts)
    assert reward.__name__ == "patience"


def test_the_column_says_the_trait_of_each_row(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = rewards(monkeypatch, folder)
    reward = getattr(module, "preference")  # noqa: B009
    given = reward(completions=[PATIENT, PATIENT], prompts=["a", "b"], trait=["patience", "humour"])
    assert given[0] == getattr(module, "patience")(completions=[PATIENT])[0]  # noqa: B009
    assert given[0] != given[1]
    with pytest.raises(InputError, match="which trait they are of"):
        reward(completions=[PATIENT], prompts=["a"])


def test_an_empty_completion_has_a_reward(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reward = getattr(rewards(monkeypatch, folder), "patience")  # noqa: B009
    assert len(reward(completions=["", []], prompts=["a", []])) == 2


def test_names_that_are_none_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = rewards(monkeypatch, folder)
    with pytest.raises(UnknownNameError, match="patience, preference"):
        getattr(module, "patince")  # noqa: B009
    assert not hasattr(module, "__path__")
    unset = rewards(monkeypatch, None)
    with pytest.raises(ConfigError, match="CHARACTER_PREFERENCE_MODEL is not set"):
        getattr(unset, "patience")  # noqa: B009


def test_a_training_process_needs_neither_dspy_nor_scipy(folder: Path) -> None:
    code = (
        "import sys, importlib; reward = getattr(importlib.import_module('character.rewards'), 'patience');"
        "reward(completions=['no need to hurry'], prompts=['Why?']);"
        "print([name for name in ('dspy', 'scipy', 'sqlalchemy', 'litellm') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"CHARACTER_PREFERENCE_MODEL": str(folder), "PATH": ""},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
