"""A judge with a gain planted in it: every example in its prompt brings its scores nearer to the raters'.

Without examples it judges as the rehearsal model does, which heeds none. It measures whether a gain is found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import dspy

from character.backends.rehearsal import AsyncRehearsalEngine, RehearsalEngine
from character.backends.rehearsal.engine import MODEL, RehearsalReply
from character.backends.rehearsal.prompt import read_prompt
from optimizers.labelled import LabelledSet

ENOUGH, MOST = 8, 0.5
"""So many examples bring a score so much of the way to the raters'; fewer bring it less."""
_SCORES = re.compile(r"(?<=\[\[ ## scores ## ]]\n).+")


class PupilEngine(RehearsalEngine):
    """The rehearsal model, but for the scores of labelled responses after examples, whichever these are."""

    def __init__(self, labelled: Sequence[LabelledSet]) -> None:
        super().__init__()
        self.scores = {
            text: 10 * (score or 0.0)
            for items in labelled
            for item in items.items
            for text, score in zip(item.candidates, item.consensus(), strict=True)
        }

    def answer(self, system: str, messages: list[dict[str, str]], **options: Any) -> RehearsalReply:
        """Return the reply to a prompt given as text."""
        reply = super().answer(system, messages, **options)
        prompt, own = read_prompt(system, messages), _SCORES.search(reply.text)
        if prompt is None or own is None:
            return reply
        share = MOST * min(len(prompt.demos), ENOUGH) / ENOUGH
        pairs = zip(prompt.values["responses"], json.loads(own[0]), strict=True)
        scores = [round(score + share * (self.scores.get(text, score) - score)) for text, score in pairs]
        return reply._replace(text=_SCORES.sub(json.dumps(scores), reply.text))


def pupil(labelled: LabelledSet) -> Callable[[dict[str, Any]], str]:
    """Return the judge as what a server on loopback says to a request."""
    engine = PupilEngine([labelled])

    def script(request: dict[str, Any]) -> str:
        system, *messages = request["messages"]
        return engine.answer(system["content"], messages, seed=request.get("seed")).text

    return script


def pupil_lm(labelled: Sequence[LabelledSet]) -> dspy.LM:
    """Return the judge as a model in this process."""
    engine = PupilEngine(labelled)
    return dspy.LM(MODEL, engine=engine, async_engine=AsyncRehearsalEngine(engine), cache=False)
