"""What says how far long work is: a line in a terminal, lines in a log, a function of the user's, nothing."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from character import Config, RunState, Trait, Usage, run
from character.constitution import Constitution
from character.runs import progress

SCRIPT = """
import sys
from character import Config, Constitution, Trait, run
trait = Trait(name="patience", description="Takes its time.")
config = Config.model_validate({"messages": {"per_trait": 40}})
run(Constitution(name="one", traits=[trait]), sys.argv[1], config)
"""
CONSTITUTION = Constitution(name="one", traits=(Trait(name="patience", description="Takes its time."),))
FEW = Config.model_validate({"messages": {"per_trait": 2}})


def test_a_terminal_shows_one_line_that_changes_and_is_gone_in_the_end(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "run")]
    with subprocess.Popen(command, stderr=theirs, stdout=subprocess.PIPE, text=True) as process:
        os.close(theirs)
        shown = b""
        while part := _read(ours):
            shown += part
        assert process.wait() == 0
    os.close(ours)
    lines = shown.decode().split("\r\x1b[2K")
    assert any(line.startswith(f"run {tmp_path / 'run'}"[:70]) for line in lines)
    assert lines[-1] == ""
    assert "\n" not in shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_a_log_gets_a_line_now_and_then_with_counts_and_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(progress._EVERY_S, "log", 0.01)
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    state = RunState(messages_wanted=9, messages=9, finished=3, pairs=5, usage=Usage(calls=40))
    silent: progress.ProgressCallback[RunState] = None
    with progress.reporting(silent, "run here") as tell:
        tell(state)
        while log.getvalue().count("\n") < 3:
            time.sleep(0.01)
    assert log.getvalue().splitlines()[-1] == "run here: 3 of 9 messages · 5 pairs · 40 calls · 0 tokens · $0"


def test_short_work_writes_no_line_into_a_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(CONSTITUTION, tmp_path / "run", FEW)
    assert capfd.readouterr() == ("", "")


def test_a_stream_that_is_closed_stops_no_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(progress._EVERY_S, "log", 0.001)
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    log.close()
    assert run(CONSTITUTION, tmp_path / "run", FEW).messages["messages"] == 2


def test_a_function_of_ones_own_is_told_in_place_of_the_line_and_false_tells_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(progress._EVERY_S, "log", 0.001)
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    states: list[int] = []
    run(CONSTITUTION, tmp_path / "told", FEW, on_progress=lambda state: states.append(state.finished))
    run(CONSTITUTION, tmp_path / "silent", FEW, on_progress=False)
    assert states[-1] == 2
    assert log.getvalue() == ""
