"""Steps and programs take what a person would write: texts, paths, the recipe's names; the rest gets a clear error."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import dspy
import pytest

from character import Candidates, CharacterProgram, Message, MessageGenerator, Ranker, Responder, Trait, run
from character.errors import InputError, InvalidReplyError, UnknownNameError

pytestmark = pytest.mark.usefixtures("rehearsal")
ROOT = Path(__file__).parent.parent
RECIPE = ROOT / "examples" / "constitutions" / "patience-and-humour.zh.json"


@pytest.mark.parametrize(
    ("text", "name", "description"),
    [
        ("patience: takes the time it needs", "patience", "takes the time it needs"),
        ("耐心：讲解时肯花时间", "耐心", "讲解时肯花时间"),
        ("takes the time it needs", "takes the time it needs", "takes the time it needs"),
        ("I think: therefore I ask", "I think: therefore I ask", "I think: therefore I ask"),
        ("when someone asks again: calm", "when someone asks again: calm", "when someone asks again: calm"),
    ],
)  # fmt: skip
def test_a_text_gives_a_trait_its_name_and_its_description(text: str, name: str, description: str) -> None:
    assert (Trait.of(text).name, Trait.of(text).description) == (name, description)


def test_the_steps_take_plain_values() -> None:
    batch = MessageGenerator()("耐心：不急躁", "情境型", 2)
    assert {(m.trait, m.kind, m.language) for m in batch.messages} == {("耐心", "situation", "zh")}
    made = Responder(3)("我怎么学游泳？", "耐心：不急躁")
    assert len(made.items) == 3
    ranking = Ranker()("How do I swim?", ["Slowly, step by step.", "Just jump."], "patience: takes time")
    assert len(ranking.scores) == 2


def test_a_program_takes_one_text_as_one_message_and_a_path_as_a_constitution() -> None:
    result = CharacterProgram()(constitution=RECIPE, messages="pandas DataFrame merge 怎么用？")
    assert [(m.trait, m.language) for m in result.messages] == [("耐心", "zh"), ("幽默感", "zh")]


def test_a_run_takes_the_path_of_a_constitution(tmp_path: Path) -> None:
    assert run(RECIPE, tmp_path / "run").traits == ("耐心", "幽默感")


def test_an_async_function_serves_as_a_step() -> None:
    async def rank(candidates: Candidates) -> dspy.Prediction:
        await asyncio.sleep(0)
        return dspy.Prediction(scores=[1.0, *[0.2] * (len(candidates.items) - 1)])

    program = CharacterProgram(ranker=rank, messages_per_trait=2)
    result = program(trait="patience")
    assert result.pairs
    assert asyncio.run(program.acall(trait="patience")) == result


def test_usage_is_on_the_records_and_dspy_does_not_complain(caplog: pytest.LogCaptureFixture) -> None:
    with dspy.context(track_usage=True):
        result = CharacterProgram(messages_per_trait=1)(trait="patience")
    assert result.usage.calls > 0
    assert "Failed to set LM usage" not in caplog.text


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: MessageGenerator()("patience", "riddle"), UnknownNameError, "情境型"),
        (lambda: MessageGenerator()(3), InputError, "found a int"),  # type: ignore[arg-type]
        (lambda: Responder("4"), InputError, "2 to 8"),  # type: ignore[arg-type]
        (lambda: Responder(levels=["natural", "loud"]), UnknownNameError, "overdone"),  # type: ignore[list-item]
        (lambda: Responder()(3, "patience"), InputError, "a Message, a text"),  # type: ignore[arg-type]
        (lambda: Ranker()("Hi?", "one text", "patience"), InputError, "a list of texts"),
        (lambda: CharacterProgram(ranker="mine"), InputError, "callable"),  # type: ignore[arg-type]
        (lambda: CharacterProgram(lms={"ranking": "openai/x"}), InputError, "build_lm"),  # type: ignore[dict-item]
        (lambda: CharacterProgram(kinds=("riddle",)), UnknownNameError, "riddle"),  # type: ignore[arg-type]
        (lambda: CharacterProgram(kinds=("question", "question")), InputError, "each once"),
        (lambda: CharacterProgram(messages_per_trait=0), InputError, "at least 1"),
        (lambda: CharacterProgram()(trait=3), InputError, "found a int"),  # type: ignore[arg-type]
        (lambda: CharacterProgram()(constitution=3), InputError, "path of a file"),  # type: ignore[arg-type]
        (
            lambda: CharacterProgram(generator=_says("hello there"))(trait="patience"),
            InvalidReplyError,
            "hello there",
        ),
    ],
)
def test_what_cannot_be_used_is_named(call: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        call()


def _says(messages: Any) -> Any:
    return lambda: dspy.Prediction(messages=messages)


def test_a_message_record_of_another_trait_stays_what_it_is() -> None:
    message = Message.of("How do I swim?", trait="humour")
    assert Responder(2)(message, "patience").message_id == message.id
