"""Ctrl-C ends an evaluation without losing a call that was sent; the second one ends it at once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer

EXAMPLE = Path(__file__).parents[2] / "examples" / "constitutions" / "patience-and-humour.en.toml"


def start(folder: Path, server: FakeServer) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "character", "effect", str(EXAMPLE), "--out", str(folder), "--json"]
    command += ["--lm", "openai/x", "--api-base", server.url, "--messages-per-trait", "6", "--choices", "12"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def status(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "character", "status", str(folder)]
    read = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert read.startswith("evaluation, ")
    watched = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    return dict(json.loads(watched))


def wait_for(server: FakeServer, requests: int) -> None:
    deadline = time.monotonic() + 60
    while len(server.requests) < requests and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(server.requests) >= requests


@pytest.mark.parametrize("after", [1, 40])
def test_ctrl_c_finishes_what_is_in_flight_and_the_same_command_repeats_no_call(
    tmp_path: Path, after: int
) -> None:
    with FakeServer() as server:
        server.delay_s = 0.03
        process = start(tmp_path / "effect", server)
        wait_for(server, after)
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert "Traceback" not in err
        before = len(server.requests)
        told = status(tmp_path / "effect")
        assert not told["finished"]
        assert told["usage"]["all"]["calls"] == before
        out, err = (process := start(tmp_path / "effect", server)).communicate(timeout=120)
        assert process.returncode == 0, err
        usage = json.loads(out)["usage"]
        assert before < len(server.requests) == usage["calls"]
        told = status(tmp_path / "effect")
        assert told["finished"]
        assert told["usage"]["all"] == usage


def test_a_second_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    with FakeServer() as server:
        server.delay_s = 30.0
        process = start(tmp_path / "effect", server)
        wait_for(server, 1)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=25)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "goes on from there" in err
