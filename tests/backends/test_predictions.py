"""What our modules give back, under DSPy's own tools: Evaluate's files, streamify, Parallel, pickles."""

from __future__ import annotations

import asyncio
import copy
import csv
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer

from character import (
    Candidates,
    CharacterProgram,
    CharacterResult,
    Constitution,
    Message,
    MessageBatch,
    MessageGenerator,
    Ranker,
    Ranking,
    Responder,
    Trait,
)

pytestmark = pytest.mark.usefixtures("rehearsal")


@pytest.fixture
def result(patience: Trait) -> Any:
    """Return what a small program gave back."""
    return CharacterProgram(messages_per_trait=2)(trait=patience)


def streamed(program: dspy.Module, *, is_async: bool = False, **given: Any) -> list[Any]:
    """Return all that a streamed call gave, which must end."""

    async def listen() -> list[Any]:
        stream = dspy.streamify(program, is_async_program=is_async)
        return [item async for item in stream(**given)]

    return asyncio.run(asyncio.wait_for(listen(), 30))


def test_a_result_is_the_record_that_it_was_and_a_prediction_too(result: Any) -> None:
    assert isinstance(result, CharacterResult)
    assert isinstance(result, dspy.Prediction)
    plain = CharacterResult(
        rollouts=result.rollouts, message_drops=result.message_drops, message_usage=result.message_usage
    )
    assert result == plain
    assert plain == result
    assert result["pairs"] == result.pairs
    assert result.get("nothing", 7) == 7
    with pytest.raises(KeyError):
        result["nothing"]
    with pytest.raises(TypeError, match="frozen"):
        result["pairs"] = []


def test_copies_and_pickles_of_a_result_stay_what_it_is(result: Any) -> None:
    for each in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result), copy.copy(result)):  # noqa: S301
        assert each == result
        assert isinstance(each, dspy.Prediction)
        assert each.constitution == result.constitution


def test_evaluate_writes_the_pairs_as_json_and_short_cells_as_csv(
    constitution: Constitution, tmp_path: Path
) -> None:
    evaluate = dspy.Evaluate(
        devset=[dspy.Example(constitution=constitution).with_inputs("constitution")],
        metric=lambda _example, result: len(result.pairs),
        num_threads=1,
        display_progress=False,
        save_as_json=str(tmp_path / "scores.json"),
        save_as_csv=str(tmp_path / "scores.csv"),
    )
    evaluated = evaluate(CharacterProgram(messages_per_trait=3))
    (saved,) = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert saved["pairs"] == evaluated.results[0][1].to_rows()
    csv.field_size_limit(sys.maxsize)
    (cells,) = csv.DictReader((tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines())
    assert max(map(len, cells.values())) < 1000


def test_evaluate_writes_what_each_step_gives(patience: Trait, tmp_path: Path) -> None:
    message = Message.of("Why does my kettle click off?", trait=patience.name)
    candidates = Responder(2)(message, patience)
    given = {"message": message, "trait": patience, "candidates": candidates}
    path = tmp_path / "scores.json"
    for step, names, field in (
        (Responder(2), ("message", "trait"), "items"),
        (Ranker(), ("message", "trait", "candidates"), "scores"),
    ):
        example = dspy.Example(**given).with_inputs(*names)
        dspy.Evaluate(
            devset=[example],
            metric=lambda _e, _r: 1,
            num_threads=1,
            display_progress=False,
            save_as_json=str(path),
        )(step)
        assert json.loads(path.read_text(encoding="utf-8"))[0][field]


@pytest.mark.parametrize("is_async", [False, True])
def test_streamify_gives_the_result_and_ends(patience: Trait, is_async: bool) -> None:
    items = streamed(CharacterProgram(messages_per_trait=2), is_async=is_async, trait=patience)
    assert isinstance(items[-1], CharacterResult)
    assert items[-1].pairs


def test_streamify_of_each_step_ends(patience: Trait) -> None:
    message = Message.of("Why does my kettle click off?", trait=patience.name)
    batch = streamed(MessageGenerator(), trait=patience, kind="question", num_messages=2)[-1]
    candidates = streamed(Responder(2), message=message, trait=patience)[-1]
    ranking = streamed(Ranker(), message=message, candidates=candidates, trait=patience)[-1]
    assert isinstance(batch, MessageBatch)
    assert isinstance(candidates, Candidates)
    assert isinstance(ranking, Ranking)


def test_streamify_ends_on_a_server_that_is_asked_from_many_threads(
    patience: Trait, server: FakeServer
) -> None:
    lm = dspy.LM("openai/any", api_base=server.url, api_key="none", cache=False, num_retries=0)
    with dspy.context(lm=lm):
        items = streamed(CharacterProgram(messages_per_trait=3), trait=patience)
    assert items[-1].pairs


def test_a_result_can_be_served_as_a_stream(patience: Trait) -> None:
    async def served() -> list[str]:
        stream = dspy.streamify(CharacterProgram(messages_per_trait=1))
        return [line async for line in dspy.streaming.streaming_response(stream(trait=patience))]

    lines = asyncio.run(served())
    assert lines[-1] == "data: [DONE]\n\n"
    assert json.loads(lines[-2].removeprefix("data: "))["prediction"]["pairs"]


def test_parallel_gives_results(patience: Trait) -> None:
    pairs = [(CharacterProgram(messages_per_trait=1), {"trait": patience})] * 2
    first, second = dspy.Parallel(num_threads=2, disable_progress_bar=True)(pairs)
    assert first == second
    assert first.pairs


class BuildsItself(dspy.Module):
    """Builds its result itself, of what a program inside made."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = CharacterProgram(messages_per_trait=1)

    def forward(self, trait: Trait) -> CharacterResult:
        return CharacterResult(rollouts=self.inner(trait=trait).rollouts)


def test_a_result_that_is_built_by_hand_is_a_prediction_for_dspys_tools(
    patience: Trait, tmp_path: Path, result: Any
) -> None:
    (*_, last) = streamed(BuildsItself(), trait=patience)
    checked = CharacterResult.model_validate_json(result.model_dump_json())
    for each in (last, checked, CharacterResult.made_for(result.constitution), result.model_copy()):
        assert isinstance(each, dspy.Prediction)
        assert pickle.loads(pickle.dumps(each)) == each  # noqa: S301
    assert checked == result
    path = tmp_path / "scores.json"
    example = dspy.Example(trait=patience).with_inputs("trait")
    dspy.Evaluate(devset=[example], metric=lambda _e, _r: 1, save_as_json=str(path))(BuildsItself())
    assert "pairs" in json.loads(path.read_text(encoding="utf-8"))[0]


@pytest.mark.parametrize("program", [BuildsItself, lambda: CharacterProgram(messages_per_trait=1)])
def test_a_result_tells_the_usage_that_dspy_tracked(program: Any, patience: Trait) -> None:
    assert program()(trait=patience).get_lm_usage() is None
    with dspy.context(track_usage=True):
        made = program()(trait=patience)
    (tracked,) = made.get_lm_usage().values()
    assert tracked["prompt_tokens"] == made.usage.prompt_tokens or isinstance(program, type)


def test_a_copy_of_candidates_with_others_gives_its_own_items(patience: Trait) -> None:
    candidates: Any = Responder(2)(Message.of("Why does it click?", trait=patience.name), patience)
    copied = candidates.model_copy(update={"items": candidates.items[:1]})
    assert len(dict(copied.items())["items"]) == len(copied.items) == 1
