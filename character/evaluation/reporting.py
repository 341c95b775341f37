"""What an evaluation says of its responses: the report, and what reviewers check; no call is made."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from character._version import __version__
from character.config import is_rehearsal_model
from character.constitution import Constitution
from character.evaluation import shifts
from character.evaluation.choices.ratings import revealed
from character.evaluation.conditions import Contrast, contrasts_for, own_effects, pressed_contrasts
from character.evaluation.figures import adjusted
from character.evaluation.preference_judge import opinion_of
from character.evaluation.probe import EvaluationPlan
from character.evaluation.ready_messages import PRESSURES
from character.evaluation.records import Choice, EffectReport, Probed, Response
from character.records import Drop, Usage
from character.text import fingerprint

ITEMS_NAME = "effect_items.json"


def report_of(
    plan: EvaluationPlan,
    probed: Sequence[Probed],
    choices: Sequence[Choice],
    lost: Iterable[Drop],
    usage: Usage,
) -> EffectReport:
    """Return the report of what was answered, judged and chosen, what was lost, and what the calls took."""
    constitution, design, seed = plan.constitution, plan.design, plan.config.seed
    judge = plan.preference
    traits = [trait.name for trait in constitution.traits]
    contrasts = contrasts_for(constitution, plan.groups, design)
    pressures = PRESSURES if plan.config.effect.pressed_messages else ()
    pressed = pressed_contrasts(constitution, plan.groups, design, pressures)
    dropped = (*(each.drops for each in probed), *(each.drops for each in choices))
    drops = [*lost, *(drop for each in dropped for drop in each if not drop.recovered)]
    roles = ("responses", "judge") if plan.config.effect.judged else ("responses",)
    backends = [*(plan.config.backend(role) for role in roles), *plan.models.values()]
    return EffectReport(
        constitution=constitution.name,
        fingerprint=constitution.fingerprint,
        design=design,
        traits=tuple(traits),
        worded={each.name: fingerprint(each.brief()) for each in constitution.traits},
        judged_as={each.name: fingerprint(plan.judged_as(each).brief()) for each in constitution.traits},
        language=constitution.language,
        seed=seed,
        version=__version__,
        models=_answered(plan, probed, choices),
        num_messages=dict(Counter(each.group for each in probed if not each.pressure)),
        shifts=adjusted(shifts.shifts_of(probed, contrasts, traits, seed), shifts.of_question),
        kinds=adjusted(shifts.shifts_by_kind(probed, contrasts, seed), shifts.of_question),
        measures=adjusted(shifts.measures_shifted(probed, contrasts, seed)),
        overdone=tuple(shifts.overdone_shares(probed, traits)),
        coherence=adjusted(shifts.coherences(probed, contrasts, seed)),
        robustness=tuple(shifts.survivals(probed, pressed, seed)),
        revealed=revealed(choices, constitution, seed=seed),
        opinion=opinion_of(probed, contrasts, constitution, judge, seed) if judge else None,
        judged=plan.config.effect.judged,
        moved=tuple(shifts.most_moved(probed, contrasts)),
        dropped=dict(Counter(drop.reason for drop in drops).most_common()),
        usage=usage,
        rehearsal=any(each.kind == "rehearsal" or is_rehearsal_model(each.model) for each in backends),
    )


def _answered(
    plan: EvaluationPlan, probed: Iterable[Probed], choices: Iterable[Choice]
) -> dict[str, tuple[str, ...]]:
    """Return which models answered, by condition: as asked for, then as servers call them otherwise."""
    responses = (response for each in probed for response in each.responses)
    served: dict[str, set[str]] = defaultdict(set)
    for reply in chain[Response | Choice](responses, choices):
        served[reply.condition].add(reply.model)
    answered = {}
    for condition, names in served.items():
        asked = plan.models.get(condition, plan.config.backend("responses")).model_name
        bare = asked.rpartition("/")[2]
        others = sorted(name for name in names if name and name.rpartition("/")[2] != bare)
        answered[condition] = (asked, *others)
    return answered


def review_items(
    probed: Sequence[Probed], contrasts: Iterable[Contrast], constitution: Constitution
) -> dict[str, Any]:
    """Return the content of ``effect_items.json``, which ``character review`` reads.

    The responses nearest to each other are the most doubtful.
    """
    items = []
    for contrast in own_effects(contrasts):
        trait = constitution.trait(contrast.group)
        for pair in shifts.paired(probed, contrast):
            message = pair.probed.message
            items.append(
                {
                    "id": fingerprint(["effect", contrast.condition, message.id]),
                    "trait": trait.name,
                    "trait_description": trait.description,
                    "language": message.language,
                    "kind": message.kind,
                    "turns": [turn.model_dump() for turn in message.turns],
                    "with_trait": pair.condition.text,
                    "without_trait": pair.reference.text,
                    "compares": "models" if contrast.question == "models" else "trait",
                    "doubt": _doubt(pair, trait.name),
                }
            )
    return {"items": items}


def _doubt(pair: shifts.Paired, trait: str) -> float:
    """Return 1 where the judge found no difference or did not say, 0 where it found three degrees or more.

    Where a preference model stands in for the judge, it is 1 for even odds and 0 for a sure preference.
    """
    odds, degrees = shifts.odds_apart(pair, trait), shifts.degrees_apart(pair, trait)
    if odds is not None and not pair.condition.degrees:
        return round(1 - abs(math.tanh(odds / 2)), 3)
    return 1.0 if degrees is None else round(1 - min(abs(degrees), 3) / 3, 3)
