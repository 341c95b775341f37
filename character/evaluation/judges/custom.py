"""Somebody else's responder or judge in an evaluation: any module or callable, whose results are checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dspy

from character.backends.drivers import ModuleCall, Steps
from character.constitution import Trait
from character.errors import InvalidReplyError
from character.evaluation.judges.degrees import Gauged, blind_order, in_order
from character.evaluation.judges.responder import Answered
from character.records import Message
from character.text import fingerprint
from signatures.gauging import DEGREES


def answered_by(
    module: Any, message: Message, traits: Sequence[Trait], seed: int, lm: Any
) -> Steps[Answered]:
    """Return a module's response to a message with these traits, none for a plain one.

    It is given those of ``message``, ``traits`` and ``seed`` that it has parameters for, and returns
    ``Answered``, a text, or a ``dspy.Prediction`` with ``response``. Raises InvalidReplyError for all else.
    """
    (result,) = yield [ModuleCall(module, {"message": message, "traits": list(traits), "seed": seed}, lm)]
    if isinstance(result, Answered):
        return result
    text = result.get("response") if isinstance(result, dspy.Prediction) else result
    if not isinstance(text, str):
        raise InvalidReplyError(
            f"the responder returned {_told(result)}.", expected='a text, or dspy.Prediction(response="…")'
        )
    return Answered(text=text.strip(), fault="" if text.strip() else "empty")


def gauged_by(
    module: Any, message: Message, responses: Sequence[str], trait: Trait, seed: int, lm: Any
) -> Steps[Gauged]:
    """Return a module's degrees of a trait in responses, which it is shown in an order drawn from the seed.

    It is given those of ``message``, ``responses``, ``trait`` and ``seed`` that it has parameters for, and
    returns ``Gauged``, or a ``dspy.Prediction`` with ``degrees``, one per response in the order shown. Raises
    InvalidReplyError for anything else.
    """
    seed, order = blind_order(seed, message, trait, responses)
    blind = {"message": message, "responses": [responses[i] for i in order], "trait": trait, "seed": seed}
    (result,) = yield [ModuleCall(module, blind, lm)]
    if isinstance(result, Gauged) and not result.degrees:
        return result
    is_prediction = isinstance(result, dspy.Prediction)
    degrees: Any = result.get("degrees") if is_prediction else getattr(result, "degrees", None)
    is_complete = isinstance(degrees, list | tuple) and len(degrees) == len(order)
    if not is_complete or any(degree not in DEGREES for degree in degrees):
        raise InvalidReplyError(
            f"the judge returned {_told(result)} for {len(order)} responses.",
            expected=f"dspy.Prediction(degrees=[…]) with one of {', '.join(DEGREES)} per response",
        )
    gauged = result if isinstance(result, Gauged) else Gauged()
    return gauged.model_copy(update={"degrees": in_order(degrees, order)})


def identity_of(module: Any) -> str:
    """Return what tells two modules apart where their results are kept: the place where each was defined.

    Of a DSPy module it is the prompts and demos as well.
    """
    home = module if callable(module) and hasattr(module, "__qualname__") else type(module)
    state = module.dump_state() if isinstance(module, dspy.Module) else {}
    return fingerprint([home.__module__, home.__qualname__, repr(state)])


def _told(result: Any) -> str:
    return f"{result!r:.80}" if isinstance(result, dspy.Prediction) else f"a {type(result).__name__}"
