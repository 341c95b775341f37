"""Models that a program brings to a run: journaled, counted and capped as configured ones are, wherever they come from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, backend_at
from own_parts import AwaitableLM, OwnLM, TwoStageRanker, batches, three_replies, two_stages

from character import CharacterProgram, Config, Constitution, Ranker, Responder, arun, build_lm, effect, run
from character.errors import BudgetReachedError, ConfigError, StoreError, UnknownNameError

Brought = tuple[Any, Any]
"""A program (None for the configured one), and a context that is entered around the run."""


def _served(server: FakeServer, **options: Any) -> dspy.LM:
    return dspy.LM("openai/theirs", api_base=server.url, api_key="k", cache=False, num_retries=0, **options)


def _set_lm(lm: Any) -> CharacterProgram:
    program = CharacterProgram()
    program.set_lm(lm)
    return program


@contextmanager
def _configured(lm: Any) -> Iterator[None]:
    before = dspy.settings.lm
    dspy.configure(lm=lm)
    try:
        yield
    finally:
        dspy.configure(lm=before)


WAYS: dict[str, Callable[[Any], Brought]] = {
    "lms": lambda lm: (CharacterProgram(lms={"default": lm}), nullcontext()),
    "a role": lambda lm: (CharacterProgram(lms={"responses": lm, "ranking": lm}), nullcontext()),
    "set_lm": lambda lm: (_set_lm(lm), nullcontext()),
    "context": lambda lm: (CharacterProgram(), dspy.context(lm=lm)),
    "context, no program": lambda lm: (None, dspy.context(lm=lm)),
    "configure": lambda lm: (None, _configured(lm)),
    "jurors": lambda lm: (
        CharacterProgram(ranker=Ranker(jurors={"a": lm, "b": lm.copy(temperature=0.9)}), lms={"default": lm}),
        nullcontext(),
    ),
    "responders": lambda lm: (
        CharacterProgram(responder=Responder(3, lms=[lm]), lms={"default": lm}),
        nullcontext(),
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["served", "forward only", "awaitable"])
def test_a_cap_on_calls_holds_by_the_servers_count_and_a_second_start_pays_nothing_twice(
    way: str, kind: str, constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    own = {"served": lambda: _served(server), "forward only": OwnLM, "awaitable": AwaitableLM}[kind]()
    count = (lambda: len(server.requests)) if kind == "served" else (lambda: len(own.prompts))
    one = constitution.only(["patience"])
    capped = Config.model_validate({"budget": {"max_calls": 5}})

    def start(config: Config) -> Any:
        program, around = WAYS[way](own)
        with around:
            return run(one, tmp_path / "run", config, program=program, messages=batches(2))

    with pytest.raises(BudgetReachedError):
        start(capped)
    assert count() == 5
    summary = start(Config())
    calls = sum(usage.calls for usage in summary.usage.values())
    assert calls == count(), "every call is counted once, and none is made twice"
    assert summary.messages["paired"] == 2
    name = server.name if kind == "served" else "own/one"
    assert all(name in model for models in summary.models.values() for model in models)
    assert not summary.rehearsal
    assert start(Config()) == summary
    assert count() == calls


def test_own_steps_with_two_calls_are_capped_and_replayed(constitution: Constitution, tmp_path: Path) -> None:
    one, lm = constitution.only(["patience"]), OwnLM(two_stages)
    program = CharacterProgram(responder=three_replies, ranker=TwoStageRanker(), lms={"default": lm})
    with pytest.raises(BudgetReachedError):
        run(
            one,
            tmp_path / "run",
            Config.model_validate({"budget": {"max_calls": 3}}),
            program=program,
            messages=batches(4),
        )
    assert len(lm.prompts) == 3
    summary = run(one, tmp_path / "run", program=program, messages=batches(4))
    assert len(lm.prompts) == 8
    assert summary.messages["paired"] == 4
    assert summary.usage_by_backend["own/one"].calls == 8


def test_the_configuration_goes_before_dspys_model_and_a_later_start_without_it_is_refused(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    one, own = constitution.only(["patience"]), OwnLM()
    with dspy.context(lm=own):
        named = Config.model_validate({"backends": {"default": backend_at(server)}})
        run(one, tmp_path / "named", named, messages=batches(1))
        assert server.requests
        assert not own.prompts
        run(one, tmp_path / "own", messages=batches(1))
        assert own.prompts
    with pytest.raises(StoreError, match="own/one"):
        run(one, tmp_path / "own", messages=batches(1))


def test_an_evaluation_and_an_async_run_ask_dspys_model_too(
    constitution: Constitution, tmp_path: Path
) -> None:
    one, own = constitution.only(["patience"]), AwaitableLM()
    with dspy.context(lm=own):
        report = effect(one, tmp_path / "effect", messages_per_trait=1, neutral_messages=1)
        before = len(own.prompts)
        asyncio.run(arun(one, tmp_path / "run", messages=batches(1)))
    assert not report.rehearsal
    assert before > 0
    assert len(own.prompts) > before


def test_what_answered_says_whether_a_run_is_a_rehearsal(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    one = constitution.only(["patience"])
    lms = {"default": _served(server), "ranking": build_lm()}
    assert run(one, tmp_path / "judge", program=CharacterProgram(lms=lms), messages=batches(1)).rehearsal
    own = {"default": _served(server)}
    assert not run(one, tmp_path / "none", program=CharacterProgram(lms=own), messages=batches(1)).rehearsal


def test_a_key_of_an_own_model_reaches_its_server_and_no_file(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    lm = dspy.LM("openai/theirs", api_base=server.url, api_key="sk-hidden-123456", cache=False)
    with dspy.context(lm=lm):
        run(constitution.only(["patience"]), tmp_path / "run", messages=batches(1))
    assert server.headers[0]["Authorization"] == "Bearer sk-hidden-123456"
    assert not [
        path for path in (tmp_path / "run").rglob("*") if path.is_file() and b"sk-hidden" in path.read_bytes()
    ]


def test_a_role_that_is_misspelt_and_a_model_by_its_name_alone_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="rankng"):
        CharacterProgram(lms={"rankng": build_lm()})
    with pytest.raises(ConfigError, match="build_lm\\(model="):
        build_lm("openai/gpt-4.1-mini")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="brought by a program"):
        build_lm(kind="own", model="x")
