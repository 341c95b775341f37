"""Letting a model choose which of two traits it shows, and telling from its reply alone which one it was."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import dspy

from character.backends.call import Call, Fault, Reply
from character.backends.drivers import RecipeModule, Steps, by_tasks, by_threads
from character.constitution import Trait
from character.errors import InputError
from character.evaluation.judges.asking import Replied, asked
from character.evaluation.records import Choice
from character.inputs import as_message, as_trait
from character.records import Message
from character.text import fingerprint, stable_seed
from signatures.choosing import ChooseTrait, TellTrait


class TraitChooser(RecipeModule):
    """Has a message answered with one of two traits shown, of the model's own choice; a judge says which one.

    The judge sees the traits in an order of its own, drawn from the seed, and nothing of who answered. Both
    prompts show a trait by name and description alone, so that one with more to read has no advantage. A
    reply that cannot be read is asked for again at most ``max_reasks`` times; then the choice is lost, which
    a drop explains.
    """

    def __init__(self, max_reasks: int = 1) -> None:
        super().__init__()
        self.choose = dspy.Predict(ChooseTrait)
        self.tell = dspy.Predict(TellTrait)
        self.max_reasks = max_reasks

    def steps(
        self,
        message: Message | str,
        first: Trait | str,
        second: Trait | str,
        *,
        seed: int = 0,
        condition: str = "",
        assistant_name: str = "the assistant",
        lm: Any = None,
        judge_lm: Any = None,
    ) -> Steps[Choice]:
        """Return what was chosen; the same seed asks the same way."""
        message, first, second = as_message(message, None), as_trait(first), as_trait(second)
        if first.name == second.name:
            raise InputError(f"found the trait {first.name!r} twice.", expected="two traits to choose from")
        seed = stable_seed(seed, condition, message.id, first.name, second.name)
        traits = [first, second]
        inputs = {"assistant_name": assistant_name, "traits": _described(traits)}
        reply, drops = yield from self._ask(self.choose, inputs, "response", message, seed, lm)
        text = reply.text("response").strip()
        choice = Choice(
            message_id=message.id,
            condition=condition,
            first=first.name,
            second=second.name,
            text=text,
            model=reply.model if text else "",
            usage=reply.usage,
            drops=drops,
        )
        if not text:
            return choice
        listed = random.Random(seed).sample(traits, 2)
        inputs = {"traits": _described(listed), "response": text}
        verdict, lost = yield from self._ask(self.tell, inputs, "shown", message, seed, judge_lm)
        names = {"first": listed[0].name, "second": listed[1].name, "neither": ""}
        shown = None if verdict.fault else names[verdict.outputs["shown"]]
        update = {"shown": shown, "usage": reply.usage + verdict.usage, "drops": drops + lost}
        return choice.model_copy(update=update)

    forward = by_threads(steps)
    aforward = by_tasks(steps)

    def _ask(
        self, predict: Any, inputs: dict[str, Any], field: str, message: Message, seed: int, lm: Any
    ) -> Steps[Replied]:
        """Return the reply that holds this field, or the last one that does not."""

        def fault_of(reply: Reply) -> Fault:
            return Fault(reply.fault or ("" if reply.text(field).strip() else "empty"), reply.detail)

        stage = "responses" if field == "response" else "gauging"
        call = Call(predict, inputs, stage, message.trait, lm=lm)
        seed_of = partial(stable_seed, seed)
        return asked(call, message, self.max_reasks, about="choice", seed_of=seed_of, fault_of=fault_of)


def prompts_of_choices() -> str:
    """Return the identity of the prompts that choices are asked for and judged by."""
    return fingerprint([[each.instructions, list(each.fields)] for each in (ChooseTrait, TellTrait)])


def _described(traits: list[Trait]) -> list[dict[str, str | list[str]]]:
    return [{"name": trait.name, "description": trait.description} for trait in traits]
