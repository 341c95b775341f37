"""An estimate drives the steps that a run drives: it counts their calls and prompts, and sends nothing."""

from __future__ import annotations

from typing import Any

import pytest
from fake_server import FakeServer, backend_at

from character import Config, Constitution, Message, MessageBatch, Trait, run
from character.backends import measuring
from character.backends.measuring import Meter, digits, unsent_lms
from character.config import BackendConfig
from character.evaluation.probe import EvaluationPlan, EvaluationSteps
from character.messages.files import GivenMessages
from character.messages.near_duplicates import NearDuplicates
from character.records import Usage
from character.responses.filters import is_wrong_language
from character.runs.estimate import estimate
from character.text import count_tokens

PATIENCE = Trait(name="patience", description="Takes the time that an explanation needs.")
ONE = Constitution(name="one", traits=(PATIENCE,))
UNKNOWN = {"model": "openai/any", "api_base": "http://127.0.0.1:9/v1"}


def config_with(**sections: Any) -> Config:
    return Config.model_validate(sections)


def given(*texts: str, language: str = "en") -> GivenMessages:
    messages = tuple(Message.of(text, trait="patience", language=language) for text in texts)
    return GivenMessages({"patience": MessageBatch(messages=messages)})


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_prompt_of_known_messages_is_measured_as_it_is_sent(
    server: FakeServer, tmp_path: Any, language: str
) -> None:
    text = {
        "en": "How do I learn thing {}, and how long does it take?",
        "zh": "第{}件事怎么学，要学多久才行呢？",
    }
    messages = given(*(text[language].format(number) for number in range(10, 15)), language=language)
    config = config_with(backends={"default": backend_at(server).model_dump(exclude_unset=True)})
    constitution = ONE.model_copy(update={"language": language})
    guess = estimate(constitution, config, messages)["responses"]
    run(constitution, tmp_path / "run", config=config, messages=messages)
    contents = [[turn["content"] for turn in request["messages"]] for request in server.requests]
    asked = [content for content in contents if "[[ ## responses ## ]]" not in content[-1]]
    assert len(asked) == guess.calls == 20
    sent = sum(count_tokens(turn) for content in asked for turn in content)
    assert guess.prompt_tokens == pytest.approx(sent, rel=0.01)


@pytest.mark.parametrize("candidates", [4, 5])
@pytest.mark.parametrize(
    "ranking",
    [
        {},
        {"strategy": "listwise"},
        {"strategy": "pointwise"},
        {"strategy": "pairwise"},
        {"strategy": "pairwise", "tournament": "swiss"},
        {"passes": 1},
    ],
)
def test_no_run_makes_more_calls_than_are_estimated(
    tmp_path: Any, ranking: dict[str, Any], candidates: int
) -> None:
    config = config_with(
        messages={"per_trait": 3},
        responses={"candidates": candidates, "max_response_tokens": 200},
        ranking=ranking,
    )
    guess = estimate(ONE, config)
    made = run(ONE, tmp_path / "run", config=config).usage
    assert guess["messages"].calls == made["messages"].calls
    assert guess["responses"].calls == made["responses"].calls == 3 * candidates
    assert guess["ranking"].calls >= made["ranking"].calls > 0


def test_every_backend_is_told_apart_and_an_unknown_price_is_none() -> None:
    config = config_with(
        backends={"default": UNKNOWN, "other": {"input_price": 1.0, "output_price": 2.0}},
        responses={"backends": ["default", "other"]},
        ranking={"backends": ["default", "other"], "max_passes": 2},
    )
    guess = estimate(ONE, config)
    default, other = guess.backends["default"], guess.backends["other"]
    assert other.calls == 6 * 2 + 6 * 2 == default.calls - guess["messages"].calls
    assert other.cost_usd == pytest.approx((other.prompt_tokens + 2 * other.completion_tokens) / 1e6)
    assert (default.cost_usd, guess["all"].cost_usd) == (None, None)
    assert sum(guess.backends.values(), Usage()) == guess["all"]


@pytest.mark.parametrize(("prompting", "least", "most"), [("fields", 1250, 1400), ("chat", 10_000, 10_000)])
def test_ten_thousand_messages_are_measured_by_few_prompts(
    monkeypatch: pytest.MonkeyPatch, prompting: str, least: int, most: int
) -> None:
    rendered: list[int] = []
    real = measuring.prompt_tokens
    monkeypatch.setattr(
        measuring, "prompt_tokens", lambda *asked: rendered.append(real(*asked)) or rendered[-1]
    )
    wanted = {"per_trait": 10_000, "prompting": prompting}
    config = config_with(messages=wanted, ranking={"max_passes": 2})
    guess = estimate(ONE, config)
    assert len(rendered) < 150
    assert (guess["responses"].calls, guess["ranking"].calls) == (40_000, 20_000)
    assert least <= guess["messages"].calls <= most


def test_what_a_module_of_ones_own_takes_is_not_measured_and_said_so() -> None:
    def answer(message: Message, traits: list[Trait]) -> str:
        raise AssertionError("it is not called")

    config = config_with(effect={"neutral_messages": 1})
    plan = EvaluationPlan(ONE, config, "traits", given=given("How long does it take?"))
    steps = EvaluationSteps(plan, unsent_lms({"default": BackendConfig()}), responder=answer)
    meter = Meter()
    (task, neutral) = steps.tasks([meter.drive(steps.messages(PATIENCE))])
    assert len(meter.drive(steps.probed(task)).responses) == 2
    assert len(meter.drive(steps.probed(neutral), times=7).responses) == 2
    guess = meter.estimate({"responses": "responses", "judging": "gauging"})
    assert (guess.unmeasured, guess["responses"].calls) == (("answer",), 0)
    assert guess["judging"].calls == (1 + 2) * 8


def test_stand_ins_are_unlike_one_another_and_pass_for_any_language() -> None:
    seen = NearDuplicates()
    for number in range(1500):
        text = digits(45, number)
        assert seen.find(text) is None
        assert abs(count_tokens(text) - 45) <= 2
        seen.add(text)
    for language in ("zh", "ru", "ja", "en"):
        message = Message.of(
            {"zh": "怎么学？", "ru": "Как?", "ja": "どう？", "en": "How?"}[language], trait=""
        )
        assert not is_wrong_language(digits(220), message.model_copy(update={"language": language}))
