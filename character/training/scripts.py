"""A recipe as its file, the script that runs it, and names as a recipe sees them."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from character._version import __version__
from character.files import write_text
from character.training.methods import METHODS, Method
from character.training.presets import Preset
from character.training.recipe import MODEL_FOLDER, RecipePart, yaml_line
from character.training.reports import TrainingReport
from character.views.templates import filled_in

RECIPE_FILE, SCRIPT_FILE = "recipe.yaml", "run.sh"


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


def write_script(folder: Path, method: Method, preset: Preset) -> None:
    """Write the script that runs the recipe beside it."""
    path, template = folder / SCRIPT_FILE, Path(__file__).with_name("run.sh.jinja")
    text = filled_in(
        template, recipe=RECIPE_FILE, model=MODEL_FOLDER, method=method.name, on_cpu=preset.on_cpu
    )
    write_text(path, text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
