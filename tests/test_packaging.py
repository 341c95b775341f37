"""The packages: versions and public names that hold."""

from __future__ import annotations

import ast
import os
import pkgutil
import tomllib
from pathlib import Path

import pytest

import character

ROOT = Path(__file__).parent.parent


def test_every_public_name_loads() -> None:
    assert [name for name in character.__all__ if getattr(character, name, None) is None] == []
    with pytest.raises(AttributeError, match="no attribute 'Rankar'"):
        character.Rankar  # noqa: B018


def test_the_version_is_told_in_one_place_and_the_citation_agrees() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert f"version: {character.__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["signatures", "optimizers"])
def test_the_generic_names_hold_no_names_of_their_own(name: str) -> None:
    _docstring, *rest = ast.parse((ROOT / name / "__init__.py").read_text(encoding="utf-8")).body
    extended = ["from pkgutil import extend_path", "__path__ = extend_path(__path__, __name__)"]
    assert [ast.unparse(line) for line in rest] == extended


def test_prices_are_never_fetched_from_the_web() -> None:
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"


def test_no_public_name_is_that_of_a_module() -> None:
    # Whoever imports the module first would get it in place of the function.
    modules = {module.name for module in pkgutil.iter_modules(character.__path__)}
    assert modules & set(character.__all__) == set()
