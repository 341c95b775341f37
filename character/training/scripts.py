"""What stands around a recipe: the lines at its top, the script that runs it, names as it sees them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from character._version import __version__
from character.files import write_text
from character.training.methods import METHODS, Method
from character.training.presets import Preset
from character.training.recipe import MODEL_FOLDER
from character.training.reports import TrainingReport

RECIPE_FILE, SCRIPT_FILE = "recipe.yaml", "run.sh"
_SCRIPT = """\
#!/usr/bin/env bash
# Trains what {recipe} says, and goes on from the last checkpoint where there is one.
set -euo pipefail
cd "$(dirname "$0")"
{threads}last="$(ls -d {model}/checkpoint-* 2>/dev/null | sort -V | tail -n 1 || true)"
trl {method} --config {recipe} ${{last:+--resume_from_checkpoint "$last"}} "$@"
"""
_ONE_THREAD = """\
# Small models are fastest on one thread (measured: five times less work a step); for larger ones raise it.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
"""


def as_seen_from(out: Path, name: str) -> str:
    """Return how a recipe in ``out`` names a folder that is named as seen from here; other names stay."""
    folder = Path(name)
    if folder.is_absolute() or not folder.exists():
        return name
    return os.path.relpath(folder, out)


def head_lines(report: TrainingReport) -> list[str]:
    """Return what the top of a recipe says: what it trains, from what, and how to run it."""
    facts, method = report.facts, METHODS[report.method]
    template = facts.chat_template_fingerprint
    rows = ", ".join(f"{file.rows:,} {file.split}" for file in report.files)
    facts_shown = (
        ("trains", method.trains),
        ("base model", _coded(facts.model, facts.model_fingerprint)),
        (
            "chat template",
            _coded("the base model's", template) if template else "the base model's, not seen here",
        ),
        ("data", _coded(f"{rows} rows", facts.data_fingerprint)),
        ("mixed in", ", ".join(f"{each.share:.0%} of {each.file}" for each in report.mixed)),
        ("constitution", _coded(facts.constitution, facts.constitution_fingerprint)),
        ("run", facts.run_fingerprint),
        ("seed", str(facts.seed)),
    )
    lines = [
        f"For TRL 1.16 or later: trl {report.method} --config {RECIPE_FILE}   ({SCRIPT_FILE} does that)",
        f"Written by character-framework {__version__}. Codes in brackets are fingerprints.",
        "",
        *(f"{label:<14} {' '.join(text.split())}" for label, text in facts_shown if text),
    ]
    if facts.rehearsal:
        lines += [
            "",
            "The rehearsal model had a hand in this data: for trying and testing, not for training.",
        ]
    return lines


def _coded(text: str, code: str) -> str:
    return f"{text} ({code})" if text and code else text


def write_script(folder: Path, method: Method, preset: Preset) -> None:
    """Write the script that runs the recipe beside it."""
    path = folder / SCRIPT_FILE
    threads = _ONE_THREAD if preset.on_cpu else ""
    write_text(
        path,
        _SCRIPT.format(recipe=RECIPE_FILE, model=MODEL_FOLDER, method=method.name, threads=threads),
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
