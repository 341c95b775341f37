"""The entry point: a run in, and out come a folder with data, recipe, script and checks, ready for TRL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from character._version import __version__
from character.config import PairsConfig
from character.constitution import Trait
from character.errors import InputError, UnknownNameError
from character.exports import EXPORT_FORMATS, ExportData, ExportedFile, ExportReport, Split, export
from character.exports.source import Source
from character.files import json_text, jsonl_sink, write_text
from character.text import fingerprint
from character.training.checks.run import BY_WORDS, check_training, report_text
from character.training.conditioning import (
    CONDITIONED_FOLDER,
    check_reward,
    check_reward_traits,
    conditioned,
    write_asking,
)
from character.training.data import TrainingData, prompt_key, read_data
from character.training.methods import METHODS, Method, MethodName
from character.training.mixing import Mix, mixed_rows
from character.training.model_folder import read_model_folder
from character.training.other_traits import Scorer, by_words, contrasts_of
from character.training.presets import PRESETS, PresetName
from character.training.recipe import (
    MAX_LENGTH,
    MODEL_FOLDER,
    Reward,
    as_mapping,
    recipe_parts,
    recipe_text,
    with_values,
)
from character.training.reports import Mixed, RecipeFacts, TrainingReport
from character.training.scripts import RECIPE_FILE, as_seen_from, head_lines, write_script
from character.training.trl_settings import checked_values

REPORT_FILE, CHECKS_FILE = "training.json", "checks.md"
DATA_FOLDER, MIXED_FOLDER = "data", "mixed"
TRAINING_SPLIT = Split(train=0.9, validation=0.1, test=0.0)


@dataclass(frozen=True)
class TrainingConfig:
    """What is to be trained, and how.

    ``model`` is the base model's folder or its name on a hub, ``reward`` what GRPO is rewarded by. ``values`` replace
    settings of the recipe or add to them (None takes one out). ``mix`` is ordinary data to mix in. ``conditioned``, for a
    reward model, has every row say its trait, so that one model judges them all. ``scorer`` finds the
    traits that the pairs are not about, and ``how`` says in words who that is. Balancing leaves what ``balance_ignore`` names alone.
    """

    model: str
    preset: PresetName = "laptop"
    seed: int = 0
    mix: Sequence[Mix] = ()
    reward: Reward | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    scorer: Scorer = by_words
    how: str = BY_WORDS
    conditioned: bool = False
    balance_ignore: Sequence[str] = ()


def prepare(
    method: MethodName,
    source: ExportData,
    out: Path | str,
    wanted: TrainingConfig,
    *,
    split: Split = TRAINING_SPLIT,
    pairs: PairsConfig | None = None,
    balance: float | None = None,
    overwrite: bool = False,
) -> TrainingReport:
    """Write everything that TRL needs to train a model on a run, and what was noticed on the way.

    ``out`` gets ``data/`` (an export, with its card), ``recipe.yaml``, ``run.sh``, ``checks.md`` and
    ``training.json``. ``split``, ``pairs`` and ``balance`` are as of ``export``; balancing also evens out the traits
    that the pairs are not about, as the wanted's scorer finds them.
    Raises InputError for what cannot be trained on and UnknownNameError for the method or the preset.
    """
    chosen = _known(method, wanted)
    if (balance is not None or wanted.balance_ignore) and not EXPORT_FORMATS[chosen.format].reads_pairs:
        raise InputError(f"{method} trains on messages alone, so there are no pairs to balance.")
    rewarded = check_reward_traits(wanted.reward, [trait.name for trait in source.constitution.traits])
    contrasts = {}
    if balance is not None:
        stored = (pair for rollout in Source(source, pairs).rollouts for pair in rollout.pairs)
        contrasts = contrasts_of(stored, source.constitution.traits, wanted.scorer)
    report = export(
        source,
        chosen.format,
        Path(out) / DATA_FOLDER,
        split=split,
        seed=wanted.seed,
        pairs=pairs,
        balance=balance,
        balance_ignore=wanted.balance_ignore,
        balance_contrasts=contrasts,
        overwrite=overwrite,
    )
    return write_training(
        method,
        out,
        wanted,
        traits=source.constitution.traits,
        facts=_run_facts(source, report),
        warnings=(*report.warnings, *rewarded),
        left_out=report.skipped,
    )


def write_training(
    method: MethodName,
    out: Path | str,
    wanted: TrainingConfig,
    *,
    traits: Sequence[Trait] = (),
    facts: Mapping[str, Any] | None = None,
    warnings: tuple[str, ...] = (),
    left_out: Mapping[str, int] | None = None,
) -> TrainingReport:
    """Write recipe, script and checks for data that lie in ``out/data`` already, in the method's shape.

    ``facts`` are fields of RecipeFacts that say where the data came from, ``warnings`` what was noticed there, and ``left_out``
    counts what did not come along, by reason.
    """
    chosen, out = _known(method, wanted), Path(out)
    wanted = replace(wanted, values=checked_values(method, wanted.values))
    data, mixed = _mixed(read_data(out / DATA_FOLDER, method), chosen, wanted, out)
    plain = data
    if wanted.conditioned:
        data = conditioned(plain, traits, out / CONDITIONED_FOLDER)
    known = _facts(chosen, data, wanted, out, facts or {})
    has_validation = "validation" in data.splits
    reward = wanted.reward and wanted.reward._replace(model=as_seen_from(out, wanted.reward.model))
    parts = with_values(
        recipe_parts(chosen, PRESETS[wanted.preset], known, reward=reward, has_validation=has_validation),
        wanted.values,
    )
    report = TrainingReport(
        method=method,
        preset=wanted.preset,
        folder=out,
        facts=known,
        files=_files(data),
        mixed=mixed,
        settings=as_mapping(parts),
        checks=check_training(
            data,
            method,
            wanted.model,
            max_length=known.max_length,
            traits=traits,
            scorer=wanted.scorer,
            how=wanted.how,
            left_out=left_out or {},
        ),
        warnings=warnings,
        version=__version__,
    )
    write_text(out / RECIPE_FILE, recipe_text(parts, head_lines(report)))
    write_text(out / CHECKS_FILE, report_text(report.checks))
    write_text(
        out / REPORT_FILE, json_text(report.model_dump(mode="json", exclude={"folder"}), indent=2) + "\n"
    )
    write_script(out, chosen, PRESETS[wanted.preset])
    if wanted.conditioned:
        seen = plain.splits["train"]
        write_asking(out / MODEL_FOLDER, seen, traits, max_length=known.max_length, rehearsal=known.rehearsal)
    return report


def _files(data: TrainingData) -> tuple[ExportedFile, ...]:
    return tuple(
        ExportedFile(path=f"{name}.jsonl", split=name, rows=len(rows)) for name, rows in data.splits.items()
    )


def read_training(folder: Path | str) -> TrainingReport:
    """Return what was written into a folder; raises InputError where there is nothing readable."""
    import json

    path = Path(folder) / REPORT_FILE
    try:
        return TrainingReport.model_validate({**json.loads(path.read_text("utf-8")), "folder": folder})
    except (OSError, ValueError, TypeError):
        raise InputError(
            f"{path} cannot be read.",
            expected="a folder that `character train` wrote with this version",
            fix="write it again.",
        ) from None


def _known(method: str, wanted: TrainingConfig) -> Method:
    if method not in METHODS:
        raise UnknownNameError("training method", method, METHODS)
    chosen = METHODS[method]
    if wanted.preset not in PRESETS:
        raise UnknownNameError("preset", wanted.preset, PRESETS)
    if (method == "grpo") != (wanted.reward is not None):
        raise InputError(
            f"{method} was given a reward." if wanted.reward else "grpo was asked for without a reward.",
            expected="a reward model or a preference model for grpo, and for nothing else",
            fix="give grpo --reward-model FOLDER or --preference-model FOLDER.",
        )
    if wanted.conditioned and method != "reward":
        raise InputError(
            f"{method} was asked to say the trait in every row.", expected="that for a reward model alone"
        )
    checked_values(chosen.name, wanted.values)
    check_reward(wanted.reward)
    read_model_folder(wanted.model)  # before anything is written
    return chosen


def _mixed(
    data: TrainingData, method: Method, wanted: TrainingConfig, out: Path
) -> tuple[TrainingData, tuple[Mixed, ...]]:
    if not wanted.mix:
        return data, ()
    held_out = {prompt_key(row) for name, rows in data.splits.items() if name != "train" for row in rows}
    train, mixed = mixed_rows(data.splits["train"], wanted.mix, method, held_out=held_out, seed=wanted.seed)
    splits = {**data.splits, "train": train}
    folder = out / MIXED_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in splits.items():
        with jsonl_sink(folder / f"{name}.jsonl") as write:
            for row in rows:
                write(row)
    return TrainingData(folder, splits), mixed


def _run_facts(source: ExportData, report: ExportReport) -> dict[str, Any]:
    return {
        "constitution": source.constitution.name,
        "constitution_fingerprint": source.constitution.fingerprint,
        "run_fingerprint": str(source.manifest.get("run_fingerprint") or ""),
        "rehearsal": report.rehearsal,
    }


def _facts(
    method: Method, data: TrainingData, wanted: TrainingConfig, out: Path, facts: Mapping[str, Any]
) -> RecipeFacts:
    folder = read_model_folder(wanted.model)
    template = folder.chat_template if folder else ""
    labels = [bool(row["label"]) for row in data.splits["train"]] if method.name == "kto" else []
    return RecipeFacts.model_validate(
        {
            "model": as_seen_from(out, wanted.model),
            "seed": wanted.seed,
            "max_length": int(wanted.values.get("max_length") or MAX_LENGTH),
            "data_folder": data.folder.name,
            "model_fingerprint": folder.fingerprint if folder else "",
            "chat_template_fingerprint": fingerprint(template) if template else "",
            "data_fingerprint": data.fingerprint(),
            "kto_weight": round(labels.count(False) / labels.count(True), 3) if any(labels) else 1.0,
            **facts,
        }
    )
