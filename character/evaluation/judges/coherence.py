"""Whether a response is still a good reply, whatever its character: two responses compared in both orders."""

from __future__ import annotations

from typing import Any

import dspy

from character.backends.call import Call, Reply
from character.backends.drivers import RecipeModule, Steps, adrive, drive
from character.inputs import as_message
from character.records import Drop, Message, Record, Usage
from character.text import language_name, stable_seed
from signatures.judging import CompareCoherence

_POINTS = {"first": 1, "second": -1, "tie": 0}


class Compared(Record):
    """Two verdicts on the same two responses, one in each order, each 1 (the response is better), 0 (tie) or -1 (the other is).

    Both are None where a verdict was lost, which a drop explains.
    """

    verdicts: tuple[int, int] | None = None
    drops: tuple[Drop, ...] = ()
    usage: Usage = Usage()

    @property
    def agrees(self) -> bool:
        """Whether both orders gave the same verdict."""
        return self.verdicts is not None and self.verdicts[0] == self.verdicts[1]

    @property
    def points(self) -> float | None:
        """The mean of the two verdicts: a preference for a place in the list cancels out."""
        return None if self.verdicts is None else sum(self.verdicts) / 2


class CoherenceJudge(RecipeModule):
    """Compares two responses to a message for coherence and use, in both orders; a fault is shown and asked about once more."""

    def __init__(self, max_reasks: int = 1) -> None:
        super().__init__()
        self.compare = dspy.Predict(CompareCoherence)
        self.max_reasks = max_reasks

    def forward(self, message: Message | str, response: str, other: str, *, seed: int = 0) -> Compared:
        """Return how the response compares with the other one."""
        return drive(self.steps(as_message(message, None), response, other, seed))

    async def aforward(self, message: Message | str, response: str, other: str, *, seed: int = 0) -> Compared:
        """Do as ``forward`` does, on the event loop."""
        return await adrive(self.steps(as_message(message, None), response, other, seed))

    def steps(
        self, message: Message, response: str, other: str, seed: int, lm: Any = None
    ) -> Steps[Compared]:
        """Return the logic as a generator of calls, to be run with others."""
        asked = {0: [response, other], 1: [other, response]}
        found: dict[int, int] = {}
        faults: dict[int, str] = {}
        drops: list[tuple[int, Drop]] = []
        usage = Usage()
        for attempt in range(self.max_reasks + 1):
            missing = [order for order in asked if order not in found]
            calls = [
                self._call(message, asked[order], (seed, order, attempt), faults.get(order, ""), lm)
                for order in missing
            ]
            for order, reply in zip(missing, (yield calls), strict=True):
                usage += reply.usage
                if reply.fault:
                    faults[order] = reply.detail or reply.fault
                    drops.append((order, _drop(reply, message)))
                else:
                    found[order] = _POINTS[reply.outputs["verdict"]] * (-1 if order else 1)
            if len(found) == len(asked):
                break
        kept = tuple(drop.model_copy(update={"recovered": order in found}) for order, drop in drops)
        verdicts = (found[0], found[1]) if len(found) == len(asked) else None
        return Compared(verdicts=verdicts, drops=kept, usage=usage)

    def _call(self, message: Message, shown: list[str], parts: tuple[int, ...], fault: str, lm: Any) -> Call:
        inputs = {
            "language": language_name(message.language),
            "conversation": [turn.model_dump() for turn in message.turns],
            "responses": shown,
        }
        seed = stable_seed(*parts, message.id)
        return Call(self.compare, inputs, "gauging", message.trait, seed, fault=fault, lm=lm)


def _drop(reply: Reply, message: Message) -> Drop:
    return Drop(
        stage="ranking", reason=reply.fault, detail=f"coherence: {reply.detail}", message_id=message.id
    )
