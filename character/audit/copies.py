"""How much of a run was copied: of its candidates and its messages, with those that no user would send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field

from character.audit.messages.records import MessageAudit
from character.constitution import Trait
from character.messages.unfit import unfit
from character.records import Message, Record, Rollout
from character.responses.filters import copied

_COPIED = ("copies_trait", "copies_message", "identical", "near_identical")
_UNFIT = ("stage_direction", "narration", "assistant_reply", "copies_trait", "duplicate", "near_duplicate")
_UNKNOWN = Trait(name="unknown", description="unknown")
Drops = Sequence[Mapping[str, Mapping[str, int]]]
"""What a run dropped, by stage and reason: lost, and made up for."""


class Copies(Record):
    """Copies among ``number`` texts that came: those ``dropped``, and those found in what was ``kept``.

    Both are counted by reason, the words of the filters; of texts that repeat one another one is no copy.
    ``share`` is that of all copies, in 0..1, None where nothing came.
    """

    number: int = 0
    dropped: dict[str, int] = Field(default_factory=dict)
    kept: dict[str, int] = Field(default_factory=dict)
    share: float | None = None


def copied_candidates(rollouts: Iterable[Rollout], traits: Mapping[str, Trait], drops: Drops) -> Copies:
    """Return the copies among candidates: of their trait, of their message, of another one of it."""
    asked = ((each.message, each.candidates.texts) for each in rollouts if each.candidates)
    found = (
        copied(text, message, traits.get(message.trait, _UNKNOWN), texts[:place])[0]
        for message, texts in asked
        for place, text in enumerate(texts)
    )
    return _copies("responses", _COPIED, drops, Counter(found))


def unfit_messages(
    messages: Iterable[Message], traits: Mapping[str, Trait], audit: MessageAudit, drops: Drops
) -> Copies:
    """Return the messages that no user would send, and those that repeat their trait or one another.

    The trait's own questions, where they are the messages, are none.
    """
    generated = (message for message in messages if message.source != "constitution")
    seen = Counter(unfit(message.text, traits.get(message.trait, _UNKNOWN))[0] for message in generated)
    repeats = [scope.repeats for scope in audit.by_trait.values()]
    seen["near_duplicate"] = sum(each.messages - each.clusters for each in repeats)
    seen[""] = audit.run.num_messages - sum(seen[reason] for reason in _UNFIT)
    return _copies("messages", _UNFIT, drops, seen)


def _copies(stage: str, reasons: Sequence[str], drops: Drops, seen: Counter[str]) -> Copies:
    lost = sum((Counter(each.get(stage, {})) for each in drops), Counter[str]())
    dropped, kept = ({name: of[name] for name in reasons if of[name]} for of in (lost, seen))
    number, copies = seen.total() + sum(dropped.values()), sum(dropped.values()) + sum(kept.values())
    return Copies(
        number=number, dropped=dropped, kept=kept, share=min(1.0, copies / number) if number else None
    )
