"""A second opinion on the ranker: where a preference model would have a pair the other way round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from character.pairs.table import without_nan
from character.records import PreferencePair, Record
from character.statistics.arrays import Floats
from character.statistics.intervals import bootstrap_intervals

NUM_SHOWN = 12
BATCH_SIZE = 512

Prefers = Callable[[Sequence[PreferencePair]], Floats]
"""For each pair the probability, in 0..1, that its chosen side is the better one."""


class AgreementShare(Record):
    """A share in 0..1 with its 95 % interval by bootstrap over messages; no ends for fewer than five."""

    value: float
    low: float | None = None
    high: float | None = None


class Disagreement(Record):
    """A pair that the model would have the other way round.

    ``probability`` is that of the rejected side being the better one, by the model; ``judge_probability``
    that of the chosen side, by the ranking (None where it does not say).
    """

    pair_id: str
    message_id: str
    trait: str
    message: str
    chosen: str
    rejected: str
    probability: float
    judge_probability: float | None = None


class SecondOpinion(Record):
    """How often a preference model agrees with the ranker on a run's pairs, and where it does not.

    ``num_seen`` of the pairs are of messages that the model was fitted on: on these it has the judge's
    answer, so ``agreement`` is that on the others, None where there are none. ``not_fitted`` are the traits
    it was not fitted on; ``rehearsal`` says that the rehearsal model had a hand in what it was fitted on.
    Pairs of the design ``neutral`` are left out.
    """

    model: str
    num_pairs: int
    num_seen: int
    not_fitted: tuple[str, ...] = ()
    rehearsal: bool | None = None
    agreement: AgreementShare | None = None
    by_trait: dict[str, AgreementShare] = Field(default_factory=dict)
    disagreements: tuple[Disagreement, ...] = ()


def second_opinion(
    pairs: Sequence[PreferencePair],
    prefers: Prefers,
    *,
    model: str,
    is_seen: Callable[[PreferencePair], bool],
    seed: int = 0,
) -> SecondOpinion:
    """Return where a model of that name and the ranker that made these pairs disagree, the surest first."""
    asked = [pair for pair in pairs if pair.design != "neutral"]
    parts = [prefers(asked[start : start + BATCH_SIZE]) for start in range(0, len(asked), BATCH_SIZE)]
    chosen = np.concatenate(parts) if parts else np.empty(0)
    new = np.array([not is_seen(pair) for pair in asked], dtype=bool)
    traits = np.array([pair.trait for pair in asked], dtype=object)
    by_trait = {
        trait: _agreement(asked, chosen, new & (traits == trait), seed) for trait in dict.fromkeys(traits)
    }
    return SecondOpinion(
        model=model,
        num_pairs=len(asked),
        num_seen=int((~new).sum()),
        agreement=_agreement(asked, chosen, new, seed),
        by_trait={trait: share for trait, share in by_trait.items() if share},
        disagreements=most_certain(asked, chosen, NUM_SHOWN),
    )


def most_certain(pairs: Sequence[PreferencePair], chosen: Floats, number: int) -> tuple[Disagreement, ...]:
    """Return at most so many pairs that a model would have the other way round, the surest first.

    ``chosen`` is for each pair the model's probability that the chosen side is the better one.
    """
    order: list[int] = np.argsort(chosen, kind="stable")[:number].tolist()
    surest = [(pairs[place], float(1 - chosen[place])) for place in order if chosen[place] < 0.5]
    return tuple(
        Disagreement(
            pair_id=pair.id, probability=probability, judge_probability=pair.probability, **shown(pair)
        )
        for pair, probability in surest
    )


def shown(pair: PreferencePair) -> dict[str, Any]:
    """Return what a reader needs of a pair, by the names of the fields of records that show one."""
    own = pair.model_dump(include={"message_id", "trait", "chosen", "rejected"})
    return {**own, "message": pair.prompt[-1].content}


def _agreement(
    pairs: Sequence[PreferencePair], chosen: Floats, rows: Floats, seed: int
) -> AgreementShare | None:
    if not rows.any():
        return None
    right = (np.sign(chosen[rows] - 0.5) + 1) / 2
    messages = [pair.message_id for pair, is_asked in zip(pairs, rows, strict=True) if is_asked]
    low, high = without_nan(
        bootstrap_intervals(right[:, None], np.unique(messages, return_inverse=True)[1], seed=seed)[:, 0]
    )
    return AgreementShare(value=float(right.mean()), low=low, high=high)
