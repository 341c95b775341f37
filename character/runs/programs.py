"""Programs of one's own in a run: driven message by message where they can be, else a trait at a time."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import dspy
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from character.backends.own_steps import STEP_INVALID, Outcome, StepCall
from character.config import Config
from character.constitution import Constitution, Trait
from character.errors import InputError, StepFailedError
from character.messages.slices import MessageSlices
from character.program import CharacterProgram, OnStep
from character.records import CharacterResult, Drop, Message, Rollout, Usage
from character.text import fingerprint, path_of

_NO_PART = frozenset({"history", "callbacks", "max_in_flight", "lms"})
"""Attributes that say nothing of what a program makes; its models are named by themselves."""


class OwnProgram:
    """A program that does more than a ``CharacterProgram`` does: its own ``forward`` is what makes the
    rollouts.

    One that takes ``messages`` is called with one message at a time; a ``CharacterProgram`` in it, or it
    itself, makes them. Any other is called with one trait at a time. Raises InputError for what is no
    program.
    """

    def __init__(self, program: Any) -> None:
        if not callable(program):
            raise InputError(
                f"the program is a {type(program).__name__}.",
                expected="a dspy.Module that returns a CharacterResult",
            )
        self.program, self.name = program, getattr(program, "__name__", type(program).__name__)
        self.inner = next(inner_programs(program), None)
        called = type(program).forward if isinstance(program, dspy.Module) else program
        parameters = inspect.signature(called).parameters
        takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        self.takes_messages = "messages" in parameters or (
            takes_any and isinstance(program, CharacterProgram)
        )
        self.lm: Any = None

    def slices(self, trait: Trait, constitution: Constitution) -> MessageSlices:
        """Return the source of a trait's messages."""
        assert self.inner is not None
        return self.inner.slices(trait, constitution)

    async def arollout(
        self, message: Message, trait: Trait, constitution: Constitution, *, on_step: OnStep
    ) -> Rollout:
        """Return what the program makes of one message; a fault of it is a counted drop."""
        outcome = await self._call(trait, constitution, {"messages": [message]}, message.id).arun()
        fault, detail = outcome.fault, outcome.detail
        rollouts: tuple[Rollout, ...] = ()
        if not fault:
            rollouts = tuple(each for each in self._result(outcome).rollouts if each.message.id == message.id)
        if len(rollouts) == 1:
            for made in (rollouts[0].candidates, rollouts[0].ranking):
                if made is not None:
                    on_step(made)
            return rollouts[0]
        if not fault:
            fault, detail = STEP_INVALID, f"{self.name} returned {len(rollouts)} rollouts of the message"
        drop = Drop(stage="ranking", reason=fault, detail=detail, message_id=message.id)
        return Rollout(message=message, drops=(drop,), usage=outcome.usage or Usage())

    async def whole(self, trait: Trait, constitution: Constitution) -> CharacterResult:
        """Return what the program makes of a whole trait; raises StepFailedError where it fails."""
        outcome = await self._call(trait, constitution, {}, trait.name).arun()
        if outcome.fault:
            raise StepFailedError(
                f"{self.name} failed for the trait {trait.name}: {outcome.detail}",
                fix="the same call goes on where it stopped; what was answered is kept.",
            ) from outcome.error
        return self._result(outcome)

    def _call(self, trait: Trait, constitution: Constitution, more: dict[str, Any], about: str) -> StepCall:
        arguments = {"trait": trait, "constitution": constitution, **more}
        return StepCall(
            self.program,
            arguments,
            self.lm,
            role="program",
            stage="program",
            trait=trait.name,
            takes=tuple(arguments),
            about=(about,),
        )

    def _result(self, outcome: Outcome) -> CharacterResult:
        if isinstance(outcome.result, CharacterResult):
            return outcome.result
        raise InputError(
            f"the program {self.name} returned a {type(outcome.result).__name__}.",
            expected="a CharacterResult, as a CharacterProgram inside it returns",
        )


def with_models(program: Any, config: Config, lms: Mapping[str, Any]) -> CharacterProgram | OwnProgram:
    """Return the program that a run drives, with the configured models where it brings none."""
    if program is None:
        return CharacterProgram.from_config(config, lms)
    if any(not inner.lms for inner in inner_programs(program)):
        program = program.deepcopy()
        for inner in inner_programs(program):
            inner.lms = inner.lms or dict(lms)
    if isinstance(program, CharacterProgram) and is_driven_by_steps(program):
        return program
    own = OwnProgram(program)
    own.lm = lms["default"] if own.inner is None else None
    return own


def is_driven_by_steps(program: Any) -> bool:
    """Whether a program's rollouts are made by the steps of a ``CharacterProgram``, not by a ``forward`` of
    its own.
    """
    kind = type(program)
    return isinstance(program, CharacterProgram) and kind.forward is CharacterProgram.forward


def inner_programs(program: Any) -> Iterator[CharacterProgram]:
    """Yield the ``CharacterProgram`` that a program is, or those that lie in it."""
    modules = program.named_sub_modules() if isinstance(program, dspy.Module) else ()
    yield from (module for _, module in modules if isinstance(module, CharacterProgram))


def program_identity(program: Any) -> dict[str, Any]:
    """Return what makes a program this one: classes, parameters, instructions, demos and models, by dotted
    name.
    """
    return dict(_parts(program, "program", set()))


def _parts(value: Any, name: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    match value:
        case None | bool() | int() | float() | str():
            yield name, value
        case dspy.BaseLM():
            yield name, f"{value.model} {value.kwargs.get('temperature') or ''}".strip()
        case dspy.Predict():
            yield (
                f"{name}.signature",
                fingerprint([value.signature.instructions, *map(_field, value.signature.fields.items())]),
            )
            yield f"{name}.demos", fingerprint([_whole(demo) for demo in value.demos])
            yield from _parts(value.lm, f"{name}.lm", seen)
        case dspy.Module() if id(value) not in seen:
            seen.add(id(value))
            yield name, path_of(type(value))
            yield from _parts(getattr(value, "lms", None) or {}, f"{name}.lms", seen)
            for key, part in sorted(vars(value).items()):
                if not key.startswith("_") and key not in _NO_PART:
                    yield from _parts(part, f"{name}.{key}", seen)
        case Mapping():
            for key, part in value.items():
                yield from _parts(part, f"{name}.{key}", seen)
        case list() | tuple() if all(isinstance(each, None | bool | int | float | str) for each in value):
            yield name, list(value)
        case list() | tuple():
            for number, part in enumerate(value):
                yield from _parts(part, f"{name}.{number}", seen)
        case BaseModel():
            yield name, fingerprint(value.model_dump(mode="json"))
        case _:
            yield name, path_of(value)


def _field(named: tuple[str, Any]) -> list[str]:
    name, field = named
    return [name, str(field.annotation), str((field.json_schema_extra or {}).get("desc"))]


def _whole(demo: Any) -> str:
    return repr(to_jsonable_python(dict(demo), fallback=repr))  # a record's own text is cut short
