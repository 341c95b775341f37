"""What one generation of messages has so far, and the checks that every message passes."""

from __future__ import annotations

from collections.abc import Sequence

from character.backends.call import Fault, Reply
from character.backends.reading.cleaning import clean_messages
from character.constitution import Trait
from character.messages.diverse import select_spread
from character.messages.lengths import is_wrong_length, length_band
from character.messages.near_duplicates import NearDuplicates
from character.messages.unfit import unfit
from character.records import Drop, Kind, Message, MessageBatch, Turn, Usage


class Collected:
    """The messages of one trait and kind that passed every check, and a Drop for each that did not.

    ``failed`` is the latest reply where something was wrong with it; ``asked`` are all briefs sent. Neither
    what is ``existing`` nor an example that the prompt shows may be repeated.
    """

    def __init__(
        self,
        trait: Trait,
        kind: Kind,
        language: str,
        turns: int,
        existing: Sequence[str],
        examples: Sequence[str] = (),
    ) -> None:
        self.trait, self.kind, self.language, self.turns = trait, kind, language, turns
        self.existing = list(existing)
        self.messages: list[Message] = []
        self.drops: list[Drop] = []
        self.asked: list[dict[str, str]] = []
        self.usage = Usage()
        self.failed: Reply | None = None
        self._seen = NearDuplicates([*self.existing, *examples])

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
        self.failed = reply if reply.fault else None
        if reply.fault:
            self.drop(reply.fault, reply.detail)
            return
        messages, taken_off = self._cleaned(reply.outputs["messages"], wanted)
        for kind in (*reply.habits, *taken_off):
            self.drops.append(Drop(stage="messages", reason=kind, recovered=True))
        matched = len(messages) == len(wanted)
        if not matched:
            # Which brief a message answers is not known then, so it carries none.
            detail = f"there were {len(messages)} messages for {len(wanted)} briefs"
            self.failed = reply.refused(Fault("wrong_count", detail))
        for turns, brief in zip(messages, wanted, strict=False):
            texts = [turns] if isinstance(turns, str) else turns
            self._take_one(texts, brief if matched else {}, reply.model)
        for _ in messages[len(wanted) :]:
            self.drop("surplus", "more messages than briefs")

    def _cleaned(
        self, messages: list[str | list[str]], wanted: list[dict[str, str]]
    ) -> tuple[list[str | list[str]], list[str]]:
        """Return single messages without what is no part of them, and the kinds of what was taken off."""
        messages = [each[0] if isinstance(each, list) and len(each) == 1 else each for each in messages]
        texts = [each for each in messages if isinstance(each, str)]
        senders, topics = ([brief[of] for brief in wanted if of in brief] for of in ("sender", "topic"))
        cleaned, kinds = clean_messages(texts, senders, topics)
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

    def judge(self, checked: Sequence[Message], reply: Reply) -> Reply | None:
        """Drop the checked messages that do not reveal; return a reply that is of no use."""
        self.usage += reply.usage
        reveals = reply.outputs.get("reveals", ())
        if reply.fault or len(reveals) != len(checked):
            detail = f"expected {len(checked)} values, one per message, got {len(reveals)}"
            return reply.refused(Fault("wrong_count", detail))
        for message, passes in zip(checked, reveals, strict=True):
            if not passes:
                self.remove(message, "does_not_reveal")
        return None

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
