"""Tuning the configured ranker to a labelled set in a folder: every call journaled, stopped and resumed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, overload

import dspy
from dspy.utils.exceptions import LMError
from pydantic import ValidationError

from character._version import __version__
from character.backends import build_lms
from character.backends.call import classify, lean_settings
from character.backends.measuring import Estimate
from character.backends.observe import observing
from character.backends.observe import report as report_observed
from character.backends.own_models import with_configured_lm
from character.backends.seam import SeamEngine
from character.config import Config, ConfigSource, as_config, is_rehearsal_model, with_section
from character.errors import BackendUnavailableError, CharacterError, StoreError
from character.inputs import spelled_out
from character.locale import Language
from character.ranking.saved import build_ranker, ranker_fingerprint
from character.report import write
from character.runs.identity import prompts_of
from character.runs.progress import ProgressCallback, reporting
from character.runs.session import FolderKind, Session
from character.tuning.estimate import estimate_tuning
from character.tuning.page import optimization_page
from character.views import html
from character.views.short import short_repr
from optimizers import optimize as strategies
from optimizers.artifact.artifact import (
    RankerArtifact,
    apply_artifact,
    artifact_of,
    load_artifact,
    save_artifact,
)
from optimizers.artifact.records import MetricRow
from optimizers.errors import ArtifactError
from optimizers.labelled import LabelledSet, read_labelled
from optimizers.optimize import OptimizationResult, TuningProgress
from optimizers.strategies.metering import RANKING, Ledger
from optimizers.strategies.tuning import TuningKeywords, tuning_of
from optimizers.validation.evaluation import RankerEvaluation, compare_all, evaluate, usable
from optimizers.validation.report import MetricGain, OptimizationReport

OPTIMIZATION = FolderKind(
    name="optimization",
    identity_key="optimization",
    noun="an optimization",
    otherwise="an optimization that was asked otherwise: ",
    expected="the same labels, strategy, budget, metric, seed and models as before",
)
ARTIFACT_NAME, LOG_NAME = "ranker.json", "optimizers.log"
REPORT_NAME, PAGE_NAME = "report.json", "report.html"
_FINISHED = "finished"
_ASKED = ("strategy", "budget", "metric", "controls", "level", "uses_length")


@dataclass(frozen=True)
class Optimized:
    """What an optimization in a folder came to: its result, the report with its cost, the saved ranker."""

    result: OptimizationResult
    report: OptimizationReport
    artifact: RankerArtifact
    folder: Path

    def __repr__(self) -> str:
        return short_repr(self)

    def _repr_html_(self) -> str:
        names = ("strategy", "chosen", "num_items", "adopted", "verdict", "reason", "warning")
        return html.panel(html.figures({name: getattr(self.report, name) for name in names}))

    def write_report(self, language: Language | None = None) -> Path:
        """Write ``report.html`` in this language, by default that of most labels; return its path."""
        path = self.folder / PAGE_NAME
        try:
            write(optimization_page(self.report, language), path)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from None
        return path


class OptimizeOptions(TypedDict, total=False):
    """The options of ``optimize`` besides labels, folder and configuration: those of ``[optimize]``."""

    strategy: str
    budget: int | None
    metric: str
    controls: int
    level: float
    uses_length: bool
    language: Language | None
    on_progress: ProgressCallback[TuningProgress]


@overload
def optimize(
    labelled: LabelledSet | Path | str,
    out: Path | str,
    config: ConfigSource = None,
    *,
    dry_run: Literal[False] = False,
    **options: Unpack[OptimizeOptions],
) -> Optimized: ...
@overload
def optimize(
    labelled: LabelledSet | Path | str,
    out: Path | str,
    config: ConfigSource = None,
    *,
    dry_run: Literal[True],
    **options: Unpack[OptimizeOptions],
) -> Estimate: ...
@spelled_out(OptimizeOptions)
def optimize(
    labelled: LabelledSet | Path | str,
    out: Path | str,
    config: ConfigSource = None,
    *,
    dry_run: bool = False,
    **options: Unpack[OptimizeOptions],
) -> Optimized | Estimate:
    """Tune the ranker of a configuration to a labelled set (or its file), and keep everything in ``out``.

    The options stand for those of the section ``[optimize]``: ``strategy``, ``budget`` (model calls; see
    ``usual_budget``), ``metric``, ``controls``, ``level``, ``uses_length``, as ``optimize_ranker`` has them.
    Called again with the same arguments it goes on where it stopped: a call that finished is not made again,
    and the tuned ranker is the same. Writes ``ranker.json``, ``report.json``, ``report.html`` and what the
    optimizers said (``optimizers.log``). With ``dry_run`` nothing is sent or written, and the estimate is
    returned. Raises StoreError where the folder holds something else, BackendUnavailableError where a server
    is down or refuses the key, BudgetReachedError at a cap of the configuration, OptimizerError for labels or
    names that cannot be used; finished calls are kept in each case.
    """
    labelled, config = _asked(labelled, config, options)
    if dry_run:
        return estimate_tuning(labelled, config)
    return _tuned(labelled, out, config, options.get("on_progress"))


@spelled_out(OptimizeOptions)
async def aoptimize(
    labelled: LabelledSet | Path | str,
    out: Path | str,
    config: ConfigSource = None,
    **options: Unpack[OptimizeOptions],
) -> Optimized:
    """Do as ``optimize`` does without keeping the event loop; DSPy's optimizers work in threads."""
    labelled, config = _asked(labelled, config, options)
    return await asyncio.to_thread(_tuned, labelled, out, config, options.get("on_progress"))


def _asked(
    labelled: LabelledSet | Path | str, config: ConfigSource, options: OptimizeOptions
) -> tuple[LabelledSet, Config]:
    """Return the labels and the configuration with the options laid over it, the budget resolved."""
    labelled = labelled if isinstance(labelled, LabelledSet) else read_labelled(Path(labelled))
    settings = {name: value for name, value in options.items() if name != "on_progress"}
    config = with_section(with_configured_lm(as_config(config)), "optimize", settings)
    usual = strategies.usual_budget(len(labelled.items), config.optimize.controls)
    return labelled, with_section(config, "optimize", {"budget": config.optimize.budget or usual})


def _tuned(
    labelled: LabelledSet, out: Path | str, config: Config, on_progress: ProgressCallback[TuningProgress]
) -> Optimized:
    asked = config.optimize.model_dump(include=set(_ASKED))
    judge = judge_name(config)
    with Session(OPTIMIZATION, out, config, _identity(labelled, asked, config)) as session:
        lms = {name: lm.copy(engine=_TuningEngine(lm.engine.backend)) for name, lm in session.lms().items()}
        ranker = build_ranker(config.ranking, lms)
        if done := _finished(session, ranker):
            done.write_report(config.optimize.language)
            return done
        with reporting(on_progress, f"optimize {out}") as tell, _log_into(session.folder / LOG_NAME):
            result = optimize_ranker(
                ranker,
                labelled,
                lms={"ranking": lms[judge], "reflection": lms.get("reflection", lms["default"])},
                seed=config.seed,
                num_threads=config.concurrency,
                on_progress=tell,
                **asked,
            )
        report = _with_cost(result.report, config, session.spent().cost_usd)
        data = "test" if report.design == "locked" else "folds"
        rows = [each.model_dump(include=set(MetricRow.model_fields)) for each in report.metrics]
        artifact = artifact_of(
            result.ranker,
            strategy=report.chosen,
            model=config.backends[judge].model_name,
            labelled=labelled,
            adopted=report.adopted,
            reason=report.reason,
            created_at=session.created_at.replace("+00:00", "Z"),
            character_version=__version__,
            metrics=[MetricRow(data=data, **row) for row in rows],
            rehearsal=report.rehearsal,
        )
        save_artifact(session.folder / ARTIFACT_NAME, artifact)
        session.write(REPORT_NAME, report.model_dump_json(indent=2) + "\n")
        session.store.set_meta(_FINISHED, "yes")
        done = Optimized(result, report, artifact, session.folder)
        done.write_report(config.optimize.language)
    return done


def _finished(session: Session, ranker: Any) -> Optimized | None:
    """Return what an earlier sitting came to, where it was finished and its files are still there."""
    if session.store.meta(_FINISHED) is None:
        return None
    try:
        artifact = load_artifact(session.folder / ARTIFACT_NAME)
        report = OptimizationReport.model_validate_json((session.folder / REPORT_NAME).read_bytes())
        tuned = apply_artifact(ranker, artifact)
    except (ArtifactError, OSError, ValidationError):
        return None
    program = tuned if report.adopted else ranker
    result = OptimizationResult(program, tuned, tuned, tuning_of(tuned), report)
    return Optimized(result, report, artifact, session.folder)


def _with_cost(report: OptimizationReport, config: Config, cost: float | None) -> OptimizationReport:
    """Return the report with what its calls cost, and whether the rehearsal model answered any of them."""
    proposer = ["reflection"] if report.calls.reflection else []
    names = (judge_name(config), *config.ranking.backends, *proposer)
    rehearsal = any(is_rehearsal_model(config.backend(name).model_name) for name in names)
    calls = report.calls.model_copy(update={"cost_usd": cost})
    return report.model_copy(update={"calls": calls, "rehearsal": report.rehearsal or rehearsal})


@spelled_out(TuningKeywords)
def optimize_ranker(
    program_or_ranker: Any,
    labelled: LabelledSet,
    strategy: str = "auto",
    *,
    lms: Mapping[str, Any] | None = None,
    on_progress: Callable[[TuningProgress], None] | None = None,
    **options: Unpack[TuningKeywords],
) -> OptimizationResult:
    """Tune a ranker, alone or inside a program, and measure what that gains: see ``optimizers.optimize``.

    The options are those of ``TuningOptions``; nothing is kept on disk: ``optimize`` does
    that. Raises what ``optimize`` raises.
    """
    with _clear_errors(), dspy.context(**lean_settings()):
        return strategies.optimize_ranker(
            program_or_ranker, labelled, strategy, lms=lms, on_progress=on_progress, **options
        )


def judge_name(config: Config) -> str:
    """Return the name of the backend that tuning asks: the one for ranking, or the first juror of a jury."""
    if config.ranking.backends:
        return config.ranking.backends[0]
    return "ranking" if "ranking" in config.backends else "default"


@contextmanager
def _log_into(path: Path) -> Iterator[None]:
    """Write what the optimizers say into a file."""
    logger, handler = logging.getLogger(strategies.__package__), logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(before[0])
        logger.propagate = before[1]


@dataclass(frozen=True)
class Measured:
    """A ranker on a labelled set: its scores and faults, and the calls and tokens it took."""

    evaluation: RankerEvaluation
    calls: int
    tokens: int


def measure(ranker: Any, labelled: LabelledSet, lm: Any, *, seed: int = 0, num_threads: int = 8) -> Measured:
    """Return what a ranker makes of a labelled set with a model; what a server fails to answer is a fault.

    Raises what stops a run: a cap, a server that is down, a key that is refused.
    """
    ledger = _RunLedger(2**31)
    own, judge, _reflection = strategies.metered_models(ranker, ledger, {RANKING: lm})
    with _clear_errors(), dspy.context(**lean_settings()):
        evaluation = evaluate(
            own, labelled.items, lm=judge, ledger=ledger, seed=seed, num_threads=num_threads
        )
    return Measured(evaluation, ledger.spent, ledger.tokens.total())


class _RunLedger(Ledger):
    """A ledger that is stopped by what stops a run, and not by one call that a server fails to answer."""

    def fail(self, error: Exception) -> None:
        """Send nothing more after this error, where it stops a run."""
        if isinstance(error.__cause__, CharacterError):
            super().fail(error)


def recheck(
    artifact: RankerArtifact,
    labelled: LabelledSet,
    *,
    config: Config | None = None,
    metric: str = "pairwise_accuracy",
    level: float = 0.95,
) -> list[MetricGain]:
    """Return a saved ranker against the untuned one with today's model, the metric asked for first."""
    config = config or Config()
    lms = build_lms(config)
    lm = lms[judge_name(config)]
    untuned = build_ranker(config.ranking.model_copy(update={"ranker": None}), lms)
    before, after = (
        measure(each, labelled, lm, seed=config.seed, num_threads=config.concurrency).evaluation
        for each in (untuned, apply_artifact(untuned, artifact))
    )
    return compare_all(before, after, usable(labelled, metric), metric, level=level, seed=config.seed)


class _TuningEngine(SeamEngine):
    """An engine whose calls carry the stage ``tuning`` in the journal, whoever makes them."""

    def complete(self, request: Any) -> Any:
        """Return the reply to a request."""
        with observing("tuning") as scope:
            response = super().complete(request)
        for seen in scope.seen:
            report_observed(seen)
        return response


def _identity(labelled: LabelledSet, asked: Mapping[str, Any], config: Config) -> dict[str, Any]:
    in_words = config.ranking.read == "text"
    return {
        "labels": labelled.fingerprint,
        **asked,
        "seed": config.seed,
        "ranking": {name: value for name, value in config.ranking.identity.items() if name != "ranker"},
        "ranker": ranker_fingerprint(config.ranking),
        "prompts": prompts_of("ranking") if in_words else prompts_of("ranking", "probabilities"),
        "models": {role: config.backend(role).identity for role in ("ranking", "reflection")},
        "jurors": {name: config.backend(name).identity for name in config.ranking.backends},
    }


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn what a model raises into an error that says what to do."""
    try:
        yield
    except LMError as error:
        if isinstance(error.__cause__, CharacterError):
            raise error.__cause__ from None
        fault, detail = classify(error)
        raise BackendUnavailableError(
            f"the backend failed ({fault}, model {getattr(error, 'model', '')}): {detail}",
            fix="the same command goes on where it stopped; everything finished is kept.",
        ) from None
