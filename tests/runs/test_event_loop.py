"""The loop of a run: calls start no threads, other work still goes to them, and errors come back as they are."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from dspy.clients import execution

from character import build_lm
from character.runs.event_loop import run_on_own_loop


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


async def _collector() -> tuple[int, tuple[int, int, int]]:
    return gc.get_freeze_count(), gc.get_threshold()


def test_what_a_run_finds_in_memory_is_set_apart_until_its_end() -> None:
    usual = gc.get_threshold()
    frozen, threshold = run_on_own_loop(_collector)
    assert frozen > 10_000
    assert threshold[0] > usual[0]
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, usual)


def test_a_process_that_looks_after_its_own_garbage_is_left_alone() -> None:
    gc.disable()
    try:
        assert run_on_own_loop(_collector) == (0, gc.get_threshold())
    finally:
        gc.enable()
    gc.freeze()
    try:
        assert run_on_own_loop(_collector)[1] == gc.get_threshold()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
