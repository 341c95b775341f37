"""``effect``: responses under every condition, judged blind, kept call by call in a folder; what changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, overload

from character.backends.measuring import Estimate
from character.config import BackendConfig, ConfigSource, EffectDesign, as_config
from character.constitution import Constitution
from character.evaluation.choices.chooser import prompts_of_choices
from character.evaluation.conditions import contrasts_for
from character.evaluation.planning import estimated, plan_of
from character.evaluation.preference_judge import PreferenceJudge, with_odds
from character.evaluation.probe import EvaluationPlan, EvaluationProgress, Probing, StoppedError
from character.evaluation.reading import REPORT_NAME, RESPONSES_NAME, EffectResult
from character.evaluation.records import Choice, Probed
from character.evaluation.reporting import ITEMS_NAME, report_of, review_items
from character.files import toml_beside
from character.inputs import spelled_out
from character.locale import Language
from character.messages.files import MessageSource
from character.preference.protocol import PreferenceModel
from character.protocols import JudgeStep, ResponderStep
from character.records import Drop, MessageBatch
from character.runs.event_loop import run_on_own_loop
from character.runs.identity import PROMPTS_OF, prompts_of
from character.runs.program_identity import program_identity
from character.runs.progress import ProgressCallback, reporting
from character.runs.session import FolderKind, Session, as_begun
from character.text import stable_seed

CHOICES_NAME = "choices.jsonl"


def _described(changes: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """Return in words what differs from before, each once, with values where these are no fingerprints."""
    words, called = dict[str, None](), toml_beside(__file__, "identity")["words"]
    for place, (before, now) in changes.items():
        name = place.partition(".")[0]
        tells = all(isinstance(value, int) or name in ("design", *PROMPTS_OF) for value in (before, now))
        values = f", {before} before, {now} now" if tells else ""
        words[called.get(name, name) + values] = None
    return ["Changed: " + "; ".join(words)] if words else []


EFFECT = FolderKind(**toml_beside(__file__, "identity")["folder"], describe=_described)


class EffectOptions(TypedDict, total=False):
    """What ``effect`` takes besides constitution, folder and configuration; ``[effect]``'s values as well."""

    messages: Mapping[str, MessageBatch] | MessageSource | Path | str | None
    traits: Sequence[str]
    models: Mapping[str, BackendConfig] | None
    unlike: Sequence[str]
    responder: ResponderStep | None
    gauge: JudgeStep | None
    on_progress: ProgressCallback[EvaluationProgress]
    messages_per_trait: int
    neutral_messages: int
    pressed_messages: int
    choices: int
    design: EffectDesign | None
    judged: bool
    preference: PreferenceJudge | PreferenceModel | Path | str | None
    yardstick: Constitution | Path | str | None
    held_out_from: Sequence[Path | str]
    language: Language | None


@overload
def effect(
    constitution: Constitution | Path | str,
    out: Path | str,
    config: ConfigSource = None,
    *,
    dry_run: Literal[False] = False,
    **options: Unpack[EffectOptions],
) -> EffectResult: ...
@overload
def effect(
    constitution: Constitution | Path | str,
    out: Path | str,
    config: ConfigSource = None,
    *,
    dry_run: Literal[True],
    **options: Unpack[EffectOptions],
) -> Estimate: ...
@spelled_out(EffectOptions)
def effect(
    constitution: Constitution | Path | str,
    out: Path | str,
    config: ConfigSource = None,
    *,
    dry_run: bool = False,
    **options: Unpack[EffectOptions],
) -> EffectResult | Estimate:
    """Measure what each trait of a constitution does to a model, and keep everything in the folder ``out``.

    Every message of a trait is answered plainly, with the trait alone, with the whole character, and with the
    character without the trait; ``neutral_messages`` (up to 16) of everyday plainly and with the whole
    character. With ``models`` (the backends ``base`` and ``tuned``, by default those of the configuration)
    those two answer plainly as well, or alone where ``design`` is ``models``. A judge (the backend ``judge``,
    else ``default``) sees the responses to a message side by side in a random order and says how strongly
    each trait shows in each. The first ``pressed_messages`` of each trait are asked again under each pressure
    (see ``evaluation.ready_messages``), to see how much of its own effect is left.

    With ``choices`` the base and the tuned model, or without these the model that answers, are asked so often
    each to show one of two traits of their own choice, and the judge says which one was shown (see
    ``evaluation.choices``); that needs neutral messages.

    The judge is told of a trait in the words of the constitution, or of a ``yardstick``'s (a constitution,
    its file, or the folder of an evaluation) where that has a trait of the name: so two wordings of a trait
    are measured alike. A ``preference`` model (fitted, or its folder) scores every response as well, without
    a call, and is compared with the judge; where ``judged`` is False it stands in its place, and no judge is
    called.

    ``responder`` answers, and ``gauge`` says how strongly a trait shows, in place of ours: any module or
    callable (see ``evaluation.judges.custom``). ``messages`` (a file's path, the folder of an evaluation, a
    MessageFile, or batches per trait name) replaces generation; generated ones never repeat the texts
    ``unlike``, nor the messages of the runs ``held_out_from``. ``traits`` names those to measure. Options
    that ``[effect]`` has stand for its values there. With ``dry_run`` nothing is sent or written, and the
    estimate is returned.

    Called again with the same arguments it goes on where it stopped, and no finished call is made again.
    Writes ``effect.json``, ``effect.html`` and the cards (in ``language``), ``responses.jsonl`` and, for
    reviewers, ``effect_items.json``; with choices ``choices.jsonl``. Raises InputError for options that do
    not go together or a preference model that knows none of the traits, before anything is called; StoreError
    where the folder holds something else, InvalidReplyError for what a module of somebody else's returned,
    BackendUnavailableError and BudgetReachedError as runs do.
    """
    plan = plan_of(constitution, as_begun(as_config(config), out), options)
    if dry_run:
        return estimated(plan)
    return run_on_own_loop(partial(_evaluate, plan, Path(out)))


@spelled_out(EffectOptions)
async def aeffect(
    constitution: Constitution | Path | str,
    out: Path | str,
    config: ConfigSource = None,
    **options: Unpack[EffectOptions],
) -> EffectResult:
    """Do as ``effect`` does, on the event loop."""
    plan = plan_of(constitution, as_begun(as_config(config), out), options)
    return await _evaluate(plan, Path(out))


@spelled_out(EffectOptions)
def estimate_effect(
    constitution: Constitution | Path | str, config: ConfigSource = None, **options: Unpack[EffectOptions]
) -> Estimate:
    """Return what ``effect`` with the same arguments will take, per stage and as ``all``; nothing is sent."""
    return effect(constitution, "", config, dry_run=True, **options)


async def _evaluate(plan: EvaluationPlan, out: Path) -> EffectResult:
    with Session(EFFECT, out, plan.config, _identity(plan), constitution=plan.constitution) as session:
        probed, lost, choices = await _probed(plan, session)
        if plan.preference:
            probed = with_odds(probed, plan.preference, plan.constitution)
        report = report_of(plan, probed, choices, lost, session.spent())
        contrasts = contrasts_for(plan.constitution, plan.groups, plan.design)
        items = review_items(probed, contrasts, plan.constitution)
        session.write(ITEMS_NAME, json.dumps(items, ensure_ascii=False, indent=1) + "\n")
        session.write(RESPONSES_NAME, _lines(probed))
        if choices:
            session.write(CHOICES_NAME, _lines(choices))
        session.write(REPORT_NAME, report.model_dump_json(by_alias=True, indent=2) + "\n")
        result = EffectResult.in_folder(report, session.folder)
        result.write_report(plan.config.effect.language)
    return result


async def _probed(plan: EvaluationPlan, session: Session) -> tuple[list[Probed], list[Drop], list[Choice]]:
    lms = session.lms(plan.models)
    with reporting(plan.on_progress, f"effect {session.folder}") as tell:
        probing = Probing(plan, lms, session.store, tell)
        try:
            async with session.working(probing.stop):
                probed, lost = await probing.all()
                return probed, lost, await probing.choices(probed)
        except StoppedError:
            raise KeyboardInterrupt from None


def _identity(plan: EvaluationPlan) -> dict[str, Any]:
    own = {"responder": plan.responder, "gauge": plan.gauge}
    asked = {role: plan.config.backend(role) for role in ("messages", "responses", "judge")}
    section, way = plan.config.effect, plan.config.responses.prompting
    asking = {"prompting": way, "messages_prompting": plan.config.messages.prompting}
    return {
        **{name: asked_as for name, asked_as in asking.items() if asked_as != "fields"},  # as all was before
        "constitution": plan.constitution.fingerprint,
        "messages": plan.given.fingerprint if plan.given else section.messages_per_trait,
        "neutral_messages": section.neutral_messages,
        "pressed_messages": section.pressed_messages,
        **{name: program_identity(module) for name, module in own.items() if module is not None},
        **({"yardstick": plan.yardstick.fingerprint} if plan.yardstick else {}),
        **({"choices": [section.choices, prompts_of_choices(way)]} if section.choices else {}),
        "unlike": stable_seed(*plan.unlike),
        "design": plan.design,
        "seed": plan.config.seed,
        "prompts": prompts_of(
            "messages", "evaluation", prompting=way, messages=plan.config.messages.prompting
        ),
        "models": {name: backend.identity for name, backend in {**asked, **plan.models}.items()},
    }


def _lines(records: Sequence[Probed] | Sequence[Choice]) -> str:
    return "".join(each.model_dump_json(by_alias=True) + "\n" for each in records)
