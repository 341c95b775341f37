"""Asking for one reply until it can be used: each time with the last fault shown, and only so often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from character.backends.call import Call, Fault, Reply
from character.backends.drivers import Steps
from character.records import Drop, Message, Usage
from character.text import language_name

Replied = tuple[Reply, tuple[Drop, ...]]
"""The last reply, with what is wrong with it and the usage of all calls; and which replies were lost."""


def asked(
    call: Call,
    message: Message,
    max_reasks: int,
    *,
    about: str,
    seed_of: Callable[[int], int],
    fault_of: Callable[[Reply], Fault] = lambda reply: Fault(reply.fault, reply.detail),
) -> Steps[Replied]:
    """Return the reply to a call about a message, asked for again with another seed while there is a fault.

    The call is given the message's language and turns. What was lost counts as recovered where a usable reply
    came in the end; ``about`` leads its details.
    """
    conversation = [turn.model_dump() for turn in message.turns]
    inputs = {**call.inputs, "language": language_name(message.language), "conversation": conversation}
    stage = "responses" if call.stage == "responses" else "ranking"
    drops: list[dict[str, Any]] = []
    usage, before = Usage(), None
    for attempt in range(max_reasks + 1):
        (reply,) = yield [replace(call, inputs=inputs, seed=seed_of(attempt), before=before)]
        usage += reply.usage
        fault = fault_of(reply)
        if not fault.word:
            break
        before = reply.refused(fault)
        detail = f"{about}: {fault.detail}"
        drops.append({"stage": stage, "reason": fault.word, "detail": detail, "message_id": message.id})
        if reply.is_final:
            break
    lost = tuple(Drop(**drop, recovered=not fault.word) for drop in drops)
    return replace(reply, fault=fault.word or reply.fault, usage=usage), lost
