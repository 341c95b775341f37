"""Runs: everything kept, nothing paid twice, stopped and resumed, and never mixed with another run."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, as_rehearsal, backend_at

from character import (
    Candidates,
    CharacterProgram,
    Config,
    Constitution,
    Message,
    MessageBatch,
    RunStore,
    load_config,
    run,
)
from character.errors import StoreError
from character.runs.progress import RunState
from character.runs.summary import summarize


def _config(server: FakeServer, per_trait: int = 3, **sections: object) -> Config:
    backends = {"default": backend_at(server)}
    return Config.model_validate({"backends": backends, "messages": {"per_trait": per_trait}, **sections})


def _pairs(folder: Path) -> list[str]:
    with RunStore(folder) as store:
        return [pair.id for rollout in store.rollouts() for pair in rollout.pairs]


def test_a_finished_run_is_read_back_and_calls_nothing_again(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    summary = run(constitution, tmp_path / "run", config=_config(server))
    calls = len(server.requests)
    assert sum(usage.calls for usage in summary.usage.values()) == calls
    assert run(constitution, tmp_path / "run", config=_config(server)) == summary
    assert len(server.requests) == calls
    with RunStore(tmp_path / "run") as store:
        assert [rollout.message.id for rollout in store.rollouts()] == [i for i, *_ in store.message_ids()]
        assert store.counts()["pairs"] == summary.pairs == len(_pairs(tmp_path / "run"))


def test_a_run_gives_the_same_pairs_as_the_program(constitution: Constitution, tmp_path: Path) -> None:
    config = load_config(overrides={"messages": {"per_trait": 4}, "seed": 11})
    run(constitution, tmp_path / "run", config=config)
    from character import build_lms

    result = CharacterProgram.from_config(config, build_lms(config))(constitution=constitution)
    assert _pairs(tmp_path / "run") == [pair.id for pair in result.pairs]


def test_the_resolved_configuration_is_on_disk_before_the_first_call(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    seen: list[bool] = []

    def script(request: dict[str, object]) -> str:
        seen.append(
            json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["config"]["seed"] == 5
        )
        return as_rehearsal(request)

    server.script = script
    run(constitution, tmp_path / "run", config=_config(server, seed=5))
    assert seen
    assert all(seen)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "seed: 0 before, 1 now"),
        ({"ranking": {"passes": 3}}, "ranking.passes: 2 before, 3 now"),
        ({"backends": {"ranking": {"model": "openai/other"}}}, "openai/other"),
    ],
)
def test_another_run_in_the_same_folder_is_refused_and_told_what_differs(
    constitution: Constitution, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    run(constitution, tmp_path / "run", config=load_config())
    before = _pairs(tmp_path / "run")
    with pytest.raises(StoreError, match="made otherwise") as caught:
        run(constitution, tmp_path / "run", config=load_config(overrides=change))
    assert said in str(caught.value)
    assert _pairs(tmp_path / "run") == before


def test_limits_may_change_between_sittings(constitution: Constitution, tmp_path: Path) -> None:
    run(constitution, tmp_path / "run", config=load_config())
    slower = {
        "concurrency": 1,
        "backends": {"default": {"max_in_flight": 1, "timeout_s": 5, "num_retries": 9}},
    }
    assert run(constitution, tmp_path / "run", config=load_config(overrides=slower)).pairs


def test_only_one_process_writes_a_run_while_others_may_read(
    constitution: Constitution, tmp_path: Path
) -> None:
    with RunStore.create(tmp_path / "run"):
        with pytest.raises(StoreError, match="another process is writing"):
            run(constitution, tmp_path / "run")
        with RunStore(tmp_path / "run") as reader:
            assert reader.counts() == {"messages": 0, "pairs": 0}
            with pytest.raises(StoreError, match="open for reading"):
                reader.set_meta("a", "b")
    assert run(constitution, tmp_path / "run").pairs


def test_given_messages_are_answered_instead_of_generated_ones(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    message = Message.of("How do I juggle?", trait="patience")
    summary = run(
        constitution,
        tmp_path / "run",
        config=_config(server),
        messages={"patience": MessageBatch(messages=(message,))},
    )
    assert summary.messages["messages"] == 1
    assert "messages" not in summary.usage


def test_progress_is_told_and_ends_with_the_figures_of_the_summary(
    constitution: Constitution, tmp_path: Path
) -> None:
    told: list[tuple[int, int, int, int]] = []

    def on_progress(state: RunState) -> None:
        told.append((state.messages, state.answered, state.ranked, state.pairs))

    summary = run(constitution, tmp_path / "run", on_progress=on_progress)
    assert told[-1] == (12, 12, 12, summary.pairs)
    assert told == sorted(told)


def test_a_program_of_the_users_own_runs_with_the_configured_models(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    class FirstWins(dspy.Module):
        def forward(self, candidates: Candidates) -> dspy.Prediction:
            return dspy.Prediction(scores=[1.0, *[0.0] * (len(candidates.items) - 1)])

    program = CharacterProgram(ranker=FirstWins(), messages_per_trait=2)
    summary = run(constitution, tmp_path / "run", config=_config(server), program=program)
    assert summary.pairs == 12
    assert set(summary.usage) == {"messages", "responses"}


def test_a_folder_without_a_run_and_a_file_that_is_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no run"):
        RunStore(tmp_path)
    (tmp_path / "run.sqlite").write_bytes(b"this is no database, and long enough to be looked at" * 50)
    for opened in (RunStore, RunStore.create):
        with pytest.raises(StoreError, match="cannot be used"):
            opened(tmp_path)


def test_a_run_of_another_layout_is_refused(constitution: Constitution, tmp_path: Path) -> None:
    run(constitution, tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / "run.sqlite") as connection:
        connection.execute("UPDATE meta SET value = '999' WHERE key = 'schema_version'")
    with pytest.raises(StoreError, match="has the layout '999'"):
        RunStore(tmp_path / "run")


@pytest.mark.parametrize(
    ("where", "read"),
    [
        ("UPDATE meta SET value = json_set(value, '$.later', 1) WHERE key = 'config'", summarize),
        (
            "UPDATE rollouts SET payload = json_set(payload, '$.later', 1)",
            lambda store: list(store.rollouts()),
        ),
    ],
)
def test_what_a_later_version_wrote_is_named_and_not_guessed(
    constitution: Constitution, tmp_path: Path, where: str, read: Callable[[RunStore], Any]
) -> None:
    run(constitution, tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / "run.sqlite") as connection:
        connection.execute(where)
    with (
        RunStore(tmp_path / "run") as store,
        pytest.raises(StoreError, match=r"later.*cannot be read|cannot be read: later"),
    ):
        read(store)


def test_the_log_has_one_json_object_per_event_and_no_texts(
    constitution: Constitution, tmp_path: Path
) -> None:
    run(constitution, tmp_path / "run")
    lines = (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    events = [json.loads(line) for line in lines]
    assert [events[0]["event"], events[-1]["event"]] == ["started", "finished"]
    assert len([event for event in events if event["event"] == "rollout"]) == 12
    with RunStore(tmp_path / "run") as store:
        texts = [rollout.message.text for rollout in store.rollouts()]
    assert not any(text in line for text in texts for line in lines)


def _start(folder: Path, constitution: Constitution, server: FakeServer) -> subprocess.Popen[str]:
    path = folder / "constitution.json"
    if not path.exists():
        path.write_text(
            json.dumps([{"trait": t.name, "description": t.description} for t in constitution.traits])
        )
    command = [sys.executable, "-m", "character", "run", str(path), "--out", str(folder / "run")]
    command += [
        "--lm",
        "openai/x",
        "--api-base",
        server.url,
        "--messages-per-trait",
        "6",
        "--concurrency",
        "2",
        "--json",
    ]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )


def _wait_for(server: FakeServer, requests: int) -> None:
    deadline = time.monotonic() + 60
    while len(server.requests) < requests and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(server.requests) >= requests


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on_and_repeats_at_most_what_was_in_flight(
    constitution: Constitution, tmp_path: Path, server: FakeServer, stop: signal.Signals
) -> None:
    server.delay_s = 0.02
    process = _start(tmp_path, constitution, server)
    _wait_for(server, 20)
    process.send_signal(stop)
    process.communicate(timeout=60)
    assert process.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL)
    in_flight = server.peak_in_flight
    process = _start(tmp_path, constitution, server)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    summary = json.loads(out)
    assert summary["messages"] == {"paired": 12, "messages": 12}
    finished = sum(usage["calls"] for usage in summary["usage"].values())
    repeated = len(server.requests) - finished
    assert 0 <= repeated <= (0 if stop == signal.SIGINT else in_flight)


def test_a_second_interrupt_stops_at_once(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    server.delay_s = 30.0
    process = _start(tmp_path, constitution, server)
    _wait_for(server, 1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=25)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "goes on from there" in err
