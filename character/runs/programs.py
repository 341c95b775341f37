"""Programs of one's own in a run: driven message by message where they can be, else a trait at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import dspy

from character.backends.arguments import names_taken, parameters_of
from character.backends.own_steps import STEP_INVALID, Outcome, StepCall
from character.config import Config
from character.constitution import Constitution, Trait
from character.errors import InputError, StepFailedError
from character.messages.slices import MessageSlices
from character.program import CharacterProgram, OnStep
from character.records import CharacterResult, Drop, Message, Rollout, Usage

_INPUTS = ("trait", "constitution", "messages")


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
        self.takes = frozenset(names_taken(program, _INPUTS))
        if self.inner is None and "messages" not in parameters_of(program).names:
            self.takes -= {"messages"}  # there is nobody to make them
        self.takes_messages = "messages" in self.takes
        self.is_adaptive = self.inner is not None and self.inner.is_adaptive
        self.lm: Any = None

    def slices(self, trait: Trait, constitution: Constitution) -> MessageSlices:
        """Return the source of a trait's messages; raises InputError where there is none."""
        if self.inner is None:
            raise InputError(
                f"the program {self.name} takes messages, none are given, and it has no CharacterProgram.",
                fix="give messages=…, or let the program take traits alone.",
            )
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
            takes=tuple(self.takes),
            about=(about,),
        )

    def _result(self, outcome: Outcome) -> CharacterResult:
        if isinstance(outcome.result, CharacterResult):
            return outcome.result
        raise InputError(
            f"the program {self.name} returned a {type(outcome.result).__name__}.",
            expected="a CharacterResult, as a CharacterProgram inside it returns",
        )


def driven(program: Any, config: Config, lms: Mapping[str, Any]) -> CharacterProgram | OwnProgram:
    """Return the program that a run drives; one of one's own that brings no models is lent ``lms``."""
    if program is None:
        return CharacterProgram.from_config(config, lms)
    if is_driven_by_steps(program):
        return cast(CharacterProgram, program)
    own = OwnProgram(program)
    if own.inner is None:
        own.lm = lms["default"]
    elif dspy.settings.lm is None:  # such as dspy.BestOfN around a program asks for
        own.lm = (own.inner.lms or lms).get("default", lms["default"])
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
