"""The gate that calls pass from threads and tasks: never more than is allowed, and no slower than that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from dspy.utils.exceptions import LMError
from fake_server import FakeServer, Reply, backend_at
from hypothesis import given
from hypothesis import strategies as st

from character import build_lm
from character.backends.drivers import parallel
from character.backends.gate import Gate, Health, Pace
from character.backends.waiting import IN_TASKS, IN_THREADS, Waiting, blocking, run_blocking
from character.config import BackendConfig
from character.errors import BackendUnavailableError

STEPS = st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 30)), min_size=1, max_size=20)


@given(STEPS, st.floats(1, 20), st.floats(1, 10))
def test_what_is_let_through_fits_into_the_bucket_and_what_it_leaks(
    steps: list[tuple[float, float]], most: float, seconds: float
) -> None:
    pace, now = Pace(most, seconds), 100.0
    sent: list[tuple[float, float]] = []
    for pause, amount in steps:
        now += pause
        sent.append((now + pace.take(amount, now), amount))
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            # What is sent last may itself be larger than the bucket: it has waited for its own surplus.
            window = sent[last][0] - sent[first][0]
            amount = sum(amount for _at, amount in sent[first + 1 : last + 1])
            assert amount <= most + most / seconds * window + 1e-6


@given(st.floats(1, 20), st.floats(1, 10), st.integers(1, 50))
def test_a_steady_pace_at_the_limit_never_waits(most: float, seconds: float, number: int) -> None:
    pace = Pace(most, seconds)
    assert all(pace.take(1.0, 5.0 + i * seconds / most) <= 1e-9 for i in range(number))


@pytest.mark.parametrize(
    ("limit", "allowed_per_s", "each"),
    [({"requests_per_minute": 1200}, 20, 1), ({"tokens_per_minute": 600}, 10, 10)],
)
def test_calls_from_threads_stay_below_what_an_account_allows(
    server: FakeServer, limit: dict[str, float], allowed_per_s: int, each: int
) -> None:
    lm = build_lm(backend_at(server, **limit))
    number = 40 // each + 6
    started = time.monotonic()
    parallel(
        [partial(lm, f"Question {i} in words of four letters each, so ten tokens") for i in range(number)]
    )
    took = time.monotonic() - started
    assert len(server.requests) == number
    assert number * each <= allowed_per_s * (took + 1) + each


@pytest.mark.parametrize(("between", "pauses"), [(400, False), (500, True)])
def test_a_key_is_refused_only_where_nothing_between_shows_that_it_is_known(
    server: FakeServer, between: int, pauses: bool
) -> None:
    """Four refusals, an error, one refusal: a wrong request was read, one that broke the server maybe not."""
    statuses = iter([401] * 4 + [between] + [401])
    body = '{"error": {"message": "scripted"}}'
    server.script = lambda _request: Reply(status=next(statuses, 200), body=body)
    lm, paused = build_lm(backend_at(server)), False
    for number in range(2):
        try:
            lm(f"Question {number}")
        except LMError as error:
            paused |= isinstance(error.__cause__, BackendUnavailableError)
    assert paused is pauses


def _gate(waiting: Waiting, at_once: int = 1, **limits: float) -> Gate:
    config = BackendConfig(model="openai/x", api_base="http://x", max_in_flight=at_once, **limits)  # type: ignore[arg-type]
    return Gate(Health(config, limit=float(at_once)), waiting)


def test_a_task_that_is_cancelled_while_it_waits_leaves_its_turn_to_the_next() -> None:
    async def three() -> list[str]:
        gate, through = _gate(IN_TASKS), []

        async def pass_through(name: str) -> None:
            await gate.enter(1)
            through.append(name)
            gate.leave()

        await gate.enter(1)
        first, second = (asyncio.create_task(pass_through(name)) for name in ("first", "second"))
        await asyncio.sleep(0)
        gate.leave()  # the first has its turn now, and is cancelled before it can take it
        first.cancel()
        await asyncio.wait_for(second, 1)
        assert first.cancelled()
        assert gate.health.in_flight == 0
        return through

    assert asyncio.run(three()) == ["second"]


def test_a_task_that_is_cancelled_on_its_place_gives_it_back() -> None:
    async def wait_for_the_server() -> int:
        gate = _gate(IN_TASKS)
        gate.health.busy(60.0)
        task = asyncio.create_task(gate.enter(1))
        await asyncio.sleep(0)
        assert gate.health.in_flight == 1
        task.cancel()
        await asyncio.wait([task])
        return gate.health.in_flight

    assert asyncio.run(wait_for_the_server()) == 0


def test_threads_and_tasks_pass_the_same_gate_and_never_more_at_once_than_allowed() -> None:
    for waiting in (IN_THREADS, IN_TASKS):
        gate, most = _gate(waiting, at_once=3), 0

        async def pass_through(gate: Gate = gate) -> None:
            nonlocal most
            await gate.enter(1)
            most = max(most, gate.health.in_flight)
            await gate.waiting.sleep(0.001)
            gate.leave()

        if waiting is IN_THREADS:
            parallel([lambda: run_blocking(pass_through())] * 40)
        else:
            asyncio.run(_all(pass_through, 40))
        assert (gate.health.in_flight, most) == (0, 3)


async def _all(function: Callable[[], Coroutine[Any, Any, None]], number: int) -> None:
    await asyncio.gather(*(function() for _ in range(number)))


def test_what_is_run_in_a_thread_may_not_wait_for_an_event_loop() -> None:
    async def suspends() -> str:
        await asyncio.sleep(0)
        return "never"

    with pytest.raises(RuntimeError, match="event loop"):
        run_blocking(suspends())


def test_what_blocks_gives_its_result_and_its_error_as_it_did() -> None:
    assert run_blocking(blocking(max)(1, 2)) == 2
    with pytest.raises(ZeroDivisionError):
        run_blocking(blocking(divmod)(1, 0))
