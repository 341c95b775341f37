"""Predictors: what a step asks its model by, ours or one of somebody's own, checked when it is given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from numbers import Real
from typing import Any, Literal, get_args, get_origin

import dspy

from character.backends.arguments import parameters_of, signature_of
from character.errors import InputError

MAY_LACK = frozenset({"reasoning", "suitable"})
"""Outputs that a step can do without."""


def as_predictor(given: Any, ours: type[dspy.Signature], step: str) -> Any:
    """Return what a step asks by: a predictor of our signature, or the module or signature that is given.

    Raises InputError, which names the field, where its signature asks for an input that the step does not
    have or lacks an output that the step reads, or where its ``forward`` has a parameter that nothing fills.
    """
    if given is None:
        return dspy.Predict(ours)
    if isinstance(given, type) and issubclass(given, dspy.Signature):
        given = dspy.Predict(given)
    if not isinstance(given, dspy.Module):
        raise InputError(
            f"the predictor of the {step} is a {type(given).__name__}.",
            expected="a dspy.Module such as dspy.ChainOfThought(…), or a dspy.Signature",
        )
    inputs, outputs = list(ours.input_fields), needed_outputs(ours)  # type: ignore[arg-type]
    signature = signature_of(given)
    if signature is not None:
        unknown = [name for name in signature.input_fields if name not in inputs]
        missing = [name for name in outputs if name not in signature.output_fields]
    else:
        unknown = [name for name in parameters_of(given).required if name not in inputs]
        missing = []
    if unknown:
        raise InputError(
            f"the predictor of the {step} asks for {', '.join(unknown)}, which the step does not have.",
            expected=f"inputs among {', '.join(inputs)}",
        )
    if missing:
        raise InputError(
            f"the predictor of the {step} does not give {', '.join(missing)}.",
            expected=f"the output {', '.join(outputs)}, as {ours.__name__} has it",
        )
    return given


@cache
def needed_outputs(ours: Any) -> Mapping[str, Any]:
    """Return the outputs of a signature that a step cannot do without, each with its type."""
    return {name: field.annotation for name, field in ours.output_fields.items() if name not in MAY_LACK}


def fits(value: Any, kind: Any) -> bool:
    """Whether an output is of its field's type; any number will do for a whole one, an array for a list."""
    parts = get_args(kind)
    if get_origin(kind) is list:
        items = value.tolist() if hasattr(value, "tolist") else value
        return isinstance(items, list | tuple) and all(fits(item, parts[0]) for item in items)
    if get_origin(kind) is Literal:
        return value in parts
    if parts:
        return any(fits(value, part) for part in parts)
    return isinstance(value, Real if kind is int else kind) and isinstance(value, bool) is (kind is bool)


def core_of(module: Any) -> Any:
    """Return the one predictor that a module asks by, with its signature, demos and model; None where there
    is no one.
    """
    if isinstance(module, dspy.Predict):
        return module
    inside = module.predictors() if isinstance(module, dspy.Module) else []
    return inside[0] if len(inside) == 1 else None
