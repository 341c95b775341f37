"""What one generation of messages has so far, and the checks that every message passes."""

from __future__ import annotations

from collections.abc import Sequence

from character.backends.call import Reply
from character.backends.reading.cleaning import clean_messages
from character.constitution import Trait
from character.messages.diverse import select_spread
from character.messages.lengths import is_wrong_length, length_band
from character.messages.near_duplicates import NearDuplicates
from character.messages.unfit import unfit
from character.records import Drop, Kind, Message, MessageBatch, Turn, Usage


class Collected:
    """The messages of one trait and kind that passed every check, and a Drop for each that did not.

    ``fault`` is what was wrong with the latest reply, for the model to read; ``asked`` are all briefs sent.
    """

    def __init__(self, trait: Trait, kind: Kind, language: str, turns: int, existing: Sequence[str]) -> None:
        self.trait, self.kind, self.language, self.turns = trait, kind, language, turns
        self.existing = list(existing)
        self.messages: list[Message] = []
        self.drops: list[Drop] = []
        self.asked: list[dict[str, str]] = []
        self.usage = Usage()
        self.fault = ""
        self._seen = NearDuplicates(self.existing)

    def texts(self) -> list[str]:
        """Return what must not be repeated, the latest last."""
        return [*self.existing, *(message.text for message in self.messages)]

    def drop(self, reason: str, detail: str = "") -> None:
        """Count something as thrown away."""
        detail = f"{self.trait.name}/{self.kind}: {detail}"
        self.drops.append(Drop(stage="messages", reason=reason, detail=detail))

    def take(self, reply: Reply, wanted: list[dict[str, str]]) -> None:
        """Keep the usable messages of a reply to these briefs, count the others."""
        self.usage += reply.usage
        self.asked += wanted
        self.fault = ""
        if reply.fault:
            self.fault = f"{reply.fault}: {reply.detail}"
            self.drop(reply.fault, reply.detail)
            return
        messages, taken_off = self._cleaned(reply.outputs["messages"])
        for kind in (*reply.habits, *taken_off):
            self.drops.append(Drop(stage="messages", reason=kind, recovered=True))
        matched = len(messages) == len(wanted)
        if not matched:
            # Which brief a message answers is not known then, so it carries none.
            self.fault = f"there were {len(messages)} messages for {len(wanted)} briefs"
        for turns, brief in zip(messages, wanted, strict=False):
            texts = [turns] if isinstance(turns, str) else turns
            self._take_one(texts, brief if matched else {}, reply.model)
        for _ in messages[len(wanted) :]:
            self.drop("surplus", "more messages than briefs")

    def _cleaned(self, messages: list[str | list[str]]) -> tuple[list[str | list[str]], list[str]]:
        """Return single messages without what is no part of them, and the kinds of what was taken off."""
        messages = [each[0] if isinstance(each, list) and len(each) == 1 else each for each in messages]
        texts = [each for each in messages if isinstance(each, str)]
        cleaned, kinds = clean_messages(texts)
        left = iter(cleaned)
        return [next(left) if isinstance(each, str) else each for each in messages], kinds

    def _take_one(self, turns: list[str], brief: dict[str, str], model: str) -> None:
        texts = [turn.strip() for turn in turns]
        if not texts or not all(texts):
            return self.drop("empty", "a message without text")
        if len(texts) != self.turns:
            return self.drop("wrong_turns", f"{len(texts)} turns instead of {self.turns}: {texts[-1][:60]}")
        reason, found = unfit(texts[-1], self.trait)
        if reason:
            return self.drop(reason, found)
        repeats = self._seen.find(texts[-1])
        if repeats:
            return self.drop(repeats, texts[-1][:80])
        # The length of a conversation is spread over its turns, so only single messages are measured.
        if self.turns == 1 and is_wrong_length(texts[0], brief):
            asked, got = brief["length"], length_band(texts[0])
            return self.drop("wrong_length", f"{got} for {asked!r}: {texts[0][:60]}")
        self._seen.add(texts[-1])
        spoken = (Turn(role="assistant" if i % 2 else "user", content=text) for i, text in enumerate(texts))
        self.messages.append(
            Message(
                trait=self.trait.name,
                kind=self.kind,
                turns=tuple(spoken),
                language=self.language,
                brief=brief,
                source="generated",
                model=model,
            )
        )
        return None

    def judge(self, checked: Sequence[Message], reply: Reply) -> str:
        """Drop the checked messages that do not reveal; return what is wrong with the check, else ""."""
        self.usage += reply.usage
        if reply.fault:
            return f"{reply.fault}: {reply.detail}"
        reveals = reply.outputs["reveals"]
        if len(reveals) != len(checked):
            fault = "wrong_count", f"expected {len(checked)} values, one per message, got {len(reveals)}"
            reply.lost(*fault)
            return ": ".join(fault)
        for message, passes in zip(checked, reveals, strict=True):
            if not passes:
                self.remove(message, "does_not_reveal")
        return ""

    def remove(self, message: Message, reason: str, detail: str = "") -> None:
        """Drop a message that was kept; its text still counts as one not to repeat."""
        self.messages.remove(message)
        self.drop(reason, f"{detail}{message.text[:80]}")

    def batch(self, num_messages: int) -> MessageBatch:
        """Return the ``num_messages`` farthest apart, in the briefs' mix, with all that was dropped."""
        texts = [message.text for message in self.messages]
        mix = [message.brief for message in self.messages]
        chosen = select_spread(texts, num_messages, groups=mix, asked=self.asked)
        for number in sorted(set(range(len(texts))).difference(chosen)):
            self.drop("not_selected", texts[number][:80])
        messages = tuple(self.messages[number] for number in chosen)
        return MessageBatch(messages=messages, drops=tuple(self.drops), usage=self.usage)
