"""How much of a run was copied: of its candidates and its messages, with those that no user would send."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field

from character.audit.messages.records import MessageAudit
from character.constitution import Trait
from character.messages.near_duplicates import clusters
from character.messages.unfit import unfit
from character.records import Message, Record, Rollout
from character.responses.filters import copied

_COPIED = ("copies_trait", "copies_message", "identical", "near_identical")
_UNFIT = (
    *("stage_direction", "narration", "assistant_reply", "no_message", "copies_trait"),
    *("duplicate", "near_duplicate"),
)
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
        copied(text, message, traits.get(message.trait), texts[:place])[0]
        for message, texts in asked
        for place, text in enumerate(texts)
    )
    return _copies("responses", _COPIED, drops, Counter(found))


def unfit_messages(
    messages: Iterable[Message], traits: Mapping[str, Trait], audit: MessageAudit, drops: Drops
) -> Copies:
    """Return the messages that no user would send, and those that repeat their trait or one another.

    The trait's own questions, where they are the messages, are none. Of what is unfit no repeat is counted.
    """
    seen, fit = Counter[str](), defaultdict[str, list[str]](list)
    for message in messages:
        is_own = message.source == "constitution"
        reason = "" if is_own else unfit(message.text, traits.get(message.trait))[0]
        seen[reason] += 1
        if not reason:
            fit[message.trait].append(message.text)
    repeats = [scope.repeats for scope in audit.by_trait.values()]
    repeated = sum(each.messages - each.clusters for each in repeats)
    if repeated and seen.keys() != {""}:
        repeated = sum(len(group) - 1 for texts in fit.values() for group in clusters(texts))
    seen += Counter({"near_duplicate": repeated, "": -repeated})
    return _copies("messages", _UNFIT, drops, seen)


def _copies(stage: str, reasons: Sequence[str], drops: Drops, seen: Counter[str]) -> Copies:
    lost = sum((Counter(each.get(stage, {})) for each in drops), Counter[str]())
    dropped, kept = ({name: of[name] for name in reasons if of[name]} for of in (lost, seen))
    number, copies = seen.total() + sum(dropped.values()), sum(dropped.values()) + sum(kept.values())
    return Copies(number=number, dropped=dropped, kept=kept, share=copies / number if number else None)
