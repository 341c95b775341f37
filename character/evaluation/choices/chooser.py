"""Letting a model choose which of two traits it shows, and telling from its reply alone which one it was."""

from __future__ import annotations

import random
from typing import Any

import dspy

from character.backends.call import Call, Reply
from character.backends.drivers import RecipeModule, Steps, adrive, drive
from character.constitution import Trait
from character.errors import InputError
from character.evaluation.records import Choice
from character.inputs import as_message, as_trait
from character.records import Drop, Message, Usage
from character.text import fingerprint, language_name, stable_seed
from signatures.choosing import ChooseTrait, TellTrait


class TraitChooser(RecipeModule):
    """Has a message answered with one of two traits shown, of the model's own choice, and asks a judge which one it was.

    The judge sees the traits in an order of its own, drawn from the seed, and nothing of who answered. Both prompts
    show a trait by name and description alone, so that one with more to read has no advantage. A reply that cannot be
    read is asked for again at most ``max_reasks`` times; then the choice is lost, which a drop explains.
    """

    def __init__(self, max_reasks: int = 1) -> None:
        super().__init__()
        self.choose = dspy.Predict(ChooseTrait)
        self.tell = dspy.Predict(TellTrait)
        self.max_reasks = max_reasks

    def forward(
        self, message: Message | str, first: Trait | str, second: Trait | str, *, seed: int = 0
    ) -> Choice:
        """Return what was chosen; the same seed asks the same way."""
        return drive(self.steps(as_message(message, None), as_trait(first), as_trait(second), seed))

    async def aforward(
        self, message: Message | str, first: Trait | str, second: Trait | str, *, seed: int = 0
    ) -> Choice:
        """Do as ``forward`` does, on the event loop."""
        return await adrive(self.steps(as_message(message, None), as_trait(first), as_trait(second), seed))

    def steps(
        self,
        message: Message,
        first: Trait,
        second: Trait,
        seed: int,
        *,
        condition: str = "",
        assistant_name: str = "the assistant",
        lm: Any = None,
        judge_lm: Any = None,
    ) -> Steps[Choice]:
        """Return the logic as a generator of calls, to be run with others."""
        if first.name == second.name:
            raise InputError(f"found the trait {first.name!r} twice.", expected="two traits to choose from")
        seed = stable_seed(seed, condition, message.id, first.name, second.name)
        traits = [first, second]
        choice = Choice(message_id=message.id, condition=condition, first=first.name, second=second.name)
        shared = {"language": language_name(message.language)}
        conversation = [turn.model_dump() for turn in message.turns]
        inputs: dict[str, Any] = {
            **shared,
            "assistant_name": assistant_name,
            "traits": _shown(traits),
            "conversation": conversation,
        }
        replied, usage, drops = yield from self._ask(self.choose, inputs, "response", message, seed, lm)
        text = replied.text("response").strip()
        if not text:
            return choice.model_copy(update={"usage": usage, "drops": drops})
        listed = random.Random(seed).sample(traits, 2)
        inputs = {**shared, "traits": _shown(listed), "conversation": conversation, "response": text}
        told, judged, lost = yield from self._ask(self.tell, inputs, "shown", message, seed, judge_lm)
        names = {"first": listed[0].name, "second": listed[1].name, "neither": ""}
        found = {
            "text": text,
            "model": replied.model,
            "shown": names[told.outputs["shown"]] if not told.fault else None,
            "usage": usage + judged,
            "drops": (*drops, *lost),
        }
        return choice.model_copy(update=found)

    def _ask(
        self, predict: Any, inputs: dict[str, Any], field: str, message: Message, seed: int, lm: Any
    ) -> Steps[tuple[Reply, Usage, tuple[Drop, ...]]]:
        """Return the reply, or the last one that could not be used, with what the calls took and lost."""
        stage = "responses" if field == "response" else "gauging"
        usage, reply = Usage(), Reply()
        drops: list[Drop] = []
        for attempt in range(self.max_reasks + 1):
            call = Call(
                predict,
                inputs,
                stage,
                message.trait,
                stable_seed(seed, attempt),
                fault=reply.detail or reply.fault,
                lm=lm,
            )
            (reply,) = yield [call]
            usage += reply.usage
            fault = reply.fault or ("" if reply.text(field).strip() else "empty")
            if not fault:
                break
            drops.append(
                Drop(
                    stage="responses" if field == "response" else "ranking",
                    reason=fault,
                    detail=f"choice: {reply.detail}",
                    message_id=message.id,
                )
            )
        was_recovered = len(drops) <= self.max_reasks
        return reply, usage, tuple(drop.model_copy(update={"recovered": was_recovered}) for drop in drops)


def prompts_of_choices() -> str:
    """Return the identity of the prompts that choices are asked for and judged by."""
    return fingerprint([[each.instructions, list(each.fields)] for each in (ChooseTrait, TellTrait)])


def _shown(traits: list[Trait]) -> list[dict[str, str | list[str]]]:
    return [{"name": trait.name, "description": trait.description} for trait in traits]
