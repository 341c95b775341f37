"""``evaluate_ranker``: how well rankers agree with people, on several backends side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from character.backends import build_lm
from character.config import BackendConfig, Config, ConfigSource, as_config, is_rehearsal_model
from character.errors import UnknownNameError, UnusableModelError
from character.locale import counted, report_language, wording
from character.ranking.saved import build_ranker
from character.records import Record
from character.tuning.optimize import measure
from optimizers.artifact.artifact import (
    apply_artifact,
    calibration_note,
    language_warning,
    load_artifact,
    model_warning,
)
from optimizers.artifact.records import MetricFigure
from optimizers.labelled import LabelledSet, read_labelled
from optimizers.validation.evaluation import summary

_FIX = "try another model or `ranking.strategy`; `character backends --probe` says what a model can do."


class RankerFigures(Record):
    """One ranker on one backend: its metrics, what it could not rank by reason, and what it took.

    Each metric has ``estimate``, ``low`` and ``high`` over the items that it ranked; ``left_out`` says in the
    language of the labels how many it did not, ``warning`` what flatters or belittles the figures.
    """

    backend: str
    ranker: str
    warning: str
    rehearsal: bool
    metrics: dict[str, dict[str, float | None]]
    ranked: int
    not_ranked: dict[str, int]
    left_out: str = ""
    calls: int
    tokens: int


def evaluate_ranker(
    labelled: LabelledSet | Path | str,
    config: ConfigSource = None,
    *,
    rankers: Sequence[Path | str] = (),
    backends: Sequence[str] = (),
    level: float = 0.95,
) -> list[RankerFigures]:
    """Return how well rankers agree with the labels of a set, one row for each ranker on each backend.

    The ranker of the configuration comes first, then those of the files ``rankers``. ``backends`` names
    backends of the configuration, or models by their strings; without it the one for ranking answers. Nothing
    is tuned or kept. Raises UnknownNameError for a backend, UnusableModelError where nothing at all could be
    ranked, and what a run raises where a server is down.
    """
    labels = labelled if isinstance(labelled, LabelledSet) else read_labelled(Path(labelled))
    config = as_config(config)
    rows = [
        _figures(labels, config, name, backend, path, level)
        for name, backend in _backends(config, backends)
        for path in (None, *rankers)
    ]
    if labels.items and not any(row.ranked for row in rows):
        lost = "; ".join(f"{row.backend}: {_left_out(row.not_ranked, 0, len(labels), 'en')}" for row in rows)
        raise UnusableModelError(lost, fix=_FIX)
    return rows


def _backends(config: Config, names: Sequence[str]) -> list[tuple[str, BackendConfig]]:
    if not names:
        backend = config.backend("ranking")
        return [(backend.model_name, backend)]
    for name in names:
        if name not in config.backends and "/" not in name:
            raise UnknownNameError("backend", name, config.backends)
    return [(name, config.backends.get(name) or BackendConfig(model=name)) for name in names]


def _figures(
    labels: LabelledSet,
    config: Config,
    name: str,
    backend: BackendConfig,
    path: Path | str | None,
    level: float,
) -> RankerFigures:
    ranker = build_ranker(config.ranking.model_copy(update={"backends": ()}), {})
    warning = ""
    if path is not None:
        artifact = load_artifact(path)
        ranker = apply_artifact(ranker, artifact)
        same = artifact.labelled.fingerprint == labels.fingerprint
        notes = (
            "it was tuned on these labels, so the figures flatter it." if same else "",
            model_warning(artifact, backend.model_name, path),
            *(language_warning(artifact, language, path) for language in labels.languages),
            calibration_note(artifact),
        )
        warning = " ".join(f"{path}: {note}" for note in notes if note)
    measured = measure(ranker, labels, build_lm(backend), seed=config.seed, num_threads=config.concurrency)
    evaluation, ranked = measured.evaluation, len(measured.evaluation.scores)
    language = config.optimize.language or report_language("".join(labels.languages[:1]))
    figures = summary(evaluation, labels.items, level=level, seed=config.seed)
    return RankerFigures(
        backend=name,
        ranker="as configured" if path is None else str(path),
        warning=warning,
        rehearsal=labels.rehearsal or is_rehearsal_model(backend.model_name),
        metrics={metric: MetricFigure.of(interval).model_dump() for metric, interval in figures.items()},
        ranked=ranked,
        not_ranked=evaluation.num_faults,
        left_out=_left_out(evaluation.num_faults, ranked, len(labels), language),
        calls=measured.calls,
        tokens=measured.tokens,
    )


def _left_out(reasons: Mapping[str, int], ranked: int, items: int, language: str) -> str:
    said = wording("tuning.measured", language)["left_out" if ranked else "nothing"]
    facts = {"lost": sum(reasons.values()), "items": items, "reasons": counted(reasons, language)}
    return said.format(**facts, ranked=ranked) if reasons else ""
