"""The small files beside the data that tell a trainer how to read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from character.exports.models import ExportedFile
from character.files import json_text
from character.views.templates import filled_in


def axolotl_yaml(files: Sequence[ExportedFile]) -> dict[str, str]:
    """Return ``axolotl.yaml``: the lines to put into an axolotl configuration, ``datasets`` first."""
    paths = {file.split: file.path for file in files}
    return {"axolotl.yaml": filled_in(Path(__file__).with_name("axolotl.yaml.jinja"), paths=paths)}


def llamafactory_info(files: Sequence[ExportedFile]) -> dict[str, str]:
    """Return ``dataset_info.json``, which LLaMA-Factory reads when ``dataset_dir`` is the export's folder."""
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
    entries = {
        f"character_{file.split}": {
            "file_name": file.path,
            "ranking": True,
            "formatting": "sharegpt",
            "columns": columns,
        }
        for file in files
    }
    return {"dataset_info.json": json_text(entries, indent=2) + "\n"}
