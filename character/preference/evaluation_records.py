"""What is found when a preference model is measured, as records."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from character.records import PreferencePair, Record


class PreferenceMeasure(Record):
    """A figure with its 95 % interval by bootstrap over messages.

    There are no ends for fewer than five messages, and no value where there is nothing to measure.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None


class EvaluationScope(Record):
    """How well chosen is told from rejected over some pairs.

    ``accuracy`` is the share of pairs put the right way round, a half for those it cannot tell apart;
    ``shorter`` and ``longer`` are that of pairs whose chosen side has fewer, or more, characters, and
    ``length_balanced`` the mean of these two, on which length alone has 0.5. ``log_loss`` (nats) and
    ``brier`` are those of the probability given to the chosen side (0.693 and 0.25 for a coin). ``ece`` is
    the expected calibration error over ten equal bins of confidence from 0.5 to 1.
    """

    num_pairs: int
    num_messages: int
    accuracy: PreferenceMeasure = PreferenceMeasure()
    shorter: PreferenceMeasure = PreferenceMeasure()
    longer: PreferenceMeasure = PreferenceMeasure()
    length_balanced: PreferenceMeasure = PreferenceMeasure()
    log_loss: PreferenceMeasure = PreferenceMeasure()
    brier: PreferenceMeasure = PreferenceMeasure()
    ece: PreferenceMeasure = PreferenceMeasure()


class ReliabilityBin(Record):
    """Pairs whose confidence max(p, 1 - p) lies in [low, high): its mean, and the share that was right."""

    low: float
    high: float
    num_pairs: int
    confidence: float
    accuracy: PreferenceMeasure


class Rival(Record):
    """Another way of telling chosen from rejected, on the same pairs.

    ``name`` is ``longer`` or ``shorter`` (the longer, or shorter, side wins), ``confounds`` (a classifier of
    surface features alone, see ``pairs.confound_classifier``), or ``length_free`` and ``length_used`` (the
    same model with the other setting). ``gain`` is the accuracy of the model minus the rival's, pair by pair.
    """

    name: str
    accuracy: PreferenceMeasure
    length_balanced: PreferenceMeasure
    gain: PreferenceMeasure


class JudgeView(Record):
    """The judge that ranked, beside the model.

    ``claimed`` is the mean probability that the ranking gives its own choices (None where it gives none): a
    model that agrees much oftener has learnt the judge's errors. ``num_levels`` pairs have one side that was
    asked to show the trait as it should be and one that was not; ``judge`` and ``model`` are the shares in
    which each prefers the former.
    """

    claimed: PreferenceMeasure = PreferenceMeasure()
    num_levels: int = 0
    judge: PreferenceMeasure = PreferenceMeasure()
    model: PreferenceMeasure = PreferenceMeasure()


class PreferenceCurvePoint(Record):
    """Accuracy on held-out messages after learning from ``num_messages`` messages of every trait."""

    num_messages: int
    num_pairs: float
    accuracy: PreferenceMeasure


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


class PreferenceEvaluation(Record):
    """How well a preference model tells chosen from rejected on messages it was not fitted on.

    ``how`` is ``held_out`` (a fitted model, on messages it has not seen; ``num_seen`` pairs of messages it
    has were left out; ``not_fitted`` are the traits it was not fitted on) or ``cross_validated`` (fitted anew
    in every fold). ``specificity`` is, per trait, how often a chosen reply of the trait scores higher on it
    than a chosen reply of another trait in the same language. ``rehearsal`` says whether the rehearsal model
    had a hand in the pairs or in what the model was fitted on, None where that is not known. ``unseen`` are
    traits that were predicted by what the other traits have in common. ``groups`` are scopes by ``trait``,
    ``kind``, ``language`` and ``design``.
    """

    model: str
    how: str
    name: str = ""
    num_folds: int = 0
    num_seen: int = 0
    not_fitted: tuple[str, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)
    seed: int = 0
    length_free: bool | None = None
    rehearsal: bool | None = None
    overall: EvaluationScope
    groups: dict[str, dict[str, EvaluationScope]] = Field(default_factory=dict)
    reliability: tuple[ReliabilityBin, ...] = ()
    rivals: tuple[Rival, ...] = ()
    judge: JudgeView = JudgeView()
    specificity: dict[str, PreferenceMeasure] = Field(default_factory=dict)
    unseen: dict[str, EvaluationScope] = Field(default_factory=dict)
    curve: tuple[PreferenceCurvePoint, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()


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
    agreement: PreferenceMeasure | None = None
    by_trait: dict[str, PreferenceMeasure] = Field(default_factory=dict)
    disagreements: tuple[Disagreement, ...] = ()


def shown(pair: PreferencePair) -> dict[str, Any]:
    """Return what a reader needs of a pair, by the names of the fields of records that show one."""
    own = pair.model_dump(include={"message_id", "trait", "chosen", "rejected"})
    return {**own, "message": pair.prompt[-1].content}
