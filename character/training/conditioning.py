"""A reward model for every trait: its rows say the trait, and its folder says how it must be asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from character.constitution import Trait
from character.files import problem
from character.preference import load_preference_model
from character.preference.folds import text_key
from character.preference.protocol import asked_about
from character.preference.transformer import (
    FACTS_NAME,
    TransformerPreference,
    conditioned_turns,
    trait_text,
    write_facts,
)
from character.training.data import TrainingData, turns_of, write_data
from character.training.model_folder import read_model_folder
from character.training.recipe import Reward

CONDITIONED_FOLDER = "conditioned"


def conditioned(data: TrainingData, traits: Sequence[Trait], folder: Path) -> TrainingData:
    """Write the rows with their trait's text before the user's first turn into a folder, and return them.

    A row whose trait is empty, as ordinary rows that are mixed in, stays as it is. Raises InputError for a
    trait that the constitution does not have, because the model could not be told what it means.
    """
    texts = {trait.name: trait_text(trait) for trait in traits}
    splits = {name: [_with_trait(row, texts) for row in rows] for name, rows in data.splits.items()}
    return write_data(folder, splits)


def write_asking(
    folder: Path,
    rows: Iterable[dict[str, Any]],
    traits: Sequence[Trait],
    *,
    max_length: int,
    rehearsal: bool | None = None,
) -> None:
    """Write into the folder of a model that is to be trained how it must be asked, and which messages it saw.

    With that file the folder is a preference model: ``load_preference_model`` reads it, and an evaluation
    leaves those messages out. ``rows`` are those trained on, as they are without their trait; ``rehearsal``
    says whether the rehearsal model had a hand in them.
    """
    seen = frozenset(
        text_key(turns[-1]["content"]) for row in rows if (turns := turns_of(row["prompt"], "user"))
    )
    descriptions = {trait.name: trait.description for trait in traits}
    folder.mkdir(parents=True, exist_ok=True)
    write_facts(
        TransformerPreference(
            folder, descriptions=descriptions, max_length=max_length, seen_messages=seen, rehearsal=rehearsal
        )
    )


def check_reward(reward: Reward | None) -> None:
    """Refuse a conditioned reward model as TRL's, which would not tell it the trait; and a broken folder."""
    if reward is None or reward.is_ours:
        return
    if (Path(reward.model) / FACTS_NAME).is_file():
        raise problem(__file__, "conditioned_reward", reward=reward)
    read_model_folder(reward.model)


def check_reward_traits(reward: Reward | None, names: Sequence[str]) -> tuple[str, ...]:
    """Return what to know of the traits that our preference model is to reward; raises as reading it does.

    Raises InputError where it was fitted on none of them: every reply would be rewarded for something else.
    Of a trait it was not fitted on even a conditioned model is told the name alone.
    """
    if reward is None or not reward.is_ours:
        return ()
    asked = asked_about(
        load_preference_model(reward.model), names, where=f"the model {reward.model}", by_name=True
    )
    if not asked.not_fitted:
        return ()
    return (f"{reward.model} was not fitted on {', '.join(asked.not_fitted)}: its rewards say little there.",)


def _with_trait(row: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    name = row.get("trait")
    if not name:
        return row
    if name not in texts:
        raise problem(__file__, "unknown_trait", name=name, known=", ".join(texts) or "its traits")
    return {**row, "prompt": conditioned_turns(turns_of(row["prompt"], "user"), texts[name])}
