"""What an evaluation is asked for, made into its plan or refused where it does not fit; what it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from character.backends.measuring import Estimate, Meter, alike, mean_message, unsent_lms
from character.backends.own_models import with_configured_lm
from character.config import COMPARED, ConfigSource, EffectConfig, as_config, with_section
from character.constitution import Constitution
from character.errors import ConfigError
from character.evaluation.preference_judge import PreferenceJudge
from character.evaluation.probe import EvaluationPlan, EvaluationSteps
from character.evaluation.reading import messages_of
from character.evaluation.ready_messages import everyday_messages
from character.files import problem
from character.inputs import as_constitution
from character.messages.files import MessageSource, as_source
from character.preference import load_preference_model
from character.preference.folds import text_key
from character.preference.protocol import Judged, asked_about
from character.runs.session import reading, stored_constitution

_MADE_HERE = {"preference", "yardstick", "held_out_from"}
"""Options that may be more in Python than the text that the configuration holds."""
_HANDED_ON = ("responder", "gauge", "on_progress")


def plan_of(
    constitution: Constitution | Path | str, config: ConfigSource, options: Mapping[str, Any]
) -> EvaluationPlan:
    """Return what the arguments of ``effect`` ask for; raises what ``effect`` raises before any call."""
    names = EffectConfig.model_fields.keys() - _MADE_HERE
    plain = {name: value for name, value in options.items() if name in names}
    config = with_configured_lm(with_section(as_config(config), "effect", plain))
    constitution = as_constitution(constitution)
    if options.get("traits"):
        constitution = constitution.only(options["traits"])
    section = config.effect
    compared = {name: config.backends[name] for name in COMPARED if name in config.backends}
    models = dict(options.get("models") or compared)
    held_out_from = options.get("held_out_from") or section.held_out_from
    yardstick = options.get("yardstick") or section.yardstick
    plan = EvaluationPlan(
        constitution=constitution,
        config=config,
        design=section.design or ("models" if models else "traits"),
        given=_messages(options.get("messages"), constitution, generated_without=bool(held_out_from)),
        unlike=(*options.get("unlike", ()), *_texts_of(held_out_from)),
        yardstick=None if yardstick is None else _yardstick(yardstick),
        models=models,
        preference=_preference(options.get("preference") or section.preference, constitution),
        **{name: options[name] for name in _HANDED_ON if options.get(name) is not None},
    )
    _check(plan)
    return plan


def estimated(plan: EvaluationPlan) -> Estimate:
    """Return per stage, and as ``all``, the calls, tokens and USD that an evaluation's steps will take.

    Messages that are alike are answered and judged once, and each pair of traits is offered once to each
    model. Prompts are measured, lengths of replies assumed, re-asks and refills left out; an unknown price is
    None.
    """
    steps, meter = EvaluationSteps(plan, unsent_lms({**plan.config.backends, **plan.models})), Meter()
    batches = [meter.drive(steps.messages(trait)) for trait in plan.constitution.traits]
    for tasks in alike(steps.tasks(batches), lambda task: (task[1:], len(task.message.turns))):
        task = tasks[0]._replace(message=mean_message([each.message for each in tasks]))
        meter.drive(steps.probed(task), times=len(tasks))
    stages = {"messages": "messages", "responses": "responses", "judging": "gauging"}
    if plan.config.effect.choices:
        stages["choices"] = "choices"
        neutral = everyday_messages(plan.constitution.language, 1)[0], ""
        offered = steps.offers([neutral])
        for same in alike(offered, lambda each: (each[1].name, frozenset(t.name for t in each[0][1:]))):
            meter.drive(steps.choice(*same[0]), times=len(same), stage="choices")
    return meter.estimate(stages)


def _check(plan: EvaluationPlan) -> None:
    if (plan.design != "traits") != (set(plan.models) == set(COMPARED)):
        names = ", ".join(plan.models) or "none"
        raise problem(__file__, "other_models", models=names, design=plan.design)
    asked = plan.config.effect
    if asked.choices and not asked.neutral_messages:
        raise problem(__file__, "only_called_for", choices=asked.choices)
    if not asked.judged and plan.preference is None:
        raise problem(__file__, "no_stand_in")
    if not asked.judged and (asked.choices or asked.pressed_messages):
        counts = {"choices": asked.choices, "pressed": asked.pressed_messages}
        raise problem(__file__, "no_judge", **counts)


def _messages(given: Any, constitution: Constitution, *, generated_without: bool) -> MessageSource | None:
    """Return given messages, or those of an evaluation's folder; None where they are to be generated."""
    if given is not None and generated_without:
        raise problem(__file__, "given_and_held_out", ConfigError)
    if isinstance(given, str | Path) and Path(given).is_dir():
        return messages_of(Path(given), constitution)
    return as_source(given, constitution)


def _yardstick(given: Constitution | Path | str) -> Constitution:
    """Return a constitution, that of a file, or the one an evaluation's folder was made with."""
    if isinstance(given, Constitution) or not Path(given).is_dir():
        return as_constitution(given)
    with reading(given) as store:
        return stored_constitution(store)


def _texts_of(runs: Iterable[Path | str]) -> Iterator[str]:
    for folder in runs:
        with reading(folder) as store:
            for trait in stored_constitution(store).traits:
                yield from (message.text for message in store.messages(trait.name, before=2**62))


def _preference(given: Any, constitution: Constitution) -> PreferenceJudge | None:
    """Return who scores responses beside the judge: a fitted model, a folder's, or one handed in ready."""
    if given is None or isinstance(given, PreferenceJudge):
        return given
    is_folder, traits = isinstance(given, str | Path), constitution.traits
    fitted, where = (load_preference_model(given), str(given)) if is_folder else (given, "the model")
    model = asked_about(fitted, [trait.name for trait in traits], traits, where=where).model
    return PreferenceJudge(
        name=model.kind,
        traits=frozenset(model.traits),
        scores=lambda sides: model.scores([Judged(side.message, side.text, side.trait) for side in sides]),
        is_seen=lambda message: text_key(message.turns[-1].content) in model.seen_messages,
    )
