"""``effect``: responses under every condition, judged blind, kept call by call in a folder, and what changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dspy

from character.backends import build_lm, build_lms
from character.backends.budget import Budget
from character.config import BackendConfig, Config
from character.constitution import Constitution
from character.errors import InputError, StoreError
from character.evaluation.choosing import prompts_of_choices
from character.evaluation.conditions import (
    BASE,
    TUNED,
    Design,
    contrasts_for,
)
from character.evaluation.estimating import estimated
from character.evaluation.opinion import PreferenceJudge, with_odds
from character.evaluation.own_steps import identity_of
from character.evaluation.probing import Plan, Probing, Progress, StoppedError
from character.evaluation.reading import REPORT_NAME, RESPONSES_NAME
from character.evaluation.records import Choice, EffectReport, Probed
from character.evaluation.reporting import report_of
from character.evaluation.review_items import FILE_NAME, review_items
from character.event_loop import finishing_on_interrupt, heed_interrupts, run_on_own_loop
from character.modules.calls import lean_settings
from character.modules.inputs import as_constitution
from character.modules.measuring import Estimate
from character.records import Usage
from character.report import write_text
from character.run_loop import MessageSource
from character.run_summary import prompts_fingerprint
from character.store import RunStore
from character.text import stable_seed

_IDENTITY = "effect"
_IDENTITY_WORDS = {
    "constitution": "the constitution",
    "messages": "messages (--messages, --messages-per-trait)",
    "neutral_messages": "everyday messages (--neutral)",
    "pressed_messages": "messages under pressure (--pressed)",
    "choices": "choices (--choices) or their prompts",
    "unlike": "what messages must not repeat (--held-out-from)",
    "seed": "the seed",
    "responder": "the responder",
    "gauge": "the judge's module",
    "design": "what is compared (--base, --tuned, --with-traits)",
    "yardstick": "the words that traits are judged in (--yardstick)",
    "models": "the models",
    "prompts": "the prompts, which another version of this package has",
}
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
    responder: Any = None,
    gauge: Any = None,
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
    wordings of a trait are measured alike. A ``preference`` model scores every response as well, without a call, and is compared
    with the judge; where ``judged`` is False it stands in its place, and no judge is called.

    ``responder`` answers, and ``gauge`` says how strongly a trait shows, in place of ours: any module or callable (see ``own_steps``).
    ``messages`` replaces generation; generated ones never repeat the texts ``unlike``. Called again with the same arguments it goes
    on where it stopped, and no finished call is made again. Writes ``effect.json``, ``responses.jsonl`` and, for
    reviewers, ``effect_items.json``; with choices ``choices.jsonl``. Raises StoreError where the folder holds something else,
    InvalidReplyError for what a module of somebody else's returned, BackendUnavailableError and BudgetReachedError as runs do.
    """
    plan = _planned(
        constitution,
        config,
        models,
        design,
        yardstick,
        given=messages,
        messages_per_trait=messages_per_trait,
        neutral_messages=neutral_messages,
        pressed_messages=pressed_messages,
        choices=choices,
        unlike=tuple(unlike),
        judged=judged,
    )
    job = _Evaluation(plan, dict(models or {}), preference, responder, gauge)
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
) -> Estimate:
    """Return what ``effect`` with the same arguments will take, per stage and as ``all``; nothing is sent.

    Tokens and USD as runs estimate them: prompts are measured, lengths of replies assumed, re-asks left out; an unknown price is None.
    """
    plan = _planned(
        constitution,
        config,
        models,
        design,
        yardstick,
        given=messages,
        messages_per_trait=messages_per_trait,
        neutral_messages=neutral_messages,
        pressed_messages=pressed_messages,
        choices=choices,
        judged=judged,
    )
    return estimated(plan, models or {})


def _planned(
    constitution: Constitution | Path | str,
    config: Config | None,
    models: Mapping[str, BackendConfig] | None,
    design: Design | None,
    yardstick: Constitution | Path | str | None,
    **rest: Any,
) -> Plan:
    return Plan(
        constitution=as_constitution(constitution),
        config=config or Config(),
        design=design or ("models" if models else "traits"),
        yardstick=None if yardstick is None else as_constitution(yardstick),
        **rest,
    )


@dataclass(frozen=True)
class _Evaluation:
    plan: Plan
    models: Mapping[str, BackendConfig]
    preference: PreferenceJudge | None = None
    responder: Any = None
    gauge: Any = None

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
        with contextlib.ExitStack() as stack:
            stack.callback(heed_interrupts)
            store = stack.enter_context(RunStore.create(out, url=self.plan.config.store.url))
            self._begin(store)
            caps = self.plan.config.budget
            capped = (caps.max_calls, caps.max_tokens, caps.max_cost) != (None, None, None)
            budget = Budget(caps, store.spent()) if capped else None
            lms = build_lms(self.plan.config, journal=store, budget=budget)
            for name, backend in self.models.items():
                lms[name] = build_lm(backend, journal=store, budget=budget, name=name)
            try:
                with dspy.context(disable_history=True, trace=None, **lean_settings()):
                    probing = Probing(
                        self.plan, lms, store, on_progress, responder=self.responder, gauge=self.gauge
                    )
                    with finishing_on_interrupt(probing.stop):
                        probed, lost = await probing.all()
                        choices = await probing.choices(probed)
            except (StoppedError, asyncio.CancelledError):
                raise KeyboardInterrupt from None
            finally:
                for lm in lms.values():
                    await lm._async_engine_spec.aclose()
            if self.preference:
                probed = with_odds(probed, self.preference, self.plan.constitution)
            usage = sum(store.usage("stage").values(), Usage())
            report = report_of(self.plan, self.models, self.preference, probed, choices, lost, usage)
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
                what = "; ".join(_changed_word(name, before.get(name), now.get(name)) for name in changed)
                raise StoreError(
                    f"{store.folder} holds an evaluation that was asked otherwise. Changed: {what}.",
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
            **{
                name: identity_of(module)
                for name, module in (("responder", self.responder), ("gauge", self.gauge))
                if module is not None
            },
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


def _changed_word(name: str, before: Any, now: Any) -> str:
    """Return in words what differs from before, with the two values where they are numbers or names and not fingerprints."""
    word = _IDENTITY_WORDS.get(name, name)
    tells = all(isinstance(value, int) or name == "design" for value in (before, now))
    return f"{word}, {before} before, {now} now" if tells else word


def _lines(records: Sequence[Probed] | Sequence[Choice]) -> str:
    return "".join(each.model_dump_json(by_alias=True) + "\n" for each in records)


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Any:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}.") from None
