"""An evaluation read back from its folder: the report, and the responses with what was found in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from character.errors import StoreError
from character.evaluation.records import EffectReport, Probed

REPORT_NAME, RESPONSES_NAME = "effect.json", "responses.jsonl"


def read_report(folder: Path | str) -> EffectReport:
    """Return the report of an evaluation in a folder; raises StoreError where there is none."""
    with _reading(Path(folder)):
        return EffectReport.model_validate_json((Path(folder) / REPORT_NAME).read_text(encoding="utf-8"))


def read_effect(folder: Path | str) -> tuple[EffectReport, list[Probed]]:
    """Return the report of an evaluation in a folder and its responses; raises StoreError where there is none."""
    report = read_report(folder)
    with _reading(Path(folder)):
        lines = (Path(folder) / RESPONSES_NAME).read_text(encoding="utf-8").split("\n")
        return report, [Probed.model_validate_json(line) for line in lines if line]


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise StoreError(
            f"{folder} holds no finished evaluation.",
            expected=f"a folder with {REPORT_NAME} and {RESPONSES_NAME}",
            fix="make one with `character effect`.",
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, ValidationError) as error:
        raise StoreError(f"{folder} cannot be read as an evaluation: {str(error).splitlines()[0]}") from None
