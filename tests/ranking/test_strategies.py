"""Every way to ask a judge gives the same order of the same candidates, at the price it says, and knows how sure it is."""

from __future__ import annotations

import itertools
import json
import random
import re
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, backend_at, chat

from character import Candidate, Candidates, Message, Ranker, Trait, build_lm, build_lms
from character.config import build_config
from character.errors import InputError, UnknownNameError
from character.program import CharacterProgram
from character.ranking.strategies import STRATEGIES, calls_per_pass

QUESTION = Message.of("How do I learn to juggle?", trait="patience")
WORTH = {"alpha": 2, "beta": 9, "gamma": 5, "delta": 1}
CANDIDATES = Candidates(
    message_id=QUESTION.id, trait="patience", items=tuple(Candidate(text=text) for text in WORTH)
)
BEST_FIRST = ((1,), (2,), (0,), (3,))


class Judge:
    """Answers in the shape that is asked for, by the worth of each text plus a bonus for the first place and noise."""

    def __init__(
        self, *, first_bonus: float = 0.0, noise: float = 0.0, worth: dict[str, int] | None = None
    ) -> None:
        self.first_bonus, self.noise, self.worth = first_bonus, noise, worth or WORTH

    def __call__(self, request: dict[str, Any]) -> str:
        text = request["messages"][-1]["content"]
        rng = random.Random(json.dumps([request.get("seed"), text]))
        shown = re.findall("|".join(self.worth), text)
        scores = [
            min(10, max(0, round(self.worth[name] + self.first_bonus * (i == 0) + rng.gauss(0, self.noise))))
            for i, name in enumerate(shown)
        ]
        if "[[ ## verdict ## ]]" in text:
            said = "tie" if scores[0] == scores[1] else "first" if scores[0] > scores[1] else "second"
            return chat(reasoning="by worth", verdict=said)
        if "[[ ## order ## ]]" in text:
            order = sorted(range(len(shown)), key=lambda i: -scores[i])
            links = [" = " if scores[a] == scores[b] else " > " for a, b in itertools.pairwise(order)]
            said = "".join(f"{i + 1}{link}" for i, link in zip(order, [*links, ""], strict=True))
            return chat(reasoning="by worth", suitable="True", order=said)
        if "[[ ## scores ## ]]" in text:
            return chat(reasoning="by worth", suitable="True", scores=scores)
        return chat(reasoning="by worth", suitable="True", score=scores[0])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("passes", [1, 2])
def test_each_strategy_finds_the_order_of_a_judge_that_knows_it(
    server: FakeServer, patience: Trait, strategy: Any, passes: int
) -> None:
    server.script = Judge()
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(passes, strategy=strategy, max_passes=passes)(QUESTION, CANDIDATES, patience)
    assert ranking.order == BEST_FIRST
    assert ranking.strategy == strategy
    assert len(server.requests) == passes * calls_per_pass(strategy, 4, "round_robin") == ranking.usage.calls
    for better, worse in itertools.pairwise(BEST_FIRST):
        assert ranking.probabilities[better[0]][worse[0]] > 0.5
    assert all(one.scores[i] is None for one in ranking.passes for i in range(4) if i not in one.shown)


def test_a_swiss_tournament_finds_the_best_in_fewer_comparisons(server: FakeServer, patience: Trait) -> None:
    server.script = Judge()
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(2, strategy="pairwise", tournament="swiss", max_passes=2)(
            QUESTION, CANDIDATES, patience
        )
    assert len(server.requests) == 2 * calls_per_pass("pairwise", 4, "swiss") == 8
    assert ranking.order[0] == (1,)
    met = {frozenset(one.shown) for one in ranking.passes}
    assert len(met) == 4, "nobody meets the same one in both rounds"


def test_comparisons_in_both_orders_cancel_what_the_first_place_gains(
    server: FakeServer, patience: Trait
) -> None:
    server.script = Judge(first_bonus=9)
    with dspy.context(lm=build_lm(backend_at(server))):
        one = Ranker(1, strategy="pairwise")(QUESTION, CANDIDATES, patience)
        two = Ranker(2, strategy="pairwise")(QUESTION, CANDIDATES, patience)
    assert one.order != BEST_FIRST
    assert len({round(score, 2) for score in two.scores}) <= 2, "each wins once: nobody is better"


def test_passes_that_agree_are_not_followed_by_others_and_the_saving_is_on_record(
    server: FakeServer, patience: Trait
) -> None:
    server.script = Judge()
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(2, max_passes=6)(QUESTION, CANDIDATES, patience)
    assert len(ranking.passes) == 2
    assert ranking.saved_calls == 4
    assert ranking.consistency == 1.0


def test_passes_that_disagree_are_followed_by_others_up_to_the_cap(
    server: FakeServer, patience: Trait
) -> None:
    server.script = Judge(noise=4)
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(2, max_passes=5, min_gain=0.0)(QUESTION, CANDIDATES, patience)
    assert len(ranking.passes) == 5
    assert ranking.saved_calls == 0
    shown = [one.shown for one in ranking.passes]
    assert len(set(shown[:4])) == 4
    assert all(shown[i][::-1] == shown[i + 1] for i in (0, 2))


def test_further_comparisons_are_made_only_where_it_is_still_unsure(
    server: FakeServer, patience: Trait
) -> None:
    server.script = Judge(worth={"alpha": 9, "beta": 9, "gamma": 1, "delta": 0})
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(4, strategy="pairwise", max_passes=6, min_gain=0.0)(QUESTION, CANDIDATES, patience)
    further = [frozenset(one.shown) for one in ranking.passes[24:]]
    assert 0 < len(further) < 12
    assert frozenset({0, 1}) in further


def test_an_unreadable_further_pass_is_counted_and_the_ranking_stands(
    server: FakeServer, patience: Trait
) -> None:
    judge, calls = Judge(noise=4), []

    def script(request: dict[str, Any]) -> str:
        calls.append(request)
        return judge(request) if len(calls) <= 2 else "no idea"

    server.script = script
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(2, max_passes=3, min_gain=0.0, max_reasks=1)(QUESTION, CANDIDATES, patience)
    assert ranking.status == "ranked"
    assert len(ranking.passes) == 2
    assert [(drop.reason, drop.recovered) for drop in ranking.drops] == [("unreadable", False)] * 2


@pytest.mark.parametrize(
    "order", ["2 > 1 > 3", "2 > 1 > 3 > 3", "2 > 1 > 3 > 5", "the second, then the first", ""]
)
def test_an_order_that_is_no_full_chain_is_asked_for_again_and_never_guessed(
    server: FakeServer, patience: Trait, order: str
) -> None:
    server.script = lambda _request: chat(reasoning="r", suitable="True", order=order)
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(1, strategy="listwise", max_reasks=1)(QUESTION, CANDIDATES, patience)
    assert ranking.status == "unranked"
    assert len(server.requests) == 2
    assert {drop.reason for drop in ranking.drops} <= {"unreadable_order", "unreadable"}


def test_comparisons_that_find_the_message_unsuitable_make_it_so(server: FakeServer, patience: Trait) -> None:
    server.script = lambda _request: chat(reasoning="arithmetic", verdict="unsuitable")
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(1, strategy="pairwise")(QUESTION, CANDIDATES, patience)
    assert ranking.status == "unsuitable"


def test_every_juror_judges_everything_and_signs_its_passes(server: FakeServer, patience: Trait) -> None:
    server.script = Judge()
    config = build_config(
        {
            "backends": {
                "one": backend_at(server).model_copy(update={"model": "openai/one"}),
                "two": backend_at(server).model_copy(update={"model": "openai/two"}),
            },
            "ranking": {"backends": ["one", "two"]},
        }
    )
    program = CharacterProgram.from_config(config, build_lms(config))
    ranking = program.ranker(QUESTION, CANDIDATES, patience)
    assert [one.juror for one in ranking.passes] == ["one", "one", "two", "two"]
    assert sorted(request["model"] for request in server.requests) == ["one", "one", "two", "two"]
    assert ranking.passes[0].shown == ranking.passes[2].shown
    assert ranking.saved_calls == 4


@pytest.mark.usefixtures("rehearsal")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_rehearsal_judge_answers_each_strategy(patience: Trait, strategy: Any) -> None:
    texts = ["Take your time: one ball first, and drop it as often as you like.", "Just throw them."]
    ranking = Ranker(4, strategy=strategy)(QUESTION, texts, patience)
    assert ranking.status == "ranked"
    assert ranking.drops == ()


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="listwise"):
        Ranker(strategy="elo")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="swiss"):
        Ranker(tournament="knockout")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="borda"):
        Ranker(method="average")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="max_passes"):
        Ranker(4, max_passes=2)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_a_strategy_writes_it_reads_back(patience: Trait, strategy: Any) -> None:
    ranker = Ranker(strategy=strategy)
    scores = [0.2, 0.9, 0.5, 0.1]
    for example in ranker.examples(QUESTION, CANDIDATES, patience, scores, seed=3):
        read, fault = ranker.read(example.toDict(), example.shown)
        assert fault == ""
        assert read is not None
        shown = sorted(example.shown, key=lambda i: scores[i])
        assert sorted(example.shown, key=lambda i: read[i] or 0.0) == shown


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_examples_are_what_the_predictor_is_asked(server: FakeServer, patience: Trait, strategy: Any) -> None:
    server.script = Judge()
    ranker = Ranker(2, strategy=strategy, max_passes=2)
    turns = [{"role": "user", "content": QUESTION.text}]
    examples = ranker.examples(
        turns, list(WORTH), {"name": "patience", "description": "takes its time"}, passes=2
    )
    with dspy.context(lm=build_lm(backend_at(server))):
        for example in examples:
            ranker.rank(**example.inputs())
        ranker(QUESTION, CANDIDATES, Trait(name="patience", description="takes its time"))
    prompts = [request["messages"][-1]["content"] for request in server.requests]
    assert sorted(prompts[: len(examples)]) == sorted(prompts[len(examples) :])
