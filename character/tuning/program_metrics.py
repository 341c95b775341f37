"""What a whole program is measured by, for DSPy's optimizers: its pairs, levels, messages and responses.

Every metric is called as ``metric(example, result, trace=None)`` with a ``CharacterResult`` and returns a
number in 0..1 of which more is better. ``with_feedback`` makes of one what GEPA takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from character.backends.dspy_compat import is_frozen, set_frozen
from character.errors import InputError, UnknownNameError
from character.messages.diversity import ngram_similarities, sample_of, vendi_score
from character.pairs.designs import IN_CHARACTER
from character.records import CharacterResult, Rollout
from character.text import is_refusal

ProgramMetric = Callable[..., float]
Judge = Callable[[str, str, str], float]
"""A message, a response and a trait's name in, how well the response fits in 0..1 out."""
PARTS = ("generator", "responder", "ranker")
"""The parts of a program, by the names of its attributes."""
_BESIDES = "over_cap"


def usable_pairs(example: Any, result: CharacterResult, trace: Any = None) -> float:
    """Return the share of what could have become a pair that did.

    What did not is counted by its drop: a pair that was tied, unsure, too close, identical or against its
    levels; and once each message not answered, not ranked or found unsuitable. Pairs over a cap are no loss.
    """
    lost = sum(
        not drop.recovered and drop.reason != _BESIDES
        for rollout in result.rollouts
        for drop in rollout.drops
        if drop.stage == "pairs" or drop.reason == "too_few_candidates"
    )
    made = len(result.pairs)
    return made / (made + lost) if made else 0.0


def mean_margin(example: Any, result: CharacterResult, trace: Any = None) -> float:
    """Return the mean margin of a message's pairs, over all messages; 0 for a message without a pair."""
    return _mean([_mean([max(0.0, pair.margin) for pair in rollout.pairs]) for rollout in result.rollouts])


def level_agreement(example: Any, result: CharacterResult, trace: Any = None) -> float:
    """Return how often the ranking puts natural or subtle candidates above absent, overdone or opposite ones.

    It is the share of such pairs of candidates within a message, a tie counting half, over all messages that
    have some; 0 for one that was not ranked. It measures responses and ranking together: whether candidates
    came out as asked, and whether the judge sees it.
    """
    shares = [_level_share(rollout) for rollout in result.rollouts]
    return _mean([share for share in shares if share is not None])


def message_diversity(example: Any, result: CharacterResult, trace: Any = None) -> float:
    """Return the effective number of different messages (Vendi score over character n-grams) as a share.

    n messages that say the same have 1/n, n that share nothing 1; without messages it is 0. A seeded sample
    of 200 stands for more.
    """
    texts = [message.text for message in result.messages]
    if len(texts) < 2:
        return 0.0
    chosen = [texts[i] for i in sample_of(range(len(texts)), seed=0)]
    return min(1.0, float(vendi_score(ngram_similarities(chosen))) / len(chosen))


def judged_responses(judge: Judge) -> ProgramMetric:
    """Return a metric: the mean judgement of responses meant to be in character, refusals counting 0.

    ``judge`` is anything that says in 0..1 how well a response fits: a preference model, a lookup of people's
    labels, another ranker. Candidates of the levels absent, overdone and opposite are meant to be worse, and
    left out; a message without any counts 0.
    """

    def judged(example: Any, result: CharacterResult, trace: Any = None) -> float:
        return _mean([_judgement(rollout, judge) for rollout in result.rollouts])

    return judged


METRICS: dict[str, ProgramMetric] = {
    "usable_pairs": usable_pairs,
    "mean_margin": mean_margin,
    "level_agreement": level_agreement,
    "message_diversity": message_diversity,
}


def weighted(weights: Mapping[str | ProgramMetric, float]) -> ProgramMetric:
    """Return the weighted mean of several metrics, given by name or as functions; weights are positive.

    Raises UnknownNameError for a name and InputError for weights that are none.
    """
    if not weights or any(weight <= 0 for weight in weights.values()):
        raise InputError(f"found the weights {list(weights.values())}.", expected="positive numbers")
    parts = [(_metric(metric), weight) for metric, weight in weights.items()]
    total = sum(weight for _, weight in parts)

    def mean(example: Any, result: CharacterResult, trace: Any = None) -> float:
        return sum(weight * metric(example, result, trace) for metric, weight in parts) / total

    return mean


def with_feedback(metric: str | ProgramMetric) -> Callable[..., Any]:
    """Return a metric for GEPA: a ``dspy.Prediction`` of the score, and what was lost, where and why.

    Asked about one predictor, it tells what concerns the part that predictor belongs to.
    """
    function = _metric(metric)

    def measure(
        gold: Any, pred: Any, trace: Any = None, pred_name: str | None = None, pred_trace: Any = None
    ) -> Any:
        import dspy

        # A predictor's name says which part it belongs to, or nothing.
        part = next((name for name in (pred_name or "").split(".") if name in PARTS), "")
        return dspy.Prediction(score=function(gold, pred, trace), feedback=describe(pred, part))

    return measure


def describe(result: CharacterResult, part: str = "") -> str:
    """Return in words what a program made and lost, or one part of it, with an example of each loss.

    The losses of pairs are told for every part: each has a share in them.
    """
    stages = {"generator": ("messages", "pairs"), "responder": ("responses", "pairs")}.get(part)
    lost = Counter(
        (drop.stage, drop.reason)
        for drop in result.drops
        if not drop.recovered and (stages is None or drop.stage in stages)
    )
    lines = [f"{len(result.messages)} messages, {len(result.pairs)} preference pairs."]
    for (stage, reason), number in lost.most_common(5):
        detail = next(drop.detail for drop in result.drops if (drop.stage, drop.reason) == (stage, reason))
        example = f", for example: {detail[:120]}" if detail else ""
        lines.append(f"Lost in {stage}: {number} times {reason}{example}.")
    if part != "generator" and result.candidates:
        lines.append(
            "The ranking puts natural and subtle candidates above the others in "
            f"{level_agreement(None, result):.0%} of the cases; "
            "where it does not, either the response does not show its level or the judge misses it."
        )
    if part in ("", "generator"):
        share = message_diversity(None, result)
        lines.append(f"The effective number of different messages is {share:.0%} of their number.")
    return "\n".join(lines)


def compile_parts(program: Any, parts: Sequence[str], compile: Callable[[Any], Any]) -> Any:
    """Return the program with some of its parts compiled and the others as they were.

    ``parts`` are names of ``PARTS``; ``compile`` takes a program and returns the compiled one, for example
    ``lambda program: optimizer.compile(program, trainset=trainset)``. The program itself is left as it is.
    """
    for name in parts:
        if name not in PARTS:
            raise UnknownNameError("part of a program", name, PARTS)
    student = program.deepcopy()
    was = {name: is_frozen(getattr(student, name)) for name in PARTS}
    for name in PARTS:
        set_frozen(getattr(student, name), name not in parts)
    compiled = compile(student)
    for name in PARTS:
        set_frozen(getattr(compiled, name), was[name])
    return compiled


def _metric(metric: str | ProgramMetric) -> ProgramMetric:
    if not isinstance(metric, str):
        return metric
    if metric not in METRICS:
        raise UnknownNameError("program metric", metric, METRICS)
    return METRICS[metric]


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


def _level_share(rollout: Rollout) -> float | None:
    """Return the share of a message's contrasts that are ranked as meant, None where it has none."""
    levels = [item.level for item in rollout.candidates.items] if rollout.candidates else []
    inside = [i for i, level in enumerate(levels) if level in IN_CHARACTER]
    outside = [i for i, level in enumerate(levels) if level is not None and level not in IN_CHARACTER]
    if rollout.candidates and not (inside and outside):
        return None
    scores = rollout.ranking.scores if rollout.ranking else ()
    if not scores:
        return 0.0
    leads = [scores[i] - scores[j] for i in inside for j in outside]
    return fmean([1.0 if lead > 0 else 0.5 if lead == 0 else 0.0 for lead in leads])


def _judgement(rollout: Rollout, judge: Judge) -> float:
    if rollout.candidates is None:
        return 0.0
    meant = [item.text for item in rollout.candidates.items if item.level in (None, *IN_CHARACTER)]
    message = rollout.message
    return _mean(
        [0.0 if is_refusal(text) else float(judge(message.text, text, message.trait)) for text in meant]
    )
