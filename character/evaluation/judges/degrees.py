"""Reading how strongly a trait shows in responses, blind: in a random order, without a word of where they come from."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import dspy

from character.backends.call import Call, Reply
from character.backends.drivers import RecipeModule, Steps, adrive, drive
from character.constitution import Trait
from character.errors import InputError
from character.inputs import as_message, as_trait
from character.records import Drop, Message, Record, Usage
from character.text import language_name, stable_seed
from signatures.gauging import Degree, GaugeTrait

MOST_RESPONSES = 8


class Gauged(Record):
    """A degree per response, in the order given; empty where the judgement was lost, which a drop explains."""

    degrees: tuple[Degree, ...] = ()
    reasoning: str = ""
    drops: tuple[Drop, ...] = ()
    usage: Usage = Usage()


class Gauge(RecipeModule):
    """Says how strongly a trait shows in each of up to eight responses to a message.

    The judge sees the responses in an order drawn from the seed. A reply that cannot be read, or with too many or too
    few degrees, is asked for again with the fault shown, at most ``max_reasks`` times; then the judgement is lost.
    """

    def __init__(self, max_reasks: int = 2) -> None:
        super().__init__()
        self.gauge = dspy.Predict(GaugeTrait)
        self.max_reasks = max_reasks

    def forward(
        self, message: Message | str, responses: Sequence[str], trait: Trait | str, *, seed: int = 0
    ) -> Gauged:
        """Return the degrees; the same seed shows the responses in the same order."""
        trait = as_trait(trait)
        return drive(self.steps(as_message(message, trait), responses, trait, seed))

    async def aforward(
        self, message: Message | str, responses: Sequence[str], trait: Trait | str, *, seed: int = 0
    ) -> Gauged:
        """Do as ``forward`` does, on the event loop."""
        trait = as_trait(trait)
        return await adrive(self.steps(as_message(message, trait), responses, trait, seed))

    def steps(
        self, message: Message, responses: Sequence[str], trait: Trait, seed: int, lm: Any = None
    ) -> Steps[Gauged]:
        """Return the logic as a generator of calls, to be run with others."""
        if isinstance(responses, str):
            raise InputError("a list of responses was expected, found a text.", expected="[text, …]")
        if not 1 <= len(responses) <= MOST_RESPONSES:
            raise InputError(f"found {len(responses)} responses.", expected=f"1 to {MOST_RESPONSES}")
        seed = stable_seed(seed, message.id, trait.name, *responses)
        order = random.Random(seed).sample(range(len(responses)), len(responses))
        inputs = {
            "language": language_name(message.language),
            "trait": trait.brief(),
            "conversation": [turn.model_dump() for turn in message.turns],
            "responses": [responses[i] for i in order],
        }
        drops: list[Drop] = []
        usage, fault = Usage(), ""
        for attempt in range(self.max_reasks + 1):
            call = Call(
                self.gauge, inputs, "gauging", trait.name, stable_seed(seed, attempt), fault=fault, lm=lm
            )
            (reply,) = yield [call]
            usage += reply.usage
            reason, fault = _fault(reply, len(order))
            if not reason:
                found = dict(zip(order, reply.outputs["degrees"], strict=True))
                return Gauged(
                    degrees=tuple(found[i] for i in range(len(order))),
                    reasoning=reply.text("reasoning"),
                    drops=tuple(drop.model_copy(update={"recovered": True}) for drop in drops),
                    usage=usage,
                )
            drops.append(
                Drop(stage="ranking", reason=reason, detail=f"{trait.name}: {fault}", message_id=message.id)
            )
        last = drops.pop()
        again = (drop.model_copy(update={"recovered": True}) for drop in drops)
        return Gauged(drops=(*again, last), usage=usage)


def _fault(reply: Reply, number: int) -> tuple[str, str]:
    """Return what is wrong with a reply, as a countable word and for the model to read; empty for a good one."""
    if reply.fault:
        return reply.fault, reply.detail or reply.fault
    found = len(reply.outputs["degrees"])
    if found != number:
        return "wrong_count", f"{found} degrees for {number} responses"
    return "", ""
