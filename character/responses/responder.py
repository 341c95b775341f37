"""The second step: a message in, candidate responses out that show the trait to differing degrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypedDict, Unpack, get_args

import dspy

from character.backends.call import Call, Reply
from character.backends.drivers import RecipeModule, Steps, by_tasks, by_threads
from character.backends.measuring import alike
from character.backends.predictors import as_predictor, needed_outputs
from character.backends.reading.cleaning import clean_reply
from character.config import Prompting, prompting_of
from character.constitution import Constitution, Trait
from character.errors import InputError, UnknownNameError
from character.inputs import as_message, as_trait, spelled_out
from character.records import LEVELS, Candidate, Candidates, Drop, Level, Message, Usage
from character.responses.filters import unusable
from character.text import language_name, stable_seed
from signatures.chat import ReplyInCharacter, ReplyPlainly
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


class Repairs(TypedDict, total=False):
    """What a responder does about replies that cannot be used: options that ``[responses]`` has as well."""

    max_reasks: int
    max_refills: int
    max_response_tokens: int | None


_SIGNATURES: dict[Prompting, Any] = {
    "chat": (ReplyInCharacter, ReplyPlainly),
    "fields": (RespondInCharacter, RespondPlainly),
}
_REPAIRS: Repairs = {"max_reasks": 1, "max_refills": 1, "max_response_tokens": None}


class Responder(RecipeModule):
    """Answers a message several times, with the trait absent, subtle, natural, overdone or opposite.

    ``levels`` replaces the default spread over ``num_candidates`` levels; naming one level several times
    samples it at several seeds. ``conditioning`` shows the model the focus trait alone or the whole
    character. ``lms`` answer in turn instead of the model of the context.

    ``calls="per_candidate"`` asks for each candidate in a call of its own; the baseline then knows nothing of
    the trait. ``calls="per_message"`` asks for all candidates of a message in one call (one for each of
    ``lms``): fewer calls, the prompt is paid once, and the model sets the levels off against each other. What
    such a reply lacks is asked for candidate by candidate.

    ``prompting="chat"``, the default, asks for each as an ordinary chat: who answers in the system message,
    then the turns as they are, and the reply is taken as it is; the baseline is the bare model. ``"fields"``
    asks for one field of a form, as ``per_message`` always does. A ``predictor`` with more than one text to
    give is asked for its fields.

    Replies that cannot be read are asked for again at most ``max_reasks`` times with the fault shown. Those
    that a filter stops (see ``filters.unusable``) are sampled again at another seed at most ``max_refills``
    times, without a word about the fault. What is still unusable then, cut off or stopped by the server is
    dropped and counted. ``max_response_tokens`` is the most tokens a reply may have, by estimate; None sets
    no limit. ``predictor`` asks for a response in character in place of ``dspy.Predict``: a module, or a
    signature of one's own with the fields that ``ReplyInCharacter`` has.
    """

    _kept = ("num_candidates", "levels", "conditioning", "calls", "prompting", *_REPAIRS)
    _model_places = ("lms",)

    @spelled_out(Repairs, _REPAIRS)
    def __init__(
        self,
        num_candidates: int = 4,
        *,
        levels: Sequence[Level] | None = None,
        conditioning: Literal["trait", "character"] = "trait",
        calls: Calls = "per_candidate",
        prompting: Prompting | None = None,
        lms: Sequence[Any] = (),
        predictor: dspy.Module | type[dspy.Signature] | None = None,
        **repairs: Unpack[Repairs],
    ) -> None:
        super().__init__()
        chosen: Any = {**_REPAIRS, **repairs}
        spread_levels(num_candidates)
        if levels is not None and not MIN_CANDIDATES <= len(levels) <= MAX_CANDIDATES:
            raise InputError(f"found {len(levels)} levels.", expected="2 to 8")
        unknown = [level for level in levels or () if level not in LEVELS]
        if unknown:
            raise UnknownNameError("expression level", str(unknown[0]), LEVELS)
        if calls not in get_args(Calls):
            raise UnknownNameError("way to call", str(calls), get_args(Calls))
        self.prompting = prompting_of({"calls": calls}) if prompting is None else prompting
        if self.prompting not in get_args(Prompting):
            raise UnknownNameError("way to prompt", str(prompting), get_args(Prompting))
        if (prompting, calls) == ("chat", "per_message"):
            raise InputError(
                "found prompting='chat' with calls='per_message'.", expected="prompting='fields'"
            )
        in_character, plainly = _SIGNATURES[self.prompting]
        self.respond = as_predictor(predictor, in_character, "responder")
        self.respond_plainly = dspy.Predict(plainly)
        if calls == "per_message":
            self.respond_at_each = dspy.Predict(RespondAtEachExpression)
        self.num_candidates, self.conditioning, self.calls = num_candidates, conditioning, calls
        self.max_reasks: int = chosen["max_reasks"]
        self.max_refills: int = chosen["max_refills"]
        self.max_response_tokens: int | None = chosen["max_response_tokens"]
        self.levels = tuple(levels) if levels is not None else None
        self.lms = tuple(lms)

    @classmethod
    def _options(cls, settings: dict[str, Any]) -> dict[str, Any]:
        return {"prompting": "fields", **settings}  # earlier versions knew nothing else

    def _steps(
        self,
        message: Message | Sequence[Mapping[str, str]] | str,
        trait: Trait | Mapping[str, Any] | str,
        *,
        constitution: Constitution | None = None,
        seed: int = 0,
    ) -> Steps[Candidates]:
        """Return the usable candidates in level order, and what was dropped; the same seed asks alike."""
        trait = as_trait(trait)
        asking = _Asking(self, as_message(message, trait), trait, constitution, seed)
        made = _Made(asking)
        asked: dict[int, Reply | None] = dict.fromkeys(range(len(asking.levels)))
        if self.calls == "per_message":
            groups = alike(asked, lambda place: id(asking.lm(place)))
            asked = made.take_together(groups, (yield [asking.call_for_all(group) for group in groups]))
        while asked:
            calls = [asking.call(place, made.tries[place], failed) for place, failed in asked.items()]
            asked = made.take(dict(zip(asked, (yield calls), strict=True)))
        return made.candidates()

    forward = by_threads(_steps)
    aforward = by_tasks(_steps)


@dataclass(frozen=True)
class _Asking:
    """The calls for the candidates of one message, each of which has a place, a level and a model."""

    responder: Responder
    message: Message
    trait: Trait
    constitution: Constitution | None
    seed: int

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The levels by place."""
        number, has_opposite = self.responder.num_candidates, bool(self.trait.opposite)
        return self.responder.levels or spread_levels(number, has_opposite=has_opposite)

    @cached_property
    def assistant_name(self) -> str:
        """What the assistant is called, "" where nobody says."""
        return self.constitution.assistant_name if self.constitution else ""

    def lm(self, place: int) -> Any:
        """Return the model that answers at a place, None for the context's."""
        lms = self.responder.lms
        return lms[place % len(lms)] if lms else None

    def call(self, place: int, tries: int, failed: Reply | None) -> Call:
        """Return the call for one candidate, after so many tries and the failed reply to tell of, if any."""
        level, traits = self.levels[place], self._traits()
        seed = stable_seed(self.seed, self.message.id, level, place, tries)
        if level == "absent" and len(traits) == 1:
            return self._call(self.responder.respond_plainly, {}, place, seed, failed)
        asked = {**self._character(traits), "expression": EXPRESSIONS[level]}
        return self._call(self.responder.respond, asked, place, seed, failed)

    def call_for_all(self, places: list[int]) -> Call:
        """Return the call that asks one model for all its candidates."""
        levels = [self.levels[place] for place in places]
        expressions = [EXPRESSIONS[level] for level in levels]
        asked = {**self._character(self._traits()), "expressions": expressions}
        seed = stable_seed(self.seed, self.message.id, *levels)
        return self._call(self.responder.respond_at_each, asked, places[0], seed)

    def _call(
        self, predict: Any, asked: dict[str, Any], place: int, seed: int, failed: Reply | None = None
    ) -> Call:
        inputs = {
            "language": language_name(self.message.language),
            "assistant_name": self.assistant_name if self.constitution else "the assistant",
            **asked,
            "conversation": [turn.model_dump() for turn in self.message.turns],
        }
        needs = needed_outputs(RespondAtEachExpression if "expressions" in asked else RespondInCharacter)
        way = self.responder.prompting
        return Call(predict, inputs, "responses", self.trait.name, seed, failed, self.lm(place), needs, way)

    def _traits(self) -> list[Trait]:
        if self.responder.conditioning == "character" and self.constitution:
            return list(self.constitution.traits)
        return [self.trait]

    def _character(self, traits: list[Trait]) -> dict[str, Any]:
        return {"character": [trait.brief() for trait in traits], "focus_trait": self.trait.name}


class _Made:
    """The candidates of one message so far, by their places, and what was dropped on the way."""

    def __init__(self, asking: _Asking) -> None:
        self._asking, self._message = asking, asking.message
        self.tries: Counter[int] = Counter()
        self._refills: Counter[int] = Counter()
        self._items: dict[int, Candidate] = {}
        self._again: list[Drop] = []
        self._lost: dict[int, Drop] = {}
        self._usage = Usage()

    def take(self, replies: dict[int, Reply]) -> dict[int, Reply | None]:
        """Keep the usable replies; return the places to ask again, and the failed replies to tell of."""
        again: dict[int, Reply | None] = {}
        for place, reply in replies.items():
            self._usage += reply.usage
            self.tries[place] += 1
            reason, detail = (reply.fault, reply.detail) if reply.fault else self._keep(place, reply)
            if reason and self._lose([place], reason, detail, repeated=self._may_repeat(place, reply)):
                again[place] = reply if reply.fault else None
        return again

    def take_together(self, groups: list[list[int]], replies: list[Reply]) -> dict[int, Reply | None]:
        """Keep the usable ones of replies that answer for a group of places each; return as ``take`` does."""
        again: dict[int, Reply | None] = {}
        for group, reply in zip(groups, replies, strict=True):
            texts = [] if reply.fault else [str(text) for text in reply.outputs["responses"]]
            reason, detail = reply.fault, reply.detail
            if not reason and len(texts) != len(group):
                reason, detail = "wrong_count", f"{len(texts)} responses for {len(group)} expressions"
            if reason:
                self._usage += reply.usage
                reply.became(reason, detail)
                if self._lose(group, reason, detail, repeated=reason in _ASKED_APART):
                    again |= dict.fromkeys(group)
                continue
            spent = [reply.usage] + [Usage()] * (len(group) - 1)
            apart = {
                place: replace(reply, outputs={"response": text}, usage=usage)
                for place, text, usage in zip(group, texts, spent, strict=True)
            }
            again |= self.take(apart)
        return again

    def _lose(self, places: list[int], reason: str, detail: str, *, repeated: bool) -> bool:
        """Count a reply that gave nothing for these places; return whether they are asked again."""
        levels = ", ".join(self._asking.levels[place] for place in places)
        drop = Drop(
            stage="responses",
            reason=reason,
            detail=f"{levels}: {detail}",
            message_id=self._message.id,
            recovered=repeated,
        )
        if repeated:
            self._again.append(drop)
        else:
            self._lost |= dict.fromkeys(places, drop)
        return repeated

    def _keep(self, place: int, reply: Reply) -> tuple[str, str]:
        text, taken_off = clean_reply(
            reply.text("response").strip(),
            trait=self._asking.trait.name,
            assistant_name=self._asking.assistant_name,
            asked=self._message.text,
        )
        for kind in (*reply.habits, *taken_off):
            self._again.append(
                Drop(stage="responses", reason=kind, message_id=self._message.id, recovered=True)
            )
        reason, detail = unusable(
            text,
            message=self._message,
            trait=self._asking.trait,
            kept=[item.text for item in self._items.values()],
            assistant_name=self._asking.assistant_name,
            max_tokens=self._asking.responder.max_response_tokens,
        )
        if not reason:
            level = self._asking.levels[place]
            self._items[place] = Candidate(text=text, level=level, seed=reply.seed, model=reply.model)
        else:
            reply.became(reason, detail)
        return reason, detail

    def _may_repeat(self, place: int, reply: Reply) -> bool:
        """Count one more try of a place and say whether its bounds allow it."""
        limits = self._asking.responder
        if not reply.fault:
            self._refills[place] += 1
            return self._refills[place] <= limits.max_refills
        reasks = self.tries[place] - self._refills[place]
        return reply.fault == "unreadable" and reasks <= limits.max_reasks

    def candidates(self) -> Candidates:
        """Return the usable candidates by their places, and every drop: first those that were made up for."""
        return Candidates(
            message_id=self._message.id,
            trait=self._asking.trait.name,
            items=tuple(self._items[place] for place in sorted(self._items)),
            drops=(*self._again, *(self._lost[place] for place in sorted(self._lost))),
            usage=self._usage,
        )
