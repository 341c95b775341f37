"""Tuning a ranker to a labelled set: one call, any strategy, an honest report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Unpack

from character.views.short import short_repr
from optimizers.calibration.length import length_note
from optimizers.errors import problem
from optimizers.labelled import LabelledSet
from optimizers.metrics.functions import metric_named
from optimizers.strategies.judge_cache import CachedJudge, TuningTask, quiet_context
from optimizers.strategies.metering import RANKING, REFLECTION, Ledger, metered
from optimizers.strategies.task import AUTO, STRATEGIES, UNTUNED, known_strategy
from optimizers.strategies.tuning import Tuning, TuningKeywords, TuningOptions, find_ranker, tune, tuning_of
from optimizers.validation.evaluation import usable
from optimizers.validation.held_out import HeldOutResult, HeldOutValidation
from optimizers.validation.report import Calls, Control, OptimizationReport, Tuned

__all__ = ["AUTO", "STRATEGIES", "UNTUNED", "OptimizationResult", "TuningProgress", "optimize_ranker"]

LEAST_BUDGET, CALLS_PER_ITEM = 600, 25
"""The model calls allowed where nobody says: so many per labelled item, no fewer than the first number."""
CURVE_SHARE = 0.15
"""The share of the calls that is kept for the learning curve."""


@dataclass(frozen=True)
class TuningProgress:
    """How far an optimization is: what it does, the calls made of those allowed, the best training score.

    ``best`` is a goodness in 0..1 on training items, None before the first; it is no estimate of anything,
    because the best of several is picked by it.
    """

    stage: str
    calls: int
    budget: int
    best: float | None

    def __str__(self) -> str:
        best = "" if self.best is None else f" · best on training items {self.best:.3f}"
        return f"{self.stage} · {self.calls:,} of {self.budget:,} calls{best}"


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

    def __repr__(self) -> str:
        return short_repr(self)


def usual_budget(num_items: int, controls: int = 0) -> int:
    """Return the model calls that tuning to so many items is allowed where nobody says, and each control.

    Judging them all before and after, in every fold, takes a number of calls that grows with them; with fewer
    calls ``auto`` has none left to try anything in.
    """
    return max(LEAST_BUDGET, CALLS_PER_ITEM * num_items) * (1 + controls)


def optimize_ranker(
    program_or_ranker: Any,
    labelled: LabelledSet,
    strategy: str = AUTO,
    *,
    lms: Mapping[str, Any] | None = None,
    on_progress: Callable[[TuningProgress], None] | None = None,
    **options: Unpack[TuningKeywords],
) -> OptimizationResult:
    """Tune a ranker, alone or inside a program, to a labelled set, and measure honestly what that gains.

    The program given stays as it is; of the copies only the ranker's instruction, demos, temperature and
    calibration change. The calls of ``budget`` (see ``usual_budget``) are those of tuning, of judging the
    held-out items before and after, of the learning curve, and of ``controls`` runs on permuted labels (which
    share them equally with the real one). ``lms`` names the models for ``ranking`` and ``reflection``
    (proposing instructions); without it the ranker's own model, or that of the context, does both. The
    options are those of ``TuningOptions``. The tuned ranker is adopted only where the interval of the
    held-out gain (at ``level``) lies above zero; where length counts in its scores, ``report.warning`` says
    so. The same seed gives the same result where the models answer alike. Raises OptimizerError for unusable
    labels, an unknown name or a missing extra, and what the model raises where its server fails.
    """
    asked = TuningOptions(known_strategy(strategy), **options)
    metric_named(asked.metric)
    budget = usual_budget(len(labelled.items), asked.controls) if asked.budget is None else asked.budget
    if budget < 1:
        raise problem("budget", budget=budget)
    ranker, ledger = find_ranker(program_or_ranker), Ledger(budget)
    with quiet_context():
        own, lm, reflection = metered_models(ranker, ledger, dict(lms or {}))
        task = TuningTask(CachedJudge(own, lm, ledger, asked), tuning_of(own), reflection)
        validation = HeldOutValidation(task, _watched(task.judge, budget, on_progress))
        share = budget // (1 + asked.controls)
        result = validation.run(labelled, int(share * (1 - CURVE_SHARE)))
        validation.on_stage("learning curve")
        result.curve = validation.curve(result, share - ledger.spent)
        control = _control(validation, labelled) if asked.controls else None
    report = _report(result, task, labelled, control)
    tuned, untouched = program_or_ranker.deepcopy(), program_or_ranker.deepcopy()
    inner = find_ranker(tuned)
    tune(inner, result.tuning)
    return OptimizationResult(tuned if result.adopted else untouched, tuned, inner, result.tuning, report)


def metered_models(ranker: Any, ledger: Ledger, lms: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return a copy of the ranker without a model of its own, and the metered judge and proposer."""
    import dspy

    unknown = sorted(set(lms) - {RANKING, REFLECTION})
    if unknown:
        raise problem("role", name=unknown[0])
    judge = lms.get(RANKING) or ranker.rank.lm or dspy.settings.lm
    if judge is None:
        raise problem("no_model")
    own = ranker.deepcopy()
    own.rank.lm = None  # it judges with the metered model of the context
    if getattr(own, "jurors", None):
        own.jurors = {name: metered(lm, ledger, RANKING) for name, lm in own.jurors.items()}
    return own, metered(judge, ledger, RANKING), metered(lms.get(REFLECTION) or judge, ledger, REFLECTION)


def _watched(
    judge: CachedJudge, budget: int, on_progress: Callable[[TuningProgress], None] | None
) -> Callable[[str], None]:
    """Return what begins a stage: it tells whoever watches how far it is, and so does every call."""
    if on_progress is None:
        return lambda stage: None
    now = ""

    def tell(stage: str = "") -> None:
        nonlocal now
        now = stage or now
        on_progress(TuningProgress(now, judge.ledger.spent, budget, judge.best))

    judge.ledger.on_call = tell
    return tell


def _control(validation: HeldOutValidation, labelled: LabelledSet) -> Control:
    """Run the whole again on permuted labels; each run gets the same share of the calls that are left."""
    ledger, options, adopted, gains = validation.task.judge.ledger, validation.options, 0, []
    for number in range(options.controls):
        validation.on_stage(f"control {number + 1} of {options.controls}")
        permuted = labelled.permuted(options.seed + 1 + number)
        result = validation.run(permuted, ledger.left // (options.controls - number))
        adopted += result.adopted
        gains.append(result.gain.gain.estimate if result.gain else 0.0)
    return Control(runs=options.controls, adopted=adopted, gains=tuple(gains))


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
    result: HeldOutResult, task: TuningTask, labelled: LabelledSet, control: Control | None
) -> OptimizationReport:
    """Return the report; what the options and the result call as it does is taken over."""
    ledger, options = task.judge.ledger, task.judge.options
    shared = {
        name: getattr(source, name)
        for source in (options, result)
        for name in OptimizationReport.model_fields
        if hasattr(source, name)
    }
    items, nested = usable(labelled, options.metric), result.design == "nested"
    test = sum(len(part.test) for part in result.parts)
    return OptimizationReport(
        **shared,
        model=task.judge.lm.model,
        labelled=labelled.name,
        labelled_fingerprint=labelled.fingerprint,
        num_items=len(items),
        num_train=len(items) if nested else len(items) - test,
        num_test=test,
        num_labels=sum(not label.is_empty for item in items for label in item.labels),
        folds=len(result.parts) if nested else 0,
        warning=length_note(result.tuning.calibration),
        languages=labelled.languages,
        rehearsal=labelled.rehearsal,
        tuned=_tuned(task.start, result.tuning),
        control=control,
        calls=Calls(budget=ledger.cap, **ledger.calls, **ledger.tokens),
    )
