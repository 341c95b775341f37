"""What a step may give back: our record, or a plain ``dspy.Prediction``, checked before it goes on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dspy
from pydantic import ValidationError

from character.constitution import Trait
from character.errors import InvalidReplyError
from character.records import Candidate, Candidates, Kind, Message, MessageBatch, Ranking


def as_batch(result: Any, trait: Trait, kind: Kind, language: str) -> MessageBatch:
    """Return a generator's result as a batch; texts become messages of this trait, kind and language."""
    if isinstance(result, MessageBatch):
        return result
    given = _field(result, "messages", "generator", "a MessageBatch")
    messages = [
        item
        if isinstance(item, Message)
        else Message.of(str(item), trait=trait.name, kind=kind, language=language)
        for item in given
    ]
    return MessageBatch(messages=tuple(messages))


def as_candidates(result: Any, message: Message) -> Candidates:
    """Return a responder's result as candidates; texts become candidates without a level."""
    if isinstance(result, Candidates):
        return result
    given = _field(result, "responses", "responder", "Candidates")
    items = [item if isinstance(item, Candidate) else Candidate(text=str(item)) for item in given if item]
    return Candidates(message_id=message.id, trait=message.trait, items=tuple(items))


def as_ranking(result: Any, candidates: Candidates) -> Ranking:
    """Return a ranker's result as a ranking of these candidates; raises InvalidReplyError where it is none."""
    if isinstance(result, Ranking):
        if result.status == "ranked" and len(result.scores) != len(candidates.items):
            raise _broken(
                "ranker", f"a ranking of {len(result.scores)} candidates for {len(candidates.items)}"
            )
        return result
    scores = _field(result, "scores", "ranker", "a Ranking")
    try:
        return Ranking.from_scores(
            candidates, list(scores), reason=str(getattr(result, "reasoning", "") or "")
        )
    except (ValidationError, ValueError, TypeError) as error:
        raise _broken("ranker", f"scores {scores!r} ({_first_line(error)})") from None


def _field(result: Any, name: str, step: str, record: str) -> Any:
    if isinstance(result, dspy.Prediction) and name in result:
        values = result[name]
        if isinstance(values, Iterable) and not isinstance(values, str | bytes):
            return values
        raise _broken(step, f"{name}={values!r:.60}", f"dspy.Prediction({name}=[…])")
    raise _broken(step, f"a {type(result).__name__}", f"{record}, or dspy.Prediction({name}=[…])")


def _broken(
    step: str, found: str, expected: str = "one score in 0..1 per candidate, in their order"
) -> InvalidReplyError:
    return InvalidReplyError(f"the {step} returned {found}.", expected=expected)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors()[0]["msg"])
    return str(error).split("\n")[0]
