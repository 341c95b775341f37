"""What says how far long work is: a line in a terminal, lines in a log, a function of the user's, nothing."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_server import FakeServer, Reply, backend_at
from own_parts import QUESTIONS, batches
from rich.console import Console

from character import CharacterProgram, Config, Message, RunState, Trait, Usage, build_lm, run
from character.backends.waits import Wait, Waits, hearing_waits, note_wait
from character.cli.printing import waits_shown_on
from character.cli.progress import run_display
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


def _wait(seconds: float, model: str = "openai/x") -> Wait:
    return Wait(model, "limits calls or is busy (HTTP 429)", time.time() + seconds)


def test_a_wait_of_many_calls_is_told_once_and_a_much_longer_one_again() -> None:
    told: list[Wait] = []
    waits = Waits(told.append, least_s=5.0)
    for seconds in (0.5, 90.0, 90.1, 30.0, 300.0):
        waits.hear(_wait(seconds))
    assert [round(wait.until - time.time(), -1) for wait in told] == [90, 300]
    waits.hear(_wait(60.0, "openai/y"))
    assert str(waits).startswith(
        "waiting for openai/x, which limits calls or is busy (HTTP 429); next attempt at "
    )
    assert "; waiting for openai/y" in str(waits)


def test_a_wait_that_is_over_is_said_no_more() -> None:
    waits = Waits(lambda _wait: None, least_s=0.0)
    waits.hear(_wait(0.001))
    time.sleep(0.002)
    assert str(waits) == ""


def test_a_log_says_at_once_what_is_waited_for_and_again_with_each_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    silent: progress.ProgressCallback[str] = None
    with progress.reporting(silent, "run here") as tell:
        tell("3 of 9 messages")
        note_wait(_wait(1.0))
        note_wait(_wait(90.0))
        at_once = log.getvalue()
    assert at_once.startswith("run here: 3 of 9 messages · waiting for openai/x, which limits calls")
    assert at_once.count("\n") == 1
    monkeypatch.setitem(progress._EVERY_S, "log", 0.01)
    with progress.reporting(silent, "run here"):
        note_wait(_wait(90.0))
        while log.getvalue().count("run here · waiting for openai/x") < 3:
            time.sleep(0.01)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_with_bars_says_what_is_waited_for(is_terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=160)
    with waits_shown_on(console):
        note_wait(_wait(90.0))
    assert ("waiting for openai/x" in console.file.getvalue()) is is_terminal  # type: ignore[attr-defined]


def test_the_log_of_a_run_says_what_was_waited_for_until_when_and_why(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", "secret-of-mine")
    as_ever, limits = server.script, iter(["Slow down, secret-of-mine"])

    def limited_once(request: dict[str, object]) -> str | Reply:
        if words := next(limits, ""):
            body = json.dumps({"error": {"message": words}})
            return Reply(status=429, body=body, headers={"Retry-After": "1"})
        return as_ever(request)

    server.script = limited_once
    backend = backend_at(server, api_key_env="THE_KEY", max_in_flight=1).model_dump(exclude_unset=True)
    config = Config.model_validate({"messages": {"per_trait": 2}, "backends": {"default": backend}})
    run(CONSTITUTION, tmp_path / "run", config)
    events = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text("utf-8").splitlines()]
    [waited] = [event for event in events if event["event"] == "waiting"]
    assert waited["model"] == "openai/fake-model"
    assert waited["why"].startswith("limits calls or is busy (Slow down, [hidden] (HTTP 429")
    assert waited["until"] > waited["at"]


def test_calls_that_wait_tell_nobody_where_others_are_answered(server: FakeServer) -> None:
    lm, told = build_lm(backend_at(server, num_retries=1)), list[Wait]()
    faults = iter([500, 200, 500, 200])
    answered: list[float] = []

    def faulty(request: dict[str, object]) -> str | Reply:
        status = next(faults)
        if answered:  # another call was answered meanwhile
            lm.engine.backend.health.last_success = time.monotonic()
        answered.append(status)
        return "Ready." if status == 200 else Reply(status=status, body="{}")

    server.script = faulty
    with hearing_waits(told.append, least_s=0.0):
        lm("Alone?")
        assert [wait.why for wait in told] == [
            "fails or does not answer (HTTP 500, without a word (HTTP 500))"
        ]
        lm("Beside others?")
    assert len(told) == 1


def test_a_note_on_the_run_is_printed_once_where_no_terminal_is(capfd: pytest.CaptureFixture[str]) -> None:
    with run_display(CONSTITUTION, FEW) as show:
        show(RunState())
        before = capfd.readouterr().err
        for note in ("", "2 of 5 plums", "2 of 6 plums", "", "4 of 9 plums"):
            show(RunState(note=note))
    assert before.strip()
    assert capfd.readouterr().err == "2 of 5 plums\n"


def test_a_message_whose_step_failed_is_not_finished_now_and_when_the_run_goes_on(tmp_path: Path) -> None:
    mended = tmp_path / "mended"

    def respond(message: Message) -> list[str]:
        if message.text == QUESTIONS[0] and not mended.exists():
            raise ValueError("no plums")
        return [f"Lay it flat, {message.id}.", f"{message.id} is a matter of taste.", "Ask me tomorrow."]

    def sit() -> list[int]:
        finished: list[int] = []
        program = CharacterProgram(responder=respond, ranker=lambda candidates: [0.9, 0.5, 0.1])

        def tell(state: RunState) -> None:
            finished.append(state.finished)

        run(CONSTITUTION, tmp_path / "run", program=program, messages=batches(3), on_progress=tell)
        return finished

    assert sit()[-1] == 2
    mended.touch()
    again = sit()
    assert (again[0], again[-1]) == (2, 3)
