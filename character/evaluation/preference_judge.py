"""A preference model beside the judge, or in its place: its shifts on the same responses, and where the two agree.

The model is handed in as a function, since what fits it lies above this room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from character.constitution import Constitution, Trait
from character.evaluation.conditions import Contrast
from character.evaluation.figures import adjusted, grouped_mean, mean_figure
from character.evaluation.records import DEGREE_SCORES, Opinion, OpinionShift, Probed
from character.evaluation.shifts import Paired, odds_apart, of_question, paired
from character.records import Message
from character.statistics.arrays import Floats

BATCH_SIZE = 512
_QUESTIONS = ("alone", "within", "character", "models")


class Scored(NamedTuple):
    """A response to be scored: the message, the text, and the trait that it should fit."""

    message: Message
    text: str
    trait: Trait


@dataclass(frozen=True)
class PreferenceJudge:
    """A fitted preference model as an evaluation needs it.

    ``scores`` gives log-odds, of which only differences between responses to one message count; ``traits`` are those it was
    fitted on, and ``is_seen`` says whether it was fitted on a message.
    """

    name: str
    traits: frozenset[str]
    scores: Callable[[Sequence[Scored]], Floats]
    is_seen: Callable[[Message], bool]


def with_odds(probed: Sequence[Probed], judge: PreferenceJudge, constitution: Constitution) -> list[Probed]:
    """Return the messages with the model's score of every response, for every trait (pressed ones for their own)."""
    sides: list[Scored] = []
    for each in probed:
        for trait in _traits(each, constitution):
            sides += [Scored(each.message, response.text, trait) for response in each.responses]
    parts = [judge.scores(sides[start : start + BATCH_SIZE]) for start in range(0, len(sides), BATCH_SIZE)]
    scores = iter(np.concatenate(parts).tolist() if parts else [])
    found = []
    for each in probed:
        odds: list[dict[str, float]] = [{} for _ in each.responses]
        for trait in _traits(each, constitution):
            for known in odds:
                known[trait.name] = next(scores)
        responses = tuple(
            response.model_copy(update={"odds": known})
            for response, known in zip(each.responses, odds, strict=True)
        )
        found.append(each.model_copy(update={"responses": responses}))
    return found


def opinion_of(
    probed: Sequence[Probed],
    contrasts: Iterable[Contrast],
    constitution: Constitution,
    judge: PreferenceJudge,
    *,
    seed: int = 0,
) -> Opinion:
    """Return the model's shifts, and how far it and the judge agree where the judge judged.

    p-values are by sign flips of messages, adjusted (Holm) among the intended shifts, and among the others, of one question.
    """
    shifts: list[OpinionShift] = []
    alike: dict[tuple[str, str], list[float]] = {}
    for contrast in contrasts:
        pairs = paired(probed, contrast) if contrast.question in _QUESTIONS else []
        for trait in constitution.traits if pairs else ():
            shifts.append(_shift(pairs, contrast, trait, judge, seed))
            if contrast.question in ("alone", "models") and contrast.group == trait.name:
                for pair in pairs:
                    verdict = _alike(pair, trait)
                    if verdict is not None:
                        alike.setdefault((trait.name, pair.probed.message.id), []).append(verdict)
    values = [value for found in alike.values() for value in found]
    messages = [message for (_, message), found in alike.items() for _ in found]
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


def _shift(
    pairs: Sequence[Paired], contrast: Contrast, trait: Trait, judge: PreferenceJudge, seed: int
) -> OpinionShift:
    odds = [odds_apart(pair, trait.name) or 0.0 for pair in pairs]
    figure, p = mean_figure(odds, seed)
    preferred, _ = mean_figure([1 / (1 + np.exp(-np.clip(each, -500, 500))) for each in odds], seed)
    nearer = [found for pair in pairs if (found := _nearer(pair, trait)) is not None]
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
    sides = [side.degrees.get(trait.name) for side in (pair.condition, pair.reference)]
    if sides[0] is None or sides[1] is None:
        return None
    target = DEGREE_SCORES[trait.target]
    condition, reference = (abs(DEGREE_SCORES[degree] - target) for degree in sides if degree)
    return float(reference - condition)


def _alike(pair: Paired, trait: Trait) -> float | None:
    """Return 1 where judge and model put the same response first, 0 where not, None where the judge puts none first."""
    nearer = _nearer(pair, trait)
    return None if not nearer else float(((odds_apart(pair, trait.name) or 0.0) > 0) == (nearer > 0))
