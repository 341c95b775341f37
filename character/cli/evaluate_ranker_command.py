"""``character evaluate-ranker``: how well rankers agree with people, on several backends side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import backend_overrides, config_option, json_option, print_json, tuning_options
from character.locale import wording

if TYPE_CHECKING:
    from character.config import BackendConfig, Config
    from optimizers.labelled import LabelledSet


@click.command("evaluate-ranker", short_help="Measure rankers and backends on a labelled set.")
@click.argument("labelled", type=click.Path(path_type=Path))
@click.option(
    "--ranker",
    "rankers",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A saved ranker; may be repeated.",
)
@click.option(
    "--with",
    "backends",
    multiple=True,
    metavar="NAME",
    help="A backend of the configuration by its name, or a model string; may be repeated.",
)
@config_option
@tuning_options
@json_option
def command(
    labelled: Path,
    rankers: tuple[Path, ...],
    backends: tuple[str, ...],
    config_path: Path | None,
    **flags: Any,
) -> None:
    """Measure how well rankers agree with the labels of LABELLED. Nothing is tuned and nothing is kept.

    Without --ranker it is the ranker of the configuration; with it that one and every saved ranker. Each is
    measured with each backend.
    """
    from character.config import load_config
    from optimizers.labelled import read_labelled

    seed = {} if flags["seed"] is None else {"seed": flags["seed"]}
    config = load_config(config_path, overrides={**backend_overrides(flags), **seed})
    known = read_labelled(labelled)
    rows = [
        _row(known, config, name, backend, path, flags["level"] or config.optimize.level)
        for name, backend in _backends(config, backends)
        for path in (None, *rankers)
    ]
    if flags["as_json"]:
        print_json({"labelled": known.name, "items": len(known), "rows": rows})
    else:
        _show(rows, known)


def _backends(config: Config, names: tuple[str, ...]) -> list[tuple[str, BackendConfig]]:
    from character.config import BackendConfig
    from character.errors import UnknownNameError

    if not names:
        backend = config.backend("ranking")
        return [(backend.model_name, backend)]
    found = []
    for name in names:
        if name in config.backends:
            found.append((name, config.backends[name]))
        elif "/" in name:
            found.append((name, BackendConfig(model=name)))
        else:
            raise UnknownNameError("backend", name, config.backends)
    return found


def _row(
    labelled: LabelledSet, config: Config, name: str, backend: BackendConfig, path: Path | None, level: float
) -> dict[str, Any]:
    from collections import Counter

    from character.backends import build_lm
    from character.config import is_rehearsal_model
    from character.ranking.saved import build_ranker
    from character.tuning.optimize import measure
    from optimizers.artifact.artifact import (
        apply_artifact,
        calibration_note,
        language_warning,
        load_artifact,
        model_warning,
    )
    from optimizers.validation.evaluation import summary
    from optimizers.validation.report import Figure

    ranker = build_ranker(config.ranking.model_copy(update={"backends": ()}), {})
    warning = ""
    if path is not None:
        artifact = load_artifact(path)
        ranker = apply_artifact(ranker, artifact)
        same = artifact.labelled.fingerprint == labelled.fingerprint
        notes = (
            "it was tuned on these labels, so the figures flatter it." if same else "",
            model_warning(artifact, backend.model_name, path),
            *(language_warning(artifact, language, path) for language in labelled.languages),
            calibration_note(artifact),
        )
        warning = " ".join(f"{path}: {note}" for note in notes if note)
    found = measure(ranker, labelled, build_lm(backend), seed=config.seed, num_threads=config.concurrency)
    rehearsal = labelled.rehearsal or is_rehearsal_model(backend.model_name)
    figures = summary(found.evaluation, labelled.items, level=level, seed=config.seed)
    return {
        "backend": name,
        "ranker": "as configured" if path is None else str(path),
        "warning": warning,
        "rehearsal": rehearsal,
        "metrics": {metric: Figure.of(interval).model_dump() for metric, interval in figures.items()},
        "ranked": len(found.evaluation.scores),
        "not_ranked": dict(Counter(found.evaluation.faults.values())),
        "calls": found.calls,
        "tokens": found.tokens,
    }


def _show(rows: list[dict[str, Any]], labelled: LabelledSet) -> None:
    from rich.table import Table

    from character.cli.wording import console as new_console

    names = list(dict.fromkeys(metric for row in rows for metric in row["metrics"]))
    table = Table(title=f"{labelled.name}: {len(labelled):,} labelled items", title_justify="left")
    table.add_column("")
    for row in rows:
        table.add_column(f"{row['backend']}\n{row['ranker']}", justify="right", overflow="fold")
    for name in names:
        table.add_row(name, *(_figure(row["metrics"].get(name)) for row in rows))
    lost = [", ".join(f"{reason} {n}" for reason, n in row["not_ranked"].items()) or "–" for row in rows]
    table.add_row("not ranked", *lost)
    table.add_row("calls", *(f"{row['calls']:,}" for row in rows))
    table.add_row("tokens", *(f"{row['tokens']:,}" for row in rows))
    console = new_console()
    console.print(table)
    for warning in dict.fromkeys(row["warning"] for row in rows if row["warning"]):
        console.print(warning, style="yellow")
    if any(row["rehearsal"] for row in rows):
        console.print(wording("report.page", "en")["rehearsal"], style="yellow")


def _figure(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return "–"
    if figure["low"] is None:
        return f"{figure['estimate']:.3f}"
    return f"{figure['estimate']:.3f} [{figure['low']:.2f}, {figure['high']:.2f}]"
