"""The predictors of a module by name, each by its fields: what a file has to agree with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dspy

from character.errors import InputError


def fields_of(module: Any) -> dict[str, list[str]]:
    """Return the names of the fields of every predictor, by its name."""
    return {
        name: list(getattr(getattr(each, "signature", None), "fields", ()))
        for name, each in module.named_parameters()
    }


def fields_in(name: str, value: Any) -> dict[str, list[str]]:
    """Return the same of what an attribute of this name holds."""
    if isinstance(value, dspy.Predict):
        return {name: list(value.signature.fields)}
    inside = fields_of(value) if isinstance(value, dspy.Module) else {}
    return {f"{name}.{inner}": fields for inner, fields in inside.items()}


def below(fields: Mapping[str, list[str]], path: str, *, keep: bool = False) -> dict[str, list[str]]:
    """Return the predictors below a path, by their names there, or as they are."""
    if not path:
        return dict(fields)
    inside = {name: each for name, each in fields.items() if name == path or name.startswith(f"{path}.")}
    return inside if keep else {name.removeprefix(f"{path}."): each for name, each in inside.items()}


def check_predictors(saved: Mapping[str, list[str]], here: Mapping[str, list[str]]) -> None:
    """Raise InputError where a file was saved with other predictors than there are."""
    for name in [*saved, *here]:
        if saved.get(name) != here.get(name):
            then, now = (", ".join(each.get(name) or ["none"]) for each in (saved, here))
            raise InputError(
                f"the predictor {name} was saved with the fields {then}; here it has {now}.",
                expected="the same predictors: those of one's own are no part of a file",
                fix="make the step with the same predictor=… first, then load.",
            )
