"""The packages: one clear error where another package hides ours, versions and public names that hold."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import character

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["signatures", "optimizers"])
def test_another_package_that_hides_ours_gets_one_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", "import character"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode != 0
    last = done.stderr.strip().split("\n")[-1]
    assert last.startswith("ImportError")
    assert str(tmp_path / name) in last


def test_every_public_name_loads() -> None:
    assert [name for name in character.__all__ if getattr(character, name, None) is None] == []
    with pytest.raises(AttributeError, match="no attribute 'Rankar'"):
        character.Rankar  # noqa: B018


def test_the_version_is_told_in_one_place_and_the_citation_agrees() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert f"version: {character.__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["signatures", "optimizers"])
def test_the_generic_names_hold_a_docstring_only(name: str) -> None:
    lines = (ROOT / name / "__init__.py").read_text(encoding="utf-8").strip().split("\n")
    assert len(lines) == 1
    assert lines[0].startswith('"""')


def test_prices_are_never_fetched_from_the_web() -> None:
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"


def test_no_public_name_is_that_of_a_module() -> None:
    # Whoever imports the module first would get it in place of the function.
    modules = {module.name for module in pkgutil.iter_modules(character.__path__)}
    assert modules & set(character.__all__) == set()
