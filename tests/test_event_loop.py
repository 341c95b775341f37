"""The loop of a run: calls start no threads, other work still goes to them, and errors come back as they are."""

from __future__ import annotations

import asyncio
import threading

import pytest
from dspy.clients import execution

from character import build_lm
from character.event_loop import run_on_own_loop


def test_calls_to_a_model_start_no_thread() -> None:
    async def call_five_times() -> tuple[list[str], set[str]]:
        lm = build_lm()
        before = {thread.name for thread in threading.enumerate()}
        said = [(await lm.acall(f"What is {i} and {i}?"))[0] for i in range(5)]
        return said, {thread.name for thread in threading.enumerate()} - before

    said, started = run_on_own_loop(call_five_times)
    assert all(said)
    assert started == set()


def test_other_work_still_goes_to_a_thread() -> None:
    async def elsewhere() -> bool:
        return await asyncio.to_thread(threading.get_ident) != threading.get_ident()

    assert run_on_own_loop(elsewhere)


def test_an_error_of_the_preparation_reaches_the_caller() -> None:
    async def prepare_badly() -> None:
        await asyncio.to_thread(execution.prepare, build_lm(), "Hello", None, {"n": 0})

    with pytest.raises(ValueError, match="positive integer"):
        run_on_own_loop(prepare_badly)
