"""Two traits offered to a model, evenly over pairs and orders; its reply alone tells which one it showed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import dspy

from character.backends.call import Call, Fault, Reply
from character.backends.drivers import RecipeModule, Steps, by_tasks, by_threads
from character.config import EffectDesign, Prompting
from character.constitution import Constitution, Trait
from character.errors import InputError
from character.evaluation.conditions import MODELS, PLAIN, Condition
from character.evaluation.judges.asking import Replied, asked
from character.evaluation.records import Choice
from character.inputs import as_message, as_trait
from character.locale import report_language, wording
from character.records import Message
from character.text import fingerprint, stable_seed
from signatures.chat import ReplyWithOneTrait
from signatures.choosing import ChooseTrait, TellTrait

_STEM = 5


class Offer(NamedTuple):
    """Two traits, in the order in which they are shown, and the message to be answered."""

    message: Message
    first: Trait
    second: Trait


def other_traits(constitution: Constitution) -> list[Trait]:
    """Return six common traits to choose a character's own over, without those that it has by a name alike.

    In Chinese or, for any other language, in English. They give ratings a zero of their own: a model may lean
    towards every trait of its character, which choices among these alone could not show.
    """
    others = wording("effect_messages.other_traits", report_language(constitution.language))
    names = [trait.name.casefold() for trait in constitution.traits]
    return [
        Trait(name=name, description=text)
        for name, text in others.items()
        if not any(_are_alike(name, other) for other in names)
    ]


def _are_alike(one: str, other: str) -> bool:
    """Whether two names are next to the same: one holds the other (好奇, 好奇心), or they begin alike.

    As ``curious`` and ``curiosity`` do.
    """
    if one in other or other in one:
        return True
    return one.isascii() and one[:_STEM] == other[:_STEM]


def offers_for(
    constitution: Constitution, messages: Sequence[tuple[Message, str]], number: int, seed: int
) -> list[Offer]:
    """Return so many offers: every pair as often as every other, in both orders, as far as the number allows.

    A pair holds at least one trait of the character. ``messages`` come with their group; a message that was
    written for a trait is not offered with it, and none twice with the same pair where another one is left.
    Raises no error where some messages are neutral, as ``effect`` makes sure.
    """
    rng = random.Random(seed)
    own, others = list(constitution.traits), other_traits(constitution)
    pairs = [*combinations(own, 2), *((trait, other) for trait in own for other in others)]
    rng.shuffle(pairs)
    flips = [bool(i % 2) for i in range(len(pairs))]
    rng.shuffle(flips)
    waiting = rng.sample(messages, len(messages))
    used: set[tuple[str, int]] = set()
    offers = []
    for i in range(number):
        place = i % len(pairs)
        pair = pairs[place]
        fits = [each for each in waiting if each[1] not in (pair[0].name, pair[1].name)]
        chosen = next((each for each in fits if (each[0].id, place) not in used), fits[0])
        waiting.remove(chosen)
        waiting.append(chosen)
        used.add((chosen[0].id, place))
        is_flipped = flips[place] ^ bool(i // len(pairs) % 2)
        offers.append(Offer(chosen[0], *(pair[::-1] if is_flipped else pair)))
    return offers


def choosing_conditions(design: EffectDesign) -> list[Condition]:
    """Return who chooses: the two models that are compared, else the one that answers, without traits."""
    return [Condition(name=PLAIN)] if design == "traits" else list(MODELS)


class TraitChooser(RecipeModule):
    """Has a message answered with one of two traits shown, of the model's own choice; a judge says which one.

    The judge sees the traits in an order of its own, drawn from the seed, and nothing of who answered. Both
    prompts show a trait by name and description alone, so that one with more to read has no advantage.
    ``prompting`` asks for the reply as an ordinary chat, or as a field of a form. A reply that cannot be read
    is asked for again at most ``max_reasks`` times; then the choice is lost, which a drop explains.
    """

    def __init__(self, max_reasks: int = 1, prompting: Prompting = "chat") -> None:
        super().__init__()
        self.choose = dspy.Predict(ReplyWithOneTrait if prompting == "chat" else ChooseTrait)
        self.tell = dspy.Predict(TellTrait)
        self.max_reasks, self.prompting = max_reasks, prompting

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
        call = Call(predict, inputs, stage, message.trait, lm=lm, prompting=self.prompting)
        seed_of = partial(stable_seed, seed)
        return asked(call, message, self.max_reasks, about="choice", seed_of=seed_of, fault_of=fault_of)


def prompts_of_choices(prompting: Prompting) -> str:
    """Return the identity of the prompts that choices are asked for and judged by."""
    asking = ReplyWithOneTrait if prompting == "chat" else ChooseTrait
    return fingerprint([[each.instructions, list(each.fields)] for each in (asking, TellTrait)])


def _described(traits: list[Trait]) -> list[dict[str, str | list[str]]]:
    return [{"name": trait.name, "description": trait.description} for trait in traits]
