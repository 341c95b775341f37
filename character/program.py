"""The recipe as one program: a trait or a constitution in, messages, candidates, rankings and pairs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypedDict, Unpack

import dspy

from character.backends.drivers import Branches, RecipeModule, Steps, adrive, by_tasks, by_threads
from character.backends.own_steps import FailureWatch, StepCall, check_step, taken
from character.config import COMPARED, Config, PairDesign, least_probability
from character.config.whole import ROLES
from character.constitution import Constitution, Trait
from character.errors import InputError, UnknownNameError
from character.inputs import as_candidates, as_constitution, as_kind, as_ranking, as_trait, spelled_out
from character.messages.generator import MessageGenerator
from character.messages.slices import MESSAGES_PER_SLICE, MessageSlices
from character.pairs.designs import build_pairs
from character.protocols import GeneratorStep, LanguageModel, RankerStep, ResponderStep
from character.ranking.acquaintance import Acquaintance, acquaintance
from character.ranking.ranker import Ranker
from character.ranking.saved import build_ranker
from character.records import (
    KINDS,
    Candidates,
    CharacterResult,
    Drop,
    Kind,
    Message,
    MessageBatch,
    Ranking,
    Rollout,
    Usage,
)
from character.responses.responder import Responder
from character.text import detect_language

OnStep = Callable[[Candidates | Ranking], None]


def lending(lms: Mapping[str, LanguageModel]) -> AbstractContextManager[object]:
    """Have programs that bring no ``lms`` use these inside the block, in DSPy's threads too."""
    lent: AbstractContextManager[object] = dspy.context(character_lms=lms)
    return lent


class ProgramSettings(TypedDict, total=False):
    """How a program makes messages and pairs: the options of ``[messages]`` and ``[pairs]``."""

    messages_per_trait: int
    messages_per_slice: int
    kinds: Sequence[Kind]
    design: PairDesign
    min_margin: float
    min_probability: float | None
    max_per_message: int | None


_TAKES = {
    "responder": ("message", "trait", "constitution", "seed"),
    "ranker": ("message", "candidates", "trait", "seed"),
}
"""The inputs of our own steps, which a wrapper that takes any is given."""
_ROLES = ("default", *ROLES, *COMPARED)
_DEFAULTS: ProgramSettings = {
    "messages_per_trait": 6,
    "messages_per_slice": MESSAGES_PER_SLICE,
    "kinds": KINDS,
    "design": "best_rest",
    "min_margin": 0.1,
    "min_probability": None,
    "max_per_message": None,
}


class CharacterProgram(RecipeModule):
    """Generates messages for traits, answers them at several levels, ranks the answers and builds pairs.

    Every part can be replaced by a module (or any callable) that takes the same arguments, or those of
    them it cares for, and returns the same record; a replacement may also return a ``dspy.Prediction``
    with ``messages`` (texts), ``responses`` (texts) or ``scores`` (one in 0..1 per candidate).

    - ``generator(trait, kind, num_messages, constitution, existing, seed) -> MessageBatch``
    - ``responder(message, trait, constitution, seed) -> Candidates``
    - ``ranker(message, candidates, trait, constitution, seed) -> Ranking``

    ``lms`` gives steps a model of their own, by the names ``messages``, ``responses``, ``ranking``; a step
    without one uses ``default`` from the same mapping, then DSPy's configured model. ``max_in_flight``
    bounds the messages worked on at once. Messages of a trait are generated ``messages_per_slice`` at a time;
    none repeats another, whichever slice or kind it is of.
    """

    _kept = ("seed", "max_in_flight", *_DEFAULTS)
    _model_places, _step_places = ("lms",), ("generator", "responder", "ranker")

    @spelled_out(ProgramSettings, _DEFAULTS)
    def __init__(
        self,
        generator: GeneratorStep | None = None,
        responder: ResponderStep | None = None,
        ranker: RankerStep | None = None,
        *,
        lms: Mapping[str, LanguageModel] | None = None,
        seed: int = 0,
        max_in_flight: int = 16,
        **settings: Unpack[ProgramSettings],
    ) -> None:
        super().__init__()
        parts = {"generator": generator, "responder": responder, "ranker": ranker}
        chosen: Any = {**_DEFAULTS, **settings}
        _checked(parts, lms or {}, chosen)
        self.generator = generator or MessageGenerator()
        self.responder = responder or Responder()
        self.ranker = ranker or Ranker()
        self.messages_per_trait: int = chosen["messages_per_trait"]
        self.messages_per_slice: int = chosen["messages_per_slice"]
        self.kinds = tuple(as_kind(kind) for kind in chosen["kinds"])
        self.design, self.min_margin = chosen["design"], chosen["min_margin"]
        said, self.max_per_message = chosen["min_probability"], chosen["max_per_message"]
        most_passes = getattr(self.ranker, "max_passes", None)
        self.min_probability = least_probability(most_passes) if said is None else said
        self.lms = dict(lms or {})
        self.seed, self.max_in_flight = seed, max_in_flight

    @classmethod
    def from_config(cls, config: Config, lms: Mapping[str, LanguageModel] | None = None) -> CharacterProgram:
        """Return the program that a configuration describes, with the models it names (see ``build_lms``)."""
        lms = lms or {}  # those of jurors and of several responders are given to these
        messages, responses = config.messages, config.responses
        return cls(
            MessageGenerator(**messages.model_dump(exclude={"per_trait", "kinds", "from_questions"})),
            Responder(
                responses.candidates,
                lms=[lms[name] for name in responses.backends if name in lms],
                **responses.model_dump(exclude={"candidates", "backends"}),
            ),
            build_ranker(config.ranking, lms, config.pairs.design),
            messages_per_trait=messages.per_trait,
            kinds=messages.kinds,
            **config.pairs.model_dump(),
            lms={role: lm for role, lm in lms.items() if role in _ROLES},
            seed=config.seed,
            max_in_flight=config.concurrency,
        )

    def _whole(
        self,
        trait: Trait | Mapping[str, Any] | str | None = None,
        constitution: Constitution | Path | str | None = None,
        messages: Sequence[Message | str] | str | None = None,
    ) -> Steps[CharacterResult]:
        """Return what the program made for one trait, or for every trait of a constitution.

        ``trait`` is a Trait, the fields of one, a description, or the name of one of the constitution's;
        without it every trait of ``constitution`` (a record or the path of a file) is worked on. ``messages``
        are answered instead of generated ones: Message records belong to the trait they name, plain texts to
        every trait. Raises InputError where neither trait nor constitution is given.
        """
        constitution = as_constitution(constitution) if constitution is not None else None
        traits = _traits(trait, constitution)
        batches = yield Branches(
            self._message_steps(each, constitution) for each in traits if messages is None
        )
        jobs, watch = self._jobs(traits, batches, messages, constitution), FailureWatch()
        judge = acquaintance() or Acquaintance()
        for each in traits if self.is_adaptive else ():
            judge.number(each.name, (message for message, trait in jobs if trait is each))
        steps = (self._watched(message, each, constitution, watch, judge) for message, each in jobs)
        rollouts = yield Branches(steps, self.max_in_flight)
        return _result(rollouts, batches, constitution, traits)

    forward = by_threads(_whole)
    aforward = by_tasks(_whole)

    def slices(self, trait: Trait, constitution: Constitution | None = None) -> MessageSlices:
        """Return the source of a trait's messages, up to ``messages_per_slice`` at a time over all kinds."""
        share, rest = divmod(self.messages_per_trait, len(self.kinds))
        wanted = {kind: share + (number < rest) for number, kind in enumerate(self.kinds)}
        return MessageSlices(
            self.generator,
            trait,
            constitution,
            wanted,
            size=self.messages_per_slice,
            seed=self.seed,
            lm=self._lm("messages"),
        )

    async def agenerate(self, trait: Trait, constitution: Constitution | None = None) -> MessageBatch:
        """Return the messages of one trait, over all kinds: those of all its slices, in order."""
        return await adrive(self._message_steps(trait, constitution))

    async def arollout(
        self,
        message: Message,
        trait: Trait,
        constitution: Constitution | None = None,
        *,
        on_step: OnStep | None = None,
    ) -> Rollout:
        """Return the rollout of one message: its candidates, their ranking and the pairs.

        ``on_step`` is given the candidates and the ranking as soon as each is there.
        """
        judge = acquaintance() or Acquaintance()
        steps = self.rollout_steps(message, trait, constitution, on_step, judge)
        rollout: Rollout = await adrive(judge.watched(message, steps))
        return rollout

    def _watched(
        self,
        message: Message,
        trait: Trait,
        constitution: Constitution | None,
        watch: FailureWatch,
        judge: Acquaintance,
    ) -> Steps[Rollout]:
        steps = self.rollout_steps(message, trait, constitution, judge=judge)
        rollout: Rollout = yield from judge.watched(message, steps)
        watch.see(rollout)
        return rollout

    def _call(self, role: str, module: Any, arguments: dict[str, Any], message: Message) -> StepCall:
        stage = {"responder": "responses", "ranker": "ranking"}[role]
        return StepCall(
            module,
            arguments,
            self._lm(stage),
            role=role,
            stage=stage,
            trait=message.trait,
            takes=_TAKES[role],
            about=(message.id, self.seed),
        )

    def _lm(self, role: str) -> LanguageModel | None:
        lms: Mapping[str, LanguageModel] = self.lms or dspy.settings.get("character_lms", {})
        return lms.get(role, lms.get("default"))

    def _message_steps(self, trait: Trait, constitution: Constitution | None) -> Steps[MessageBatch]:
        slices = self.slices(trait, constitution)
        batches: list[MessageBatch] = []
        while not slices.is_done:
            batches.append((yield from slices.steps()))
        return MessageBatch(
            messages=tuple(message for batch in batches for message in batch.messages),
            drops=tuple(drop for batch in batches for drop in batch.drops),
            usage=sum((batch.usage for batch in batches), Usage()),
        )

    @property
    def is_adaptive(self) -> bool:
        """Whether its ranker goes by what is known of the judge from messages before."""
        return isinstance(self.ranker, Ranker) and self.ranker.adaptive

    def rollout_steps(
        self,
        message: Message,
        trait: Trait,
        constitution: Constitution | None,
        on_step: OnStep | None = None,
        judge: Acquaintance | None = None,
    ) -> Steps[Rollout]:
        """Return the logic of one message as a generator of calls, to be run by any driver.

        ``judge`` is what is known of the judge, which an adaptive ranker goes by.
        """
        shared: dict[str, Any] = {
            "message": message,
            "trait": trait,
            "constitution": constitution,
            "seed": self.seed,
        }
        (answered,) = yield [self._call("responder", self.responder, shared, message)]
        candidates = taken(answered, "responses", as_candidates, message)
        if isinstance(candidates, Drop):
            return _lost(message, None, candidates, answered.usage)
        if on_step:
            on_step(candidates)
        if len(candidates.items) < 2:
            detail = f"{len(candidates.items)} usable candidates"
            drop = Drop(stage="responses", reason="too_few_candidates", detail=detail, message_id=message.id)
            return _lost(message, candidates, drop)
        shared = {**shared, "candidates": candidates}
        if judge is not None and self.is_adaptive:
            shared["habits"] = yield from judge.habits(message)
        (ranked,) = yield [self._call("ranker", self.ranker, shared, message)]
        ranking = taken(ranked, "ranking", as_ranking, candidates)
        if isinstance(ranking, Drop):
            return _lost(message, candidates, ranking, ranked.usage)
        if judge is not None:
            judge.tell(message, ranking)
        if on_step:
            on_step(ranking)
        pairs, drops = build_pairs(
            message,
            candidates,
            ranking,
            design=self.design,
            min_margin=self.min_margin,
            min_probability=self.min_probability,
            max_per_message=self.max_per_message,
        )
        return Rollout(
            message=message,
            candidates=candidates,
            ranking=ranking,
            pairs=pairs,
            drops=(*candidates.drops, *ranking.drops, *drops),
            usage=candidates.usage + ranking.usage,
        )

    def _jobs(
        self,
        traits: list[Trait],
        batches: list[MessageBatch],
        messages: Sequence[Message | str] | str | None,
        constitution: Constitution | None,
    ) -> list[tuple[Message, Trait]]:
        if messages is None:
            return [(m, trait) for trait, batch in zip(traits, batches, strict=True) for m in batch.messages]
        by_name = {trait.name: trait for trait in traits}
        jobs: list[tuple[Message, Trait]] = []
        for given in [messages] if isinstance(messages, str | Message) else messages:
            if isinstance(given, str):
                language = detect_language(given, constitution.language if constitution else "")
                jobs += [(Message.of(given, trait=each.name, language=language), each) for each in traits]
            elif given.trait in by_name:
                jobs.append((given, by_name[given.trait]))
            else:
                raise InputError(
                    f"a message belongs to the trait {given.trait!r}, which is not worked on.",
                    expected=f"one of {', '.join(by_name)}",
                )
        return jobs


def _traits(trait: Trait | Mapping[str, Any] | str | None, constitution: Constitution | None) -> list[Trait]:
    if trait is not None:
        return [as_trait(trait, constitution)]
    if constitution is None:
        raise InputError(
            "the program was called without a trait and without a constitution.",
            expected="trait=… or constitution=…",
            fix="program(trait='patience: takes the time an explanation needs') works on one trait.",
        )
    return list(constitution.traits)


def _checked(parts: Mapping[str, Any], lms: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
    kinds = chosen["kinds"]
    for name, part in parts.items():
        if part is not None:
            check_step(name, part)
    for role, lm in lms.items():
        if role not in _ROLES:
            raise UnknownNameError("role of a model in lms", str(role), _ROLES)
        if not isinstance(lm, dspy.BaseLM):
            raise InputError(
                f"lms[{role!r}] is a {type(lm).__name__}.", expected="a dspy.LM, such as build_lm(…)"
            )
    if not kinds or len(set(kinds)) != len(kinds):
        raise InputError(f"kinds is {list(kinds)}.", expected="at least one kind, each once")
    for name in ("messages_per_trait", "messages_per_slice"):
        if chosen[name] < 1:
            raise InputError(f"{name} is {chosen[name]}.", expected="at least 1")


def _lost(
    message: Message, candidates: Candidates | None, fault: Drop, usage: Usage | None = None
) -> Rollout:
    """Return the rollout of a message that goes no further, with what the call took that brought nothing."""
    before = candidates.drops if candidates else ()
    usage = (candidates.usage if candidates else Usage()) + (usage or Usage())
    return Rollout(message=message, candidates=candidates, drops=(*before, fault), usage=usage)


def _result(
    rollouts: list[Rollout],
    batches: list[MessageBatch],
    constitution: Constitution | None,
    traits: list[Trait],
) -> CharacterResult:
    language = next((rollout.message.language for rollout in rollouts), "en")
    made_for = constitution or Constitution(name=traits[0].name, language=language, traits=tuple(traits))
    return CharacterResult.made_for(
        made_for.model_copy(update={"traits": tuple(traits)}),
        rollouts=tuple(rollouts),
        message_drops=tuple(drop for batch in batches for drop in batch.drops),
        message_usage=sum((batch.usage for batch in batches), Usage()),
    )
