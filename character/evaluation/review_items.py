"""What reviewers check of an evaluation: messages with the response meant to show the trait and the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from character.constitution import Constitution
from character.evaluation.conditions import Contrast, own_effects
from character.evaluation.records import Probed
from character.evaluation.shifts import Paired, degrees_apart, odds_apart, paired
from character.text import fingerprint

FILE_NAME = "effect_items.json"


def review_items(
    probed: Sequence[Probed], contrasts: Iterable[Contrast], constitution: Constitution
) -> dict[str, Any]:
    """Return the content of ``effect_items.json``, which ``character review`` reads.

    The responses nearest to each other are the most doubtful.
    """
    items = []
    for contrast in own_effects(contrasts):
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
    odds, degrees = odds_apart(pair, trait), degrees_apart(pair, trait)
    if odds is not None and not pair.condition.degrees:
        return round(1 - abs(math.tanh(odds / 2)), 3)
    return 1.0 if degrees is None else round(1 - min(abs(degrees), 3) / 3, 3)
