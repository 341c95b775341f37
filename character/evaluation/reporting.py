"""An evaluation's report: every figure from the responses with what was found in them; no call is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from character._version import __version__
from character.config import BackendConfig, is_rehearsal_model
from character.evaluation.choices.ratings import revealed
from character.evaluation.conditions import contrasts_for, pressed_contrasts
from character.evaluation.preference_judge import PreferenceJudge, opinion_of
from character.evaluation.pressure import PRESSURES
from character.evaluation.probe import EvaluationPlan
from character.evaluation.records import Choice, EffectReport, Probed
from character.evaluation.shifts import (
    coherences,
    measures_shifted,
    most_moved,
    overdone_shares,
    shifts_by_kind,
    shifts_of,
    survivals,
)
from character.records import Drop, Usage
from character.text import fingerprint


def report_of(
    plan: EvaluationPlan,
    models: Mapping[str, BackendConfig],
    preference: PreferenceJudge | None,
    probed: Sequence[Probed],
    choices: Sequence[Choice],
    lost: Iterable[Drop],
    usage: Usage,
) -> EffectReport:
    """Return the report of what was answered, judged and chosen, with the messages that were lost and what the calls took."""
    seed = plan.config.seed
    traits = [trait.name for trait in plan.constitution.traits]
    contrasts = contrasts_for(plan.constitution, plan.groups, plan.design)
    dropped = (*(each.drops for each in probed), *(each.drops for each in choices))
    drops = [*lost, *(drop for each in dropped for drop in each if not drop.recovered)]
    return EffectReport(
        constitution=plan.constitution.name,
        fingerprint=plan.constitution.fingerprint,
        design=plan.design,
        traits=tuple(traits),
        worded={trait.name: fingerprint(trait.brief()) for trait in plan.constitution.traits},
        judged_as={
            trait.name: fingerprint(plan.judged_as(trait).brief()) for trait in plan.constitution.traits
        },
        language=plan.constitution.language,
        seed=seed,
        version=__version__,
        models=_answered(plan, models, probed, choices),
        num_messages=dict(Counter(each.group for each in probed if not each.pressure)),
        shifts=shifts_of(probed, contrasts, traits, seed=seed),
        kinds=shifts_by_kind(probed, contrasts, seed=seed),
        measures=measures_shifted(probed, contrasts, seed=seed),
        overdone=overdone_shares(probed, traits),
        coherence=coherences(probed, contrasts, seed=seed),
        robustness=survivals(
            probed,
            pressed_contrasts(
                plan.constitution,
                plan.groups,
                plan.design,
                PRESSURES if plan.pressed_messages else (),
            ),
            seed=seed,
        ),
        revealed=revealed(choices, plan.constitution, seed=seed),
        opinion=opinion_of(probed, contrasts, plan.constitution, preference, seed=seed)
        if preference
        else None,
        judged=plan.judged,
        moved=most_moved(probed, contrasts),
        dropped=dict(Counter(drop.reason for drop in drops).most_common()),
        usage=usage,
        rehearsal=_is_rehearsal(plan, models),
    )


def _answered(
    plan: EvaluationPlan,
    models: Mapping[str, BackendConfig],
    probed: Iterable[Probed],
    choices: Iterable[Choice],
) -> dict[str, tuple[str, ...]]:
    """Return per condition which models answered: as they were asked for, and as the server calls them where it does so otherwise."""
    served: dict[str, set[str]] = {}
    for each in probed:
        for response in each.responses:
            served.setdefault(response.condition, set()).add(response.model)
    for choice in choices:
        served.setdefault(choice.condition, set()).add(choice.model)
    found = {}
    for condition, names in served.items():
        asked = models.get(condition, plan.config.backend("responses")).model_name
        others = sorted(
            name for name in names if name and name.rpartition("/")[2] != asked.rpartition("/")[2]
        )
        found[condition] = (asked, *others)
    return found


def _is_rehearsal(plan: EvaluationPlan, models: Mapping[str, BackendConfig]) -> bool:
    roles = ("responses", *(["judge"] if plan.judged else []))
    backends = [*(plan.config.backend(role) for role in roles), *models.values()]
    return any(backend.kind == "rehearsal" or is_rehearsal_model(backend.model) for backend in backends)
