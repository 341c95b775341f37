"""A preference model beside the judge, or in its place: its shifts on the same responses, and how they agree.

The model is handed in as functions, so that any scorer of responses can stand here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from character.constitution import Constitution, Trait
from character.evaluation.conditions import Contrast, own_effects
from character.evaluation.figures import adjusted, grouped_mean, mean_figure
from character.evaluation.records import DEGREE_SCORES, Opinion, OpinionShift, Probed
from character.evaluation.shifts import Paired, odds_apart, of_question, paired
from character.records import Message
from character.statistics.arrays import Floats

BATCH_SIZE = 512


class Scored(NamedTuple):
    """A response to be scored: the message, the text, and the trait that it should fit."""

    message: Message
    text: str
    trait: Trait


@dataclass(frozen=True)
class PreferenceJudge:
    """A fitted preference model as an evaluation needs it.

    ``scores`` gives log-odds, of which only differences between responses to one message count; ``traits``
    are those it was fitted on, and ``is_seen`` says whether it was fitted on a message.
    """

    name: str
    traits: frozenset[str]
    scores: Callable[[Sequence[Scored]], Floats]
    is_seen: Callable[[Message], bool]


def with_odds(probed: Sequence[Probed], judge: PreferenceJudge, constitution: Constitution) -> list[Probed]:
    """Return the messages with the model's score of every response, for every trait (pressed: their own)."""
    sides = [
        Scored(each.message, response.text, trait)
        for each in probed
        for response in each.responses
        for trait in _traits(each, constitution)
    ]
    parts = [judge.scores(sides[start : start + BATCH_SIZE]) for start in range(0, len(sides), BATCH_SIZE)]
    scores = iter(np.concatenate(parts).tolist() if parts else [])
    scored = []
    for each in probed:
        names = [trait.name for trait in _traits(each, constitution)]
        responses = tuple(
            response.model_copy(update={"odds": {name: next(scores) for name in names}})
            for response in each.responses
        )
        scored.append(each.model_copy(update={"responses": responses}))
    return scored


def opinion_of(
    probed: Sequence[Probed],
    contrasts: Sequence[Contrast],
    constitution: Constitution,
    judge: PreferenceJudge,
    seed: int,
) -> Opinion:
    """Return the model's shifts, and how far it and the judge agree where the judge judged.

    p-values are by sign flips of messages, adjusted (Holm) among the intended shifts, and among the others,
    of one question.
    """
    shifts: list[OpinionShift] = []
    for contrast in contrasts:
        pairs = paired(probed, contrast)
        shifts += [_shift(pairs, contrast, trait, seed) for trait in constitution.traits if pairs]
    verdicts = [
        (verdict, pair.probed.message.id)
        for contrast in own_effects(contrasts)
        for pair in paired(probed, contrast)
        if (verdict := _alike(pair, constitution.trait(contrast.group))) is not None
    ]
    values, messages = [verdict for verdict, _ in verdicts], [message for _, message in verdicts]
    return Opinion(
        model=judge.name,
        not_fitted=tuple(t.name for t in constitution.traits if t.name not in judge.traits),
        num_seen=sum(judge.is_seen(each.message) for each in probed if not each.pressure),
        num_messages=sum(not each.pressure for each in probed),
        shifts=adjusted(shifts, of_question),
        agreement=grouped_mean(values, messages, seed),
        num_compared=len(values),
    )


def _traits(probed: Probed, constitution: Constitution) -> Sequence[Trait]:
    return [constitution.trait(probed.group)] if probed.pressure else constitution.traits


def _shift(pairs: Sequence[Paired], contrast: Contrast, trait: Trait, seed: int) -> OpinionShift:
    odds = [odds_apart(pair, trait.name) or 0.0 for pair in pairs]
    figure, p = mean_figure(odds, seed)
    preferred, _ = mean_figure([1 / (1 + np.exp(-np.clip(each, -500, 500))) for each in odds], seed)
    nearer = [steps for pair in pairs if (steps := _nearer(pair, trait)) is not None]
    alike = [verdict for pair in pairs if (verdict := _alike(pair, trait)) is not None]
    return OpinionShift(
        contrast=contrast,
        trait=trait.name,
        is_intended=trait.name == contrast.group,
        odds=figure,
        preferred=preferred,
        p=p,
        adjusted_p=p,
        judge=mean_figure(nearer, seed)[0] if nearer else None,
        agreement=grouped_mean(alike, list(range(len(alike))), seed),
        num_messages=len(pairs),
        num_compared=len(alike),
    )


def _nearer(pair: Paired, trait: Trait) -> float | None:
    """Return by how many degrees the condition's response is nearer to the trait's target, by the judge."""
    one, other = pair.condition.degrees.get(trait.name), pair.reference.degrees.get(trait.name)
    if one is None or other is None:
        return None
    target = DEGREE_SCORES[trait.target]
    return float(abs(DEGREE_SCORES[other] - target) - abs(DEGREE_SCORES[one] - target))


def _alike(pair: Paired, trait: Trait) -> float | None:
    """Return 1 where judge and model prefer the same response, 0 where not, None where the judge has none."""
    nearer = _nearer(pair, trait)
    return None if not nearer else float(((odds_apart(pair, trait.name) or 0.0) > 0) == (nearer > 0))
