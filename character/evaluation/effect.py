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
from character.backends import build_lm, build_lms
from character.backends.budget import Budget
from character.config import BackendConfig, Config, is_rehearsal_model
from character.constitution import Constitution
from character.errors import InputError, StoreError
from character.evaluation.choosing import prompts_of_choices
from character.evaluation.conditions import (
    BASE,
    TUNED,
    Design,
    contrasts_for,
    pressed_contrasts,
)
from character.evaluation.estimating import estimated
from character.evaluation.opinion import PreferenceJudge, opinion_of, with_odds
from character.evaluation.pressures import PRESSURES
from character.evaluation.probing import Plan, Probing, Progress
from character.evaluation.ratings import revealed
from character.evaluation.reading import REPORT_NAME, RESPONSES_NAME
from character.evaluation.records import Choice, EffectReport, Probed
from character.evaluation.review_items import FILE_NAME, review_items
from character.evaluation.shifts import (
    coherences,
    measures_shifted,
    most_moved,
    overdone_shares,
    shifts_by_kind,
    shifts_of,
    survivals,
)
from character.event_loop import run_on_own_loop
from character.modules.calls import lean_settings
from character.modules.inputs import as_constitution
from character.records import Drop, Usage
from character.report import write_text
from character.run_loop import MessageSource
from character.run_summary import prompts_fingerprint
from character.store import RunStore
from character.text import fingerprint, stable_seed

_IDENTITY = "effect"
CHOICES_NAME = "choices.jsonl"


def effect(
    constitution: Constitution | Path | str,
    out: Path | str,
    *,
    config: Config | None = None,
    messages: MessageSource | None = None,
    messages_per_trait: int = 16,
    neutral_messages: int = 16,
    pressed_messages: int = 0,
    choices: int = 0,
    models: Mapping[str, BackendConfig] | None = None,
    design: Design | None = None,
    unlike: Sequence[str] = (),
    preference: PreferenceJudge | None = None,
    judged: bool = True,
    yardstick: Constitution | Path | str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> EffectReport:
    """Measure what each trait of a constitution does to a model, and keep everything in the folder ``out``.

    Every message of a trait is answered plainly, with the trait alone, with the whole character, and with the character
    without the trait; ``neutral_messages`` (up to 16) of everyday plainly and with the whole character. With ``models``
    (the backends ``base`` and ``tuned``) those two answer plainly as well, or alone where ``design`` is ``models``. A
    judge (the backend ``judge``, else ``default``) sees the responses to a message side by side in a random order and says how
    strongly each trait shows in each. The first ``pressed_messages`` of each trait are asked again under each pressure (see
    ``pressures``), to see how much of its own effect is left.

    With ``choices`` the base and the tuned model, or without these the model that answers, are asked so often each to show one of two
    traits of their own choice, and the judge says which one was shown (see ``offers`` and ``ratings``); that needs neutral messages.

    The judge is told of a trait in the words of the constitution, or of a ``yardstick``'s where that has a trait of the name: so two
    wordings of a trait are measured alike.

    A ``preference`` model scores every response as well, without a call, and is compared with the judge; where ``judged`` is False
    it stands in its place, and no judge is called.

    ``messages`` replaces generation; generated ones never repeat the texts ``unlike``. Called again with the same arguments it goes
    on where it stopped, and no finished call is made again. Writes ``effect.json``, ``responses.jsonl`` and, for
    reviewers, ``effect_items.json``; with choices ``choices.jsonl``. Raises
    StoreError where the folder holds something else, BackendUnavailableError and BudgetReachedError as runs do.
    """
    plan = Plan(
        as_constitution(constitution),
        config or Config(),
        design or ("models" if models else "traits"),
        messages,
        messages_per_trait,
        neutral_messages,
        pressed_messages,
        choices,
        tuple(unlike),
        judged,
        None if yardstick is None else as_constitution(yardstick),
    )
    job = _Evaluation(plan, dict(models or {}), preference)
    job.check()
    return run_on_own_loop(partial(job.run, Path(out), on_progress or (lambda _progress: None)))


def estimate_effect(
    constitution: Constitution | Path | str,
    *,
    config: Config | None = None,
    messages: MessageSource | None = None,
    messages_per_trait: int = 16,
    neutral_messages: int = 16,
    pressed_messages: int = 0,
    choices: int = 0,
    models: Mapping[str, BackendConfig] | None = None,
    design: Design | None = None,
    judged: bool = True,
    yardstick: Constitution | Path | str | None = None,
) -> dict[str, Usage]:
    """Return what ``effect`` with the same arguments will take, per stage and as ``all``; nothing is sent.

    Tokens and USD as runs estimate them: prompts are measured, lengths of replies assumed, re-asks left out; an unknown price is None.
    """
    plan = Plan(
        as_constitution(constitution),
        config or Config(),
        design or ("models" if models else "traits"),
        messages,
        messages_per_trait,
        neutral_messages,
        pressed_messages,
        choices,
        judged=judged,
        yardstick=None if yardstick is None else as_constitution(yardstick),
    )
    return estimated(plan, models or {})


@dataclass(frozen=True)
class _Evaluation:
    plan: Plan
    models: Mapping[str, BackendConfig]
    preference: PreferenceJudge | None = None

    def check(self) -> None:
        """Raise InputError where what is asked for does not go together."""
        plan = self.plan
        if (plan.design != "traits") != (set(self.models) == {BASE, TUNED}):
            raise InputError(
                f"found the models {', '.join(self.models) or 'none'} for the design {plan.design!r}.",
                expected="base and tuned for the designs models and both, none for traits",
            )
        if plan.choices and not plan.neutral_messages:
            raise InputError(
                f"{plan.choices} choices are asked for without neutral messages.",
                expected="neutral messages, which call for neither of two traits",
                fix="leave neutral_messages (--neutral) at 1 or more.",
            )
        if plan.judged:
            return
        if self.preference is None or plan.choices or plan.pressed_messages:
            raise InputError(
                "found no preference model to stand in for the judge."
                if self.preference is None
                else f"found {plan.choices} choices and {plan.pressed_messages} messages under pressure, and no judge to look at them.",
                expected="a preference model (--preference), and neither choices nor pressure, where no judge is called",
            )

    async def run(self, out: Path, on_progress: Callable[[Progress], None]) -> EffectReport:
        """Make, judge and compare the responses in a folder."""
        with RunStore.create(out, url=self.plan.config.store.url) as store:
            self._begin(store)
            caps = self.plan.config.budget
            capped = (caps.max_calls, caps.max_tokens, caps.max_cost) != (None, None, None)
            budget = Budget(caps, store.spent()) if capped else None
            lms = build_lms(self.plan.config, journal=store, budget=budget)
            for name, backend in self.models.items():
                lms[name] = build_lm(backend, journal=store, budget=budget, name=name)
            try:
                with dspy.context(disable_history=True, trace=None, **lean_settings()):
                    probing = Probing(self.plan, lms, store, on_progress)
                    probed, lost = await probing.all()
                    choices = await probing.choices(probed)
            finally:
                for lm in lms.values():
                    await lm._async_engine_spec.aclose()
            if self.preference:
                probed = with_odds(probed, self.preference, self.plan.constitution)
            report = self._report(probed, choices, lost, sum(store.usage("stage").values(), Usage()))
            contrasts = contrasts_for(self.plan.constitution, self.plan.groups, self.plan.design)
            items = review_items(probed, contrasts, self.plan.constitution)
            with _disk_errors(store.folder):
                write_text(json.dumps(items, ensure_ascii=False, indent=1) + "\n", store.folder / FILE_NAME)
                write_text(_lines(probed), store.folder / RESPONSES_NAME)
                if choices:
                    write_text(_lines(choices), store.folder / CHOICES_NAME)
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
        store.set_meta("constitution", self.plan.constitution.model_dump_json(by_alias=True))
        store.set_meta("config", self.plan.config.model_dump_json())

    def _identity(self) -> dict[str, Any]:
        return {
            "constitution": self.plan.constitution.fingerprint,
            "messages": self.plan.given.fingerprint if self.plan.given else self.plan.messages_per_trait,
            "neutral_messages": self.plan.neutral_messages,
            "pressed_messages": self.plan.pressed_messages,
            **({"yardstick": self.plan.yardstick.fingerprint} if self.plan.yardstick else {}),
            **({"choices": [self.plan.choices, prompts_of_choices()]} if self.plan.choices else {}),
            "unlike": stable_seed(*self.plan.unlike),
            "design": self.plan.design,
            "seed": self.plan.config.seed,
            "prompts": prompts_fingerprint(),
            "models": {
                **{
                    role: self.plan.config.backend(role).identity
                    for role in ("messages", "responses", "judge")
                },
                **{name: backend.identity for name, backend in self.models.items()},
            },
        }

    def _report(
        self, probed: list[Probed], choices: list[Choice], lost: Iterable[Drop], usage: Usage
    ) -> EffectReport:
        seed = self.plan.config.seed
        traits = [trait.name for trait in self.plan.constitution.traits]
        contrasts = contrasts_for(self.plan.constitution, self.plan.groups, self.plan.design)
        answered: dict[str, set[str]] = {}
        for each in probed:
            for response in each.responses:
                answered.setdefault(response.condition, set()).add(response.model)
        for choice in choices:
            answered.setdefault(choice.condition, set()).update({choice.model} - {""})
        dropped = (*(each.drops for each in probed), *(each.drops for each in choices))
        drops = [*lost, *(drop for each in dropped for drop in each if not drop.recovered)]
        backends = [
            *(
                self.plan.config.backend(role)
                for role in ("responses", *(["judge"] if self.plan.judged else []))
            ),
            *self.models.values(),
        ]
        return EffectReport(
            constitution=self.plan.constitution.name,
            fingerprint=self.plan.constitution.fingerprint,
            design=self.plan.design,
            traits=tuple(traits),
            worded={trait.name: fingerprint(trait.brief()) for trait in self.plan.constitution.traits},
            judged_as={
                trait.name: fingerprint(self.plan.judged_as(trait).brief())
                for trait in self.plan.constitution.traits
            },
            language=self.plan.constitution.language,
            seed=seed,
            version=__version__,
            models={name: tuple(sorted(models)) for name, models in answered.items()},
            num_messages=dict(Counter(each.group for each in probed if not each.pressure)),
            shifts=shifts_of(probed, contrasts, traits, seed=seed),
            kinds=shifts_by_kind(probed, contrasts, seed=seed),
            measures=measures_shifted(probed, contrasts, seed=seed),
            overdone=overdone_shares(probed, traits, seed=seed),
            coherence=coherences(probed, contrasts, seed=seed),
            robustness=survivals(
                probed,
                pressed_contrasts(
                    self.plan.constitution,
                    self.plan.groups,
                    self.plan.design,
                    PRESSURES if self.plan.pressed_messages else (),
                ),
                seed=seed,
            ),
            revealed=revealed(choices, self.plan.constitution, seed=seed),
            opinion=opinion_of(probed, contrasts, self.plan.constitution, self.preference, seed=seed)
            if self.preference
            else None,
            judged=self.plan.judged,
            moved=most_moved(probed, contrasts),
            dropped=dict(Counter(drop.reason for drop in drops).most_common()),
            usage=usage,
            rehearsal=any(
                backend.kind == "rehearsal" or is_rehearsal_model(backend.model) for backend in backends
            ),
        )


def _lines(records: Sequence[Probed] | Sequence[Choice]) -> str:
    return "".join(each.model_dump_json(by_alias=True) + "\n" for each in records)


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Any:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}.") from None
