"""Real programs and optimizers on the rehearsal model, and the way to it through LiteLLM."""

import os
from enum import Enum
from typing import Literal

import dspy
import pydantic
import pytest

from character.backends.rehearsal import AsyncRehearsalEngine, RehearsalEngine, register_with_litellm
from signatures.ranking import RankResponses

ADAPTERS = (dspy.ChatAdapter(), dspy.JSONAdapter())
PATIENT, CURT = "慢慢来，我们一步一步走，卡住了就告诉我。", "快点自己试吧，这么简单。"
EXAMPLES = [
    dspy.Example(
        language="zh",
        trait={"name": "耐心", "description": "不急躁"},
        conversation=[{"role": "user", "content": message}],
        responses=[CURT, PATIENT],
        reasoning="",
        suitable=True,
        scores=[0.1, 0.9],
    ).with_inputs("language", "trait", "conversation", "responses")
    for message in ("分数怎么加？", "电脑开不了机怎么办？", "我写不好这封信。", "怎么学游泳？")
]


def orders_alike(example, prediction, trace=None):
    return (example.scores[1] > example.scores[0]) == (prediction.scores[1] > prediction.scores[0])


@pytest.fixture
def lm():
    engine = RehearsalEngine()
    return dspy.LM("rehearsal/default", engine=engine, async_engine=AsyncRehearsalEngine(engine), cache=False)


def test_bootstrapping_collects_examples_of_the_ranker(lm):
    with dspy.context(lm=lm):
        optimizer = dspy.BootstrapFewShot(metric=orders_alike, max_bootstrapped_demos=2, max_labeled_demos=2)
        compiled = optimizer.compile(dspy.Predict(RankResponses), trainset=EXAMPLES)
        assert len(compiled.demos) == 2
        assert orders_alike(EXAMPLES[0], compiled(**EXAMPLES[0].inputs()))


def test_copro_gets_other_instructions_that_keep_the_first(lm):
    with dspy.context(lm=lm):
        optimizer = dspy.COPRO(metric=orders_alike, breadth=3, depth=2, track_stats=True)
        compiled = optimizer.compile(
            dspy.Predict(RankResponses),
            trainset=EXAMPLES,
            eval_kwargs={"num_threads": 1, "display_progress": False},
        )
    tried = {entry["instruction"] for entry in compiled.candidate_programs}
    assert len(tried) >= 2
    assert all(text.startswith("Judge how well each response fits") for text in tried)


def test_a_code_block_comes_back_reworded_for_reflection(lm):
    asked = "I gave an assistant these instructions:\n```\nScore each response.\n```\nWrite better ones within ``` blocks."
    reply = lm(asked)[0]
    assert reply.startswith("```\nScore each response.\n- ")
    assert reply.endswith("\n```")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Report(pydantic.BaseModel):
    title: str
    marks: list[int]
    colour: Colour
    nested: dict[str, float] | None


class Everything(dspy.Signature):
    """Fill in the form."""

    matter: str = dspy.InputField()
    report: Report = dspy.OutputField()
    colour: Colour = dspy.OutputField()
    size: Literal["small", "large"] = dspy.OutputField()
    flag: bool = dspy.OutputField()
    count: int = dspy.OutputField()
    share: float = dspy.OutputField()
    tags: list[str] = dspy.OutputField()
    maybe: int | None = dspy.OutputField()
    text: str = dspy.OutputField()


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: type(adapter).__name__)
def test_any_other_signature_is_filled_by_its_types(lm, adapter):
    with dspy.context(lm=lm, adapter=adapter):
        result = dspy.ChainOfThought(Everything)(matter="a lost parcel")
    assert isinstance(result.report, Report)
    assert result.colour in Colour
    assert result.size in ("small", "large")
    assert isinstance(result.text, str)
    assert result.text


def test_litellm_reaches_the_same_model(lm, monkeypatch):
    monkeypatch.setitem(os.environ, "LITELLM_LOCAL_MODEL_COST_MAP", "True")
    register_with_litellm()
    register_with_litellm()
    import litellm

    assert [entry["provider"] for entry in litellm.custom_provider_map].count("rehearsal") == 1
    routed = dspy.LM("rehearsal/default", engine="litellm", cache=False)
    predict, config = dspy.Predict(RankResponses), {"seed": 9, "temperature": 1.0}
    for adapter in ADAPTERS:
        with dspy.context(adapter=adapter):
            direct = predict(**EXAMPLES[0].inputs(), lm=lm, config=config)
            through = predict(**EXAMPLES[0].inputs(), lm=routed, config=config)
        assert direct.scores == through.scores
    assert routed.history[-1]["usage"]["total_tokens"] > 0


async def _ask(routed):
    return await dspy.Predict(RankResponses).acall(**EXAMPLES[0].inputs(), lm=routed)


def test_litellm_reaches_it_on_the_event_loop(monkeypatch):
    import asyncio

    monkeypatch.setitem(os.environ, "LITELLM_LOCAL_MODEL_COST_MAP", "True")
    register_with_litellm()
    result = asyncio.run(_ask(dspy.LM("rehearsal/default", engine="litellm", cache=False)))
    assert orders_alike(EXAMPLES[0], result)
