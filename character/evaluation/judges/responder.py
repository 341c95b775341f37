"""Answering a message under a condition: as the traits that the condition shows would have it, or plainly."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dspy

from character.backends.call import Call, Fault, Reply
from character.backends.drivers import RecipeModule, Steps, by_tasks, by_threads
from character.config import Prompting
from character.constitution import Trait
from character.evaluation.judges.asking import asked
from character.records import Message, Record, Usage
from character.text import stable_seed
from signatures.chat import ReplyAsCharacter, ReplyPlainly
from signatures.responses import RespondAsCharacter, RespondPlainly

_SIGNATURES: dict[Prompting, Any] = {
    "chat": (ReplyAsCharacter, ReplyPlainly),
    "fields": (RespondAsCharacter, RespondPlainly),
}


class Answered(Record):
    """A response, or why there is none: ``fault`` is one countable word, empty for a usable response."""

    text: str = ""
    model: str = ""
    fault: str = ""
    detail: str = ""
    usage: Usage = Usage()


class CharacterResponder(RecipeModule):
    """Answers a message once with traits in the prompt, or as a plain assistant where there are none.

    Every condition is asked for by the same prompt with other traits in it, so that a difference between
    two conditions is that of their traits. ``prompting`` asks as an ordinary chat, in which a plain assistant
    is the bare model, or for a field of a form. A reply that cannot be read is asked for again at most
    ``max_reasks`` times.
    """

    def __init__(self, max_reasks: int = 1, prompting: Prompting = "chat") -> None:
        super().__init__()
        as_character, plainly = _SIGNATURES[prompting]
        self.respond = dspy.Predict(as_character)
        self.respond_plainly = dspy.Predict(plainly)
        self.max_reasks, self.prompting = max_reasks, prompting

    def steps(
        self,
        message: Message,
        traits: Sequence[Trait] = (),
        *,
        seed: int = 0,
        assistant_name: str = "the assistant",
        lm: Any = None,
    ) -> Steps[Answered]:
        """Return the response; the same seed asks the same way."""
        inputs: dict[str, Any] = {"assistant_name": assistant_name}
        if traits:
            inputs["character"] = [trait.brief() for trait in traits]
        predict = self.respond if traits else self.respond_plainly
        call = Call(predict, inputs, "responses", message.trait, lm=lm, prompting=self.prompting)
        seed_of = partial(stable_seed, seed, message.id, *(trait.name for trait in traits))
        reply, _lost = yield from asked(
            call, message, self.max_reasks, about="response", seed_of=seed_of, fault_of=_unreadable
        )
        text = reply.text("response").strip()
        fault = reply.fault or ("" if text else "empty")
        return Answered(text=text, model=reply.model, fault=fault, detail=reply.detail, usage=reply.usage)

    forward = by_threads(steps)
    aforward = by_tasks(steps)


def _unreadable(reply: Reply) -> Fault:
    """Return the one fault that another attempt may mend."""
    return Fault(reply.fault, reply.detail) if reply.fault == "unreadable" else Fault()
