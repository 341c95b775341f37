"""The pace of calls made from threads: never more than an account allows, and no slower than it allows."""

from __future__ import annotations

import time

import pytest
from dspy.utils.exceptions import LMError
from fake_server import FakeServer, Reply, backend_at
from hypothesis import given
from hypothesis import strategies as st

from character import build_lm
from character.backends.drivers import parallel
from character.backends.gate import Pace
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
        [lambda i=i: lm(f"Question {i} in words of four letters each, so ten tokens") for i in range(number)]
    )  # type: ignore[misc]
    took = time.monotonic() - started
    assert len(server.requests) == number
    assert number * each <= allowed_per_s * (took + 1) + each


@pytest.mark.parametrize(("between", "pauses"), [(400, False), (500, True)])
def test_a_key_is_refused_only_where_nothing_between_shows_that_it_is_known(
    server: FakeServer, between: int, pauses: bool
) -> None:
    """Four refusals, an error, one refusal: a request that is found wrong was read, one that broke the server was perhaps not."""
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
