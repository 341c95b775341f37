"""``effect``: responses under every condition, judged blind, kept call by call in a folder, and what changed."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dspy

from character._version import __version__
from character.audit.feature_words import words_of_trait
from character.backends import build_lm, build_lms
from character.backends.budget import Budget
from character.config import BackendConfig, Config, is_rehearsal_model
from character.constitution import Constitution, Trait
from character.errors import InputError, StoreError
from character.evaluation.conditions import (
    BASE,
    TUNED,
    Condition,
    Design,
    conditions_for,
    contrasts_for,
    pressed_conditions,
    pressed_contrasts,
    shown,
)
from character.evaluation.everyday import everyday_messages
from character.evaluation.gauging import Gauge
from character.evaluation.measures import measures_of
from character.evaluation.pressures import PRESSURES, Pressure, pressed
from character.evaluation.records import EffectReport, Probed, Response
from character.evaluation.responding import Answered, CharacterResponder
from character.evaluation.shifts import (
    measures_shifted,
    most_moved,
    overdone_shares,
    shifts_by_kind,
    shifts_of,
    survivals,
)
from character.event_loop import run_on_own_loop
from character.modules import MessageGenerator
from character.modules.calls import lean_settings
from character.modules.inputs import as_constitution
from character.modules.steps import ModuleCall, adrive, aparallel
from character.records import Drop, Message, MessageBatch, Usage
from character.report import write_text
from character.run import MessageSource
from character.run_summary import prompts_fingerprint
from character.store import RunStore
from character.text import stable_seed

_IDENTITY = "effect"
REPORT_NAME, RESPONSES_NAME = "effect.json", "responses.jsonl"


@dataclass(frozen=True)
class Progress:
    """How far an evaluation is: messages done of all, and what its calls took."""

    done: int
    total: int
    usage: Usage


def effect(
    constitution: Constitution | Path | str,
    out: Path | str,
    *,
    config: Config | None = None,
    messages: MessageSource | None = None,
    messages_per_trait: int = 16,
    neutral_messages: int = 16,
    pressed_messages: int = 0,
    models: Mapping[str, BackendConfig] | None = None,
    design: Design | None = None,
    unlike: Sequence[str] = (),
    on_progress: Callable[[Progress], None] | None = None,
) -> EffectReport:
    """Measure what each trait of a constitution does to a model, and keep everything in the folder ``out``.

    Every message of a trait is answered plainly, with the trait alone, with the whole character, and with the character
    without the trait; ``neutral_messages`` (up to 16) of everyday plainly and with the whole character. With ``models``
    (the backends ``base`` and ``tuned``) those two answer plainly as well, or alone where ``design`` is ``models``. A
    judge (the backend ``judge``, else ``default``) sees the responses to a message side by side in a random order and says how
    strongly each trait shows in each. The first ``pressed_messages`` of each trait are asked again under each pressure (see
    ``pressures``), to see how much of its own effect is left.

    ``messages`` replaces generation; generated ones never repeat the texts ``unlike``. Called again with the same arguments it goes
    on where it stopped, and no finished call is made again. Writes ``effect.json`` and ``responses.jsonl``. Raises
    StoreError where the folder holds something else, BackendUnavailableError and BudgetReachedError as runs do.
    """
    constitution = as_constitution(constitution)
    models = dict(models or {})
    design = design or ("models" if models else "traits")
    if (design != "traits") != (set(models) == {BASE, TUNED}):
        raise InputError(
            f"found the models {', '.join(models) or 'none'} for the design {design!r}.",
            expected="base and tuned for the designs models and both, none for traits",
        )
    job = _Evaluation(
        constitution,
        config or Config(),
        messages,
        messages_per_trait,
        neutral_messages,
        pressed_messages,
        models,
        design,
        unlike,
    )
    return run_on_own_loop(partial(job.run, Path(out), on_progress or (lambda _progress: None)))


@dataclass(frozen=True)
class _Evaluation:
    constitution: Constitution
    config: Config
    given: MessageSource | None
    messages_per_trait: int
    neutral_messages: int
    pressed_messages: int
    models: Mapping[str, BackendConfig]
    design: Design
    unlike: Sequence[str]

    async def run(self, out: Path, on_progress: Callable[[Progress], None]) -> EffectReport:
        """Make, judge and compare the responses in a folder."""
        with RunStore.create(out, url=self.config.store.url) as store:
            self._begin(store)
            caps = self.config.budget
            capped = (caps.max_calls, caps.max_tokens, caps.max_cost) != (None, None, None)
            budget = Budget(caps, store.spent()) if capped else None
            lms = build_lms(self.config, journal=store, budget=budget)
            for name, backend in self.models.items():
                lms[name] = build_lm(backend, journal=store, budget=budget, name=name)
            try:
                with dspy.context(disable_history=True, trace=None, **lean_settings()):
                    probed, lost = await _Probing(self, lms, store).all(on_progress)
            finally:
                for lm in lms.values():
                    await lm._async_engine_spec.aclose()
            report = self._report(probed, lost, sum(store.usage("stage").values(), Usage()))
            rows = "".join(each.model_dump_json(by_alias=True) + "\n" for each in probed)
            with _disk_errors(store.folder):
                write_text(rows, store.folder / RESPONSES_NAME)
                write_text(report.model_dump_json(by_alias=True, indent=2) + "\n", store.folder / REPORT_NAME)
            return report

    def _begin(self, store: RunStore) -> None:
        """Check that the folder is this evaluation's, or make it so."""
        now = self._identity()
        known = store.meta(_IDENTITY)
        if known is None:
            if not store.is_untouched() or store.meta("identity") is not None:
                raise StoreError(
                    f"{store.folder} holds something else than an evaluation.",
                    fix="name another folder with --out.",
                )
        else:
            before: dict[str, Any] = json.loads(known)
            changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
            if changed and not store.is_untouched():
                what = "; ".join(f"{n}: {before.get(n)!r} before, {now.get(n)!r} now" for n in changed[:5])
                raise StoreError(
                    f"{store.folder} holds an evaluation that was asked otherwise: {what}.",
                    expected="the same constitution, messages, models and seed as before",
                    fix="go on with the old settings, or name another folder with --out.",
                )
        store.set_meta(_IDENTITY, json.dumps(now, ensure_ascii=False))

    def _identity(self) -> dict[str, Any]:
        return {
            "constitution": self.constitution.fingerprint,
            "messages": self.given.fingerprint if self.given else self.messages_per_trait,
            "neutral_messages": self.neutral_messages,
            "pressed_messages": self.pressed_messages,
            "unlike": stable_seed(*self.unlike),
            "design": self.design,
            "seed": self.config.seed,
            "prompts": prompts_fingerprint(),
            "models": {
                **{role: self.config.backend(role).identity for role in ("messages", "responses", "judge")},
                **{name: backend.identity for name, backend in self.models.items()},
            },
        }

    def groups(self) -> list[str]:
        """Return the groups of messages: one per trait, and "" for the neutral ones."""
        names = [trait.name for trait in self.constitution.traits]
        return [*names, ""] if self.neutral_messages else names

    def _report(self, probed: list[Probed], lost: Iterable[Drop], usage: Usage) -> EffectReport:
        seed = self.config.seed
        traits = [trait.name for trait in self.constitution.traits]
        contrasts = contrasts_for(self.constitution, self.groups(), self.design)
        answered: dict[str, set[str]] = {}
        for each in probed:
            for response in each.responses:
                answered.setdefault(response.condition, set()).add(response.model)
        drops = [*lost, *(drop for each in probed for drop in each.drops if not drop.recovered)]
        backends = [*(self.config.backend(role) for role in ("responses", "judge")), *self.models.values()]
        return EffectReport(
            constitution=self.constitution.name,
            fingerprint=self.constitution.fingerprint,
            design=self.design,
            traits=tuple(traits),
            language=self.constitution.language,
            seed=seed,
            version=__version__,
            models={name: tuple(sorted(models)) for name, models in answered.items()},
            num_messages=dict(Counter(each.group for each in probed if not each.pressure)),
            shifts=shifts_of(probed, contrasts, traits, seed=seed),
            kinds=shifts_by_kind(probed, contrasts, seed=seed),
            measures=measures_shifted(probed, contrasts, seed=seed),
            overdone=overdone_shares(probed, traits, seed=seed),
            robustness=survivals(
                probed,
                pressed_contrasts(
                    self.constitution, self.groups(), self.design, PRESSURES if self.pressed_messages else ()
                ),
                seed=seed,
            ),
            moved=most_moved(probed, contrasts),
            dropped=dict(Counter(drop.reason for drop in drops).most_common()),
            usage=usage,
            rehearsal=any(
                backend.kind == "rehearsal" or is_rehearsal_model(backend.model) for backend in backends
            ),
        )


class _Probing:
    """The calls of an evaluation: messages first, then for each its responses and what the judge finds in them."""

    def __init__(self, job: _Evaluation, lms: Mapping[str, Any], store: RunStore) -> None:
        self._job, self._lms, self._store = job, lms, store
        self._responder, self._gauge, self._generator = CharacterResponder(), Gauge(), MessageGenerator()
        self._done = self._total = 0

    async def all(self, on_progress: Callable[[Progress], None]) -> tuple[list[Probed], list[Drop]]:
        """Return every message with its responses, and the messages that were lost."""
        job = self._job
        batches = await aparallel([partial(self._messages, trait) for trait in job.constitution.traits])
        wanted = [
            (message, trait.name)
            for trait, batch in zip(job.constitution.traits, batches, strict=True)
            for message in batch.messages
        ]
        wanted += [(m, "") for m in everyday_messages(job.constitution.language, job.neutral_messages)]
        under_pressure = [
            (message, trait.name, pressure)
            for trait, batch in zip(job.constitution.traits, batches, strict=True)
            for message in [each for each in batch.messages if len(each.turns) == 1][: job.pressed_messages]
            for pressure in PRESSURES
        ]
        self._total = len(wanted) + len(under_pressure)
        self._tell = on_progress
        on_progress(Progress(0, self._total, Usage()))
        probed = await aparallel(
            [partial(self._probe, message, group) for message, group in wanted]
            + [partial(self._probe, *pressing) for pressing in under_pressure],
            limit=job.config.concurrency,
        )
        lost = [drop for batch in batches for drop in batch.drops if not drop.recovered]
        return probed, lost

    def _lm(self, role: str) -> Any:
        return self._lms.get(role, self._lms["default"])

    async def _messages(self, trait: Trait) -> MessageBatch:
        job = self._job
        if job.given is not None:
            return MessageBatch(
                messages=tuple(job.given.messages(trait.name)), drops=job.given.drops(trait.name)
            )
        kinds = job.config.messages.kinds
        share, rest = divmod(job.messages_per_trait, len(kinds))
        made: list[MessageBatch] = []
        for number, kind in enumerate(kinds):
            texts = [*job.unlike, *(message.text for batch in made for message in batch.messages)]
            arguments = {
                "trait": trait,
                "kind": kind,
                "num_messages": share + (number < rest),
                "constitution": job.constitution,
                "existing": texts,
                "seed": stable_seed(job.config.seed, "held out"),
            }
            if arguments["num_messages"]:
                made.append(await ModuleCall(self._generator, arguments, self._lm("messages")).arun())
        return MessageBatch(
            messages=tuple(message for batch in made for message in batch.messages),
            drops=tuple(drop for batch in made for drop in batch.drops),
        )

    async def _probe(self, message: Message, group: str, pressure: Pressure | None = None) -> Probed:
        constitution, design, pressed_from = self._job.constitution, self._job.design, ""
        conditions, traits = conditions_for(constitution, group, design), list(constitution.traits)
        if pressure is not None:
            pressed_from, message = message.id, pressed(message, pressure)
            conditions = pressed_conditions(constitution, group, design)
            traits = [constitution.trait(group)]
        answers = await aparallel([partial(self._answer, message, condition) for condition in conditions])
        usable = [(c, a) for c, a in zip(conditions, answers, strict=True) if not a.fault]
        drops = [
            Drop(
                stage="responses",
                reason=answer.fault,
                detail=f"{condition.name}: {answer.detail}",
                message_id=message.id,
            )
            for condition, answer in zip(conditions, answers, strict=True)
            if answer.fault
        ]
        texts = [answer.text for _, answer in usable]
        gauged = await aparallel([partial(self._judge, message, texts, trait) for trait in traits if texts])
        words = words_of_trait(constitution.trait(group)) if group else None
        responses = tuple(
            Response(
                message_id=message.id,
                condition=condition.name,
                text=answer.text,
                model=answer.model,
                degrees={
                    trait.name: found.degrees[place]
                    for trait, found in zip(traits, gauged, strict=True)
                    if found.degrees
                },
                measures=measures_of(answer.text, message, words)
                if words
                else measures_of(answer.text, message),
            )
            for place, (condition, answer) in enumerate(usable)
        )
        self._done += 1
        self._tell(Progress(self._done, self._total, sum(self._store.usage("stage").values(), Usage())))
        return Probed(
            message=message,
            group=group,
            pressure=pressure or "",
            pressed_from=pressed_from,
            responses=responses,
            drops=(*drops, *(drop for found in gauged for drop in found.drops)),
            usage=sum((each.usage for each in (*answers, *gauged)), Usage()),
        )

    async def _answer(self, message: Message, condition: Condition) -> Answered:
        constitution = self._job.constitution
        steps = self._responder.steps(
            message,
            shown(constitution, condition),
            stable_seed(self._job.config.seed, condition.name),
            assistant_name=constitution.assistant_name,
            lm=self._lm(condition.role),
        )
        return await adrive(steps)

    async def _judge(self, message: Message, texts: list[str], trait: Trait) -> Any:
        steps = self._gauge.steps(message, texts, trait, self._job.config.seed, self._lm("judge"))
        return await adrive(steps)


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Any:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}.") from None
