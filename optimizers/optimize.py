"""Tuning a ranker to a labelled set: one call, any strategy, an honest report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optimizers.calibration.length import length_note
from optimizers.errors import OptimizerError
from optimizers.labelled import LabelledSet
from optimizers.metrics import metric_named
from optimizers.strategies.auto import mean_gain, standard_error
from optimizers.strategies.judge_cache import Bench, quiet_context
from optimizers.strategies.metering import RANKING, REFLECTION, Ledger, metered
from optimizers.strategies.task import AUTO, STRATEGIES, UNTUNED, Task, known_strategy
from optimizers.strategies.tuning import Tuning, find_ranker, tune, tuning_of
from optimizers.validation.evaluation import usable
from optimizers.validation.held_out import Outcome, Trier
from optimizers.validation.report import (
    Calls,
    Contender,
    Control,
    CurvePoint,
    Figure,
    MetricGain,
    OptimizationReport,
    Tuned,
)

__all__ = ["AUTO", "STRATEGIES", "UNTUNED", "OptimizationResult", "Progress", "optimize_ranker"]

LEAST_BUDGET, CALLS_PER_ITEM = 600, 25
"""The model calls that are allowed where nobody says: so many per labelled item, and no fewer than the first number."""
CURVE_SHARE = 0.15
"""The share of the calls that is kept for the learning curve."""


@dataclass(frozen=True)
class Progress:
    """How far an optimization is: what it does, the calls made of those allowed, and the best training score so far.

    ``best`` is a goodness in 0..1 on training items, None before the first; it is no estimate of anything,
    because the best of several is picked by it.
    """

    stage: str
    calls: int
    budget: int
    best: float | None


@dataclass(frozen=True)
class OptimizationResult:
    """What an optimization gives.

    ``program`` is what to use: a copy of the program given, with the tuned ranker where it was adopted, else
    as it was. ``tuned`` is the copy with the tuned ranker in any case, ``ranker`` the ranker inside it.
    """

    program: Any
    tuned: Any
    ranker: Any
    tuning: Tuning
    report: OptimizationReport


def usual_budget(num_items: int, controls: int = 0) -> int:
    """Return the model calls that tuning to so many labelled items is allowed where nobody says, and as many for each control.

    Judging them all before and after, in every fold, takes a number of calls that grows with them; with fewer calls
    ``auto`` has none left to try anything in.
    """
    return max(LEAST_BUDGET, CALLS_PER_ITEM * num_items) * (1 + controls)


def optimize_ranker(
    program_or_ranker: Any,
    labelled: LabelledSet,
    strategy: str = AUTO,
    *,
    budget: int | None = None,
    metric: str = "pairwise_accuracy",
    lms: Mapping[str, Any] | None = None,
    seed: int = 0,
    level: float = 0.95,
    controls: int = 0,
    wordings: Sequence[str] = (),
    temperatures: Sequence[float] = (),
    uses_length: bool = True,
    num_threads: int = 8,
    on_progress: Callable[[Progress], None] | None = None,
) -> OptimizationResult:
    """Tune a ranker, alone or inside a program, to a labelled set, and measure honestly what that gains.

    The program given stays as it is; of the copies only the ranker's instruction, demos, temperature and
    calibration change. ``budget`` (see ``usual_budget``) is the most model calls made over everything: tuning, judging the held-out
    items before and after, the learning curve, and ``controls`` runs on permuted labels (which share it
    equally with the real one). ``lms`` names the models for ``ranking`` and ``reflection`` (proposing
    instructions); without it the ranker's own model, or that of the context, does both. The tuned ranker is
    adopted only where the interval of the held-out gain (at ``level``) lies above zero. The same seed gives
    the same result where the models answer alike. ``wordings`` (instructions) and ``temperatures`` are further
    ones for ``select`` to choose from. With ``uses_length`` False no calibration looks at the length of candidates;
    else ``report.warning`` says so where one does. Raises OptimizerError for unusable labels, an unknown name
    or a missing extra, and what the model raises where its server fails.
    """
    known_strategy(strategy)
    metric_named(metric)
    budget = usual_budget(len(labelled.items), controls) if budget is None else budget
    if budget < 1:
        raise OptimizerError(f"found a budget of {budget} calls.", expected="at least 1")
    ranker = find_ranker(program_or_ranker)
    ledger = Ledger(budget)
    with quiet_context():
        own, lm, reflection = _models(ranker, ledger, dict(lms or {}))
        tried: dict[str, Any] = {
            "wordings": wordings,
            "temperatures": temperatures,
            "uses_length": uses_length,
        }
        bench = Bench(own, lm, ledger, metric, seed=seed, num_threads=num_threads, **tried)
        task = Task(bench, tuning_of(own), reflection)
        watch = _Watch(task, budget, on_progress)
        trier = Trier(task, strategy, seed, level, watch.stage)
        share = budget // (1 + controls)
        outcome = trier.run(labelled, int(share * (1 - CURVE_SHARE)))
        watch.stage("learning curve")
        outcome.curve = trier.curve(outcome, share - ledger.spent)
        control = _control(trier, labelled, controls, watch) if controls else None
    report = _report(outcome, trier, labelled, ledger, control)
    tuned, untouched = program_or_ranker.deepcopy(), program_or_ranker.deepcopy()
    inner = find_ranker(tuned)
    tune(inner, outcome.tuning)
    return OptimizationResult(tuned if outcome.adopted else untouched, tuned, inner, outcome.tuning, report)


def _models(ranker: Any, ledger: Ledger, lms: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return a copy of the ranker without a model of its own, and the metered judge and proposer."""
    import dspy

    unknown = sorted(set(lms) - {RANKING, REFLECTION})
    if unknown:
        raise OptimizerError(f"found a model for {unknown[0]!r}.", expected=f"{RANKING} and {REFLECTION}")
    judge = lms.get(RANKING) or ranker.rank.lm or dspy.settings.lm
    if judge is None:
        raise OptimizerError(
            "no language model is configured.", fix="dspy.configure(lm=…), or pass lms={'ranking': lm}."
        )
    own = ranker.deepcopy()
    own.rank.lm = None  # it judges with the metered model of the context
    if getattr(own, "jurors", None):
        own.jurors = {name: metered(lm, ledger, RANKING) for name, lm in own.jurors.items()}
    return own, metered(judge, ledger, RANKING), metered(lms.get(REFLECTION) or judge, ledger, REFLECTION)


@dataclass
class _Watch:
    """Tells whoever watches how far it is, after every call and at every stage."""

    task: Task
    budget: int
    on_progress: Callable[[Progress], None] | None
    now: str = ""

    def __post_init__(self) -> None:
        if self.on_progress is not None:
            self.task.bench.ledger.on_call = self.tell

    def stage(self, name: str) -> None:
        """Begin a stage."""
        self.now = name
        self.tell()

    def tell(self) -> None:
        """Tell how far it is."""
        if self.on_progress is not None:
            bench = self.task.bench
            self.on_progress(Progress(self.now, bench.ledger.spent, self.budget, bench.best))


def _control(trier: Trier, labelled: LabelledSet, runs: int, watch: _Watch) -> Control:
    """Run the whole again on permuted labels; each run gets the same share of the calls that are left."""
    ledger, adopted, gains = trier.task.bench.ledger, 0, []
    for number in range(runs):
        watch.stage(f"control {number + 1} of {runs}")
        outcome = trier.run(labelled.permuted(trier.seed + 1 + number), ledger.left // (runs - number))
        adopted += outcome.adopted
        gains.append(outcome.gain.gain.estimate if outcome.gain else 0.0)
    return Control(runs=runs, adopted=adopted, gains=tuple(gains))


def _tuned(before: Tuning, after: Tuning) -> Tuned:
    return Tuned(
        instructions_before=before.instructions,
        instructions=after.instructions,
        num_demos_before=len(before.demos),
        num_demos=len(after.demos),
        temperature_before=before.temperature,
        temperature=after.temperature,
        calibration=after.calibration,
        recalibrated=after.calibration != before.calibration,
    )


def _report(
    outcome: Outcome, trier: Trier, labelled: LabelledSet, ledger: Ledger, control: Control | None
) -> OptimizationReport:
    bench = trier.task.bench
    items = usable(labelled, bench.metric)
    test = sum(len(part.test) for part in outcome.parts)
    return OptimizationReport(
        strategy=trier.strategy,
        chosen=outcome.chosen,
        metric=bench.metric,
        level=trier.level,
        seed=trier.seed,
        model=bench.lm.model,
        labelled=labelled.name,
        labelled_fingerprint=labelled.fingerprint,
        num_items=len(items),
        num_train=len(items) if outcome.design == "nested" else len(items) - test,
        num_test=test,
        num_labels=sum(not label.is_empty for item in items for label in item.labels),
        unusable=outcome.unusable,
        unmeasured=outcome.unmeasured,
        design=outcome.design,
        folds=len(outcome.parts) if outcome.design == "nested" else 0,
        metrics=tuple(MetricGain.of(each) for each in outcome.comparisons),
        adopted=outcome.adopted,
        verdict=outcome.verdict,
        reason=outcome.reason,
        num_starved=outcome.num_starved,
        warning=length_note(outcome.tuning.calibration),
        languages=labelled.languages,
        rehearsal=labelled.rehearsal,
        tuned=_tuned(trier.task.start, outcome.tuning),
        contenders=tuple(
            Contender(
                strategy=trial.strategy,
                gain=mean_gain(trial),
                standard_error=standard_error(trial),
                num_items=len(trial.gains),
                calls=trial.calls,
            )
            for trial in outcome.trials
        ),
        curve=tuple(CurvePoint(num_items=size, gain=Figure.of(gain)) for size, gain in outcome.curve),
        control=control,
        calls=Calls(
            ranking=ledger.calls[RANKING],
            reflection=ledger.calls[REFLECTION],
            budget=ledger.cap,
            prompt_tokens=ledger.tokens["prompt"],
            completion_tokens=ledger.tokens["completion"],
        ),
    )
