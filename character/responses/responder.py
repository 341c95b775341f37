"""The second step: a message in, candidate responses out that show the trait to differing degrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import dspy

from character.backends.call import Call, Reply
from character.backends.drivers import Steps, adrive, drive
from character.backends.dspy_compat import without_usage_note
from character.constitution import Constitution, Trait
from character.errors import InputError, UnknownNameError
from character.inputs import as_message, as_trait
from character.records import LEVELS, Candidate, Candidates, Drop, Level, Message, Usage
from character.responses.filters import unusable
from character.text import language_name, stable_seed
from signatures.responses import EXPRESSIONS, RespondAtEachExpression, RespondInCharacter, RespondPlainly

Calls = Literal["per_candidate", "per_message"]
MIN_CANDIDATES, MAX_CANDIDATES = 2, 8
_SPREAD: tuple[Level, ...] = ("natural", "absent", "overdone", "subtle")
_MORE: tuple[Level, ...] = ("natural", "subtle", "absent", "natural")
_ASKED_APART = frozenset({"unreadable", "wrong_count", "cut_off", "content_filter"})
"""Faults of a reply with all the responses that a reply with one of them may not have."""


def spread_levels(num_candidates: int, *, has_opposite: bool = False) -> tuple[Level, ...]:
    """Return the default expression levels for a number of candidates (2–8).

    Two are natural and absent, three add overdone, four subtle; the fifth is the opposite pole where the
    trait names one; further ones repeat a level, sampled again.
    """
    if not isinstance(num_candidates, int) or not MIN_CANDIDATES <= num_candidates <= MAX_CANDIDATES:
        raise InputError(f"found {num_candidates!r} candidates.", expected="2 to 8")
    opposite: tuple[Level, ...] = ("opposite",) if has_opposite else ()
    return (*_SPREAD, *opposite, *_MORE)[:num_candidates]


@without_usage_note
class Responder(dspy.Module):
    """Answers a message several times, with the trait absent, subtle, natural, overdone or opposite.

    ``levels`` replaces the default spread over ``num_candidates`` levels; naming one level several times
    samples it at several seeds. ``conditioning`` shows the model the focus trait alone or the whole
    character. ``lms`` answer in turn instead of the model of the context.

    ``calls="per_candidate"`` asks for each candidate in a call of its own; the baseline then knows nothing of the
    trait. ``calls="per_message"`` asks for all candidates of a message in one call (one for each of ``lms``): fewer calls, the
    prompt is paid once, and the model sets the levels off against each other. What such a reply lacks is
    asked for candidate by candidate.

    Replies that cannot be read are
    asked for again at most ``max_reasks`` times with the fault shown. Those that a filter stops (see
    ``filters.unusable``) are sampled again at another seed at most ``max_refills`` times, without a word about
    the fault. What is still unusable then, cut off or stopped by the server is dropped and counted.
    ``max_response_tokens`` is the most tokens a reply may have, by estimate; None sets no limit.
    """

    def __init__(
        self,
        num_candidates: int = 4,
        *,
        levels: Sequence[Level] | None = None,
        conditioning: Literal["trait", "character"] = "trait",
        calls: Calls = "per_candidate",
        lms: Sequence[Any] = (),
        max_reasks: int = 1,
        max_refills: int = 1,
        max_response_tokens: int | None = None,
    ) -> None:
        super().__init__()
        spread_levels(num_candidates)
        if levels is not None and not MIN_CANDIDATES <= len(levels) <= MAX_CANDIDATES:
            raise InputError(f"found {len(levels)} levels.", expected="2 to 8")
        unknown = [level for level in levels or () if level not in LEVELS]
        if unknown:
            raise UnknownNameError("expression level", str(unknown[0]), LEVELS)
        if calls not in get_args(Calls):
            raise UnknownNameError("way to call", str(calls), get_args(Calls))
        self.respond = dspy.Predict(RespondInCharacter)
        self.respond_plainly = dspy.Predict(RespondPlainly)
        if calls == "per_message":
            self.respond_at_each = dspy.Predict(RespondAtEachExpression)
        self.num_candidates, self.conditioning, self.calls = num_candidates, conditioning, calls
        self.max_reasks, self.max_refills = max_reasks, max_refills
        self.max_response_tokens = max_response_tokens
        self.levels = tuple(levels) if levels is not None else None
        self.lms = tuple(lms)

    def forward(
        self,
        message: Message | str,
        trait: Trait | str,
        *,
        constitution: Constitution | None = None,
        seed: int = 0,
    ) -> Candidates:
        """Return the usable candidates in level order, with what was dropped. The same seed asks the same way."""
        trait = as_trait(trait)
        return drive(self._steps(as_message(message, trait), trait, constitution, seed))

    async def aforward(
        self,
        message: Message | str,
        trait: Trait | str,
        *,
        constitution: Constitution | None = None,
        seed: int = 0,
    ) -> Candidates:
        """Do as ``forward`` does, on the event loop."""
        trait = as_trait(trait)
        return await adrive(self._steps(as_message(message, trait), trait, constitution, seed))

    def _steps(
        self, message: Message, trait: Trait, constitution: Constitution | None, seed: int
    ) -> Steps[Candidates]:
        slots = self._slots(trait, constitution)
        asked = dict.fromkeys(range(len(slots)), "")
        made = _Made(self, message, trait, slots, constitution.assistant_name if constitution else "")
        if self.calls == "per_message":
            groups = _by_model(slots)
            calls = [
                self._call_for_all([slots[i] for i in group], message, trait, constitution, seed)
                for group in groups
            ]
            asked = made.take_together(groups, (yield calls))
        while asked:
            seeds = {i: stable_seed(seed, message.id, slots[i].level, i, made.tries[i]) for i in asked}
            calls = [self._call(slots[i], message, trait, constitution, seeds[i], asked[i]) for i in asked]
            asked = made.take(dict(zip(asked, (yield calls), strict=True)))
        return made.candidates()

    def _slots(self, trait: Trait, constitution: Constitution | None) -> list[_Slot]:
        levels = self.levels or spread_levels(self.num_candidates, has_opposite=bool(trait.opposite))
        lms = self.lms or (None,)
        return [_Slot(level, lms[i % len(lms)]) for i, level in enumerate(levels)]

    def _call(
        self,
        slot: _Slot,
        message: Message,
        trait: Trait,
        constitution: Constitution | None,
        seed: int,
        fault: str,
    ) -> Call:
        shown = self._shown(trait, constitution)
        plainly = slot.level == "absent" and len(shown) == 1
        asked: dict[str, Any] = {}
        if not plainly:
            asked = {**_character(shown, trait), "expression": EXPRESSIONS[slot.level]}
        predict = self.respond_plainly if plainly else self.respond
        return Call(
            predict, _inputs(message, constitution, asked), "responses", trait.name, seed, fault, slot.lm
        )

    def _call_for_all(
        self,
        slots: list[_Slot],
        message: Message,
        trait: Trait,
        constitution: Constitution | None,
        seed: int,
    ) -> Call:
        """Return the call that asks one model for all its candidates."""
        levels = [slot.level for slot in slots]
        asked = {
            **_character(self._shown(trait, constitution), trait),
            "expressions": [EXPRESSIONS[level] for level in levels],
        }
        return Call(
            self.respond_at_each,
            _inputs(message, constitution, asked),
            "responses",
            trait.name,
            stable_seed(seed, message.id, *levels),
            lm=slots[0].lm,
        )

    def _shown(self, trait: Trait, constitution: Constitution | None) -> list[Trait]:
        """Return the traits that the model is shown."""
        if self.conditioning == "character" and constitution:
            return list(constitution.traits)
        return [trait]


def _inputs(message: Message, constitution: Constitution | None, asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "language": language_name(message.language),
        "assistant_name": constitution.assistant_name if constitution else "the assistant",
        **asked,
        "conversation": [turn.model_dump() for turn in message.turns],
    }


def _character(shown: list[Trait], trait: Trait) -> dict[str, Any]:
    return {"character": [each.brief() for each in shown], "focus_trait": trait.name}


@dataclass(frozen=True)
class _Slot:
    """A candidate to be: its level, and the model that answers where it is not the context's."""

    level: Level
    lm: Any = None


def _by_model(slots: list[_Slot]) -> list[list[int]]:
    """Return the places of the slots, those of one model together."""
    groups: dict[int, list[int]] = {}
    for place, slot in enumerate(slots):
        groups.setdefault(id(slot.lm), []).append(place)
    return list(groups.values())


class _Made:
    """The candidates of one message so far, by their places, and what was dropped on the way."""

    def __init__(
        self, limits: Responder, message: Message, trait: Trait, slots: list[_Slot], assistant_name: str
    ) -> None:
        self._limits, self._message, self._trait, self._slots = limits, message, trait, slots
        self._assistant_name = assistant_name
        self.tries: Counter[int] = Counter()
        self._refills: Counter[int] = Counter()
        self._items: dict[int, Candidate] = {}
        self._again: list[Drop] = []
        self._lost: dict[int, Drop] = {}
        self._usage = Usage()

    def take(self, replies: dict[int, Reply]) -> dict[int, str]:
        """Keep the usable replies; return which places to ask for again, each with the fault to show, "" for none."""
        again: dict[int, str] = {}
        for place, reply in replies.items():
            self._usage += reply.usage
            self.tries[place] += 1
            reason, detail = (reply.fault, reply.detail) if reply.fault else self._keep(place, reply)
            if not reason:
                continue
            repeated = self._may_repeat(place, reply)
            detail = f"{self._slots[place].level}: {detail}"
            drop = Drop(
                stage="responses",
                reason=reason,
                detail=detail,
                message_id=self._message.id,
                recovered=repeated,
            )
            if repeated:
                self._again.append(drop)
                again[place] = reply.detail if reply.fault else ""
            else:
                self._lost[place] = drop
        return again

    def take_together(self, groups: list[list[int]], replies: list[Reply]) -> dict[int, str]:
        """Keep the usable ones of replies that answer for a group of places each; return as ``take`` does."""
        again: dict[int, str] = {}
        for group, reply in zip(groups, replies, strict=True):
            texts = [] if reply.fault else [str(text) for text in reply.outputs["responses"]]
            reason, detail = reply.fault, reply.detail
            if not reason and len(texts) != len(group):
                reason, detail = "wrong_count", f"{len(texts)} responses for {len(group)} expressions"
            if reason:
                self._usage += reply.usage
                again |= self._lose_together(group, reason, detail)
                continue
            spent = [reply.usage] + [Usage()] * (len(group) - 1)
            apart = {
                place: replace(reply, outputs={"response": text}, usage=usage)
                for place, text, usage in zip(group, texts, spent, strict=True)
            }
            again |= self.take(apart)
        return again

    def _lose_together(self, group: list[int], reason: str, detail: str) -> dict[int, str]:
        """Count a reply that gave none of its group; return the places to ask for one by one."""
        apart = reason in _ASKED_APART
        levels = ", ".join(self._slots[place].level for place in group)
        drop = Drop(
            stage="responses",
            reason=reason,
            detail=f"{levels}: {detail}",
            message_id=self._message.id,
            recovered=apart,
        )
        if apart:
            self._again.append(drop)
            return dict.fromkeys(group, "")
        self._lost |= dict.fromkeys(group, drop)
        return {}

    def _keep(self, place: int, reply: Reply) -> tuple[str, str]:
        text = reply.text("response").strip()
        reason, detail = unusable(
            text,
            message=self._message,
            trait=self._trait,
            kept=[item.text for item in self._items.values()],
            assistant_name=self._assistant_name,
            max_tokens=self._limits.max_response_tokens,
        )
        if not reason:
            level = self._slots[place].level
            self._items[place] = Candidate(text=text, level=level, seed=reply.seed, model=reply.model)
        return reason, detail

    def _may_repeat(self, place: int, reply: Reply) -> bool:
        """Count one more try of a place and say whether its bounds allow it."""
        if not reply.fault:
            self._refills[place] += 1
            return self._refills[place] <= self._limits.max_refills
        reasks = self.tries[place] - self._refills[place]
        return reply.fault == "unreadable" and reasks <= self._limits.max_reasks

    def candidates(self) -> Candidates:
        """Return the usable candidates by their places, and every drop: first those that were made up for."""
        return Candidates(
            message_id=self._message.id,
            trait=self._trait.name,
            items=tuple(self._items[place] for place in sorted(self._items)),
            drops=(*self._again, *(self._lost[place] for place in sorted(self._lost))),
            usage=self._usage,
        )
