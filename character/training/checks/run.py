"""The checks before training, in the order in which they should be read, and the report they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from character.constitution import Trait
from character.training.checks import data as data_checks
from character.training.checks import model as model_checks
from character.training.data import TrainingData
from character.training.methods import METHODS, MethodName
from character.training.model_folder import ModelFolder, read_model_folder
from character.training.other_traits import BY_WORDS, TraitScorer, other_traits
from character.training.reports import Check

_ORDER = {"stop": 0, "look": 1, "note": 2, "fine": 3}


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
    folder = read_model_folder(model)
    checks = [*data_checks.left_out(left_out or {}), *_checks(data, method, model, folder, max_length)]
    checks += other_traits(data, METHODS[method], traits, scorer)
    return tuple(sorted(checks, key=lambda check: _ORDER[check.weight]))


def _checks(
    data: TrainingData, name: MethodName, model: str, folder: ModelFolder | None, max_length: int
) -> Iterator[Check]:
    method = METHODS[name]
    for look in (
        data_checks.shapes,
        data_checks.columns,
        data_checks.identical_sides,
        data_checks.shared_prompts,
        data_checks.longer_wins,
        data_checks.languages,
    ):
        yield from look(data, method)
    yield from model_checks.chat_template(data, folder, model)
    yield from model_checks.padding(folder)
    yield from data_checks.too_long(data, method, folder, max_length)


def report_text(checks: Sequence[Check]) -> str:
    """Return the checks as Markdown."""
    heads = {
        "stop": "Would fail, or train on something else",
        "look": "Look at this",
        "note": "To know",
        "fine": "Fine",
    }
    lines = ["# Checks before training"]
    for weight, head in heads.items():
        items = [f"- {' '.join(check.text.split())}" for check in checks if check.weight == weight]
        if items:
            lines += ["", f"## {head}", "", *items]
    return "\n".join(lines) + "\n"
