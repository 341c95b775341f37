"""What a step takes: the inputs that it names, and where it takes any, those of what it wraps."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import dspy

from character.backends.odds import OddsPredict
from character.errors import InputError


class Taken(NamedTuple):
    """The parameters of a callable, those without a default, and whether it takes any other."""

    names: frozenset[str]
    required: tuple[str, ...]
    any: bool


def names_argument(module: Any, name: str) -> bool:
    """Whether a callable, or a module's ``forward`` (else ``aforward``), names this parameter itself."""
    return name in parameters_of(module).names


def parameters_of(step: Any) -> Taken:
    """Return what a step takes; raises InputError where Python cannot tell."""
    if isinstance(step, dspy.Module):
        return _of_class(type(step))  # type: ignore[arg-type]
    return _of_function(step) if inspect.isfunction(step) else _read(step)


def names_taken(step: Any, names: Collection[str], within: tuple[int, ...] = ()) -> Collection[str]:
    """Return the inputs that a step is given of these: those it names, and of a wrapper what it wraps takes.

    A wrapper takes any argument. It wraps all modules and functions that it holds, by themselves or in lists,
    that can be called with these inputs, and gets what all of them take; where that leaves out what one of
    them needs, the modules alone count. Predictors count where it holds nothing else. A wrapper of nothing
    gets all of ``names``.
    """
    taken = parameters_of(step)
    if not taken.any:
        return taken.names
    if id(step) in within:
        return names
    asked = _asked_by(step)
    return {*taken.names, *asked} if asked else {*taken.names, *_wrapped(step, names, (*within, id(step)))}


def signature_of(module: Any) -> Any:
    """Return the signature of a module that is nothing but one (Predict, ChainOfThought …), None for any
    other.
    """
    is_dspys = type(module).__module__.startswith("dspy.") or isinstance(module, OddsPredict)
    core = module if isinstance(module, dspy.Predict) else getattr(module, "predict", None)
    return core.signature if is_dspys and isinstance(core, dspy.Predict) else None


def ways(kind: type) -> frozenset[str]:
    """Return how a class of modules is called: by ``forward``, by ``aforward``, or by either.

    The class nearest to the module's own that defines one of them decides: what it overrides is what runs.
    """
    both = ("forward", "aforward")
    defined = ([name for name in both if name in vars(each)] for each in kind.__mro__)
    return frozenset(next((names for names in defined if names), both[:1]))


def _asked_by(step: Any) -> tuple[str, ...]:
    """Return the inputs of the signature that a module of DSPy's own has (``dspy.ReAct`` …)."""
    is_dspys = type(step).__module__.startswith("dspy.")
    signature = signature_of(step) or (getattr(step, "signature", None) if is_dspys else None)
    return tuple(getattr(signature, "input_fields", ()))


def _wrapped(step: Any, names: Collection[str], within: tuple[int, ...]) -> Collection[str]:
    modules, functions, predictors = ([], [], [])  # type: tuple[list[Any], list[Any], list[Any]]
    for each in _held(step):
        required = _asked_by(each) or parameters_of(each).required
        taken = {*names_taken(each, names, within)}.intersection(names)
        if taken and {*required}.issubset(names):
            own = modules if isinstance(each, dspy.Module) else functions
            (predictors if signature_of(each) else own).append((taken, required))
    for wrapped in (modules + functions, modules, predictors if not modules + functions else []):
        common = set.intersection(*(taken for taken, _ in wrapped)) if wrapped else set()
        if common and all(common.issuperset(required) for _, required in wrapped):
            return common
    return names


def _held(step: Any) -> Iterator[Any]:
    """Yield the modules and functions that an object has, or that a function refers to."""
    held = getattr(getattr(step, "__self__", step), "__dict__", {})
    if inspect.isfunction(step):
        used = inspect.getclosurevars(inspect.unwrap(step))
        held = {**used.globals, **used.nonlocals}
    for each in held.values():
        inside = (
            each.values() if isinstance(each, Mapping) else each if isinstance(each, list | tuple) else [each]
        )
        yield from (part for part in inside if isinstance(part, dspy.Module) or inspect.isfunction(part))


@lru_cache(maxsize=256)
def _of_class(kind: Any) -> Taken:
    """Return what a class of modules takes; what its ``forward`` hands to that of ``super()`` counts too."""
    name = "forward" if "forward" in ways(kind) else "aforward"
    functions = (vars(each)[name] for each in kind.__mro__ if name in vars(each))
    chain: list[Taken] = []
    for function in functions:
        chain.append(_read(function))
        if not chain[-1].any or "__class__" not in inspect.unwrap(function).__code__.co_freevars:
            break
    if not chain:
        raise InputError(f"the module {kind.__name__} has neither a forward nor an aforward.")
    names = frozenset().union(*(taken.names for taken in chain))
    return Taken(names, chain[0].required[1:], chain[-1].any)  # without self


def _read(called: Callable[..., Any]) -> Taken:
    try:
        parameters = inspect.signature(called).parameters.values()
    except ValueError:
        raise InputError(
            f"nobody can tell what {called!r} takes.",
            expected="a function, a module or an object whose parameters Python can tell",
            fix="wrap it: lambda message, trait: ….",
        ) from None
    kinds = {each.kind for each in parameters}
    single = [each for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    required = tuple(each.name for each in single if each.default is each.empty)
    return Taken(frozenset(each.name for each in single), required, inspect.Parameter.VAR_KEYWORD in kinds)


_of_function = lru_cache(maxsize=256)(_read)
