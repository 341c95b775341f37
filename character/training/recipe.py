"""The recipe: what TRL is told, as commented YAML that can be read, changed and run without us."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from character._version import __version__
from character.config import TrainConfig
from character.files import problem, toml_beside, write_text
from character.training.methods import METHODS, PRESETS, Method, Preset
from character.training.reports import RecipeFacts, TrainingReport
from character.views.templates import filled_in

RECIPE_FILE, SCRIPT_FILE = "recipe.yaml", "run.sh"
MODEL_FOLDER = "model"
"""Where the trained model goes, below the folder of the recipe."""
MAX_LENGTH = 1024
"""The most tokens of a prompt with its response, unless told otherwise."""
_GENERATIONS = 8


class Setting(NamedTuple):
    """One line of a recipe and why it is there."""

    key: str
    value: Any
    why: str = ""


class RecipePart(NamedTuple):
    """Settings under a heading."""

    heading: str
    settings: tuple[Setting, ...]


class Reward(NamedTuple):
    """What GRPO is rewarded by: a reward model of TRL's, or a preference model of ours as a function."""

    model: str
    is_ours: bool


def reward_of(config: TrainConfig) -> Reward | None:
    """Return what a configuration rewards GRPO by, None for nothing; raises InputError where it names two."""
    theirs, ours = config.reward_model, config.preference_model
    if theirs and ours:
        raise problem(__file__, "two_rewards")
    folder = theirs or ours
    return Reward(folder, is_ours=bool(ours)) if folder else None


def recipe_parts(
    method: Method, preset: Preset, facts: RecipeFacts, *, reward: Reward | None = None, has_validation: bool
) -> list[RecipePart]:
    """Return what the recipe of a method says, before the user's own settings."""
    tables = toml_beside(__file__, "recipe")
    tuning = "lora" if preset.lora_rank else "full"
    rows = _GENERATIONS if method.name == "grpo" else preset.rows_at_once
    holds = {
        method.name,
        tuning,
        "cpu" if preset.on_cpu else "gpu",
        "launched" if preset.launcher else "alone",
        "validation" if has_validation else "unvalidated",
    }
    values = {
        **facts.model_dump(),
        **preset._asdict(),
        "trains": method.trains,
        "rate": tables["rates"][tuning][method.name],
        "rows": rows,
        "batch": rows * preset.accumulation,
        "generations": _GENERATIONS,
        "half_length": facts.max_length // 2,
        "lora_alpha": 2 * preset.lora_rank,
        "output_dir": MODEL_FOLDER,
    }
    if reward is not None:
        holds.add("ours" if reward.is_ours else "theirs")
        values |= {"reward": reward.model, "env": {"CHARACTER_PREFERENCE_MODEL": reward.model}}
    return [
        RecipePart(part["heading"].format(**values), tuple(_settings(part["settings"], values, holds)))
        for part in tables["parts"]
    ]


def _settings(
    entries: Iterable[Mapping[str, Any]], values: Mapping[str, Any], holds: Collection[str]
) -> Iterator[Setting]:
    for entry in entries:
        conditions = entry.get("when", "").split()
        if all(any(name in holds for name in condition.split("/")) for condition in conditions):
            value = entry["value"]
            if isinstance(value, str) and value.startswith("{"):
                value = values[value.strip("{}")]
            yield Setting(entry["key"], value, entry.get("why", "").format(**values))


def with_values(parts: Iterable[RecipePart], values: Mapping[str, Any]) -> list[RecipePart]:
    """Return the parts with the user's values: those of settings there stand in place, others at the end.

    A value of None takes a setting out.
    """
    left = dict(values)
    changed = []
    for part in parts:
        settings = (each._replace(value=left.pop(each.key, each.value)) for each in part.settings)
        changed.append(part._replace(settings=tuple(each for each in settings if each.value is not None)))
    more = tuple(Setting(key, value) for key, value in left.items() if value is not None)
    return [*changed, RecipePart("further settings", more)] if more else changed


def as_mapping(parts: Iterable[RecipePart]) -> dict[str, Any]:
    """Return the settings as a plain mapping."""
    return {setting.key: setting.value for part in parts for setting in part.settings}


def yaml_line(setting: Setting) -> str:
    """Return a setting as a line of YAML."""
    if isinstance(setting.value, float) and "e" in repr(setting.value):
        # PyYAML reads 5e-05 as a text, because YAML 1.1 asks for a point in the mantissa.
        mantissa, _, exponent = repr(setting.value).partition("e")
        return f"{setting.key}: {mantissa if '.' in mantissa else f'{mantissa}.0'}e{int(exponent)}"
    flow = None if isinstance(setting.value, list) else False
    line = {setting.key: setting.value}
    text = yaml.safe_dump(line, default_flow_style=flow, allow_unicode=True, sort_keys=False, width=1000)
    return text.rstrip()


def as_seen_from(out: Path, name: str) -> str:
    """Return how a recipe in ``out`` names a folder that is named as seen from here; other names stay."""
    folder = Path(name)
    if folder.is_absolute() or not folder.exists():
        return name
    return os.path.relpath(folder, out)


def recipe_text(report: TrainingReport, parts: Sequence[RecipePart]) -> str:
    """Return the recipe as commented YAML; its top says what it trains, from what, and how to run it."""
    return filled_in(
        Path(__file__).with_name("recipe.yaml.jinja"),
        report=report,
        facts=report.facts,
        method=METHODS[report.method],
        parts=parts,
        yaml_line=yaml_line,
        recipe=RECIPE_FILE,
        script=SCRIPT_FILE,
        version=__version__,
    )


def write_script(report: TrainingReport) -> None:
    """Write the script that runs the recipe beside it."""
    path, template = report.folder / SCRIPT_FILE, Path(__file__).with_name("run.sh.jinja")
    on_cpu = PRESETS[report.preset].on_cpu
    text = filled_in(template, recipe=RECIPE_FILE, model=MODEL_FOLDER, method=report.method, on_cpu=on_cpu)
    write_text(path, text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
