"""The first step: a trait and a kind in, distinct messages out that give the trait room to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dspy

from character.constitution import Constitution, Trait
from character.modules.briefs import briefs, take
from character.modules.calls import Call, Reply
from character.modules.inputs import as_kind, as_trait
from character.modules.steps import Steps, adrive, drive, usage_is_on_the_record
from character.records import Drop, Kind, Message, MessageBatch, Turn, Usage
from character.text import NearDuplicates, detect_language, language_name, stable_seed
from signatures.messages import KIND_DESCRIPTIONS, GenerateMessages

_SHOWN = 40  # the latest messages that a prompt shows; repeats are looked for among all of them


class MessageGenerator(dspy.Module):
    """Writes messages to which a trait matters, spread over topics, senders, registers and lengths.

    Asks for ``batch_size`` messages per call, shows the latest it already has, and asks again for what was
    unusable, a duplicate or a near duplicate, at most ``max_refills`` times. ``turns`` is the length of a
    conversation (odd; its last turn is the user's). Every message thrown away is a counted Drop.
    """

    def __init__(self, *, turns: int = 1, batch_size: int = 8, max_refills: int = 3) -> None:
        super().__init__()
        if turns < 1 or turns % 2 == 0:
            raise ValueError(f"turns must be odd and positive, got {turns}")
        self.generate = dspy.Predict(GenerateMessages)
        self.turns, self.batch_size, self.max_refills = turns, batch_size, max_refills

    _set_lm_usage = usage_is_on_the_record

    def forward(
        self,
        trait: Trait | str,
        kind: Kind | str = "question",
        num_messages: int = 6,
        *,
        constitution: Constitution | None = None,
        language: str | None = None,
        existing: Sequence[str] = (),
        seed: int = 0,
    ) -> MessageBatch:
        """Return up to ``num_messages`` messages of one kind; fewer where the refills ran out, which the drops explain.

        ``language`` defaults to the constitution's, else to that of the trait's text. ``existing`` are texts
        that must not be repeated. The same seed asks the same way.
        """
        trait, kind = as_trait(trait), as_kind(kind)
        return drive(
            self._steps(trait, kind, num_messages, _language(trait, constitution, language), existing, seed)
        )

    async def aforward(
        self,
        trait: Trait | str,
        kind: Kind | str = "question",
        num_messages: int = 6,
        *,
        constitution: Constitution | None = None,
        language: str | None = None,
        existing: Sequence[str] = (),
        seed: int = 0,
    ) -> MessageBatch:
        """Do as ``forward`` does, on the event loop."""
        trait, kind = as_trait(trait), as_kind(kind)
        language = _language(trait, constitution, language)
        return await adrive(self._steps(trait, kind, num_messages, language, existing, seed))

    def _steps(
        self, trait: Trait, kind: Kind, num_messages: int, language: str, existing: Sequence[str], seed: int
    ) -> Steps[MessageBatch]:
        collected = _Collected(trait, kind, language, self.turns, existing)
        source = briefs(language, stable_seed(seed, trait.name, kind))
        for attempt in range(1 + self.max_refills):
            missing = num_messages - len(collected.messages)
            if missing <= 0:
                break
            sizes = [min(self.batch_size, missing - start) for start in range(0, missing, self.batch_size)]
            asked = [take(source, size) for size in sizes]
            calls = [
                self._call(collected, wanted, stable_seed(seed, trait.name, kind, attempt, number))
                for number, wanted in enumerate(asked)
            ]
            for wanted, reply in zip(asked, (yield calls), strict=True):
                collected.take(reply, wanted)
        if len(collected.messages) < num_messages:
            missing = num_messages - len(collected.messages)
            detail = f"{missing} of {num_messages} messages are missing after {self.max_refills} refills"
            collected.drop("refills_exhausted", detail)
        return MessageBatch(
            messages=tuple(collected.messages), drops=tuple(collected.drops), usage=collected.usage
        )

    def _call(self, collected: _Collected, wanted: list[dict[str, str]], seed: int) -> Call:
        inputs: dict[str, Any] = {
            "language": language_name(collected.language),
            "trait": collected.trait.brief(),
            "kind": KIND_DESCRIPTIONS[collected.kind],
            "turns": self.turns,
            "existing_messages": collected.texts()[-_SHOWN:],
            "briefs": wanted,
        }
        return Call(self.generate, inputs, "messages", collected.trait.name, seed, fault=collected.fault)


class _Collected:
    """What one generation has so far, and the checks every message passes."""

    def __init__(self, trait: Trait, kind: Kind, language: str, turns: int, existing: Sequence[str]) -> None:
        self.trait, self.kind, self.language, self.turns = trait, kind, language, turns
        self.existing = list(existing)
        self.messages: list[Message] = []
        self.drops: list[Drop] = []
        self.usage = Usage()
        self.fault = ""
        self._seen = NearDuplicates(self.existing)

    def texts(self) -> list[str]:
        return [*self.existing, *(message.text for message in self.messages)]

    def drop(self, reason: str, detail: str = "") -> None:
        self.drops.append(
            Drop(stage="messages", reason=reason, detail=f"{self.trait.name}/{self.kind}: {detail}")
        )

    def take(self, reply: Reply, wanted: list[dict[str, str]]) -> None:
        """Keep the usable messages of a reply, count the others."""
        self.usage += reply.usage
        self.fault = ""
        if reply.fault:
            self.fault = f"{reply.fault}: {reply.detail}"
            self.drop(reply.fault, reply.detail)
            return
        found = reply.outputs["messages"]
        matched = len(found) == len(wanted)
        if not matched:
            # Which brief a message answers is not known then, so it carries none.
            self.fault = f"there were {len(found)} messages for {len(wanted)} briefs"
        for number, turns in enumerate(found[: len(wanted)]):
            self._take_one(
                [turns] if isinstance(turns, str) else turns, wanted[number] if matched else {}, reply.model
            )
        for _ in found[len(wanted) :]:
            self.drop("surplus", "more messages than briefs")

    def _take_one(self, turns: list[str], brief: dict[str, str], model: str) -> None:
        texts = [turn.strip() for turn in turns]
        if not texts or not all(texts):
            return self.drop("empty", "a message without text")
        if len(texts) != self.turns:
            return self.drop("wrong_turns", f"{len(texts)} turns instead of {self.turns}: {texts[-1][:60]}")
        repeats = self._seen.find(texts[-1])
        if repeats:
            return self.drop(repeats, texts[-1][:80])
        self._seen.add(texts[-1])
        self.messages.append(
            Message(
                trait=self.trait.name,
                kind=self.kind,
                turns=tuple(
                    Turn(role="assistant" if i % 2 else "user", content=text) for i, text in enumerate(texts)
                ),
                language=self.language,
                brief=brief,
                source="generated",
                model=model,
            )
        )
        return None


def _language(trait: Trait, constitution: Constitution | None, language: str | None) -> str:
    return language or (
        constitution.language if constitution else detect_language(trait.name + trait.description)
    )
