"""The checks before training, in the order in which they should be read, and the report they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from character.constitution import Trait
from character.training.checks import data as look_for
from character.training.checks.findings import TEXTS
from character.training.data import TrainingData
from character.training.methods import METHODS, MethodName
from character.training.model_folder import read_model_folder
from character.training.other_traits import BY_WORDS, TraitScorer, other_traits
from character.training.reports import Check, CheckWeight
from character.views.templates import filled_in


def check_training(
    data: TrainingData,
    method: MethodName,
    model: str,
    *,
    max_length: int,
    traits: Sequence[Trait] = (),
    scorer: TraitScorer = BY_WORDS,
    left_out: Mapping[str, int] | None = None,
) -> tuple[Check, ...]:
    """Return what speaks for and against training on this data from this base model, the gravest first.

    ``traits`` are all that the character has: each is looked for in the pairs of the others, by ``scorer``.
    ``max_length`` is the recipe's. ``left_out`` counts what of a run did not come into the data, by reason.
    Nothing is changed and no model is loaded.
    """
    chosen, folder = METHODS[method], read_model_folder(model)
    checks = [
        *look_for.left_out(left_out or {}),
        *look_for.faulty_rows(data, chosen),
        *look_for.shared_prompts(data),
        *look_for.longer_wins(data, chosen),
        *look_for.languages(data),
        *look_for.chat_template(data, folder, model),
        *look_for.padding(folder),
        *look_for.too_long(data, chosen, folder, max_length),
        *other_traits(data, chosen, traits, scorer),
    ]
    return tuple(sorted(checks, key=lambda check: get_args(CheckWeight).index(check.weight)))


def report_text(checks: Sequence[Check]) -> str:
    """Return the checks as Markdown."""
    return filled_in(Path(__file__).with_name("checks.md.jinja"), checks=checks, heads=TEXTS["heads"])
