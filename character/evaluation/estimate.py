"""What an evaluation will take, before anything is sent: its own steps, driven by a meter."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from character.backends.measuring import Estimate, Meter, mean_message, unsent_lms
from character.config import BackendConfig
from character.evaluation.choices.offers import Offer
from character.evaluation.conditions import Condition
from character.evaluation.neutral_messages import everyday_messages
from character.evaluation.probe import EvaluationPlan, EvaluationSteps, ProbeTask

T = TypeVar("T")


def estimated(plan: EvaluationPlan, models: Mapping[str, BackendConfig]) -> Estimate:
    """Return per stage, and as ``all``, the calls, tokens and USD an evaluation will take; an unknown price is None.

    Each group of messages is answered and judged once, and so is each pair of traits to choose from. Prompts are
    measured, lengths of replies assumed; re-asks and refills are left out.
    """
    steps, meter = EvaluationSteps(plan, unsent_lms({**plan.config.backends, **models})), Meter()
    batches = [meter.drive(steps.messages(trait)) for trait in plan.constitution.traits]
    for tasks in _alike(steps.tasks(batches), _task_key):
        task = tasks[0]._replace(message=mean_message([each.message for each in tasks]))
        replace(meter, times=len(tasks)).drive(steps.probed(task))
    if plan.choices:
        neutral = everyday_messages(plan.constitution.language, 1)[0], ""
        for choices in _alike(steps.offers([neutral]), _choice_key):
            replace(meter, times=len(choices), stage="choices").drive(steps.choice(*choices[0]))
    names = {"messages": "messages", "responses": "responses", "judging": "gauging"}
    return meter.estimate({**names, "choices": "choices"} if plan.choices else names)


def _alike(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _task_key(task: ProbeTask) -> Hashable:
    return task.group, task.pressure, len(task.message.turns)


def _choice_key(choice: tuple[Offer, Condition]) -> Hashable:
    offer, condition = choice
    return condition.name, frozenset((offer.first.name, offer.second.name))
