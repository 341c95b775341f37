"""Reading how strongly a trait shows in responses, blind: in random order, not told where they come from."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Any

import dspy

from character.backends.call import Call, Fault, Reply
from character.backends.drivers import RecipeModule, Steps, by_tasks, by_threads
from character.constitution import Trait
from character.errors import InputError
from character.evaluation.judges.asking import asked
from character.inputs import as_message, as_trait
from character.records import Drop, Message, Record, Usage
from character.text import stable_seed
from signatures.gauging import Degree, GaugeTrait

MOST_RESPONSES = 8


class Gauged(Record):
    """A degree per response, in the order given; none where the judgement was lost, which a drop explains."""

    degrees: tuple[Degree, ...] = ()
    reasoning: str = ""
    drops: tuple[Drop, ...] = ()
    usage: Usage = Usage()


class Gauge(RecipeModule):
    """Says how strongly a trait shows in each of up to eight responses to a message.

    The judge sees the responses in an order drawn from the seed. A reply that cannot be read, or with too
    many or too few degrees, is asked for again with the fault shown, at most ``max_reasks`` times; then the
    judgement is lost.
    """

    def __init__(self, max_reasks: int = 2) -> None:
        super().__init__()
        self.gauge = dspy.Predict(GaugeTrait)
        self.max_reasks = max_reasks

    def steps(
        self,
        message: Message | str,
        responses: Sequence[str],
        trait: Trait | str,
        *,
        seed: int = 0,
        lm: Any = None,
    ) -> Steps[Gauged]:
        """Return the degrees; the same seed shows the responses in the same order."""
        trait = as_trait(trait)
        message = as_message(message, trait)
        if isinstance(responses, str):
            raise InputError("a list of responses was expected, found a text.", expected="[text, …]")
        if not 1 <= len(responses) <= MOST_RESPONSES:
            raise InputError(f"found {len(responses)} responses.", expected=f"1 to {MOST_RESPONSES}")
        seed, order = blind_order(seed, message, trait, responses)
        inputs = {"trait": trait.brief(), "responses": [responses[i] for i in order]}
        reply, drops = yield from asked(
            Call(self.gauge, inputs, "gauging", trait.name, lm=lm),
            message,
            self.max_reasks,
            about=trait.name,
            seed_of=partial(stable_seed, seed),
            fault_of=partial(_fault, len(order)),
        )
        if reply.fault:  # a judgement that is lost counts once, however often it was asked for
            again = (drop.model_copy(update={"recovered": True}) for drop in drops[:-1])
            return Gauged(drops=(*again, drops[-1]), usage=reply.usage)
        degrees = in_order(reply.outputs["degrees"], order)
        return Gauged(degrees=degrees, reasoning=reply.text("reasoning"), drops=drops, usage=reply.usage)

    forward = by_threads(steps)
    aforward = by_tasks(steps)


def blind_order(seed: int, message: Message, trait: Trait, responses: Sequence[str]) -> tuple[int, list[int]]:
    """Return the seed of a judgement, and the places of the responses in the order that they are shown in."""
    seed = stable_seed(seed, message.id, trait.name, *responses)
    return seed, random.Random(seed).sample(range(len(responses)), len(responses))


def in_order(degrees: Sequence[Degree], order: Sequence[int]) -> tuple[Degree, ...]:
    """Return the degrees of responses that were shown in an order, in that in which they were given."""
    return tuple(degree for _, degree in sorted(zip(order, degrees, strict=True)))


def _fault(number: int, reply: Reply) -> Fault:
    if reply.fault:
        return Fault(reply.fault, reply.detail or reply.fault)
    count = len(reply.outputs["degrees"])
    return Fault() if count == number else Fault("wrong_count", f"{count} degrees for {number} responses")
