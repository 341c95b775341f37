"""Models that a program brings to a run: journaled, counted and capped as configured ones are, wherever they come from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Thread
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, backend_at
from own_parts import (
    AwaitableLM,
    OwnLM,
    TwoStageRanker,
    batches,
    fixed_scores,
    marked,
    three_replies,
    two_stages,
)

from character import (
    CharacterProgram,
    Config,
    Constitution,
    Message,
    Ranker,
    Responder,
    arun,
    build_lm,
    effect,
    run,
)
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


class PerReply(dspy.Module):
    """Asks about each reply by itself, in threads that are begun in one of several ways."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.judge = how, dspy.Predict("message, answer -> score: float")

    def forward(self, message: Message, candidates: Any) -> list[float]:
        """Return scores, whatever became of the threads."""
        examples = [
            dspy.Example(message=message.text, answer=text).with_inputs("message", "answer")
            for text in candidates.texts
        ]
        if self.how == "Parallel":
            dspy.Parallel(num_threads=2, disable_progress_bar=True)([(self.judge, each) for each in examples])
        elif self.how == "batch":
            self.judge.batch(examples, num_threads=2, disable_progress_bar=True)
        elif self.how == "Evaluate":
            dspy.Evaluate(devset=examples, metric=lambda *_: 1.0, num_threads=2)(self.judge)
        elif self.how == "pool":
            with ThreadPoolExecutor(2) as pool:
                made = [pool.submit(self.judge, **each.inputs()) for each in examples]
            [each.exception() for each in made]
        else:
            threads = [Thread(target=self.judge, kwargs=dict(each.inputs())) for each in examples]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return [0.9, 0.1, 0.2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("how", ["Parallel", "batch", "Evaluate", "pool", "Thread"])
@pytest.mark.parametrize("way", ["lms", "set_lm", "context"])
def test_calls_in_threads_that_a_step_begins_are_kept_counted_and_capped(
    how: str, way: str, constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    one, lm = constitution.only(["patience"]), _served(server)
    server.script = lambda request: marked(score="0.5")
    ranker = PerReply(how)
    if way == "set_lm":
        ranker.set_lm(lm)
    lms = {"ranking": lm} if way == "lms" else None
    program = CharacterProgram(responder=three_replies, ranker=ranker, lms=lms)
    with dspy.context(lm=lm) if way == "context" else nullcontext():
        with pytest.raises(BudgetReachedError):
            run(one, tmp_path / "run", {"budget": {"max_calls": 4}}, program=program, messages=batches(3))
        assert len(server.requests) == 4
        summary = run(one, tmp_path / "run", program=program, messages=batches(3))
    assert len(server.requests) == 9
    assert sum(usage.calls for usage in summary.usage.values()) == 9
    assert not summary.rehearsal
    assert not summary.note


def test_a_cap_stops_a_run_whatever_a_predictor_of_ones_own_makes_of_the_error(
    constitution: Constitution, tmp_path: Path
) -> None:
    class Calm(dspy.ChainOfThought):
        def forward(self, **inputs: Any) -> Any:
            try:
                return super().forward(**inputs)
            except Exception:  # noqa: BLE001 - it swallows all
                return dspy.Prediction(scores=[0.9, 0.1, 0.2])

    lm = OwnLM()
    ranker = Ranker(predictor=Calm(Ranker().rank.signature))
    program = CharacterProgram(responder=three_replies, ranker=ranker, lms={"default": lm})
    with pytest.raises(BudgetReachedError):
        run(
            constitution.only(["patience"]),
            tmp_path / "run",
            {"budget": {"max_calls": 2}},
            program=program,
            messages=batches(3),
        )
    assert len(lm.prompts) == 2


def test_a_run_whose_calls_nobody_saw_is_no_rehearsal_and_says_so(
    constitution: Constitution, tmp_path: Path
) -> None:
    program = CharacterProgram(responder=three_replies, ranker=fixed_scores)
    summary = run(constitution.only(["patience"]), tmp_path / "run", program=program, messages=batches(1))
    assert not summary.rehearsal
    assert "no call to a model was seen" in summary.note
