"""The records of training: what a recipe was made from, what the checks found, what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from character.exports import ExportedFile
from character.records import Record
from character.training.methods import MethodName, PresetName

CheckWeight = Literal["stop", "look", "note", "fine"]


class Check(Record):
    """What one check found, in plain words.

    ``weight``: ``stop`` would crash, or train on something else than the data says; ``look`` asks for
    attention, ``note`` informs, ``fine`` reassures. ``code`` names the check, ``numbers`` are its figures.
    """

    code: str
    weight: CheckWeight
    text: str
    numbers: dict[str, float] = Field(default_factory=dict)


class RecipeFacts(Record):
    """What a recipe was made from.

    ``model`` is the base model as the recipe names it, ``model_fingerprint`` that of its configuration,
    tokenizer and chat template (empty for a model that is not a folder here), ``data_folder`` the data as the
    recipe names it, ``data_fingerprint`` that of its rows. ``run_fingerprint`` and
    ``constitution_fingerprint`` say which run the data came from, empty where it came from none.
    ``kto_weight`` evens out the labels for KTO.
    """

    model: str
    seed: int
    max_length: int
    data_folder: str = "data"
    model_fingerprint: str = ""
    chat_template_fingerprint: str = ""
    data_fingerprint: str = ""
    constitution: str = ""
    constitution_fingerprint: str = ""
    run_fingerprint: str = ""
    rehearsal: bool | None = None
    kto_weight: float = 1.0


class Mixed(Record):
    """Ordinary data that was mixed in: its ``share`` of the rows (0..1), and what was left out and why."""

    file: str
    share: float
    rows: int
    skipped: dict[str, int] = Field(default_factory=dict)


class TrainingReport(Record):
    """What was written for one training: everything but the trained model.

    ``files`` are the data files below ``facts.data_folder``, ``settings`` what the recipe says.
    """

    method: MethodName
    preset: PresetName
    folder: Path
    facts: RecipeFacts
    files: tuple[ExportedFile, ...]
    mixed: tuple[Mixed, ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = ()
    version: str = ""

    @property
    def stops(self) -> tuple[Check, ...]:
        """The checks that speak against starting at all."""
        return tuple(check for check in self.checks if check.weight == "stop")
