"""A server that limits, fails and lies: runs end with everything accounted for, or pause and go on."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from load_helpers import PATIENCE, config, messages
from load_server import Load, LoadServer

from character import RunStore, run
from character.errors import BackendUnavailableError

SERVER_SIDE = ("429", "500", "503", "401", "reset", "hang", "not_json")
REPLY_SIDE = (
    "malformed",
    "empty_choices",
    "slow_drip",
    "content_filter",
    "cut_off",
    "unreadable",
    "empty",
    "context_overflow",
)


def test_every_fault_together_leaves_every_message_accounted_for(tmp_path: Path) -> None:
    faults = dict.fromkeys((*SERVER_SIDE, *REPLY_SIDE), 0.02)
    with LoadServer(Load(latency_s=0.005, faults=faults, seed=3)) as server:
        summary = run(
            PATIENCE, tmp_path / "run", config=config(server, num_retries=4), messages=messages(120)
        )
        seen = server.stats()
    states = dict(summary.messages)
    assert states.pop("messages") == 120
    assert sum(states.values()) == 120
    assert "pending" not in states
    assert states["paired"] > 90
    assert set(seen["faults"]) == set(faults), "each fault was met"
    assert set(summary.reasked["ranking"]) & {"unreadable", "cut_off", "content_filter"}
    lost = {reason for reasons in summary.dropped.values() for reason in reasons}
    assert {"cut_off", "content_filter", "context_overflow"} <= lost


def test_messages_whose_server_failed_are_tried_again_in_the_next_sitting(tmp_path: Path) -> None:
    with LoadServer(Load(latency_s=0.002, faults={"500": 0.45}, seed=1)) as server:
        settings = config(server, num_retries=0)
        first = run(PATIENCE, tmp_path / "run", config=settings, messages=messages(40))
        server.set(faults={})
        second = run(PATIENCE, tmp_path / "run", config=settings, messages=messages(40))
    assert first.messages["failed"] > 0
    assert "failed" not in second.messages
    assert second.messages["messages"] == 40
    assert second.messages["paired"] >= first.messages["paired"]


@pytest.mark.parametrize("fault", ["500", "reset", "401", "429"])
def test_a_server_that_only_fails_pauses_the_run_and_it_goes_on_afterwards(
    tmp_path: Path, fault: str
) -> None:
    with LoadServer(Load(latency_s=0.002)) as server:
        settings = config(server, num_retries=1)
        run(PATIENCE, tmp_path / "run", config=settings, messages=messages(10))
        server.set(faults={fault: 1.0}, retry_after_s=0.0)
        with pytest.raises(BackendUnavailableError) as caught:
            run(PATIENCE, tmp_path / "other", config=settings, messages=messages(200))
        assert caught.value.exit_code == 4
        with RunStore(tmp_path / "other") as store:
            counts = store.counts()
        assert counts.get("paired", 0) == 0
        assert counts["pending"] >= 180, "the work list is not burnt through"
        server.set(faults={})
        assert (
            run(PATIENCE, tmp_path / "other", config=settings, messages=messages(200)).messages["paired"]
            > 150
        )


def test_a_dead_server_pauses_and_leaves_every_message_to_be_done(tmp_path: Path) -> None:
    with LoadServer() as server:
        settings = config(server, num_retries=3)
    with pytest.raises(BackendUnavailableError, match="cannot be reached"):
        run(PATIENCE, tmp_path / "run", config=settings, messages=messages(50))
    with RunStore(tmp_path / "run") as store:
        assert store.counts() == {"pending": 50, "messages": 50, "pairs": 0}


def test_retry_after_is_honoured_and_the_pace_falls_and_rises_again(tmp_path: Path) -> None:
    from character.backends import build_lm
    from character.config import BackendConfig

    with LoadServer(Load(latency_s=0.01, faults={"429": 0.3}, retry_after_s=0.05, seed=5)) as server:
        backend = BackendConfig(model="openai/load", api_base=server.url, max_in_flight=32)
        lm = build_lm(backend)
        health = lm.engine.backend.health
        asyncio.run(_ask(lm, 150))
        limited = health.limit
        server.set(faults={})
        asyncio.run(_ask(lm, 400))
        seen = server.stats()
    assert seen["answered"] == 550, "no call was lost to a 429"
    assert seen["faults"]["429"] > 30
    assert limited < 32
    assert health.limit > limited


async def _ask(lm: Any, number: int) -> None:
    await asyncio.gather(*(lm.acall(f"Question {i}?") for i in range(number)))


@pytest.mark.parametrize(
    ("limit", "allowed"), [({"requests_per_minute": 1200}, 20), ({"tokens_per_minute": 600}, 10)]
)
def test_the_pace_stays_below_what_an_account_allows(limit: dict[str, Any], allowed: int) -> None:
    from character.backends import build_lm

    with LoadServer(Load(latency_s=0.0)) as server:
        lm = build_lm(model="openai/load", api_base=server.url, **limit)
        started = time.monotonic()
        asyncio.run(_ask(lm, 60) if "requests_per_minute" in limit else _ask_long(lm, 12))
        took = time.monotonic() - started
        sent = server.stats()["requests"]
    # A bucket may be emptied at once and then fills evenly; tokens are counted in prompts of about ten.
    assert sent * (1 if "requests_per_minute" in limit else 10) <= allowed * (took + 1) + 1


async def _ask_long(lm: Any, number: int) -> None:
    await asyncio.gather(
        *(lm.acall(f"Question {i} in words of four letters each, so ten tokens") for i in range(number))
    )


@pytest.mark.parametrize("fault", ["malformed", "not_json", "500", "reset", "hang", "429"])
def test_a_fault_of_the_servers_is_tried_again_and_nothing_is_lost(tmp_path: Path, fault: str) -> None:
    with LoadServer(Load(latency_s=0.002, faults={fault: 0.15}, seed=2)) as server:
        settings = config(server, num_retries=8, timeout_s=0.3)
        summary = run(PATIENCE, tmp_path / "run", config=settings, messages=messages(15))
        assert server.stats()["faults"][fault] > 3
    assert set(summary.dropped) <= {"pairs"}
    assert summary.usage["responses"].calls == 60
