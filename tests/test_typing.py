"""What type checkers know of a program: the record that a call returns, and the names of its arguments."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import dspy
import pytest

from character import CharacterProgram, MessageGenerator, Ranker, Responder, Trait
from character.backends.drivers import RecipeModule

SCRIPT = """
from typing import assert_type

from character import Candidates, CharacterProgram, CharacterResult, Message, MessageBatch, MessageGenerator
from character import Ranker, Ranking, Responder, Trait, build_lm, build_pairs

trait = Trait(name="patience", description="Takes its time.", not_="Slowness for its own sake.")
program = CharacterProgram(messages_per_trait=3, lms={"default": build_lm()})
assert_type(program(trait=trait), CharacterResult)
message = Message.of("Where is the key?", trait="patience")
candidates = Responder(4)(message, trait)
assert_type(candidates, Candidates)
ranking = Ranker(passes=2)(message, candidates, trait)
assert_type(ranking, Ranking)
assert_type(MessageGenerator()(trait, num_messages=2), MessageBatch)
pairs, drops = build_pairs(message, candidates, ranking)


async def later() -> None:
    assert_type(await program.acall(trait=trait), CharacterResult)
    assert_type(await Ranker().acall(message, candidates, trait), Ranking)
    assert_type(await Responder().acall(message, trait), Candidates)
    assert_type(await MessageGenerator().acall(trait), MessageBatch)


program(trait=trait, mesages=["Where is it?"])  # misspelt
Ranker()(message, candidates, trait, sed=1)  # misspelt
Responder()(message, trait, sede=1)  # misspelt
MessageGenerator()(trait, num_mesages=1)  # misspelt
Trait(name="patience", description="Takes its time.", nott="Slowness.")  # misspelt
"""
PYRIGHT = str(Path(sys.executable).with_name("basedpyright"))  # pyright itself, as a package of pip
MISSPELT = {number for number, line in enumerate(SCRIPT.splitlines(), 1) if "# misspelt" in line}


def _complaints(folder: Path, *command: str) -> set[int]:
    (folder / "user_script.py").write_text(SCRIPT, encoding="utf-8")
    call = [*command, "user_script.py"]
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {int(line) for line in re.findall(r"user_script\.py:(\d+)\S* (?:- )?error", done.stdout)}


def test_mypy_knows_what_calls_return_and_finds_misspelt_arguments_alone(tmp_path: Path) -> None:
    assert _complaints(tmp_path, sys.executable, "-m", "mypy", "--strict") == MISSPELT


def test_pyright_knows_what_calls_return_and_finds_misspelt_arguments_alone(tmp_path: Path) -> None:
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}', encoding="utf-8")
    assert _complaints(tmp_path, PYRIGHT, "--pythonpath", sys.executable) == MISSPELT


@pytest.mark.parametrize("kind", [CharacterProgram, MessageGenerator, Responder, Ranker])
def test_a_call_is_that_of_all_our_modules_and_its_two_forms_take_the_same(kind: type[dspy.Module]) -> None:
    assert kind.__call__ is RecipeModule.__call__
    assert kind.acall is RecipeModule.acall
    assert inspect.signature(kind.forward).parameters == inspect.signature(kind.aforward).parameters


def test_what_a_trait_is_not_is_called_not_in_files_and_has_a_name_in_python() -> None:
    named = Trait(name="patience", description="Takes its time.", not_="Slowness.")
    assert named.model_dump(by_alias=True)["not"] == named.fields()["not"] == "Slowness."
    assert Trait.model_validate(named.fields()) == named
