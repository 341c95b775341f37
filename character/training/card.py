"""The card of a trained model: its base by name, the data by fingerprint, and what the measurement said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from character.files import write_text
from character.training.methods import METHODS
from character.training.recipe import MODEL_FOLDER
from character.training.reports import TrainingReport

CARD_FILE = "README.md"
_NOT_MEASURED = """\
Nothing was measured yet. Do not rely on this model before its effect and its side effects are known."""
_LIMITS = """\
A trait is a nudge, not a rule. The figures hold for the messages measured on and for whoever judged them;
what was not measured may have moved too."""


def write_card(report: TrainingReport, measured: str = "") -> Path:
    """Write the card into the trained model's folder, in place of the one TRL wrote, and return its path."""
    path = report.folder / MODEL_FOLDER / CARD_FILE
    write_text(path, model_card(report, measured))
    return path


def model_card(report: TrainingReport, measured: str = "") -> str:
    """Return the card as Markdown, with the hub's YAML header; ``measured`` is what a measurement said, in
    Markdown; without it the card says that nothing was measured."""
    import yaml

    facts = report.facts
    header = yaml.safe_dump(
        {
            "base_model": facts.model,
            "library_name": "peft" if report.settings.get("use_peft") else "transformers",
            "tags": ["character-training", report.method],
        },
        sort_keys=False,
        allow_unicode=True,
    )
    name = " ".join((facts.constitution or "a character").split())
    sections = (
        f"# {name}: {METHODS[report.method].trains}",
        _warning(report),
        "## How it was made\n\n" + "\n".join(_making(report)),
        "## What the measurement said\n\n" + (measured or _NOT_MEASURED),
        "## What was noticed before training\n\n" + "\n".join(_noticed(report)),
        f"## Limits\n\n{_LIMITS}",
    )
    return f"---\n{header}---\n\n" + "\n\n".join(section for section in sections if section) + "\n"


def _warning(report: TrainingReport) -> str:
    if not report.facts.rehearsal:
        return ""
    return (
        "> **Trained on data that the rehearsal model had a hand in: for trying and testing, not for use.**"
    )


def _making(report: TrainingReport) -> Iterator[str]:
    facts = report.facts
    yield f"- Base model: `{facts.model}`{_code(facts.model_fingerprint)}"
    yield f"- Method: TRL's {report.method}, preset {report.preset}, seed {facts.seed}"
    rows = ", ".join(f"{file.rows:,} {file.split}" for file in report.files)
    yield f"- Data: {rows} rows{_code(facts.data_fingerprint)}"
    for mixed in report.mixed:
        yield f"- Mixed in: {mixed.rows:,} rows of {mixed.file} ({mixed.share:.0%})"
    if facts.constitution_fingerprint:
        yield f"- Constitution: {facts.constitution}{_code(facts.constitution_fingerprint)}"
    if facts.run_fingerprint:
        yield f"- Run:{_code(facts.run_fingerprint)}"


def _code(fingerprint: str) -> str:
    return f" (fingerprint `{fingerprint}`)" if fingerprint else ""


def _noticed(report: TrainingReport) -> Iterator[str]:
    checks = [check for check in report.checks if check.weight in ("stop", "look")]
    if not checks:
        yield "Nothing that asked for attention."
    for check in checks:
        yield f"- {' '.join(check.text.split())}"
