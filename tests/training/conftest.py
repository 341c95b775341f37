"""A tiny model folder and rows of training data, made on the spot."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from training_rows import Row, write_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "base")


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows as the data of a training and gives its folder; keywords are splits."""

    def write(**splits: Sequence[Row]) -> Path:
        folder = tmp_path / "training" / "data"
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in splits.items():
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
        return folder

    return write
