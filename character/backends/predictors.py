"""Predictors: what a step asks its model by, ours or one of somebody's own, checked when it is given."""

from __future__ import annotations

import inspect
from typing import Any

import dspy

from character.errors import InputError

_MAY_LACK = frozenset({"reasoning", "suitable"})
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
    inputs, outputs = list(ours.input_fields), needed_outputs(ours)
    signature = signature_of(given)
    if signature is not None:
        unknown = [name for name in signature.input_fields if name not in inputs]
        missing = [name for name in outputs if name not in signature.output_fields]
    else:
        parameters = inspect.signature(type(given).forward).parameters.values()
        named = [each for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)][1:]
        unknown = [each.name for each in named if each.default is each.empty and each.name not in inputs]
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


def needed_outputs(ours: type[dspy.Signature]) -> tuple[str, ...]:
    """Return the outputs of a signature that a step cannot do without."""
    return tuple(name for name in ours.output_fields if name not in _MAY_LACK)


def signature_of(module: Any) -> Any:
    """Return the signature of a module that is nothing but one (Predict, ChainOfThought …), None for any
    other.
    """
    is_dspys = type(module).__module__.startswith("dspy.")
    core = module if isinstance(module, dspy.Predict) else getattr(module, "predict", None)
    return core.signature if is_dspys and isinstance(core, dspy.Predict) else None


def accepted_by(module: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return those of the inputs that a module's ``forward`` takes."""
    parameters = inspect.signature(type(module).forward).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return inputs
    return {name: value for name, value in inputs.items() if name in parameters}


def core_of(module: Any) -> Any:
    """Return the one predictor that a module asks by, with its signature, demos and model; None where there
    is no one.
    """
    if isinstance(module, dspy.Predict):
        return module
    inside = module.predictors() if isinstance(module, dspy.Module) else []
    return inside[0] if len(inside) == 1 else None
