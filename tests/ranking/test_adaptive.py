"""Adaptive rankings: what a run learns of its judge, and that it asks the same whatever ends first."""

from __future__ import annotations

import asyncio
import hashlib
import re
from itertools import islice
from pathlib import Path
from typing import Any

import dspy
import numpy as np
import pytest
from fake_server import FakeServer, Reply, backend_at, chat

from character import (
    CharacterProgram,
    Config,
    Constitution,
    Message,
    MessageBatch,
    Ranker,
    Trait,
    build_lm,
    load_config,
    run,
)
from character.errors import BudgetReachedError, ConfigError, InputError
from character.ranking.combine import combine
from character.ranking.habits import learn
from character.ranking.orders import balanced_orders
from character.ranking.rerank import rerank
from character.ranking.score_model import NOISE_GRID, Habits
from character.records import Ranking, RankingPass
from character.runs.session import reading

TRAIT = Trait(name="patience", description="Takes time.")
CLERK = Constitution(name="clerk", traits=(TRAIT,))
FIRST = 0.3


def _rankings(number: int, passes: int, noise: float = 0.08) -> list[Ranking]:
    """Return rankings of four by a judge that gives .2 to the first place and takes .1 per place."""
    rng, made = np.random.default_rng(1), []
    for message in range(number):
        truth, done = rng.normal(0.5, 0.15, 4), []
        for order in islice(balanced_orders(4, message), passes):
            scores = [0.0] * 4
            for place, index in enumerate(order):
                scores[index] = truth[index] + 0.2 * (place == 0) - 0.1 * place + rng.normal(0, noise)
            done.append(RankingPass(shown=order, scores=tuple(scores), model="judge"))
        facts: dict[str, Any] = {"message_id": str(message), "candidates_id": "", "trait": "patience"}
        made.append(Ranking(scores=(0.5,) * 4, order=((0, 1, 2, 3),), passes=tuple(done), **facts))
    return made


@pytest.mark.parametrize(("number", "passes", "within"), [(16, 2, 0.03), (64, 1, 0.08)])
def test_places_noise_and_spread_are_learned_from_a_run(number: int, passes: int, within: float) -> None:
    habits = learn(_rankings(number, passes))
    assert habits is not None
    slope, first, last = habits.places["judge"]
    assert slope == pytest.approx(0.15, abs=within)  # from .15 above the middle to .15 below it
    assert first == pytest.approx(0.2, abs=2 * within)
    assert last == pytest.approx(0.0, abs=2 * within)
    assert habits.spread == pytest.approx(0.15, abs=0.05)
    if passes > 1:
        assert float(np.dot(habits.noise, NOISE_GRID)) == pytest.approx(0.08, abs=0.02)
    assert Habits.model_validate_json(habits.model_dump_json()) == habits
    assert learn([]) is None


def test_one_pass_is_read_without_what_the_judge_is_known_to_give_to_its_place() -> None:
    habits = learn(_rankings(16, 2))
    one = RankingPass(shown=(0, 1, 2, 3), scores=(0.8, 0.7, 0.5, 0.4), model="judge")
    assert combine([one], 4).scores == one.scores
    known = combine([one], 4, habits=habits)
    assert known.scores.index(max(known.scores)) == 1
    assert known.probabilities[1][0] > 0.7
    stranger = combine([one.model_copy(update={"model": "another"})], 4, habits=habits)
    assert stranger.scores == one.scores


def test_the_gain_of_the_best_ones_pairs_leaves_out_what_lies_below() -> None:
    habits = learn(_rankings(16, 2, noise=0.03))
    far = RankingPass(shown=(0, 1, 2, 3), scores=(1.0, 0.02, 0.1, 0.2), model="another")
    known = {only: combine([far, far], 4, habits=habits, best_only=only) for only in (True, False)}
    assert known[True].gain < known[False].gain
    assert known[True].scores == known[False].scores


def _judged(request: dict[str, Any]) -> str:
    """Answer with a worth of its own, and judge by worth, place and a little luck, the same for a prompt."""
    text = request["messages"][-1]["content"]
    luck = np.random.default_rng(int(hashlib.sha256(text.encode()).hexdigest()[:8], 16))
    if "[[ ## responses ## ]]" not in text:
        seed = request.get("seed") or 0
        return chat(
            response=f"Fold it slowly, worth {np.random.default_rng(seed).integers(100, 900)} of them."
        )
    worths = [int(worth) / 1000 for worth in re.findall(r"worth (\d{3})", text)]
    scores = [worth + FIRST * (place == 0) + luck.normal(0, 0.04) for place, worth in enumerate(worths)]
    return chat(reasoning="", suitable="True", scores=[round(10 * min(1, max(0, each))) for each in scores])


def _config(server: FakeServer, *, concurrency: int = 8, **sections: Any) -> Config:
    return Config.model_validate(
        {
            "backends": {"default": backend_at(server)},
            "responses": {"prompting": "fields"},
            "ranking": {"adaptive": True},
            "concurrency": concurrency,
            **sections,
        }
    )


def _messages(number: int) -> dict[str, MessageBatch]:
    texts = (f"How do I fold a map of {place} in {place + 2} steps?" for place in range(number))
    made = tuple(Message.of(text, trait="patience", kind="question") for text in texts)
    return {"patience": MessageBatch(messages=made)}


def _kept(folder: Path) -> list[Ranking]:
    with reading(folder) as store:
        found = [rollout.ranking for rollout in store.rollouts()]
    return [ranking.model_copy(update={"usage": found[0].usage}) for ranking in found if ranking and found[0]]


def test_an_adaptive_run_asks_less_and_the_same_whatever_ends_first(
    server: FakeServer, tmp_path: Path
) -> None:
    server.script = _judged
    made = {}
    for name, concurrency, seconds in (("one", 1, 0.0), ("many", 12, 0.01)):
        server.delay_s = seconds
        config = _config(server, concurrency=concurrency)
        run(CLERK, tmp_path / name, config=config, messages=_messages(24), on_progress=False)
        made[name] = _kept(tmp_path / name)
    assert made["one"] == made["many"]
    first, later = made["one"][:4], made["one"][4:]
    assert {ranking.method for ranking in first} == {"model"}
    assert {ranking.method for ranking in later} == {"habits"}
    assert all(len(ranking.passes) >= 2 for ranking in first)
    usual = _config(server, ranking={"max_passes": 8})
    run(CLERK, tmp_path / "usual", config=usual, messages=_messages(24), on_progress=False)
    asked = [sum(len(ranking.passes) for ranking in each) for each in (later, _kept(tmp_path / "usual")[4:])]
    assert asked[0] < 0.6 * asked[1]
    assert rerank(later[0], {}) == later[0]  # what it rests on is not in its passes
    with reading(tmp_path / "many") as store:
        habits = Habits.model_validate_json(store.meta("habits/patience/16") or "")
    assert habits.num_messages == 16
    ((slope, bonus, _last),) = habits.places.values()
    assert slope + bonus == pytest.approx(FIRST, abs=0.1)


def test_a_stopped_run_goes_on_as_if_nothing_had_stopped_it(server: FakeServer, tmp_path: Path) -> None:
    server.script = _judged
    messages = _messages(20)
    run(CLERK, tmp_path / "whole", config=_config(server), messages=messages, on_progress=False)
    calls, whole = len(server.requests), _kept(tmp_path / "whole")
    server.requests.clear()
    for most in (9, 40, 75):
        capped = _config(server, budget={"max_calls": most})
        with pytest.raises(BudgetReachedError):
            run(CLERK, tmp_path / "parts", config=capped, messages=messages, on_progress=False)
    run(CLERK, tmp_path / "parts", config=_config(server), messages=messages, on_progress=False)
    assert _kept(tmp_path / "parts") == whole
    assert len(server.requests) == calls  # nothing was paid twice


def test_a_message_that_fails_keeps_nobody_waiting_and_changes_nothing_later(
    server: FakeServer, tmp_path: Path
) -> None:
    down = True

    def script(request: dict[str, Any]) -> str | Reply:
        if down and "map of 1 in" in request["messages"][-1]["content"]:
            return Reply(status=500, body="{}")
        return _judged(request)

    server.script = script
    config, messages = _config(server), _messages(10)
    run(CLERK, tmp_path / "run", config=config, messages=messages, on_progress=False)
    before = _kept(tmp_path / "run")
    down = False
    run(CLERK, tmp_path / "run", config=config, messages=messages, on_progress=False)
    after = _kept(tmp_path / "run")
    assert len(after) == 10
    assert [ranking for ranking in after if ranking in before] == before
    with reading(tmp_path / "run") as store:
        assert Habits.model_validate_json(store.meta("habits/patience/4") or "").num_messages == 3


@pytest.mark.parametrize("in_tasks", [False, True])
def test_a_program_by_itself_learns_of_its_judge_too(server: FakeServer, in_tasks: bool) -> None:
    server.script = _judged
    program = CharacterProgram.from_config(_config(server))
    inputs: dict[str, Any] = {"trait": TRAIT, "messages": list(_messages(9)["patience"].messages)}
    with dspy.context(lm=build_lm(backend_at(server))):
        result = asyncio.run(program.acall(**inputs)) if in_tasks else program(**inputs)
    methods = [rollout.ranking.method for rollout in result.rollouts if rollout.ranking]
    assert methods == ["model"] * 4 + ["habits"] * 5


def test_adaptive_passes_are_refused_where_one_tells_nothing_of_its_doubt() -> None:
    with pytest.raises(ConfigError, match='adaptive needs the strategy "scores"'):
        load_config(overrides={"ranking": {"adaptive": True, "strategy": "pairwise"}})
    with pytest.raises(InputError, match="adaptive passes"):
        Ranker(adaptive=True, method="borda")
    assert Ranker(adaptive=True).max_passes == 8
    assert Config.model_validate({"ranking": {"adaptive": True}}).ranking.most_passes == 8
    assert Config.model_validate({"ranking": {"adaptive": True, "max_passes": 3}}).ranking.most_passes == 3
