"""The first step: a trait and a kind in, distinct messages out that give the trait room to show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

import dspy

from character.backends.call import Call, Reply
from character.backends.chat import example_messages
from character.backends.drivers import RecipeModule, Steps, by_tasks, by_threads
from character.backends.predictors import as_predictor, needed_outputs
from character.config import Prompting
from character.constitution import Constitution, Trait
from character.errors import InputError, UnknownNameError
from character.inputs import as_kind, as_trait
from character.messages.briefs import briefs, take
from character.messages.collecting import Collected
from character.records import Kind, Message, MessageBatch
from character.text import detect_language, language_name, stable_seed
from signatures.chat import WriteMessage
from signatures.messages import KIND_DESCRIPTIONS, CheckMessages, GenerateMessages

NUM_SHOWN = 40
"""How many existing messages a prompt shows, the latest; repeats are looked for among all of them."""
_CHECK_REASKS = 1
T = TypeVar("T")


class MessageGenerator(RecipeModule):
    """Writes messages to which a trait matters, spread over topics, senders, registers and lengths.

    ``prompting="chat"`` asks for each message in a call of its own, as an ordinary chat that
    shows its brief, the trait's name and description, and examples: so small models write what users write.
    ``"fields"`` asks for ``batch_size`` of them per call in a form, which shows all of the trait and the
    latest messages that there are; it is the default, and the one way to conversations.

    What was unusable, a duplicate, a near duplicate or of the wrong length (long where short was asked for,
    or the reverse) is asked for again, at most ``max_refills`` times. ``turns`` is the length of a
    conversation (odd; its last turn is the user's). ``oversample`` (1.0 to 4.0) asks for that many times the
    messages and keeps those that lie farthest apart (see ``selection.select_spread``). ``check`` has the
    model look over the messages in calls of their own: those whose answers would not reveal the trait are
    dropped and refilled. Every message thrown away is a counted Drop. ``predictor`` asks in place of
    ``dspy.Predict``: a module, or a signature of one's own with the fields that ``GenerateMessages`` has, or
    with ``prompting="chat"`` those of ``WriteMessage``. Raises ValueError for values out of range.
    """

    _kept = ("prompting", "turns", "batch_size", "max_refills", "oversample", "check")

    def __init__(
        self,
        *,
        turns: int = 1,
        batch_size: int = 8,
        max_refills: int = 3,
        oversample: float = 1.0,
        check: bool = False,
        prompting: Prompting = "fields",
        predictor: dspy.Module | type[dspy.Signature] | None = None,
    ) -> None:
        super().__init__()
        if turns < 1 or turns % 2 == 0:
            raise ValueError(f"turns must be odd and positive, got {turns}")
        if not 1.0 <= oversample <= 4.0:
            raise ValueError(f"oversample must lie between 1.0 and 4.0, got {oversample}")
        self.prompting: Prompting = prompting
        if self.prompting not in get_args(Prompting):
            raise UnknownNameError("way to prompt", str(prompting), get_args(Prompting))
        if (prompting, turns) == ("chat", max(turns, 2)):
            raise InputError(f"found prompting='chat' with {turns} turns.", expected="prompting='fields'")
        self._form = WriteMessage if self.prompting == "chat" else GenerateMessages
        self.generate = as_predictor(predictor, self._form, "generator")
        self.check = dspy.Predict(CheckMessages) if check else None
        self.turns, self.batch_size, self.max_refills = turns, batch_size, max_refills
        self.oversample = oversample

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "check": self.check is not None}

    @classmethod
    def _options(cls, settings: dict[str, Any]) -> dict[str, Any]:
        return {"prompting": "fields", **settings}  # earlier versions knew nothing else

    def _steps(
        self,
        trait: Trait | Mapping[str, Any] | str,
        kind: Kind | str = "question",
        num_messages: int = 6,
        *,
        constitution: Constitution | None = None,
        language: str | None = None,
        existing: Sequence[str] = (),
        seed: int = 0,
    ) -> Steps[MessageBatch]:
        """Return up to ``num_messages`` messages of one kind; fewer where refills ran out, as drops explain.

        ``language`` defaults to the constitution's, else to that of the trait's text. ``existing`` are texts
        that must not be repeated. The same seed asks the same way.
        """
        trait, kind = as_trait(trait), as_kind(kind)
        language = language or language_of(trait, constitution)
        shown = example_messages(language) if self.prompting == "chat" else ()
        collected = Collected(trait, kind, language, self.turns, existing, shown)
        source = briefs(language, stable_seed(seed, trait.name, kind))
        missing = math.ceil(num_messages * self.oversample)
        size = 1 if self.prompting == "chat" else self.batch_size
        for attempt in range(1 + self.max_refills):
            if missing <= 0:
                break
            before = len(collected.messages)
            asked = self._batches(take(source, missing), size)
            calls = [
                self._call(collected, wanted, stable_seed(seed, trait.name, kind, attempt, number))
                for number, wanted in enumerate(asked)
            ]
            replies: list[Reply] = yield calls[:1]
            if calls[1:] and not replies[0].fault:  # what cannot be read is not asked for in many at once
                replies = [*replies, *(yield calls[1:])]
            for wanted, reply in zip(asked, replies, strict=False):
                collected.take(reply, wanted)
                if reply.fault == "cut_off":  # so many at once do not go into a reply
                    size = max(1, len(wanted) // 2)
            if self.check is not None:
                fresh = collected.messages[before:]
                yield from self._check_steps(collected, fresh, stable_seed(seed, kind, "check", attempt))
            missing = num_messages - len(collected.messages)
            if all(reply.is_final for reply in replies):
                break
        if missing > 0:
            detail = f"{missing} of {num_messages} messages are missing after {attempt} refills"
            collected.drop("refills_exhausted", detail)
        return collected.batch(num_messages)

    forward = by_threads(_steps)
    aforward = by_tasks(_steps)

    def _check_steps(self, collected: Collected, fresh: list[Message], seed: int) -> Steps[None]:
        """Have the model check new messages; a check that cannot be used is asked again, then they go."""
        waiting: list[tuple[list[Message], Reply | None]]
        waiting = [(messages, None) for messages in self._batches(fresh, self.batch_size)]
        for attempt in range(1 + _CHECK_REASKS):
            calls = [
                self._check_call(collected, messages, stable_seed(seed, attempt, number), before)
                for number, (messages, before) in enumerate(waiting)
            ]
            replies: list[Reply] = (yield calls) if calls else []
            asked, waiting = waiting, []
            for (messages, _before), reply in zip(asked, replies, strict=True):
                lost = collected.judge(messages, reply)
                if lost and attempt < _CHECK_REASKS and not lost.is_final:
                    waiting.append((messages, lost))
                elif lost:
                    for message in messages:
                        collected.remove(message, lost.fault, f"the check failed ({lost.detail}): ")

    def _batches(self, items: list[T], size: int) -> list[list[T]]:
        return [items[start : start + size] for start in range(0, len(items), size)]

    def _call(self, collected: Collected, wanted: list[dict[str, str]], seed: int) -> Call:
        inputs = {**_aims(collected), "briefs": wanted}
        trait, way = collected.trait, self.prompting
        if way == "chat":
            inputs["trait"] = {"name": trait.name, "description": trait.description}
        else:
            inputs |= {"turns": self.turns, "existing_messages": collected.texts()[-NUM_SHOWN:]}
        needs, before = needed_outputs(self._form), collected.failed
        return Call(self.generate, inputs, "messages", trait.name, seed, before, needs=needs, prompting=way)

    def _check_call(
        self, collected: Collected, messages: list[Message], seed: int, failed: Reply | None
    ) -> Call:
        inputs = {**_aims(collected), "messages": [_as_text(message) for message in messages]}
        return Call(self.check, inputs, "messages", collected.trait.name, seed, failed)


def _aims(collected: Collected) -> dict[str, Any]:
    return {
        "language": language_name(collected.language),
        "trait": collected.trait.brief(),
        "kind": KIND_DESCRIPTIONS[collected.kind],
    }


def _as_text(message: Message) -> str:
    if len(message.turns) == 1:
        return message.text
    return "\n".join(f"{turn.role}: {turn.content}" for turn in message.turns)


def language_of(trait: Trait, constitution: Constitution | None) -> str:
    """Return the language of a trait's messages: the constitution's, else that of the trait's text."""
    return constitution.language if constitution else detect_language(trait.name + trait.description)
