"""Crashes: kills at random moments, a disk that is full, and runs that take over what another has finished."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from load_helpers import PATIENCE, config, messages
from load_server import Load, LoadServer
from resume import command, kill_and_resume, records, write_inputs

from character import RunStore, run
from character.errors import StoreError


def test_a_run_killed_again_and_again_repeats_at_most_what_was_in_flight_and_loses_nothing(
    tmp_path: Path,
) -> None:
    result = kill_and_resume(tmp_path, num_messages=60, in_flight=16, kills=5)
    assert result["kills"] >= 3
    assert result["repeats"] <= result["repeats_allowed"]
    assert (result["records"], result["lost"], result["different"]) == (60, 0, 0)
    assert result["calls_in_store"] == result["requests"] - result["repeats"] == 300


def test_a_full_disk_stops_the_run_with_a_clear_error_and_leaves_a_store_that_opens(tmp_path: Path) -> None:
    write_inputs(tmp_path, 300)
    full = subprocess.run(
        command(tmp_path, tmp_path / "run"),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, 2_500_000)),
    )
    assert full.returncode == 2
    assert "cannot be written" in full.stderr
    assert "goes on where it stopped" in full.stderr
    assert "Traceback" not in full.stderr
    with RunStore(tmp_path / "run") as store:
        before = store.counts()
    assert before["messages"] == 300
    again = subprocess.run(
        command(tmp_path, tmp_path / "run"), capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(again.stdout)["messages"].get("pending", 0) == 0
    assert len(records(tmp_path / "run")) == 300


def test_a_run_with_something_changed_takes_over_the_calls_that_are_still_the_same(tmp_path: Path) -> None:
    with LoadServer(Load(latency_s=0.0)) as server:
        settings = config(server)
        settings = settings.model_copy(
            update={"ranking": settings.ranking.model_copy(update={"max_passes": 2})}
        )
        first = run(PATIENCE, tmp_path / "first", config=settings, messages=messages(10))
        asked = server.stats()["requests"]
        more_passes = settings.model_copy(
            update={"ranking": settings.ranking.model_copy(update={"passes": 4, "max_passes": 4})}
        )
        with pytest.raises(StoreError, match="--reuse"):
            run(PATIENCE, tmp_path / "first", config=more_passes, messages=messages(10))
        child = run(
            PATIENCE,
            tmp_path / "child",
            config=more_passes,
            messages=messages(10),
            reuse=[tmp_path / "first"],
        )
        assert server.stats()["requests"] - asked == 20, "only the two further passes are asked for"
        assert server.stats()["repeats"] == 0
    assert child.usage["ranking"].calls == 20
    assert "responses" not in child.usage, "what the other run paid for is not this run's cost"
    first_texts = {key: json.loads(text)["candidates"] for key, text in records(tmp_path / "first").items()}
    assert {
        key: json.loads(text)["candidates"] for key, text in records(tmp_path / "child").items()
    } == first_texts
    assert first.messages["messages"] == 10


def test_a_child_stands_on_its_own_afterwards(tmp_path: Path) -> None:
    with LoadServer(Load(latency_s=0.0)) as server:
        settings = config(server)
        run(PATIENCE, tmp_path / "first", config=settings, messages=messages(5))
        run(PATIENCE, tmp_path / "child", config=settings, messages=messages(5), reuse=[tmp_path / "first"])
        asked = server.stats()["requests"]
        run(
            PATIENCE,
            tmp_path / "grandchild",
            config=settings,
            messages=messages(5),
            reuse=[tmp_path / "child"],
        )
        assert server.stats()["requests"] == asked


def test_a_dry_run_estimates_every_stage_and_touches_nothing(tmp_path: Path) -> None:
    write_inputs(tmp_path, 50)
    arguments = [
        *command(tmp_path, tmp_path / "run"),
        "--dry-run",
        "--lm",
        "openai/gpt-4.1-mini",
        "--candidates",
        "3",
    ]
    done = subprocess.run(
        arguments, capture_output=True, text=True, check=True, env={**os.environ, "OPENAI_API_KEY": "none"}
    )
    stages = json.loads(done.stdout)
    assert {name: stage["calls"] for name, stage in stages.items()} == {
        "messages": 0,
        "responses": 150,
        "ranking": 50,
        "all": 200,
    }
    assert stages["all"]["cost_usd"] > 0
    assert not (tmp_path / "run").exists()
    unknown = subprocess.run(
        [*arguments, "--api-base", "http://127.0.0.1:9/v1"], capture_output=True, text=True, check=True
    )
    assert json.loads(unknown.stdout)["all"]["cost_usd"] is None


def test_the_estimate_is_near_what_a_run_takes(tmp_path: Path) -> None:
    from character import load_config, load_constitution
    from character.runs.estimate import estimate

    folder = Path(__file__).parent.parent.parent / "examples" / "constitutions"
    for name in ("patience-and-humour.zh.toml", "patience-and-humour.en.toml"):
        constitution = load_constitution(folder / name)
        settings = load_config(overrides={"messages": {"per_trait": 12}, "ranking": {"max_passes": 2}})
        guess = estimate(constitution, settings)
        summary = run(constitution, tmp_path / name, config=settings)
        for stage in ("messages", "responses", "ranking"):
            assert guess[stage].calls == summary.usage[stage].calls
            assert 0.5 < guess[stage].prompt_tokens / summary.usage[stage].prompt_tokens < 2


def test_callbacks_of_dspys_see_every_call_of_a_run(tmp_path: Path) -> None:
    import dspy
    from dspy.utils.callback import BaseCallback

    class Counts(BaseCallback):
        started = ended = 0

        def on_lm_start(self, call_id: str, instance: object, inputs: dict[str, object]) -> None:
            self.started += 1

        def on_lm_end(self, call_id: str, outputs: object, exception: Exception | None = None) -> None:
            self.ended += 1

    counts = Counts()
    with dspy.context(callbacks=[counts]):
        summary = run(PATIENCE, tmp_path / "run")
    calls = sum(usage.calls for usage in summary.usage.values())
    assert (counts.started, counts.ended) == (calls, calls)


def test_status_can_be_watched_until_the_run_ends(tmp_path: Path) -> None:
    write_inputs(tmp_path, 40)
    with LoadServer(Load(latency_s=0.05)) as server:
        running = subprocess.Popen(
            command(
                tmp_path,
                tmp_path / "run",
                "--lm",
                "openai/load",
                "--api-base",
                server.url,
                "--concurrency",
                2,
            ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        watch = [
            sys.executable,
            "-m",
            "character",
            "status",
            str(tmp_path / "run"),
            "--watch",
            "--interval",
            "0.2",
        ]
        while not (tmp_path / "run" / "run.json").exists():
            assert running.poll() is None
        watched = subprocess.run(watch, capture_output=True, text=True, check=True, timeout=120)
        running.wait()
    lines = watched.stdout.strip().split("\n")
    assert len(lines) > 2
    assert "40 of 40" in lines[-1]
