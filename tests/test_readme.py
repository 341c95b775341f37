"""The README says only what works: its snippets run, its commands and options exist, its files are there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import dspy
import pytest

from character import Config, build_lm
from character.cli import cli
from character.constitution import parse_constitution

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)\n```$", TEXT, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", _blocks("python"))
def test_every_python_snippet_runs(code: str) -> None:
    with dspy.context(lm=build_lm()):
        exec(code.replace("dspy.configure(lm=", "dict(lm="), {})  # noqa: S102 - a test may not configure DSPy for the others


def test_the_first_snippet_runs_as_it_stands_and_has_twelve_lines() -> None:
    code = _blocks("python")[0]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "margin" in done.stdout
    assert len([line for line in code.split("\n") if line.strip()]) == 12


def test_the_two_set_up_commands_are_the_only_bash_blocks() -> None:
    first, second = _blocks("bash")
    assert "character run examples/constitutions/patience-and-humour.zh.json" in first
    assert "pytest" in second


@pytest.mark.parametrize("block", _blocks("toml"))
def test_every_toml_block_is_a_constitution_or_a_configuration(block: str) -> None:
    data = tomllib.loads(block)
    if "traits" in data:
        assert parse_constitution(block, source="README.md").traits
    else:
        assert Config.model_validate(data).backend("ranking").model == "openai/Qwen3-32B"


def test_every_command_and_option_shown_exists() -> None:
    context = cli.make_context("character", ["--help"], resilient_parsing=True)
    shown = re.findall(r"character ([\w-]+)([^\n`]*)", "\n".join(_blocks("console")))
    assert shown
    for name, rest in shown:
        command = cli.get_command(context, name)
        assert command is not None, name
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[\w-]+", rest)) <= known
    options: set[str] = set()
    for name in ("run", "status"):
        command = cli.get_command(context, name)
        assert command is not None
        options |= {option for parameter in command.params for option in parameter.opts}
    paragraph = TEXT.split("`run` also takes")[1].split("Every command takes")[0]
    assert set(re.findall(r"--[\w-]+", paragraph)) <= options


def test_the_commands_of_the_runs_section_work_one_after_the_other(tmp_path: Path) -> None:
    block = next(block for block in _blocks("console") if "character init" in block)
    for line in block.split("\n"):
        command = line.split("#")[0].strip()
        if "--message " in command:
            command = command.split(" --message")[0]  # the id in the text is an example
        arguments = [sys.executable, "-m", *command.split()]
        done = subprocess.run(
            arguments, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "my-project" / "trl" / "README.md").is_file()


def test_the_commands_of_the_tuning_section_work_one_after_the_other(tmp_path: Path) -> None:
    block = next(block for block in _blocks("console") if "character optimize" in block)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    lines = ["character init my-project", *block.split("\n")]
    for line in lines:
        arguments = [sys.executable, "-m", *line.split("#")[0].split()]
        done = subprocess.run(
            arguments, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "my-project" / "tuned" / "report.html").is_file()


def test_every_link_into_the_repository_leads_somewhere() -> None:
    targets = [
        target for target in re.findall(r"\]\(([^)]+)\)", TEXT) if not target.startswith(("http", "#"))
    ]
    assert targets
    assert [target for target in targets if not _is_there(*target.partition("#")[::2])] == []


def _is_there(path: str, heading: str) -> bool:
    """Whether the file exists, and has the heading where the link names one (GitHub's form of it)."""
    if not (ROOT / path).exists():
        return False
    headings = (
        re.findall(r"^#+ (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE) if heading else [""]
    )
    return heading in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings]


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_every_example_is_short_and_runs_offline(example: Path, tmp_path: Path) -> None:
    assert len(example.read_text(encoding="utf-8").split("\n")) < 80
    done = subprocess.run(
        [sys.executable, str(example)], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_there_are_eight_examples() -> None:
    assert len(list((ROOT / "examples").glob("0*.py"))) == 8
