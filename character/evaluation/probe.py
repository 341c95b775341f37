"""The calls of an evaluation: messages, then their responses, then what blind judges find in these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar

from character.backends.drivers import Branch, ModuleCall, Steps, adrive, aparallel
from character.backends.own_steps import STEP_FAULTS, FailureWatch
from character.config import BackendConfig, Config, EffectDesign
from character.constitution import Constitution, Trait
from character.evaluation.choices.chooser import Offer, TraitChooser, choosing_conditions, offers_for
from character.evaluation.conditions import Condition, conditions_for, contrasts_for
from character.evaluation.judges.coherence import CoherenceJudge, Compared
from character.evaluation.judges.custom import answered_by, gauged_by
from character.evaluation.judges.degrees import Gauge, Gauged
from character.evaluation.judges.responder import Answered, CharacterResponder
from character.evaluation.measures import measures_of
from character.evaluation.preference_judge import PreferenceJudge
from character.evaluation.reading import RESPONSES_NAME
from character.evaluation.ready_messages import PRESSURES, Pressure, everyday_messages, pressed
from character.evaluation.records import Choice, Probed, Response
from character.messages.files import MessageSource
from character.messages.generator import MessageGenerator
from character.pairs.feature_words import TraitWords, words_of_trait
from character.protocols import JudgeStep, ResponderStep
from character.records import Drop, Message, MessageBatch, Rollout, Usage
from character.runs.progress import ProgressCallback, usage_texts
from character.store.run_store import RunStore
from character.text import stable_seed

T = TypeVar("T")
Respond = Callable[..., Steps[Answered]]
"""Answers a message with these traits and this seed."""
Judge = Callable[..., Steps[Gauged]]
"""Says how strongly a trait shows in responses to a message, with a seed and a model."""


@dataclass(frozen=True)
class EvaluationProgress:
    """How far an evaluation is: messages and choices done of all, and what the calls took."""

    done: int
    total: int
    usage: Usage

    def __str__(self) -> str:
        return f"{self.done:,} of {self.total:,} messages · {' · '.join(usage_texts(self.usage))}"


@dataclass(frozen=True)
class EvaluationPlan:
    """What is evaluated, on which messages, and who answers and judges besides ours (see ``effect``)."""

    constitution: Constitution
    config: Config
    design: EffectDesign
    given: MessageSource | None = None
    unlike: tuple[str, ...] = ()
    yardstick: Constitution | None = None
    models: Mapping[str, BackendConfig] = field(default_factory=dict)
    preference: PreferenceJudge | None = None
    responder: ResponderStep | None = None
    gauge: JudgeStep | None = None
    on_progress: ProgressCallback[EvaluationProgress] = None

    def judged_as(self, trait: Trait) -> Trait:
        """Return a trait as the judge is told of it: in the yardstick's words where that has the name."""
        worded = self.yardstick.traits if self.yardstick else ()
        return next((each for each in worded if each.name == trait.name), trait)

    @property
    def groups(self) -> list[str]:
        """The groups of messages: one per trait, and "" for the neutral ones."""
        names = [trait.name for trait in self.constitution.traits]
        return [*names, ""] if self.config.effect.neutral_messages else names


class StoppedError(Exception):
    """Ctrl-C asked that nothing more is begun; what was in flight is finished and kept."""


class ProbeTask(NamedTuple):
    """A message to be answered and judged: its group, and the pressure it is put under, if any."""

    message: Message
    group: str
    pressure: Pressure | None = None


class EvaluationSteps:
    """The logic of a plan as generators of calls, to be run by any driver."""

    def __init__(
        self,
        plan: EvaluationPlan,
        lms: Mapping[str, Any],
        *,
        responder: ResponderStep | None = None,
        gauge: JudgeStep | None = None,
        store: RunStore | None = None,
    ) -> None:
        self._plan, self._lms = plan, lms
        self._generator = MessageGenerator(prompting=plan.config.messages.prompting)
        way = plan.config.responses.prompting
        self._coherence, self._chooser = CoherenceJudge(), TraitChooser(prompting=way)
        ours = partial(
            CharacterResponder(prompting=way).steps, assistant_name=plan.constitution.assistant_name
        )
        self._respond: Respond = ours if responder is None else partial(answered_by, responder, store=store)
        self._degrees: Judge = Gauge().steps if gauge is None else partial(gauged_by, gauge, store=store)

    def messages(self, trait: Trait, before_each: Callable[[], None] = lambda: None) -> Steps[MessageBatch]:
        """Return the messages of a trait: those that are given, or generated ones, kind after kind.

        ``before_each`` is called before each kind, and may raise.
        """
        plan = self._plan
        if plan.given is not None:
            # A source gives a repeated message again; measured twice it would pass for evidence of its own.
            distinct = {message.id: message for message in plan.given.messages(trait.name)}
            return MessageBatch(messages=tuple(distinct.values()), drops=plan.given.drops(trait.name))
        kinds = plan.config.messages.kinds
        share, rest = divmod(plan.config.effect.messages_per_trait, len(kinds))
        messages: list[Message] = []
        drops: list[Drop] = []
        for number, kind in enumerate(kinds):
            arguments = {
                "trait": trait,
                "kind": kind,
                "num_messages": share + (number < rest),
                "constitution": plan.constitution,
                "existing": [*plan.unlike, *(message.text for message in messages)],
                "seed": stable_seed(plan.config.seed, "held out"),
            }
            if arguments["num_messages"]:
                before_each()
                (batch,) = yield [ModuleCall(self._generator, arguments, self._lm("messages"))]
                messages += batch.messages
                drops += batch.drops
        return MessageBatch(messages=tuple(messages), drops=tuple(drops))

    def tasks(self, batches: Sequence[MessageBatch]) -> list[ProbeTask]:
        """Return what is answered and judged, where these are the messages of the traits, in their order."""
        plan, constitution = self._plan, self._plan.constitution
        calm: list[ProbeTask] = []
        pressed: list[ProbeTask] = []
        for trait, batch in zip(constitution.traits, batches, strict=True):
            calm += [ProbeTask(message, trait.name) for message in batch.messages]
            short = [message for message in batch.messages if len(message.turns) == 1]
            pressed += [
                ProbeTask(message, trait.name, pressure)
                for message in short[: plan.config.effect.pressed_messages]
                for pressure in PRESSURES
            ]
        everyday = everyday_messages(constitution.language, plan.config.effect.neutral_messages)
        return [*calm, *(ProbeTask(message, "") for message in everyday), *pressed]

    def offers(self, messages: Sequence[tuple[Message, str]]) -> list[tuple[Offer, Condition]]:
        """Return what each model may choose from: the same pairs of traits on the same messages."""
        plan = self._plan
        seed = stable_seed(plan.config.seed, "offers")
        offers = offers_for(plan.constitution, messages, plan.config.effect.choices, seed)
        return [(offer, condition) for condition in choosing_conditions(plan.design) for offer in offers]

    def choice(self, offer: Offer, condition: Condition) -> Steps[Choice]:
        """Return what a model chose to show."""
        return self._chooser.steps(
            *offer,
            seed=self._plan.config.seed,
            condition=condition.name,
            assistant_name=self._plan.constitution.assistant_name,
            lm=self._lm(condition.role),
            judge_lm=self._lm("judge"),
        )

    def probed(self, task: ProbeTask) -> Steps[Probed]:
        """Return a message with its responses and what the judges found in them."""
        constitution, group = self._plan.constitution, task.group
        message = pressed(task.message, task.pressure) if task.pressure else task.message
        is_pressed = task.pressure is not None
        conditions = conditions_for(constitution, group, self._plan.design, is_pressed=is_pressed)
        traits = [constitution.trait(group)] if task.pressure else list(constitution.traits)
        traits = [self._plan.judged_as(trait) for trait in traits] if self._plan.config.effect.judged else []
        answers = yield [Branch(self._answer(message, condition)) for condition in conditions]
        usable = [(c, a) for c, a in zip(conditions, answers, strict=True) if not a.fault]
        texts = {condition.name: answer.text for condition, answer in usable}
        lost = [
            Drop(
                stage="responses",
                reason=answer.fault,
                detail=f"{condition.name}: {answer.detail}",
                message_id=message.id,
            )
            for condition, answer in zip(conditions, answers, strict=True)
            if answer.fault
        ]
        asking = {"seed": self._plan.config.seed, "lm": self._lm("judge")}
        gauged: list[Gauged] = yield [
            Branch(self._degrees(message, list(texts.values()), trait, **asking)) for trait in traits if texts
        ]
        compared = {} if task.pressure or not traits else (yield from self._compare(message, group, texts))
        judged: list[Gauged | Compared] = [*gauged, *compared.values()]
        words = words_of_trait(constitution.trait(group)) if group else TraitWords()
        return Probed(
            message=message,
            group=group,
            pressure=task.pressure or "",
            pressed_from=task.message.id if task.pressure else "",
            responses=tuple(
                Response(
                    message_id=message.id,
                    condition=condition.name,
                    text=answer.text,
                    model=answer.model,
                    degrees={
                        trait.name: each.degrees[place]
                        for trait, each in zip(traits, gauged, strict=True)
                        if each.degrees
                    },
                    measures=measures_of(answer.text, message, words),
                )
                for place, (condition, answer) in enumerate(usable)
            ),
            coherence={name: each.verdicts for name, each in compared.items() if each.verdicts},
            drops=(*lost, *(drop for each in judged for drop in each.drops)),
            usage=sum((each.usage for each in (*answers, *judged)), Usage()),
        )

    def _compare(self, message: Message, group: str, texts: Mapping[str, str]) -> Steps[dict[str, Compared]]:
        """Return how coherent each condition's response is beside its reference, by condition."""
        contrasts = [
            contrast
            for contrast in contrasts_for(self._plan.constitution, [group], self._plan.design)
            if contrast.question != "within" and {contrast.condition, contrast.reference} <= texts.keys()
        ]
        asking = {"seed": self._plan.config.seed, "lm": self._lm("judge")}
        compared = yield [
            Branch(self._coherence.steps(message, texts[each.condition], texts[each.reference], **asking))
            for each in contrasts
        ]
        return {contrast.condition: each for contrast, each in zip(contrasts, compared, strict=True)}

    def _answer(self, message: Message, condition: Condition) -> Steps[Answered]:
        traits = [self._plan.constitution.trait(name) for name in condition.traits]
        seed = stable_seed(self._plan.config.seed, condition.name)
        return self._respond(message, traits, seed=seed, lm=self._lm(condition.role))

    def _lm(self, role: str) -> Any:
        return self._lms.get(role, self._lms["default"])


class Probing:
    """Makes every response and judgement of a plan, as many messages at once as the configuration allows."""

    def __init__(
        self,
        plan: EvaluationPlan,
        lms: Mapping[str, Any],
        store: RunStore,
        tell: Callable[[EvaluationProgress], None],
    ) -> None:
        self._plan, self._store, self._tell = plan, store, tell
        self._steps = EvaluationSteps(plan, lms, responder=plan.responder, gauge=plan.gauge, store=store)
        self._watch = FailureWatch(has_succeeded=(store.folder / RESPONSES_NAME).exists())
        self._done = self._total = 0
        self._is_stopping = False

    def stop(self) -> None:
        """Begin no further message or choice."""
        self._is_stopping = True

    async def all(self) -> tuple[list[Probed], list[Drop]]:
        """Return every message with its responses, and the messages that were lost."""
        plan = self._plan
        generations = [self._steps.messages(trait, self._check_goes_on) for trait in plan.constitution.traits]
        batches = await aparallel([partial(adrive, each) for each in generations])
        tasks = self._steps.tasks(batches)
        self._total = len(tasks) + plan.config.effect.choices * len(choosing_conditions(plan.design))
        self._tell(EvaluationProgress(0, self._total, Usage()))
        probed = await self._each(map(self._watched, tasks))
        return probed, [drop for batch in batches for drop in batch.drops if not drop.recovered]

    def _watched(self, task: ProbeTask) -> Steps[Probed]:
        probed = yield from self._steps.probed(task)
        faults = tuple(drop for drop in probed.drops if drop.reason in STEP_FAULTS)  # of parts of one's own
        self._watch.see(Rollout(message=probed.message, drops=faults))
        return probed

    async def choices(self, probed: Sequence[Probed]) -> list[Choice]:
        """Return what each model chose to show, of the same pairs of traits on the same messages."""
        messages = [(each.message, each.group) for each in probed if not each.pressure]
        return await self._each(self._steps.choice(*each) for each in self._steps.offers(messages))

    async def _each(self, steps: Iterable[Steps[T]]) -> list[T]:
        counted = [partial(self._counted, each) for each in steps]
        return await aparallel(counted, limit=self._plan.config.concurrency)

    async def _counted(self, steps: Steps[T]) -> T:
        self._check_goes_on()
        result = await adrive(steps)
        self._done += 1
        usage = sum(self._store.usage("stage").values(), Usage())
        self._tell(EvaluationProgress(self._done, self._total, usage))
        return result

    def _check_goes_on(self) -> None:
        if self._is_stopping:
            raise StoppedError
