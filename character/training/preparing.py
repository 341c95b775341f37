"""The entry point: a run in, and out come a folder with data, recipe, script and checks, ready for TRL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from character._version import __version__
from character.config import PairsConfig, TrainConfig
from character.constitution import Trait
from character.errors import ConfigError, InputError, UnknownNameError
from character.exports import EXPORT_FORMATS, ExportData, ExportedFile, ExportReport, Split, export
from character.exports.source import Source
from character.files import json_text, problem, write_text
from character.text import fingerprint
from character.training.checks import check_training, report_text
from character.training.conditioning import (
    CONDITIONED_FOLDER,
    check_reward,
    check_reward_traits,
    conditioned,
    write_asking,
)
from character.training.data import Mix, TrainingData, mixed_rows, prompt_key, read_data, write_data
from character.training.methods import METHODS, PRESETS, Method, MethodName, Preset
from character.training.model_folder import ModelFolder, read_model_folder
from character.training.other_traits import BY_WORDS, TraitScorer, contrasts_of
from character.training.recipe import (
    MAX_LENGTH,
    MODEL_FOLDER,
    RECIPE_FILE,
    RecipePart,
    Reward,
    as_mapping,
    as_seen_from,
    recipe_parts,
    recipe_text,
    reward_of,
    with_values,
    write_script,
)
from character.training.reports import Mixed, RecipeFacts, TrainingReport
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
    plan, split = _plan(method, config), Split.parse(config.split)
    balances = config.balance is not None or bool(config.balance_ignore)
    if balances and not EXPORT_FORMATS[plan.method.format].reads_pairs:
        raise InputError(f"{method} trains on messages alone, so there are no pairs to balance.")
    traits = source.constitution.traits
    reward_warnings = check_reward_traits(plan.reward, [trait.name for trait in traits])
    contrasts = {}
    if config.balance is not None:
        rollouts = Source(source, pairs).rollouts
        contrasts = contrasts_of((pair for each in rollouts for pair in each.pairs), traits, scorer)
    exported = export(
        source,
        plan.method.format,
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
    plan, out = _plan(method, config), Path(out)
    plain, mixed = _mixed(read_data(out / DATA_FOLDER, method), plan, seed, out)
    data = conditioned(plain, traits, out / CONDITIONED_FOLDER) if plan.is_conditioned else plain
    recipe_facts = _recipe_facts(plan, data, as_seen_from(out, config.model), {"seed": seed, **(facts or {})})
    reward = plan.reward and plan.reward._replace(model=as_seen_from(out, plan.reward.model))
    has_validation = "validation" in data.splits
    parts = recipe_parts(plan.method, plan.preset, recipe_facts, reward=reward, has_validation=has_validation)
    parts = with_values(parts, plan.values)
    report = TrainingReport(
        method=method,
        preset=plan.preset.name,
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
    if plan.is_conditioned:
        write_asking(
            out / MODEL_FOLDER,
            plain.splits["train"],
            traits,
            max_length=recipe_facts.max_length,
            rehearsal=recipe_facts.rehearsal,
        )
    return report


def _write(report: TrainingReport, parts: Sequence[RecipePart]) -> None:
    out = report.folder
    write_text(out / RECIPE_FILE, recipe_text(report, parts))
    write_text(out / CHECKS_FILE, report_text(report.checks))
    fields = report.model_dump(mode="json", exclude={"folder"})
    write_text(out / REPORT_FILE, json_text(fields, indent=2) + "\n")
    write_script(report)


def read_training(folder: Path | str) -> TrainingReport:
    """Return what was written into a folder; raises InputError where there is nothing readable."""
    path = Path(folder) / REPORT_FILE
    try:
        return TrainingReport.model_validate({**json.loads(path.read_text("utf-8")), "folder": folder})
    except (OSError, ValueError, TypeError):
        raise problem(__file__, "no_training", path=path) from None


class _Plan(NamedTuple):
    """What a method and a configuration ask for; ``base`` is the base model where it is a folder here."""

    method: Method
    preset: Preset
    reward: Reward | None
    values: dict[str, Any]
    mixes: list[Mix]
    base: ModelFolder | None
    is_conditioned: bool


def _plan(method: str, config: TrainConfig) -> _Plan:
    """Return what is asked for; raises for what cannot be trained, before anything is written."""
    if method not in METHODS:
        raise UnknownNameError("training method", method, METHODS)
    if not config.model:
        raise problem(__file__, "no_base_model", ConfigError)
    if config.preset not in PRESETS:
        raise UnknownNameError("preset", config.preset, PRESETS)
    reward = reward_of(config)
    if (method == "grpo") != (reward is not None):
        raise problem(__file__, "a_reward" if reward else "no_reward", method=method)
    if config.conditioned and method != "reward":
        raise problem(__file__, "conditioned", method=method)
    values = checked_values(METHODS[method].name, config.values)
    mixes = [Mix.parse(text) for text in config.mix]
    check_reward(reward)
    return _Plan(
        METHODS[method],
        PRESETS[config.preset],
        reward,
        values,
        mixes,
        base=read_model_folder(config.model),
        is_conditioned=method == "reward" and config.conditioned is not False,
    )


def _mixed(data: TrainingData, plan: _Plan, seed: int, out: Path) -> tuple[TrainingData, tuple[Mixed, ...]]:
    if not plan.mixes:
        return data, ()
    held_out = {prompt_key(row) for name, rows in data.splits.items() if name != "train" for row in rows}
    train, mixed = mixed_rows(data.splits["train"], plan.mixes, plan.method, held_out=held_out, seed=seed)
    return write_data(out / MIXED_FOLDER, {**data.splits, "train": train}), mixed


def _recipe_facts(plan: _Plan, data: TrainingData, model: str, facts: Mapping[str, Any]) -> RecipeFacts:
    template = plan.base.chat_template if plan.base else ""
    labels = [bool(row["label"]) for row in data.splits["train"]] if plan.method.name == "kto" else []
    return RecipeFacts.model_validate(
        {
            "model": model,
            "max_length": int(plan.values.get("max_length") or MAX_LENGTH),
            "data_folder": data.folder.name,
            "model_fingerprint": plan.base.fingerprint if plan.base else "",
            "chat_template_fingerprint": fingerprint(template) if template else "",
            "data_fingerprint": data.fingerprint(),
            "kto_weight": round(labels.count(False) / labels.count(True), 3) if any(labels) else 1.0,
            **facts,
        }
    )
