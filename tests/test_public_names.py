"""The public face: every name, and the signature of everything that can be called, as they were agreed on.

``python tests/test_public_names.py`` accepts a change on purpose.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from pydantic import BaseModel

import character

SNAPSHOT = Path(__file__).with_name("public_names.json")


def signatures() -> dict[str, str]:
    """Return the signature of every public name; of a record its fields, whose bounds print differently from time to time."""
    found = {}
    for name in sorted(character.__all__):
        value = getattr(character, name)
        try:
            if isinstance(value, type) and issubclass(value, BaseModel):
                fields = value.model_fields.items()
                found[name] = ", ".join(f"{key}: {field.annotation}" for key, field in fields)
            else:
                found[name] = str(inspect.signature(value)) if callable(value) else type(value).__name__
        except ValueError:
            found[name] = "class"
    return found


def test_the_public_names_and_their_signatures_are_those_agreed_on() -> None:
    assert signatures() == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_the_package_is_imported_without_its_heavy_parts() -> None:
    code = "import character, sys; print([m for m in ('dspy', 'pydantic', 'litellm') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "path", ["character.program_metrics", "character.preference.why", "character.audit.overview"]
)
def test_a_path_that_was_documented_works_for_one_version_with_a_warning(path: str) -> None:
    sys.modules.pop(path, None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        __import__(path)
    assert any(issubclass(each.category, DeprecationWarning) for each in caught)


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(signatures(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
