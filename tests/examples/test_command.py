"""The README's command starts the closed loop, without TRL says what to install; the old command names it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def python(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_readmes_command_has_the_options_it_shows():
    assert "`python examples/closed_loop --out FOLDER`" in README
    done = python("examples/closed_loop", "--help")
    assert done.returncode == 0, done.stderr
    assert "--out" in done.stdout


@pytest.mark.skipif(importlib.util.find_spec("trl") is not None, reason="TRL is installed")
def test_without_trl_it_says_what_to_install(tmp_path):
    done = python("examples/closed_loop", "--out", tmp_path / "loop")
    assert (done.returncode, done.stdout) == (2, "")
    assert "character-framework[train]" in done.stderr
    assert not (tmp_path / "loop").exists()


def test_the_command_of_earlier_versions_names_this_one():
    done = python("-m", "character", "demo", "closed-loop", "--out", "loop")
    assert done.returncode == 2
    assert "python examples/closed_loop --out FOLDER" in done.stderr
    assert "Traceback" not in done.stderr
