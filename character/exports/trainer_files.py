"""The small files beside the data that tell a trainer how to read it."""

from __future__ import annotations

from collections.abc import Sequence

from character.exports.models import ExportedFile
from character.files import json_text


def axolotl_yaml(files: Sequence[ExportedFile]) -> dict[str, str]:
    """Return ``axolotl.yaml``: the lines to put into an axolotl configuration, ``datasets`` first."""
    by_split = {file.split: file.path for file in files}
    lines = [
        "# Copy these lines into your axolotl configuration.",
        "# Paths are relative to the folder in which axolotl is started.",
        "rl: dpo",
    ]
    for key, split in (("datasets", "train"), ("test_datasets", "validation")):
        if split in by_split:
            # A single file is always read as a data set whose only split is called train.
            entry = [
                f"path: {by_split[split]}",
                "ds_type: json",
                "split: train",
                "type: chat_template.default",
            ]
            lines += [f"{key}:", *(f"  {'-' if i == 0 else ' '} {line}" for i, line in enumerate(entry))]
    return {"axolotl.yaml": "\n".join(lines) + "\n"}


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
