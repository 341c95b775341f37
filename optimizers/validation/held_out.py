"""Measuring what tuning gains on data that no choice was made on, and adopting only what is surely better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal

from character.locale import wording
from character.statistics.intervals import LEAST_GROUPS
from optimizers.errors import OptimizerError
from optimizers.labelled import LabelledItem, LabelledSet
from optimizers.labelled.splits import blocks
from optimizers.strategies.calibrate import PASSES
from optimizers.strategies.judge_cache import TuningTask
from optimizers.strategies.task import AUTO, PREJUDGED, UNTUNED, Trial, auto, run_strategy
from optimizers.strategies.task import LEAST_ITEMS as AUTO_LEAST
from optimizers.strategies.tuning import Tuning, TuningOptions, tune
from optimizers.validation.evaluation import RankerEvaluation, compare, compare_all, evaluate, usable
from optimizers.validation.report import Contender, LearningCurvePoint, MetricGain, Verdict

LOCKED_FROM, LOCKED_FROM_GROUPS = 40, 20
"""From so many items and groups on a part is locked away; below, nested cross-validation uses every item."""
TEST_SHARE = 0.4
FOLDS = 5
RESERVE = 1.25
"""What the held-out judging after tuning may take, relative to that before: re-asks and extra passes vary."""
LEAST_ITEMS = 4
LEAST_RANKED = 0.5
"""The share of the held-out items that the untuned ranker must be able to rank: figures on fewer would speak
for a minority of them, and what is left out is seldom like the rest."""


@dataclass(frozen=True)
class HeldOutSplit:
    """Items that a strategy may use, and items that are held out from it."""

    train: tuple[LabelledItem, ...]
    test: tuple[LabelledItem, ...]


@dataclass
class HeldOutResult:
    """What came of tuning: the tuning made for use, which strategy made it, and the gains on held-out items.

    ``num_starved`` counts the parts for which ``auto`` had no calls left to try anything, ``not_ranked`` by
    reason the held-out items that were not ranked ``before`` and ``after``: they are in no figure.
    """

    design: Literal["locked", "nested"]
    parts: list[HeldOutSplit]
    chosen: str
    tuning: Tuning
    metrics: list[MetricGain]
    contenders: list[Contender]
    unmeasured: int
    unusable: int
    level: float
    tuning_calls: int
    num_starved: int
    not_ranked: dict[str, dict[str, int]]
    curve: list[LearningCurvePoint] = field(default_factory=list)

    @property
    def gain(self) -> MetricGain | None:
        """The optimized metric, None where no held-out item could tell."""
        return self.metrics[0] if self.metrics else None

    @property
    def is_untuned(self) -> bool:
        """Whether nothing was changed after all."""
        return self.chosen == UNTUNED

    @property
    def adopted(self) -> bool:
        """Whether the held-out gain lies above zero with its whole interval, and something was changed."""
        return not self.is_untuned and self.gain is not None and self.gain.is_real

    @property
    def verdict(self) -> Verdict:
        """How it ended."""
        if self.num_starved == len(self.parts):
            return "starved"
        if self.is_untuned:
            return "untuned"
        if self.gain is None:
            return "unmeasured"
        if self.gain.num_groups < LEAST_GROUPS:
            return "few_groups"
        return "gain" if self.adopted else "losses" if self.gain.gain.interval.low > 0 else "no_gain"

    @property
    def reason(self) -> str:
        """Why it was adopted or not, in a sentence."""
        words = wording("tuning.verdicts", "en")
        reason = words[self.verdict].format(gain=self.gain, level=self.level, least=LEAST_GROUPS)
        if self.verdict != "no_gain" or not self.num_starved:
            return reason
        return reason + words["starved_in_part"].format(starved=self.num_starved, parts=len(self.parts))


@dataclass
class HeldOutValidation:
    """Tunes and measures a labelled set with one task; the whole strategy runs once per held-out part."""

    task: TuningTask
    on_stage: Callable[[str], None] = lambda _stage: None

    @property
    def options(self) -> TuningOptions:
        """What is asked of tuning."""
        return self.task.judge.options

    def run(self, labelled: LabelledSet, budget: int) -> HeldOutResult:
        """Return what tuning on the set amounts to, with at most ``budget`` calls in all.

        Raises OptimizerError where there are too few items whose labels tell anything.
        """
        metric, ledger = self.options.metric, self.task.judge.ledger
        items = usable(labelled, metric)
        design, parts = plan_parts(labelled, items, self.options.seed)
        with ledger.allowance(budget):
            start = ledger.spent
            self.on_stage("before")
            before = self.measure(self.task.start, [item for part in parts for item in part.test])
            cost = ledger.spent - start
            _check_judged(before)
            return self._tuned(parts, items, before, cost, design, len(labelled.items) - len(items))

    def measure(self, tuning: Tuning, items: Sequence[LabelledItem]) -> RankerEvaluation:
        """Return what the ranker makes of items under a tuning, asked as in a run."""
        judge = self.task.judge
        ranker: Any = judge.ranker.deepcopy()  # type: ignore[attr-defined]  # a ranker is a dspy.Module
        tune(ranker, tuning)
        return evaluate(
            ranker,
            items,
            lm=judge.lm,
            ledger=judge.ledger,
            seed=self.options.seed,
            num_threads=judge.options.num_threads,
        )

    def tuned(self, items: Sequence[LabelledItem], budget: int) -> tuple[str, Tuning, list[Trial]]:
        """Return (the strategy that was used, what it made of the items, the trials of ``auto``)."""
        chosen, trials = self.options.strategy, list[Trial]()
        if chosen == AUTO:
            chosen, tuning, trials = auto(self.task, items, budget)
        else:
            tuning = run_strategy(self.task, chosen, items, budget)
        return (chosen if tuning != self.task.start else UNTUNED), tuning, trials

    def _tuned(
        self,
        parts: list[HeldOutSplit],
        items: list[LabelledItem],
        before: RankerEvaluation,
        cost: int,
        design: Literal["locked", "nested"],
        unusable: int,
    ) -> HeldOutResult:
        ledger = self.task.judge.ledger
        runs = len(parts) + (design == "nested")
        after, tuning_calls, starved = RankerEvaluation({}, {}), 0, 0
        made: tuple[str, Tuning, list[Trial]] = (UNTUNED, self.task.start, [])
        if design == "nested" and self.options.strategy in PREJUDGED:
            self._prejudge(items, int(RESERVE * cost))
        for number, part in enumerate(parts):
            self.on_stage(f"tuning {number + 1} of {runs}")
            reserve = int(RESERVE * cost * (len(parts) - number) / len(parts))
            spent = ledger.spent
            made = self.tuned(part.train, (ledger.left - reserve) // (runs - number))
            starved += self.options.strategy == AUTO and len(made[2]) == 1 and len(part.train) >= AUTO_LEAST
            tuning_calls = ledger.spent - spent
            self.on_stage("after")
            after = _joined(after, self.measure(made[1], part.test))
        if design == "nested":
            self.on_stage(f"tuning {runs} of {runs}")
            spent = ledger.spent
            made = self.tuned(items, ledger.left)
            tuning_calls = ledger.spent - spent
        held = [item for part in parts for item in part.test]
        metric, level, seed = self.options.metric, self.options.level, self.options.seed
        chosen, tuning, trials = made
        return HeldOutResult(
            design=design,
            parts=parts,
            chosen=chosen,
            tuning=tuning,
            metrics=compare_all(before, after, held, metric, level=level, seed=seed),
            contenders=[Contender.model_validate(trial, from_attributes=True) for trial in trials],
            unmeasured=len(set(before.unmeasured) | set(after.unmeasured)),
            unusable=unusable,
            level=level,
            tuning_calls=tuning_calls,
            num_starved=starved,
            not_ranked={"before": before.num_faults, "after": after.num_faults},
        )

    def _prejudge(self, items: list[LabelledItem], reserve: int) -> None:
        """Judge the items before any tuning, once for all runs; else the first one would pay for all."""
        judge, start = self.task.judge, replace(self.task.start, calibration=None)
        passes = next(
            (n for n in (PASSES, 1) if judge.calls_missing(start, items, n) <= judge.ledger.left - reserve), 0
        )
        if passes:
            self.on_stage("judging")
            judge.judgements(start, items, passes=passes)

    def curve(self, result: HeldOutResult, budget: int) -> list[LearningCurvePoint]:
        """Return the held-out gain after tuning with fewer items, as far as ``budget`` calls reach.

        The strategy that was chosen runs on a half and a quarter of each training part (one part of the
        next); the held-out items are the same. The last point is the gain itself, at the mean size of a
        training part. Nothing is chosen by it.
        """
        gain = result.gain
        if result.is_untuned or gain is None:
            return []
        ledger, held = self.task.judge.ledger, [item for part in result.parts for item in part.test]
        points = [_point([part.train for part in result.parts], gain)]
        same_prompt = result.tuning.prompt_key == self.task.start.prompt_key
        judging = 0 if same_prompt else int(RESERVE * 2 * len(held))
        with ledger.allowance(budget):
            before = self.measure(self.task.start, held)
            for share in (0.5, 0.25):
                fewer = [_some(part.train, share, self.options.seed) for part in result.parts]
                allowed = int(result.tuning_calls * share) + 1
                if min(map(len, fewer)) < LEAST_ITEMS or ledger.left < allowed * len(fewer) + judging:
                    break
                after = RankerEvaluation({}, {})
                for part, items in zip(result.parts, fewer, strict=True):
                    tuning = run_strategy(self.task, result.chosen, items, allowed)
                    after = _joined(after, self.measure(tuning, part.test))
                comparison = compare(
                    before, after, held, gain.metric, level=self.options.level, seed=self.options.seed
                )
                if comparison is not None:
                    points.append(_point(fewer, comparison))
        return points[::-1]


def _some(items: Sequence[LabelledItem], share: float, seed: int) -> list[LabelledItem]:
    """Return this share of the items, of which a smaller share is a part."""
    order = list(items)
    Random(seed).shuffle(order)
    return order[: round(share * len(order))]


def _point(parts: Sequence[Sequence[LabelledItem]], gain: MetricGain) -> LearningCurvePoint:
    return LearningCurvePoint(num_items=round(sum(map(len, parts)) / len(parts)), gain=gain.gain)


def plan_parts(
    labelled: LabelledSet, items: Sequence[LabelledItem], seed: int
) -> tuple[Literal["locked", "nested"], list[HeldOutSplit]]:
    """Return how the gain is measured: a locked test part, or folds each held out once, groups whole."""
    name = labelled.name or "the labelled set"
    if len(items) < LEAST_ITEMS:
        raise OptimizerError(
            f"{name}: found {len(items)} items whose labels tell something by this metric.",
            expected=f"at least {LEAST_ITEMS}, better 40: a gain measured on fewer is noise",
            fix="label more messages, or take another metric.",
        )
    groups = len(blocks(items))
    if groups < 2:
        raise OptimizerError(
            f"{name}: all {len(items)} items belong to one group.",
            expected="at least two groups (or messages), better 10: what is held out must be of other groups",
        )
    whole = labelled.model_copy(update={"items": tuple(items)})
    if len(items) >= LOCKED_FROM and groups >= LOCKED_FROM_GROUPS:
        train, test = whole.split((1 - TEST_SHARE, TEST_SHARE), seed)
        return "locked", [HeldOutSplit(train.items, test.items)]
    folds = whole.folds(min(FOLDS, len(items) // 2, groups), seed)
    return "nested", [HeldOutSplit(rest.items, held.items) for rest, held in folds]


def _check_judged(before: RankerEvaluation) -> None:
    """Raise where the untuned ranker could rank nothing, or too little: there is nothing to compare with."""
    ranked, asked = len(before.scores), len(before.scores) + len(before.faults)
    if ranked and ranked >= LEAST_RANKED * asked:
        return
    if before.unmeasured and not asked:
        raise OptimizerError(
            "the budget ends before any held-out item is judged.",
            expected="a few calls per labelled item at least",
            fix="raise the budget.",
        )
    faults = ", ".join(f"{reason} {number}" for reason, number in before.num_faults.items())
    raise OptimizerError(
        f"the ranker could rank {ranked or 'none'} of the {asked} held-out items ({faults}).",
        expected=f"at least {LEAST_RANKED:.0%}: a gain on fewer says nothing of the others",
        fix="try it on one message first; look at the model's replies.",
    )


def _joined(left: RankerEvaluation, right: RankerEvaluation) -> RankerEvaluation:
    return replace(
        left,
        scores={**left.scores, **right.scores},
        faults={**left.faults, **right.faults},
        unmeasured=(*left.unmeasured, *right.unmeasured),
    )
