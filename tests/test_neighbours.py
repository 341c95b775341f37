"""A user's own ``optimizers`` and ``signatures``: he gets his, character has its own, and its command always works."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMES = ("signatures", "optimizers")
USE = """
import pickle
import character, dspy, {name}
from character import *
dspy.configure(lm=build_lm())
made = CharacterProgram(messages_per_trait=1)(trait="patience: takes its time")
labels = read_labelled({labels!r})
assert made.candidates and pickle.loads(pickle.dumps(labels)) == labels
missing = [each for each in character.__all__ if getattr(character, each, None) is None]
print({name}.MINE, missing)
"""


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    call = [sys.executable, *command]
    return subprocess.run(call, capture_output=True, text=True, check=False, env=environment, cwd=folder)


@pytest.fixture(params=["files", "packages"])
def neighbours(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder with both names as files or as packages; using one by mistake ends the process."""
    for name in NAMES:
        file = tmp_path / f"{name}.py"
        if request.param == "packages":
            (tmp_path / name).mkdir()
            file = tmp_path / name / "__init__.py"
        file.write_text("raise SystemExit('a user's file was run')\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_the_users_is_his_and_everything_of_ours_works(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text("MINE = 'mine'\n", encoding="utf-8")
    labels = str(ROOT / "examples" / "labelled" / "patience-and-humour.en.jsonl")
    done = _run(tmp_path, "-c", USE.format(name=name, labels=labels))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "mine []"


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("has_init", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_the_users_is_his_and_everything_of_ours_works(
    tmp_path: Path, name: str, has_init: bool, is_first: bool
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "own_words.py").write_text("MINE = 'mine'\n", encoding="utf-8")
    if has_init:
        (tmp_path / name / "__init__.py").write_text("", encoding="utf-8")
    labels = str(ROOT / "examples" / "labelled" / "patience-and-humour.en.jsonl")
    lines = [f"import {name}.own_words", "import character; character.LabelledSet"]
    code = "\n".join(lines if is_first else lines[::-1])
    used = USE.format(name=name, labels=labels).replace(f"{name}.MINE", f"{name}.own_words.MINE")
    (tmp_path / "script.py").write_text(code + used, encoding="utf-8")
    done = _run(tmp_path, "script.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "mine []"


def test_a_users_file_may_itself_import_character(tmp_path: Path) -> None:
    text = "from character import Ranker, read_labelled\nMINE = read_labelled.__module__\n"
    (tmp_path / "optimizers.py").write_text(text, encoding="utf-8")
    done = _run(tmp_path, "-c", "import optimizers; print(optimizers.MINE)")
    assert done.stdout.strip().endswith("optimizers.labelled.files"), done.stderr


def test_a_module_in_memory_that_says_nothing_of_itself_is_a_neighbour_too(tmp_path: Path) -> None:
    code = "import sys, types; sys.modules['optimizers'] = types.ModuleType('optimizers'); "
    done = _run(tmp_path, "-c", code + "import character; character.LabelledSet")
    assert done.returncode == 0, done.stderr


def test_the_command_runs_whatever_lies_beside_it(neighbours: Path) -> None:
    program = Path(sys.executable).with_name("character")
    for command in ([sys.executable, "-m", "character"], [str(program)]):
        environment = {**os.environ, "PYTHONPATH": f"{neighbours}{os.pathsep}{ROOT}"}
        for arguments in (["--help"], ["rankers", "."], ["run", "--help"]):
            call = [*command, *arguments]
            done = subprocess.run(
                call, capture_output=True, text=True, check=False, env=environment, cwd=neighbours
            )
            assert done.returncode == 0, done.stderr


def test_our_files_import_the_two_packages_by_from_alone() -> None:
    # That is what is read as an import by their own names where a user's come first.
    for path in (file for name in ("character", *NAMES) for file in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not {each.name.partition(".")[0] for each in node.names} & set(NAMES), path


def test_where_nothing_hides_ours_they_have_no_second_name() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("character._own.optimizers")
