"""What an evaluation will take, before anything is sent: its own steps, driven by a meter."""

from __future__ import annotations

from character.backends.measuring import Estimate, Meter, alike, mean_message, unsent_lms
from character.evaluation.probe import EvaluationPlan, EvaluationSteps
from character.evaluation.ready_messages import everyday_messages


def estimated(plan: EvaluationPlan) -> Estimate:
    """Return per stage, and as ``all``, the calls, tokens and USD an evaluation will take.

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
    if plan.choices:
        stages["choices"] = "choices"
        neutral = everyday_messages(plan.constitution.language, 1)[0], ""
        offered = steps.offers([neutral])
        for same in alike(offered, lambda each: (each[1].name, frozenset(t.name for t in each[0][1:]))):
            meter.drive(steps.choice(*same[0]), times=len(same), stage="choices")
    return meter.estimate(stages)
