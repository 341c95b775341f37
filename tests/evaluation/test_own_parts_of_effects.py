"""A responder and a judge of somebody else's in ``effect``: faults cost a message, calls count, caps hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dspy
import pytest
from evaluation.planted import PATIENCE
from own_parts import QUESTIONS, OwnLM, batches, marked

from character import Constitution, Message, Trait, effect
from character.errors import BudgetReachedError, StepFailedError, StoreError
from character.evaluation.reading import EffectResult, read_effect
from character.runs.session import reading

ONE = Constitution(name="clerk", traits=(PATIENCE,))


class Asking(dspy.Module):
    """Asks a model one question, whatever the traits."""

    def __init__(self) -> None:
        super().__init__()
        self.reply = dspy.Predict("question -> response")

    def forward(self, message: Message) -> Any:
        return self.reply(question=message.text)


def answer(message: Message, traits: list[Trait]) -> str:
    return f"{len(traits)} traits on: {message.text}"


def gauge(responses: list[str]) -> list[str]:
    return ["natural"] * len(responses)


def measured(folder: Path, number: int = 3, **options: Any) -> EffectResult:
    config = options.pop("config", None)
    parts = {"responder": answer, "gauge": gauge, **options}
    return effect(ONE, folder, config, messages=batches(number), neutral_messages=0, **parts)


def model() -> OwnLM:
    return OwnLM(lambda _request: marked(response="Hello.", reasoning="Alike.", verdict="tie"))


def test_equal_questions_under_two_conditions_are_two_calls_that_are_counted_once_each(
    tmp_path: Path,
) -> None:
    lm = model()
    with dspy.context(lm=lm):
        report = measured(tmp_path / "e", responder=Asking())
        assert len(lm.prompts) == report.usage.calls == 3 * (2 + 2)
        with reading(tmp_path / "e") as store:
            assert store.usage("stage")[("responses",)].calls == 6
        measured(tmp_path / "e", responder=Asking())
    assert len(lm.prompts) == report.usage.calls


def test_a_cap_that_is_reached_inside_a_responder_stops_at_the_cap(tmp_path: Path) -> None:
    lm = model()
    with dspy.context(lm=lm), pytest.raises(BudgetReachedError):
        measured(tmp_path / "e", responder=Asking(), config={"budget": {"max_calls": 2}})
    assert len(lm.prompts) == 2


@pytest.mark.parametrize("part", ["responder", "gauge"])
def test_what_a_part_raises_for_a_message_costs_that_message_until_the_part_is_mended(
    part: str, tmp_path: Path
) -> None:
    class Code:  # what is mended is the code, which is no part of what the folder is
        is_mended = False

    def fails(message: Message) -> None:
        if message.text == QUESTIONS[1] and not Code.is_mended:
            raise ValueError("boom")

    def shaky_answer(message: Message, traits: list[Trait]) -> str:
        fails(message)
        return answer(message, traits)

    def shaky_gauge(message: Message, responses: list[str]) -> list[str]:
        fails(message)
        return gauge(responses)

    own: dict[str, Any] = {part: shaky_answer if part == "responder" else shaky_gauge}
    report = measured(tmp_path / "e", **own)
    assert report.dropped == {"step_error": 2 if part == "responder" else 1}
    lost = [drop for each in read_effect(tmp_path / "e")[1] for drop in each.drops]
    assert {drop.message_id for drop in lost} == {batches(2)["patience"].messages[1].id}
    assert all("patience: the" in drop.detail or "plain: the" in drop.detail for drop in lost)
    assert all("raised ValueError: boom" in drop.detail for drop in lost)
    Code.is_mended = True
    assert measured(tmp_path / "e", **own).dropped == {}


def test_a_judges_reply_that_cannot_be_used_is_asked_for_again_at_the_next_start_and_no_other(
    tmp_path: Path,
) -> None:
    said = ["natural", "none"]

    def reply(request: dict[str, Any]) -> str:
        asked = "".join(turn["content"] for turn in request["messages"])
        if "[[ ## degree ## ]]" not in asked:
            return marked(reasoning="Alike.", verdict="tie")
        return marked(degree=said[QUESTIONS[1] in asked])

    class Judge(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.judge = dspy.Predict("question, answers: list[str] -> degree")

        def forward(self, message: Message, responses: list[str]) -> Any:
            degree = self.judge(question=message.text, answers=responses).degree
            return {"degrees": [degree] * len(responses)}

    lm = OwnLM(reply)
    with dspy.context(lm=lm):
        assert measured(tmp_path / "e", gauge=Judge()).dropped == {"step_invalid": 1}
        asked, said[1] = len(lm.prompts), "subtle"
        assert measured(tmp_path / "e", gauge=Judge()).dropped == {}
        assert len(lm.prompts) == asked + 1
        assert measured(tmp_path / "e", gauge=Judge()).dropped == {}
        assert len(lm.prompts) == asked + 1


def test_a_part_that_fails_for_the_first_five_messages_stops_the_measurement_and_says_why(
    tmp_path: Path,
) -> None:
    def broken(message: Message) -> str:
        raise KeyError("no such answer")

    with pytest.raises(StepFailedError, match=r"first 5 messages: plain: the responder raised KeyError"):
        measured(tmp_path / "e", 6, responder=broken)


@pytest.mark.parametrize("result", [{"response": "Hi."}, dspy.Prediction(response="Hi."), "Hi."])
def test_a_response_may_be_a_text_or_named_in_a_dictionary_or_a_prediction(
    result: Any, tmp_path: Path
) -> None:
    assert measured(tmp_path / "e", responder=lambda message: result).dropped == {}


@pytest.mark.parametrize("result", [{"degrees": "natural"}, {"natural", "subtle"}, 0.5, ["natural"], None])
def test_what_is_no_degree_for_each_response_is_counted_by_name_and_never_guessed(
    result: Any, tmp_path: Path
) -> None:
    assert measured(tmp_path / "e", gauge=lambda responses: result).dropped == {"step_invalid": 3}
    drop = read_effect(tmp_path / "e")[1][0].drops[0]
    assert "the judge returned" in drop.detail


def test_a_part_with_another_prompt_is_refused_in_the_same_folder(tmp_path: Path) -> None:
    with dspy.context(lm=model()):
        measured(tmp_path / "e", responder=Asking())
        other = Asking()
        other.tone = "dry"
        with pytest.raises(StoreError, match="Changed: the responder"):
            measured(tmp_path / "e", responder=other)
