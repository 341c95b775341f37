"""Whether a response is still a good reply, whatever its character: two responses compared in both orders."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import dspy

from character.backends.call import Call
from character.backends.drivers import Branch, RecipeModule, Steps, by_tasks, by_threads
from character.evaluation.judges.asking import Replied, asked
from character.inputs import as_message
from character.records import Drop, Message, Record, Usage
from character.text import stable_seed
from signatures.judging import CompareCoherence

_POINTS = {"first": 1, "second": -1, "tie": 0}


class Compared(Record):
    """Two verdicts on the same two responses, one in each order: 1 (the response is better), 0 (tie) or -1.

    They are None where one was lost, which a drop explains.
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
    """Compares two responses to a message for coherence and use, in both orders; asks again after a fault."""

    def __init__(self, max_reasks: int = 1) -> None:
        super().__init__()
        self.compare = dspy.Predict(CompareCoherence)
        self.max_reasks = max_reasks

    def steps(
        self, message: Message | str, response: str, other: str, *, seed: int = 0, lm: Any = None
    ) -> Steps[Compared]:
        """Return how the response compares with the other one."""
        about = as_message(message, None)

        def verdict(order: int, responses: list[str]) -> Steps[Replied]:
            call = Call(self.compare, {"responses": responses}, "gauging", about.trait, lm=lm)
            seed_of = lambda attempt: stable_seed(seed, order, attempt, about.id)  # noqa: E731
            return asked(call, about, self.max_reasks, about="coherence", seed_of=seed_of)

        (one, lost), (two, lost_too) = yield [
            Branch(verdict(0, [response, other])),
            Branch(verdict(1, [other, response])),
        ]
        is_whole = not one.fault and not two.fault
        points = [0 if reply.fault else _POINTS[reply.outputs["verdict"]] for reply in (one, two)]
        return Compared(
            verdicts=(points[0], -points[1]) if is_whole else None,
            drops=tuple(drop for both in zip_longest(lost, lost_too) for drop in both if drop),
            usage=one.usage + two.usage,
        )

    forward = by_threads(steps)
    aforward = by_tasks(steps)
