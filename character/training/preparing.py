"""The entry point: a run in, and out come a folder with data, recipe, script and checks, ready for TRL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from character._version import __version__
from character.config import PairsConfig, TrainConfig
from character.constitution import Trait
from character.errors import ConfigError, InputError, UnknownNameError
from character.exports import EXPORT_FORMATS, ExportData, ExportedFile, ExportReport, Split, export
from character.exports.source import Source
from character.files import json_text, write_text
from character.text import fingerprint
from character.training.checks.run import check_training, report_text
from character.training.conditioning import (
    CONDITIONED_FOLDER,
    check_reward,
    check_reward_traits,
    conditioned,
    write_asking,
)
from character.training.data import TrainingData, prompt_key, read_data, write_data
from character.training.methods import METHODS, Method, MethodName
from character.training.mixing import mixed_rows, mixes_of
from character.training.model_folder import read_model_folder
from character.training.other_traits import BY_WORDS, TraitScorer, contrasts_of
from character.training.presets import PRESETS, Preset
from character.training.recipe import (
    MAX_LENGTH,
    MODEL_FOLDER,
    RecipePart,
    as_mapping,
    recipe_parts,
    reward_of,
    with_values,
)
from character.training.reports import Mixed, RecipeFacts, TrainingReport
from character.training.scripts import RECIPE_FILE, as_seen_from, recipe_text, write_script
from character.training.trl_settings import checked_values

REPORT_FILE, CHECKS_FILE = "training.json", "checks.md"
DATA_FOLDER, MIXED_FOLDER = "data", "mixed"


def prepare(
    method: MethodName,
    source: ExportData,
    out: Path | str,
    config: TrainConfig,
    *,
    seed: int = 0,
    pairs: PairsConfig | None = None,
    scorer: TraitScorer = BY_WORDS,
    overwrite: bool = False,
) -> TrainingReport:
    """Write everything that TRL needs to train a model on a run, and what was noticed on the way.

    ``out`` gets ``data/`` (an export, with its card), ``recipe.yaml``, ``run.sh``, ``checks.md`` and
    ``training.json``. ``pairs`` is as of ``export``. Balancing also evens out the traits that the pairs are
    not about, as ``scorer`` finds them. Raises InputError for what cannot be trained on and UnknownNameError
    for the method or the preset.
    """
    chosen, split = _checked(method, config), Split.parse(config.split)
    balances = config.balance is not None or bool(config.balance_ignore)
    if balances and not EXPORT_FORMATS[chosen.format].reads_pairs:
        raise InputError(f"{method} trains on messages alone, so there are no pairs to balance.")
    traits = source.constitution.traits
    reward_warnings = check_reward_traits(reward_of(config), [trait.name for trait in traits])
    contrasts = {}
    if config.balance is not None:
        rollouts = Source(source, pairs).rollouts
        contrasts = contrasts_of((pair for each in rollouts for pair in each.pairs), traits, scorer)
    exported = export(
        source,
        chosen.format,
        Path(out) / DATA_FOLDER,
        split=split,
        seed=seed,
        pairs=pairs,
        balance=config.balance,
        balance_ignore=config.balance_ignore,
        balance_contrasts=contrasts,
        overwrite=overwrite,
    )
    return write_training(
        method,
        out,
        config,
        seed=seed,
        scorer=scorer,
        traits=traits,
        facts={
            "constitution": source.constitution.name,
            "constitution_fingerprint": source.constitution.fingerprint,
            "run_fingerprint": str(source.manifest.get("run_fingerprint") or ""),
            "rehearsal": exported.rehearsal,
        },
        exported=exported.model_copy(update={"warnings": (*exported.warnings, *reward_warnings)}),
    )


def write_training(
    method: MethodName,
    out: Path | str,
    config: TrainConfig,
    *,
    seed: int = 0,
    scorer: TraitScorer = BY_WORDS,
    traits: Sequence[Trait] = (),
    facts: Mapping[str, Any] | None = None,
    exported: ExportReport | None = None,
) -> TrainingReport:
    """Write recipe, script and checks for data that lie in ``out/data`` already, in the method's shape.

    ``facts`` are fields of RecipeFacts that say where the data came from; ``exported`` tells what was noticed
    when they were written, and what did not come along.
    """
    chosen, out = _checked(method, config), Path(out)
    plain, mixed = _mixed(read_data(out / DATA_FOLDER, method), chosen, config, seed, out)
    is_conditioned = has_conditioned_rows(method, config)
    data = conditioned(plain, traits, out / CONDITIONED_FOLDER) if is_conditioned else plain
    recipe_facts = _recipe_facts(chosen, data, config, out, {"seed": seed, **(facts or {})})
    parts = _recipe(chosen, data, config, out, recipe_facts)
    report = TrainingReport(
        method=method,
        preset=recipe_preset(config).name,
        folder=out,
        facts=recipe_facts,
        files=tuple(
            ExportedFile(path=f"{name}.jsonl", split=name, rows=len(rows))
            for name, rows in data.splits.items()
        ),
        mixed=mixed,
        settings=as_mapping(parts),
        checks=check_training(
            data,
            method,
            config.model,
            max_length=recipe_facts.max_length,
            traits=traits,
            scorer=scorer,
            left_out=exported.skipped if exported else {},
        ),
        warnings=exported.warnings if exported else (),
        version=__version__,
    )
    _write(report, parts)
    if is_conditioned:
        write_asking(
            out / MODEL_FOLDER,
            plain.splits["train"],
            traits,
            max_length=recipe_facts.max_length,
            rehearsal=recipe_facts.rehearsal,
        )
    return report


def _recipe(
    method: Method, data: TrainingData, config: TrainConfig, out: Path, facts: RecipeFacts
) -> list[RecipePart]:
    reward = reward_of(config)
    parts = recipe_parts(
        method,
        recipe_preset(config),
        facts,
        reward=reward and reward._replace(model=as_seen_from(out, reward.model)),
        has_validation="validation" in data.splits,
    )
    return with_values(parts, checked_values(method.name, config.values))


def _write(report: TrainingReport, parts: Sequence[RecipePart]) -> None:
    out = report.folder
    write_text(out / RECIPE_FILE, recipe_text(report, parts))
    write_text(out / CHECKS_FILE, report_text(report.checks))
    fields = report.model_dump(mode="json", exclude={"folder"})
    write_text(out / REPORT_FILE, json_text(fields, indent=2) + "\n")
    write_script(out, METHODS[report.method], PRESETS[report.preset])


def read_training(folder: Path | str) -> TrainingReport:
    """Return what was written into a folder; raises InputError where there is nothing readable."""
    path = Path(folder) / REPORT_FILE
    try:
        return TrainingReport.model_validate({**json.loads(path.read_text("utf-8")), "folder": folder})
    except (OSError, ValueError, TypeError):
        raise InputError(
            f"{path} cannot be read.",
            expected="a folder that `character train` wrote with this version",
            fix="write it again.",
        ) from None


def _checked(method: str, config: TrainConfig) -> Method:
    """Return a method by its name; raises for what cannot be trained, before anything is written."""
    if method not in METHODS:
        raise UnknownNameError("training method", method, METHODS)
    chosen = METHODS[method]
    if not config.model:
        raise ConfigError(
            "no base model is named.", expected="train.model (--model): a folder, or a name on a hub"
        )
    recipe_preset(config)
    reward = reward_of(config)
    if (method == "grpo") != (reward is not None):
        raise InputError(
            f"{method} was given a reward." if reward else "grpo was asked for without a reward.",
            expected="a reward model or a preference model for grpo, and for nothing else",
            fix="give grpo --reward-model FOLDER or --preference-model FOLDER.",
        )
    if config.conditioned and method != "reward":
        raise InputError(
            f"{method} was asked to say the trait in every row.", expected="that for a reward model alone"
        )
    checked_values(chosen.name, config.values)
    mixes_of(config)
    check_reward(reward)
    read_model_folder(config.model)
    return chosen


def recipe_preset(config: TrainConfig) -> Preset:
    """Return the preset that a configuration names; raises UnknownNameError for an unknown one."""
    if config.preset not in PRESETS:
        raise UnknownNameError("preset", config.preset, PRESETS)
    return PRESETS[config.preset]


def has_conditioned_rows(method: str, config: TrainConfig) -> bool:
    """Whether every row says its trait: for a reward model by default."""
    return method == "reward" if config.conditioned is None else config.conditioned


def _mixed(
    data: TrainingData, method: Method, config: TrainConfig, seed: int, out: Path
) -> tuple[TrainingData, tuple[Mixed, ...]]:
    mixes = mixes_of(config)
    if not mixes:
        return data, ()
    held_out = {prompt_key(row) for name, rows in data.splits.items() if name != "train" for row in rows}
    train, mixed = mixed_rows(data.splits["train"], mixes, method, held_out=held_out, seed=seed)
    return write_data(out / MIXED_FOLDER, {**data.splits, "train": train}), mixed


def _recipe_facts(
    method: Method, data: TrainingData, config: TrainConfig, out: Path, facts: Mapping[str, Any]
) -> RecipeFacts:
    folder = read_model_folder(config.model)
    template = folder.chat_template if folder else ""
    labels = [bool(row["label"]) for row in data.splits["train"]] if method.name == "kto" else []
    values = checked_values(method.name, config.values)
    return RecipeFacts.model_validate(
        {
            "model": as_seen_from(out, config.model),
            "max_length": int(values.get("max_length") or MAX_LENGTH),
            "data_folder": data.folder.name,
            "model_fingerprint": folder.fingerprint if folder else "",
            "chat_template_fingerprint": fingerprint(template) if template else "",
            "data_fingerprint": data.fingerprint(),
            "kto_weight": round(labels.count(False) / labels.count(True), 3) if any(labels) else 1.0,
            **facts,
        }
    )
