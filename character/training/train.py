"""``train``: a run made into data, recipe and checks for TRL, and with ``go`` the training itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from character.config import ConfigSource, TrainConfig, as_config, with_section
from character.exports.given import rebuilt_pairs, run_data
from character.inputs import spelled_out
from character.runs.progress import ProgressCallback, reporting
from character.runs.session import reading
from character.training.card import write_card
from character.training.methods import MethodName
from character.training.preparing import REPORT_FILE, prepare, read_training
from character.training.reports import TrainingReport
from character.training.running import TrainingState
from character.training.running import train as run_recipe


@dataclass(frozen=True)
class TrainResult:
    """What was written for a training, and the figures that TRL reported last, None without training."""

    report: TrainingReport
    figures: dict[str, float] | None

    @property
    def folder(self) -> Path:
        """The folder with data, recipe, checks and, once trained, the model."""
        return self.report.folder


class TrainOptions(TypedDict, total=False):
    """The options of ``train``, those of ``[train]`` among them."""

    model: str
    preset: str
    split: str
    mix: Sequence[str]
    balance: float | None
    balance_ignore: Sequence[str]
    reward_model: str | None
    preference_model: str | None
    conditioned: bool | None
    values: Mapping[str, Any]
    pairs: Mapping[str, Any]
    overwrite: bool
    go: bool
    on_progress: ProgressCallback[TrainingState]


@spelled_out(TrainOptions)
def train(
    run_folder: Path | str,
    out: Path | str,
    method: MethodName,
    config: ConfigSource = None,
    **options: Unpack[TrainOptions],
) -> TrainResult:
    """Write all that TRL needs to train by dpo, reward, grpo, sft or kto on a run, and train with ``go``.

    The folder ``out`` gets ``data/``, ``recipe.yaml``, ``run.sh``, ``checks.md`` and ``training.json``. The
    options stand for those of the section ``[train]``; ``pairs`` rebuilds the pairs with other settings of
    ``[pairs]``, ``overwrite`` replaces what an earlier call wrote. With ``go`` (extra ``train``) the recipe
    is run and watched, and the model gets its card; called again it goes on from the last checkpoint. Nothing
    of ours is written over without ``overwrite``.

    Raises ConfigError and UnknownNameError for options that are not valid, InputError for what cannot be
    trained on or where a check speaks against starting, MissingExtraError without TRL, and
    TrainingFailedError where it ends with an error.
    """
    own = {name: value for name, value in options.items() if name in TrainConfig.model_fields}
    config, out = with_section(as_config(config), "train", own), Path(out)
    overwrite, go = options.get("overwrite", False), options.get("go", False)
    if go and (out / REPORT_FILE).is_file() and not overwrite:
        report = read_training(out)  # going on with what was written before
    else:
        with reading(run_folder) as store:
            pairs = rebuilt_pairs(store, options.get("pairs", {}))
            source, seed = run_data(store), config.seed
            report = prepare(method, source, out, config.train, seed=seed, pairs=pairs, overwrite=overwrite)
    if not go:
        return TrainResult(report, None)
    with reporting(options.get("on_progress"), f"trl {method}") as tell:
        figures = run_recipe(out, on_progress=tell)
    write_card(report)
    return TrainResult(report, figures)
