"""Models that a program brings to a run are told apart by all that they are: keys, settings, calls of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import dspy
import pytest
from dspy.utils.callback import BaseCallback
from fake_server import FakeServer, as_rehearsal
from own_parts import (
    QUESTIONS,
    OwnLM,
    batches,
    marked,
    three_replies,
)

from character import (
    CharacterProgram,
    Constitution,
    Message,
    Ranker,
    run,
)
from character.errors import BudgetReachedError


def _served(server: FakeServer, **options: Any) -> dspy.LM:
    return dspy.LM("openai/theirs", api_base=server.url, api_key="k", cache=False, num_retries=0, **options)


class Judges(dspy.Module):
    """Asks each of its models about a message."""

    def __init__(self, *lms: Any) -> None:
        super().__init__()
        self.judges = [dspy.Predict("message, answers: list[str] -> scores: list[float]") for _ in lms]
        for judge, lm in zip(self.judges, lms, strict=True):
            judge.lm = lm

    def forward(self, message: Message, candidates: Any) -> Any:
        """Return the last one's scores."""
        return [judge(message=message.text, answers=candidates.texts).scores for judge in self.judges][-1]


def _judged(lms: list[Any], out: Path, constitution: Constitution, **config: Any) -> Any:
    program = CharacterProgram(responder=three_replies, ranker=Judges(*lms))
    return run(constitution.only(["patience"]), out, config, program=program, messages=batches(1))


def _scores(request: dict[str, Any]) -> str:
    return marked(scores="[0.9, 0.1, 0.2]")


def test_two_accounts_of_one_server_are_each_asked_with_their_own_key_and_headers(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    server.script = _scores
    lms = [
        dspy.LM("openai/theirs", api_base=server.url, api_key=f"sk-of-{x}-123", headers={"X-Team": x})
        for x in ("one", "two")
    ]
    _judged(lms, tmp_path / "run", constitution)
    headers = [{name.lower(): value for name, value in each.items()} for each in server.headers]
    sent = [(each["authorization"], each["x-team"]) for each in headers]
    assert sent == [("Bearer sk-of-one-123", "one"), ("Bearer sk-of-two-123", "two")]
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert not [path for path in files if b"sk-of-" in path.read_bytes()]


def test_settings_that_no_request_can_carry_are_sent_and_tell_calls_apart(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    server.script = _scores

    def ask(folder: str, **more: Any) -> int:
        before = len(server.requests)
        lm = _served(server, **more)
        program = CharacterProgram(responder=three_replies, ranker=Ranker(), lms={"default": lm})
        one, reuse = constitution.only(["patience"]), [tmp_path / "a"] if (tmp_path / "a").exists() else []
        run(one, tmp_path / folder, program=program, messages=batches(1), reuse=reuse)
        return len(server.requests) - before

    assert ask("a", extra_body={"thinking": False}, repetition_penalty=1.1) > 0
    assert server.requests[-1]["thinking"] is False
    assert server.requests[-1]["repetition_penalty"] == 1.1
    assert ask("b", extra_body={"thinking": True}, repetition_penalty=1.1) > 0
    assert ask("c", extra_body={"thinking": False, "user_key": "k1"}, repetition_penalty=1.1) == 0


def test_a_model_that_was_changed_in_place_is_asked_with_its_new_settings(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    server.script = _scores
    lm = _served(server)

    def warmer(message: Message, candidates: Any) -> Any:
        judge = dspy.Predict("message, answers: list[str] -> scores: list[float]")
        for temperature in (0.1, 0.9):
            lm.kwargs["temperature"] = temperature
            with dspy.context(lm=lm):
                made = judge(message=message.text, answers=candidates.texts)
        return made.scores

    program = CharacterProgram(responder=three_replies, ranker=warmer)
    run(constitution.only(["patience"]), tmp_path / "run", program=program, messages=batches(1))
    assert [request["temperature"] for request in server.requests] == [0.1, 0.9]


class Ruled(OwnLM):
    """Adds a rule to every call."""

    def __call__(self, prompt: Any = None, *, messages: Any = None, **options: Any) -> Any:
        rule = {"role": "system", "content": "HOUSE RULE"}
        return super().__call__(prompt, messages=[rule, *(messages or [])], **options)


class Direct(dspy.BaseLM):
    """Answers a call by itself."""

    def __init__(self) -> None:
        super().__init__(model="own/direct", max_tokens=100)
        self.asked = 0

    def __call__(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        self.asked += 1
        return [_scores({})]

    async def acall(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        return self(prompt, messages, **options)

    def __deepcopy__(self, memo: dict[int, Any]) -> Direct:
        return self


def test_a_model_that_overrides_the_call_itself_runs_by_it_and_is_counted_and_capped(
    constitution: Constitution, tmp_path: Path
) -> None:
    ruled, direct = Ruled(_scores), Direct()
    summary = _judged([ruled, direct], tmp_path / "both", constitution)
    assert [prompt.count("HOUSE RULE") for prompt in ruled.prompts] == [1]
    assert direct.asked == 1
    assert {name: usage.calls for name, usage in summary.usage_by_backend.items()} == {
        "own/one": 1,
        "own/direct": 1,
    }
    with pytest.raises(BudgetReachedError):
        _judged([direct, direct], tmp_path / "capped", constitution, budget={"max_calls": 1})
    assert direct.asked == 2


class Told(BaseCallback):
    """Counts the calls that it is told of."""

    def __init__(self) -> None:
        self.began = 0

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self.began += 1


def test_what_listens_to_a_model_is_told_of_each_call_of_a_run(
    constitution: Constitution, tmp_path: Path
) -> None:
    lm, told = OwnLM(_scores), Told()
    lm.callbacks = [told]
    _judged([lm, lm], tmp_path / "run", constitution)
    assert told.began == len(lm.prompts) == 2


@pytest.mark.parametrize("mode", ["program", "acall", "run"])
def test_an_error_that_a_model_of_ones_own_raises_costs_one_message_alone(
    mode: str, constitution: Constitution, tmp_path: Path
) -> None:
    def answer(request: dict[str, Any]) -> str:
        if QUESTIONS[1] in request["messages"][-1]["content"]:
            raise ConnectionError("reset")
        return as_rehearsal(request)

    program = CharacterProgram(lms={"default": OwnLM(answer)})
    one, messages = constitution.only(["patience"]), batches(2)
    if mode == "run":
        summary = run(one, tmp_path / "run", program=program, messages=messages)
        assert summary.messages["failed"] == 1
        assert "server_error" in summary.dropped["responses"]
        return
    asked = list(messages["patience"].messages)
    if mode == "program":
        result = program(one.traits[0], messages=asked)
    else:
        result = asyncio.run(program.acall(one.traits[0], messages=asked))
    fine, lost = result.rollouts
    assert fine.ranking is not None
    assert lost.ranking is None
    assert {drop.reason for drop in lost.drops} >= {"server_error"}
