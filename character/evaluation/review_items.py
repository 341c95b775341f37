"""What reviewers check of an evaluation: each message with the response that is meant to show the trait, and the other one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from character.constitution import Constitution
from character.evaluation.conditions import Contrast
from character.evaluation.records import DEGREE_SCORES, Probed
from character.evaluation.shifts import Paired, paired
from character.text import fingerprint

FILE_NAME = "effect_items.json"


def review_items(
    probed: Sequence[Probed], contrasts: Iterable[Contrast], constitution: Constitution
) -> dict[str, Any]:
    """Return the content of ``effect_items.json``, which ``character review`` reads; the responses nearest to each other are the most doubtful."""
    items = []
    for contrast in contrasts:
        if contrast.question not in ("alone", "models") or not contrast.group:
            continue
        trait = constitution.trait(contrast.group)
        for pair in paired(probed, contrast):
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


def _doubt(pair: Paired, trait: str) -> float:
    """Return 1 where the judge found no difference or did not say, 0 where it found three degrees or more.

    Where a preference model stands in for the judge, it is 1 for even odds and 0 for a sure preference.
    """
    if not pair.condition.degrees and trait in pair.condition.odds and trait in pair.reference.odds:
        return round(1 - abs(math.tanh((pair.condition.odds[trait] - pair.reference.odds[trait]) / 2)), 3)
    if trait not in pair.condition.degrees or trait not in pair.reference.degrees:
        return 1.0
    apart = abs(DEGREE_SCORES[pair.condition.degrees[trait]] - DEGREE_SCORES[pair.reference.degrees[trait]])
    return round(1 - min(apart, 3) / 3, 3)
