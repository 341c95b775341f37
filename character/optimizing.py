"""Tuning the configured ranker to a labelled set in a folder: every call journaled, stopped and resumed at will."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dspy
from dspy.utils.exceptions import LMError

from character._version import __version__
from character.backends import build_lms
from character.backends.budget import Budget
from character.backends.observe import observing, report
from character.backends.seam import SeamEngine
from character.config import Config, is_rehearsal_model
from character.errors import BackendUnavailableError, CharacterError, StoreError
from character.modules.calls import classify, lean_settings
from character.records import Usage
from character.run_summary import changes_of, prompts_fingerprint
from character.store import RunStore
from character.tuned_ranker import build_ranker, ranker_fingerprint
from optimizers import optimize as tuning
from optimizers.artifact.artifact import RankerArtifact, apply_artifact, artifact_of, save_artifact
from optimizers.artifact.records import Figure as SavedFigure
from optimizers.artifact.records import MetricRow
from optimizers.labelled import LabelledSet, read_labelled
from optimizers.metrics import METRICS
from optimizers.optimize import OptimizationResult, Progress
from optimizers.strategies.metering import RANKING, Ledger, metered
from optimizers.validation.evaluation import Comparison, Evaluation, compare, evaluate, usable
from optimizers.validation.report import Figure, MetricGain, OptimizationReport

_IDENTITY = "optimization"
ARTIFACT_NAME, REPORT_NAME, LOG_NAME = "ranker.json", "report.json", "optimizers.log"


@dataclass(frozen=True)
class _Asked:
    """What is asked of an optimization besides its labels and its configuration."""

    strategy: str
    budget: int
    metric: str
    controls: int
    level: float
    uses_length: bool


@dataclass(frozen=True)
class Optimized:
    """What an optimization in a folder came to: the result, the report with its cost, and the saved ranker."""

    result: OptimizationResult
    report: OptimizationReport
    artifact: RankerArtifact


def optimize(
    labelled: LabelledSet | Path | str,
    out: Path | str,
    *,
    strategy: str = "auto",
    budget: int | None = None,
    metric: str = "pairwise_accuracy",
    controls: int = 0,
    level: float = 0.95,
    uses_length: bool = True,
    config: Config | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Optimized:
    """Tune the ranker of a configuration to a labelled set (or its file), and keep everything in the folder ``out``.

    ``strategy``, ``budget`` (model calls; see ``usual_budget``), ``metric``, ``controls``, ``level`` and ``uses_length`` are those of
    ``optimize_ranker``. Called again with the same arguments it goes on where it stopped: a call that finished is
    not made again, and the tuned ranker is the same. Writes ``ranker.json``, ``report.json`` and what the optimizers said
    (``optimizers.log``). Raises StoreError where the folder holds something
    else, BackendUnavailableError where a server is down or refuses the key, BudgetReachedError at a cap of the
    configuration, OptimizerError for labels or names that cannot be used; finished calls are kept in each case.
    """
    labelled = labelled if isinstance(labelled, LabelledSet) else read_labelled(Path(labelled))
    budget = tuning.usual_budget(len(labelled.items), controls) if budget is None else budget
    asked, config = _Asked(strategy, budget, metric, controls, level, uses_length), config or Config()
    with RunStore.create(out, url=config.store.url) as store:
        created_at = _begin(store, labelled, asked, config)
        lms = journaled_lms(config, store)
        judge = judge_name(config)
        with _log_into(store.folder / LOG_NAME):
            result = optimize_ranker(
                build_ranker(config.ranking, lms),
                labelled,
                strategy,
                budget=budget,
                metric=metric,
                lms={"ranking": lms[judge], "reflection": lms.get("reflection", lms["default"])},
                seed=config.seed,
                level=level,
                controls=controls,
                uses_length=uses_length,
                num_threads=config.concurrency,
                on_progress=on_progress,
            )
        cost = sum(store.usage("stage").values(), Usage()).cost_usd
        found = result.report
        asked_of = (judge, *config.ranking.backends, *(["reflection"] if found.calls.reflection else []))
        named = {config.backend(name).model_name for name in asked_of}
        found = found.model_copy(
            update={
                "calls": found.calls.model_copy(update={"cost_usd": cost}),
                "rehearsal": found.rehearsal or any(map(is_rehearsal_model, named)),
            }
        )
        artifact = saved(result.ranker, found, labelled, config.backends[judge].model_name, created_at)
        save_artifact(store.folder / ARTIFACT_NAME, artifact)
        _write(store.folder / REPORT_NAME, found.model_dump_json(indent=2) + "\n")
    return Optimized(result, found, artifact)


def optimize_ranker(
    program_or_ranker: Any,
    labelled: LabelledSet,
    strategy: str = "auto",
    *,
    budget: int | None = None,
    **options: Any,
) -> OptimizationResult:
    """Tune a ranker, alone or inside a program, and measure honestly what that gains: see ``optimizers.optimize``.

    ``budget`` is the most model calls; ``options`` are ``metric``, ``lms``, ``seed``, ``level``, ``controls``,
    ``wordings``, ``temperatures``, ``uses_length``, ``num_threads`` and ``on_progress``. Nothing is kept on disk: ``optimize`` does that. Raises what
    ``optimize`` raises.
    """
    with _clear_errors(), dspy.context(**lean_settings()):
        return tuning.optimize_ranker(program_or_ranker, labelled, strategy, budget=budget, **options)


def judge_name(config: Config) -> str:
    """Return the name of the backend that tuning asks: the one for ranking, the first juror where there is a jury."""
    if config.ranking.backends:
        return config.ranking.backends[0]
    return "ranking" if "ranking" in config.backends else "default"


@contextmanager
def _log_into(path: Path) -> Iterator[None]:
    """Write what the optimizers say into a file."""
    logger, handler = logging.getLogger("optimizers"), logging.FileHandler(path, encoding="utf-8")
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


def saved(
    ranker: Any, found: OptimizationReport, labelled: LabelledSet, model: str, created_at: str
) -> RankerArtifact:
    """Return the artifact of a tuned ranker with the metrics of its report."""
    data = "test" if found.design == "locked" else "folds"
    return artifact_of(
        ranker,
        strategy=found.chosen,
        model=model,
        labelled=labelled,
        adopted=found.adopted,
        reason=found.reason,
        created_at=created_at,
        character_version=__version__,
        metrics=[_row(each, data) for each in found.metrics],
        rehearsal=found.rehearsal,
    )


@dataclass(frozen=True)
class Measured:
    """A ranker on a labelled set: its scores and faults, and the calls and tokens it took."""

    evaluation: Evaluation
    calls: int
    tokens: int


def measure(ranker: Any, labelled: LabelledSet, lm: Any, *, seed: int = 0, num_threads: int = 8) -> Measured:
    """Return what a ranker makes of a labelled set with a model; raises what stops a run (see ``optimize``)."""
    ledger = Ledger(2**31)
    own = ranker.deepcopy()
    own.rank.lm = None
    own.jurors = {name: metered(juror, ledger, RANKING) for name, juror in own.jurors.items()}
    with _clear_errors(), dspy.context(**lean_settings()):
        found = evaluate(
            own,
            labelled.items,
            lm=metered(lm, ledger, RANKING),
            ledger=ledger,
            seed=seed,
            num_threads=num_threads,
        )
    return Measured(found, ledger.spent, ledger.tokens.total())


def recheck(
    artifact: RankerArtifact,
    labelled: LabelledSet,
    *,
    config: Config | None = None,
    metric: str = "pairwise_accuracy",
    level: float = 0.95,
) -> list[Comparison]:
    """Return a saved ranker against the untuned one on a labelled set with today's model, the metric asked for first."""
    config = config or Config()
    lms = build_lms(config)
    lm = lms[judge_name(config)]
    untuned = build_ranker(config.ranking.model_copy(update={"ranker": None}), lms)
    before, after = (
        measure(each, labelled, lm, seed=config.seed, num_threads=config.concurrency).evaluation
        for each in (untuned, apply_artifact(untuned, artifact))
    )
    items = usable(labelled, metric)
    names = [metric, *(name for name in METRICS if name != metric)]
    found = [compare(before, after, items, name, level=level, seed=config.seed) for name in names]
    return [each for each in found if each is not None]


def journaled_lms(config: Config, store: RunStore) -> dict[str, Any]:
    """Return one model per configured role, whose finished calls are kept in the store under the stage ``tuning``."""
    budget = Budget(config.budget, store.spent())
    made = build_lms(config, journal=store, budget=budget)
    return {name: lm.copy(engine=_TuningEngine(lm.engine.backend)) for name, lm in made.items()}


class _TuningEngine(SeamEngine):
    """An engine whose calls carry the stage ``tuning`` in the journal, whoever makes them."""

    def complete(self, request: Any) -> Any:
        """Return the reply to a request."""
        with observing("tuning") as scope:
            response = super().complete(request)
        for seen in scope.seen:
            report(seen)
        return response


def _begin(store: RunStore, labelled: LabelledSet, asked: _Asked, config: Config) -> str:
    """Check that the folder is this optimization's, or make it so; return when it was begun."""
    now = _identity(labelled, asked, config)
    known = store.meta(_IDENTITY)
    if known is None:
        if store.meta("identity") is not None or not store.is_untouched():
            raise StoreError(
                f"{store.folder} holds a run, not an optimization.", fix="name another folder with --out."
            )
        store.set_meta("created_at", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        store.set_meta(_IDENTITY, json.dumps(now, ensure_ascii=False))
        return str(store.meta("created_at"))
    before: Mapping[str, Any] = json.loads(known)
    changed = changes_of(before, now)
    if changed and not store.is_untouched():
        raise StoreError(
            f"{store.folder} holds an optimization that was asked otherwise: {'; '.join(changed)}.",
            expected="the same labels, strategy, budget, metric, seed and models as before",
            fix="go on with the old settings, or name another folder with --out.",
        )
    store.set_meta(_IDENTITY, json.dumps(now, ensure_ascii=False))
    return str(store.meta("created_at"))


def _identity(labelled: LabelledSet, asked: _Asked, config: Config) -> dict[str, Any]:
    ranking = config.ranking.model_dump(mode="json", exclude={"ranker"})
    return {
        "labels": labelled.fingerprint,
        **vars(asked),
        "seed": config.seed,
        "ranking": ranking,
        "ranker": ranker_fingerprint(config.ranking),
        "prompts": prompts_fingerprint(),
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


def _row(each: MetricGain, data: str) -> MetricRow:
    return MetricRow(
        metric=each.metric,
        before=_figure(each.before),
        after=_figure(each.after),
        gain=_figure(each.gain),
        data=data,
        num_items=each.num_items,
    )


def _figure(figure: Figure) -> SavedFigure:
    return SavedFigure(**figure.model_dump())


def _write(path: Path, text: str) -> None:
    from character.report import write_text

    try:
        write_text(text, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from None
