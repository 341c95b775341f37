"""The second step: a message in, candidate responses out that show the trait to differing degrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import dspy

from character.constitution import Constitution, Trait
from character.errors import InputError, UnknownNameError
from character.modules.calls import Call, Reply
from character.modules.inputs import as_message, as_trait
from character.modules.steps import Steps, adrive, drive, usage_is_on_the_record
from character.records import LEVELS, Candidate, Candidates, Drop, Level, Message, Usage
from character.text import is_refusal, language_name, stable_seed
from signatures.responses import EXPRESSIONS, RespondInCharacter, RespondPlainly

MIN_CANDIDATES, MAX_CANDIDATES = 2, 8
_SPREAD: tuple[Level, ...] = ("natural", "absent", "overdone", "subtle")
_MORE: tuple[Level, ...] = ("natural", "subtle", "absent", "natural")


def spread_levels(num_candidates: int, *, has_opposite: bool = False) -> tuple[Level, ...]:
    """Return the default expression levels for a number of candidates (2–8).

    Two are natural and absent, three add overdone, four subtle; the fifth is the opposite pole where the
    trait names one; further ones repeat a level, sampled again.
    """
    if not isinstance(num_candidates, int) or not MIN_CANDIDATES <= num_candidates <= MAX_CANDIDATES:
        raise InputError(f"found {num_candidates!r} candidates.", expected="2 to 8")
    opposite: tuple[Level, ...] = ("opposite",) if has_opposite else ()
    return (*_SPREAD, *opposite, *_MORE)[:num_candidates]


class Responder(dspy.Module):
    """Answers a message several times, with the trait absent, subtle, natural, overdone or opposite.

    ``levels`` replaces the default spread over ``num_candidates`` levels; naming one level several times
    samples it at several seeds. ``conditioning`` shows the model the focus trait alone or the whole
    character. ``lms`` answer in turn instead of the model of the context. Replies that cannot be read are
    asked for again at most ``max_reasks`` times; empty, cut-off, refusing and repeated ones are dropped
    and counted.
    """

    def __init__(
        self,
        num_candidates: int = 4,
        *,
        levels: Sequence[Level] | None = None,
        conditioning: Literal["trait", "character"] = "trait",
        lms: Sequence[Any] = (),
        max_reasks: int = 1,
    ) -> None:
        super().__init__()
        spread_levels(num_candidates)
        if levels is not None and not MIN_CANDIDATES <= len(levels) <= MAX_CANDIDATES:
            raise InputError(f"found {len(levels)} levels.", expected="2 to 8")
        unknown = [level for level in levels or () if level not in LEVELS]
        if unknown:
            raise UnknownNameError("expression level", str(unknown[0]), LEVELS)
        self.respond = dspy.Predict(RespondInCharacter)
        self.respond_plainly = dspy.Predict(RespondPlainly)
        self.num_candidates, self.conditioning, self.max_reasks = num_candidates, conditioning, max_reasks
        self.levels = tuple(levels) if levels is not None else None
        self.lms = tuple(lms)

    _set_lm_usage = usage_is_on_the_record

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
        answers: dict[int, Reply] = {}
        faults = dict.fromkeys(range(len(slots)), "")
        reasked: list[Drop] = []
        usage = Usage()
        for attempt in range(1 + self.max_reasks):
            if not faults:
                break
            asked = list(faults)
            again = (answers[i] for i in asked if i in answers)
            reasked += [_drop(message, reply.fault, reply.detail, recovered=True) for reply in again]
            seeds = {i: stable_seed(seed, message.id, slots[i].level, i, attempt) for i in asked}
            calls = [self._call(slots[i], message, trait, constitution, seeds[i], faults[i]) for i in asked]
            faults = {}
            for i, reply in zip(asked, (yield calls), strict=True):
                usage += reply.usage
                answers[i] = reply
                if reply.fault == "unreadable":
                    faults[i] = reply.detail
        return _collect(message, trait, slots, answers, usage, reasked)

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
        inputs: dict[str, Any] = {
            "language": language_name(message.language),
            "assistant_name": constitution.assistant_name if constitution else "the assistant",
        }
        shown = [trait]
        if self.conditioning == "character" and constitution:
            shown = list(constitution.traits)
        plainly = slot.level == "absent" and len(shown) == 1
        if not plainly:
            inputs |= {
                "character": [each.brief() for each in shown],
                "focus_trait": trait.name,
                "expression": EXPRESSIONS[slot.level],
            }
        inputs["conversation"] = [turn.model_dump() for turn in message.turns]
        predict = self.respond_plainly if plainly else self.respond
        return Call(predict, inputs, "responses", trait.name, seed, fault, slot.lm)


@dataclass(frozen=True)
class _Slot:
    """A candidate to be: its level, and the model that answers where it is not the context's."""

    level: Level
    lm: Any = None


def _collect(
    message: Message,
    trait: Trait,
    slots: list[_Slot],
    answers: dict[int, Reply],
    usage: Usage,
    drops: list[Drop],
) -> Candidates:
    items: list[Candidate] = []
    for i, slot in enumerate(slots):
        reply = answers[i]
        text = reply.text("response").strip()
        reason = reply.fault or _unusable(text, [item.text for item in items])
        if reason:
            drops.append(_drop(message, reason, f"{slot.level}: {reply.detail or text[:80]}"))
        else:
            items.append(Candidate(text=text, level=slot.level, seed=reply.seed, model=reply.model))
    return Candidates(
        message_id=message.id, trait=trait.name, items=tuple(items), drops=tuple(drops), usage=usage
    )


def _drop(message: Message, reason: str, detail: str, *, recovered: bool = False) -> Drop:
    return Drop(stage="responses", reason=reason, detail=detail, message_id=message.id, recovered=recovered)


def _unusable(text: str, kept: list[str]) -> str:
    if not text:
        return "empty"
    if is_refusal(text):
        return "refusal"
    return "identical" if text in kept else ""
