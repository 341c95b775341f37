"""The ranker: balanced orders, averaged passes, suitability, and any model DSPy can call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import dspy
import pytest
from dspy.utils import DummyLM
from fake_server import FakeServer, backend_at, chat, cut_off
from hypothesis import given
from hypothesis import strategies as st
from ranking_helpers import presentation_orders

from character import Candidate, Candidates, Message, Ranker, Trait, build_lm

QUESTION = Message.of("How do I learn to juggle?", trait="patience")
TEXTS = ["alpha", "beta", "gamma", "delta"]
CANDIDATES = Candidates(
    message_id=QUESTION.id, trait="patience", items=tuple(Candidate(text=text) for text in TEXTS)
)
WORTH = {"alpha": 0.2, "beta": 0.9, "gamma": 0.5, "delta": 0.1}


def _judge(worth: dict[str, float], first_bonus: float = 0.0) -> Callable[[dict[str, Any]], str]:
    """Return a script that scores by worth and likes what it is shown first."""

    def script(request: dict[str, Any]) -> str:
        shown = re.findall("|".join(TEXTS), request["messages"][-1]["content"])
        scores = [
            round(10 * (worth[text] + (first_bonus if place == 0 else 0.0)))
            for place, text in enumerate(shown)
        ]
        return chat(reasoning="by worth", suitable="True", scores=scores)

    return script


@given(st.integers(2, 8), st.integers(1, 9), st.integers(0, 2**31 - 1))
def test_each_pass_is_a_permutation_and_each_second_one_the_reverse(n: int, passes: int, seed: int) -> None:
    orders = presentation_orders(n, passes, seed)
    assert len(orders) == passes
    assert all(sorted(order) == list(range(n)) for order in orders)
    for forth, back in zip(orders[::2], orders[1::2], strict=False):
        assert back == tuple(reversed(forth))


def test_scores_belong_to_candidates_whatever_the_order_shown(server: FakeServer, patience: Trait) -> None:
    server.script = _judge(WORTH)
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(4)(QUESTION, CANDIDATES, patience)
    assert dict(zip(TEXTS, ranking.scores, strict=True)) == WORTH
    assert ranking.order == ((1,), (2,), (0,), (3,))
    assert all(one.shown != (0, 1, 2, 3) or one.scores == ranking.scores for one in ranking.passes)
    assert len({one.shown for one in ranking.passes}) > 1


def test_a_complete_design_cancels_what_a_judge_gives_to_the_first_place(
    server: FakeServer, patience: Trait
) -> None:
    server.script = _judge(dict.fromkeys(TEXTS, 0.5), first_bonus=0.4)
    ranked = {}
    with dspy.context(lm=build_lm(backend_at(server))):
        for passes in (1, 2, 4):
            ranked[passes] = Ranker(passes)(QUESTION, CANDIDATES, patience).scores
    assert sorted(ranked[1]) == [0.5, 0.5, 0.5, 0.9]
    assert max(ranked[2]) - min(ranked[2]) < 0.2
    assert set(ranked[4]) == {0.6}


def test_a_message_that_cannot_show_the_trait_is_unsuitable(server: FakeServer, patience: Trait) -> None:
    server.script = lambda _request: chat(reasoning="arithmetic", suitable="False", scores="[0, 0, 0, 0]")
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker()(QUESTION, CANDIDATES, patience)
    assert (ranking.status, ranking.scores, ranking.drops) == ("unsuitable", (), ())


@pytest.mark.usefixtures("rehearsal")
def test_the_async_way_gives_the_same_ranking(patience: Trait) -> None:
    rank = Ranker()
    assert asyncio.run(rank.acall(QUESTION, CANDIDATES, patience)) == rank(QUESTION, CANDIDATES, patience)


def test_any_dspy_model_serves_with_nothing_of_ours_configured(patience: Trait) -> None:
    lm = DummyLM([{"reasoning": "r", "suitable": "True", "scores": "[1, 2, 3, 4]"}] * 2)
    with dspy.context(lm=lm):
        ranking = Ranker(max_passes=2)(QUESTION, CANDIDATES, patience)
    assert ranking.status == "ranked"
    assert ranking.usage.calls == 2


def test_the_cut_off_of_a_plain_dspy_model_is_seen_in_its_history(
    server: FakeServer, patience: Trait
) -> None:
    server.script = lambda _request: cut_off(chat(reasoning="r", suitable="True", scores="[1, 2, 3, 4]"))
    lm = dspy.LM("openai/fake", api_base=server.url, api_key="none", cache=False)
    with dspy.context(lm=lm):
        ranking = Ranker(1, max_reasks=0)(QUESTION, CANDIDATES, patience)
    assert [drop.reason for drop in ranking.drops] == ["cut_off"]
    assert (ranking.usage.calls, ranking.usage.prompt_tokens) == (1, 100)
