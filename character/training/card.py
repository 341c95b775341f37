"""The card of a trained model: its base by name, the data by fingerprint, and what the measurement said."""

from __future__ import annotations

from pathlib import Path

from character.exports.card import card_text
from character.files import write_text
from character.training.methods import METHODS
from character.training.recipe import MODEL_FOLDER
from character.training.reports import TrainingReport

CARD_FILE = "README.md"


def write_card(report: TrainingReport, measured: str = "") -> Path:
    """Write the card into the trained model's folder, in place of the one TRL wrote, and return its path."""
    path = report.folder / MODEL_FOLDER / CARD_FILE
    write_text(path, model_card(report, measured))
    return path


def model_card(report: TrainingReport, measured: str = "") -> str:
    """Return the card as Markdown, with the hub's YAML header; ``measured`` is what a measurement said, in
    Markdown; without it the card says that nothing was measured."""
    header = {
        "base_model": report.facts.model,
        "library_name": "peft" if report.settings.get("use_peft") else "transformers",
        "tags": ["character-training", report.method],
    }
    return card_text(
        Path(__file__).with_name("model_card.md.jinja"),
        header,
        report=report,
        facts=report.facts,
        trains=METHODS[report.method].trains,
        measured=measured,
    )
