"""Somebody else's responder or judge in an evaluation: any module or callable, whose results are checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import dspy

from character.backends.drivers import Steps
from character.backends.own_steps import STEP_FAULTS, STEP_INVALID, Outcome, StepCall
from character.constitution import Trait
from character.errors import InvalidReplyError
from character.evaluation.judges.degrees import Gauged, blind_order, in_order
from character.evaluation.judges.responder import Answered
from character.records import Drop, Message, Record, Usage
from character.runs.attempts import tried
from character.store.run_store import RunStore
from character.text import fingerprint
from signatures.gauging import DEGREES

R = TypeVar("R", Answered, Gauged)


@dataclass(frozen=True)
class ReadCall(StepCall):
    """A call whose result is read: what cannot be read is a fault of the step, as what it raises is.

    What failed in an earlier sitting is asked again, see ``tried``.
    """

    read: Callable[[Any], Record] = field(kw_only=True)
    store: RunStore | None = None

    async def arun(self) -> Outcome:
        """Call the step on the event loop."""
        assert self.store is not None
        key = f"failed/{fingerprint([self.stage, *self.about])}"
        failed = json.loads(self.store.meta(key) or "{}")
        return await tried(self.store, key, failed, self._read, self._failed_stages)

    async def _read(self) -> Outcome:
        outcome = await super().arun()
        try:
            return outcome if outcome.fault else replace(outcome, result=self.read(outcome.result))
        except InvalidReplyError as error:
            return replace(outcome, result=None, fault=STEP_INVALID, detail=" ".join(str(error).split()))

    def _failed_stages(self, outcome: Outcome) -> tuple[str, ...]:
        return (self.stage,) if outcome.fault in STEP_FAULTS else ()


def answered_by(
    module: Any, message: Message, traits: Sequence[Trait], seed: int, lm: Any, store: RunStore | None
) -> Steps[Answered]:
    """Return a module's response to a message with these traits, none for a plain one.

    It is given those of ``message``, ``traits`` and ``seed`` that it has parameters for, and returns
    ``Answered``, a text, or a dictionary or ``dspy.Prediction`` with ``response``. All else is a fault.
    """
    call = ReadCall(
        module,
        {"message": message, "traits": list(traits), "seed": seed},
        lm,
        role="responder",
        stage="responses",
        trait=message.trait,
        about=(message.id, seed),  # the seed is the condition's
        read=_answer,
        store=store,
    )
    (outcome,) = yield [call]
    if outcome.fault:
        return Answered(fault=outcome.fault, detail=outcome.detail, usage=outcome.usage or Usage())
    return _with_usage(_answer(outcome.result), outcome)


def gauged_by(
    module: Any,
    message: Message,
    responses: Sequence[str],
    trait: Trait,
    seed: int,
    lm: Any,
    store: RunStore | None,
) -> Steps[Gauged]:
    """Return a module's degrees of a trait in responses, which it is shown in an order drawn from the seed.

    It is given those of ``message``, ``responses``, ``trait`` and ``seed`` that it has parameters for, and
    returns ``Gauged``, or degrees, one per response in the order shown: a list of them, or a dictionary or
    ``dspy.Prediction`` with ``degrees``. All else is a fault.
    """
    seed, order = blind_order(seed, message, trait, responses)
    read = partial(_gauged, len(order))
    call = ReadCall(
        module,
        {"message": message, "responses": [responses[i] for i in order], "trait": trait, "seed": seed},
        lm,
        role="judge",
        stage="gauging",
        trait=trait.name,
        about=(message.id, trait.name, seed),
        read=read,
        store=store,
    )
    (outcome,) = yield [call]
    if outcome.fault:
        detail = f"{trait.name}: {outcome.detail}"
        drop = Drop(stage="ranking", reason=outcome.fault, detail=detail, message_id=message.id)
        return Gauged(drops=(drop,), usage=outcome.usage or Usage())
    gauged = _with_usage(read(outcome.result), outcome)
    degrees = in_order(gauged.degrees, order) if gauged.degrees else ()
    return gauged.model_copy(update={"degrees": degrees})


def _with_usage(record: R, outcome: Outcome) -> R:
    return record if outcome.usage is None else record.model_copy(update={"usage": outcome.usage})


def _answer(result: Any) -> Answered:
    """Return a responder's result as a response; raises InvalidReplyError where it is none."""
    if isinstance(result, Answered):
        return result
    text = _named(result, "response")
    if not isinstance(text, str):
        raise InvalidReplyError(
            f"the responder returned {_told(result)}.", expected='a text, or dspy.Prediction(response="…")'
        )
    return Answered(text=text.strip(), fault="" if text.strip() else "empty")


def _gauged(number: int, result: Any) -> Gauged:
    """Return a judge's result as so many degrees; raises InvalidReplyError where it is none."""
    if isinstance(result, Gauged) and not result.degrees:
        return result
    degrees = result.degrees if isinstance(result, Gauged) else _named(result, "degrees")
    is_complete = isinstance(degrees, list | tuple) and len(degrees) == number
    if not is_complete or any(degree not in DEGREES for degree in degrees):
        raise InvalidReplyError(
            f"the judge returned {_told(result)} for {number} responses.",
            expected=f"dspy.Prediction(degrees=[…]) with one of {', '.join(DEGREES)} per response",
        )
    return result if isinstance(result, Gauged) else Gauged(degrees=tuple(degrees))


def _named(result: Any, name: str) -> Any:
    """Return what a step gave by this name in a prediction or a dictionary, else what it gave."""
    return result.get(name) if isinstance(result, dspy.Prediction | Mapping) else result


def _told(result: Any) -> str:
    is_shown = isinstance(result, dspy.Prediction | Mapping | list | tuple)
    return f"{result!r:.80}" if is_shown else f"a {type(result).__name__}"
