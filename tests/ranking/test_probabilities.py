"""Judges that answer with a word, read by the probabilities that the model gives it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, Reply, backend_at, by_odds, chat, refusal

from character import (
    Candidate,
    Candidates,
    Constitution,
    Message,
    Ranker,
    RankingConfig,
    Trait,
    build_lm,
    evaluate_ranker,
    open_run,
    optimize,
    run,
)
from character.backends.odds import read_odds
from character.errors import CharacterError, ConfigError
from character.ranking.combine import combine
from character.ranking.saved import build_ranker
from character.records import RankingPass
from character.runs.session import reading
from optimizers.labelled import read_labelled

LABELS = read_labelled(Path(__file__).parents[2] / "examples" / "labelled" / "patience-and-humour.en.jsonl")
QUESTION = Message.of("How do I learn to juggle?", trait="patience")
TEXTS = ["alpha", "beta", "gamma"]
CANDIDATES = Candidates(
    message_id=QUESTION.id, trait="patience", items=tuple(Candidate(text=text) for text in TEXTS)
)
MARKS = [str(mark) for mark in range(10)]
WORTH = {"alpha": 2, "beta": 8, "gamma": 5}


def _shown(request: dict[str, Any]) -> list[str]:
    return re.findall("|".join(TEXTS), request["messages"][-1]["content"])


def _around(mark: int) -> dict[str, float]:
    """Return the odds of a judge that thinks of a mark, and of its neighbours half as much."""
    return {f" {mark - 1}": 0.25, f" {mark}": 0.5, f" {mark + 1}": 0.25}


def _marks(request: dict[str, Any]) -> Reply:
    return by_odds(*(_around(WORTH[text]) for text in _shown(request)))


def _pick(request: dict[str, Any]) -> Reply:
    first, second = _shown(request)
    share = 0.5 + (WORTH[first] - WORTH[second]) / 15
    return by_odds({"A": share * 0.9, "B": (1 - share) * 0.9, "T": 0.1})


def _in_words(request: dict[str, Any]) -> Reply | str:
    """Answer as a server that knows of no probabilities."""
    if "[[ ## scores ## ]]" in request["messages"][-1]["content"]:
        scores = [WORTH[text] for text in _shown(request)]
        return chat(reasoning="r", suitable="True", scores=scores)
    return " ".join(str(WORTH[text]) for text in _shown(request))


def test_variants_of_a_word_are_one_and_the_rest_is_left_out() -> None:
    token = ("7", {"7": 0.4, " 7": 0.1, "７": 0.1, "\u2581" + "8": 0.2, "The": 0.2})
    odds, fault = read_odds([token], MARKS, 1)
    assert not fault
    assert odds[0]["7"] == pytest.approx(0.75)
    assert odds[0]["8"] == pytest.approx(0.25)
    assert sum(odds[0].values()) == pytest.approx(1)


def test_where_most_of_the_probability_lies_elsewhere_nothing_is_guessed() -> None:
    odds, fault = read_odds([("7", {"7": 0.45, "The": 0.4})], MARKS, 1)
    assert not odds
    assert "45%" in fault


def test_several_marks_are_read_past_what_stands_between_them() -> None:
    tokens = [("[", {"[": 1.0}), ("7", {"7": 1.0}), (", ", {", ": 1.0}), ("3", {"3": 0.6, "4": 0.4})]
    odds, fault = read_odds([*tokens, ("]", {"]": 1.0})], MARKS, 2)
    assert not fault
    assert [max(each, key=lambda mark: each[mark]) for each in odds] == ["7", "3"]
    assert read_odds(tokens[:2], MARKS, 2)[1].startswith("expected 2 of")


def test_a_score_is_the_mean_over_all_marks_and_keeps_its_spread(server: FakeServer, patience: Trait) -> None:
    server.script = _marks
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(2, max_passes=2, reading="probabilities")(QUESTION, CANDIDATES, patience)
    assert ranking.scores == (0.22, 0.89, 0.56)
    assert ranking.passes[0].scores == pytest.approx((2 / 9, 8 / 9, 5 / 9), abs=1e-4)
    assert ranking.passes[0].spreads == pytest.approx([0.5**0.5 / 9] * 3, abs=1e-4)
    request = server.requests[0]
    assert (request["logprobs"], request["top_logprobs"], request["temperature"]) == (True, 20, 0.0)
    assert request["max_completion_tokens" if "max_completion_tokens" in request else "max_tokens"] == 11
    assert "[[ ## completed" not in request["messages"][-1]["content"]


def test_one_by_one_a_judge_writes_one_figure(server: FakeServer, patience: Trait) -> None:
    server.script = _marks
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(1, strategy="pointwise", reading="probabilities")(QUESTION, CANDIDATES, patience)
    assert ranking.scores == (0.22, 0.89, 0.56)
    assert len(server.requests) == 3


@pytest.mark.parametrize(("passes", "calls"), [(1, 3), (2, 6)])
def test_pairs_are_compared_in_one_order_at_random_or_in_both(
    server: FakeServer, patience: Trait, passes: int, calls: int
) -> None:
    server.script = _pick
    ranker = Ranker(passes, strategy="pairwise", max_passes=passes, reading="probabilities")
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = ranker(QUESTION, CANDIDATES, patience)
    assert ranking.order == ((1,), (2,), (0,))
    assert len(server.requests) == calls
    first = ranking.passes[0]
    assert sum(score for score in first.scores if score is not None) == pytest.approx(1)
    assert all(0 < score < 1 for score in first.scores if score is not None)


def test_a_message_that_the_letter_calls_unsuitable_is(server: FakeServer, patience: Trait) -> None:
    server.script = lambda _request: by_odds({"U": 0.9, "5": 0.1})
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(reading="probabilities")(QUESTION, CANDIDATES, patience)
    assert ranking.status == "unsuitable"


def test_of_several_figures_a_letter_that_is_written_ends_them(server: FakeServer, patience: Trait) -> None:
    server.script = lambda _request: by_odds({"U": 0.4, "5": 0.3, "6": 0.3})
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(reading="probabilities")(QUESTION, CANDIDATES, patience)
    assert ranking.status == "unsuitable"


def test_a_judge_that_keeps_to_no_figure_is_told_and_then_not_counted(
    server: FakeServer, patience: Trait
) -> None:
    server.script = lambda _request: by_odds({"Well": 0.9, "5": 0.1})
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(1, max_reasks=1, reading="probabilities")(QUESTION, CANDIDATES, patience)
    assert ranking.status == "unranked"
    assert "10% of the probability" in ranking.reason
    assert "10% of the probability" in server.requests[1]["messages"][-1]["content"]


def test_without_probabilities_the_run_stops_where_they_were_asked_for(
    server: FakeServer, patience: Trait
) -> None:
    server.script = _in_words
    with (
        dspy.context(lm=build_lm(backend_at(server))),
        pytest.raises(ConfigError, match="gives no probabilities"),
    ):
        Ranker(reading="probabilities")(QUESTION, CANDIDATES, patience)


def test_without_probabilities_auto_has_the_judge_write_and_says_so_once(
    server: FakeServer, patience: Trait, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = _in_words
    with dspy.context(lm=build_lm(backend_at(server))):
        rankings = [Ranker(2, max_passes=2, reading="auto")(QUESTION, CANDIDATES, patience) for _ in "12"]
    assert [ranking.scores for ranking in rankings] == [(0.2, 0.8, 0.5)] * 2
    assert len(server.requests) == 2 + 2 + 2  # both passes of the first were under way
    assert sum("asked for judgements in words" in message for message in caplog.messages) == 1
    assert {drop.reason for drop in rankings[0].drops} == {"no_probabilities"}
    assert rankings[0].passes[0].spreads == ()


def test_one_reply_without_probabilities_after_others_with_them_is_asked_for_again(
    server: FakeServer, patience: Trait
) -> None:
    server.script = lambda request: _in_words(request) if len(server.requests) == 2 else _marks(request)
    with dspy.context(lm=build_lm(backend_at(server, max_in_flight=1))):
        first = Ranker(1, reading="auto")(QUESTION, CANDIDATES, patience)
        second = Ranker(1, reading="auto")(QUESTION, CANDIDATES, patience, seed=1)
    assert first.scores == second.scores == (0.22, 0.89, 0.56)
    assert [(drop.reason, drop.recovered) for drop in second.drops] == [("no_probabilities", True)]


def test_a_ranker_that_was_tuned_is_not_replaced_by_our_prompt_in_words(
    server: FakeServer, patience: Trait
) -> None:
    server.script = _in_words
    ranker = Ranker(1, reading="auto")
    ranker.rank.signature = ranker.rank.signature.with_instructions("Mark them.")
    with dspy.context(lm=build_lm(backend_at(server))), pytest.raises(ConfigError, match="was tuned to be"):
        ranker(QUESTION, CANDIDATES, patience)


@pytest.mark.parametrize("most", [5, 0])
def test_a_server_with_fewer_alternatives_or_none_is_asked_as_it_takes_it(
    server: FakeServer, patience: Trait, most: int
) -> None:
    def script(request: dict[str, Any]) -> Reply | str:
        if (request.get("top_logprobs") or 0) > most:
            return refusal(f"top_logprobs must be less than or equal to {most}")
        if request.get("logprobs") and not most:
            return refusal("Unsupported parameter: 'logprobs'")
        return _marks(request) if most else _in_words(request)

    server.script = script
    with dspy.context(lm=build_lm(backend_at(server))):
        ranking = Ranker(1, reading="auto")(QUESTION, CANDIDATES, patience)
    assert ranking.order == ((1,), (2,), (0,))
    assert bool(ranking.passes[0].spreads) is bool(most)


def test_an_order_cannot_be_read_by_probabilities() -> None:
    with pytest.raises(CharacterError, match="listwise"):
        Ranker(strategy="listwise", reading="probabilities")
    assert (
        Ranker(strategy="listwise", reading="auto").rank.signature
        is Ranker(strategy="listwise").rank.signature
    )


def test_a_ranker_with_its_way_of_reading_is_saved_and_loaded(tmp_path: Path) -> None:
    Ranker(strategy="pairwise", reading="probabilities").save(tmp_path / "ranker.json")
    loaded = Ranker()
    loaded.load(tmp_path / "ranker.json")
    assert (loaded.reading, type(loaded.rank).__name__) == ("probabilities", "OddsPredict")


def test_a_share_of_a_win_counts_as_one() -> None:
    sure = [RankingPass(shown=(0, 1), scores=(0.99, 0.01), spreads=(0.1, 0.1))]
    torn = [RankingPass(shown=(0, 1), scores=(0.55, 0.45), spreads=(0.5, 0.5))]
    left, right = (combine(passes, 2, method="bradley_terry") for passes in (sure, torn))
    assert left.probabilities[0][1] > right.probabilities[0][1] > 0.5


def test_a_score_of_which_its_judge_is_unsure_counts_for_less() -> None:
    passes = [
        RankingPass(shown=(0,), scores=(0.8, None), spreads=(0.05, None)),
        RankingPass(shown=(0,), scores=(0.2, None), spreads=(0.3, None)),
        RankingPass(shown=(1,), scores=(None, 0.5), spreads=(None, 0.1)),
    ]
    assert combine(passes, 2).scores[0] > 0.65
    plain = [one.model_copy(update={"spreads": ()}) for one in passes]
    assert combine(plain, 2).scores[0] == 0.5


@pytest.mark.usefixtures("rehearsal")
@pytest.mark.parametrize(("strategy", "calls"), [("scores", 2), ("pointwise", 4), ("pairwise", 12)])
def test_the_rehearsal_model_gives_honest_probabilities(strategy: Any, calls: int, patience: Trait) -> None:
    texts = [
        "Take your time, step by step; there is no rush, and we can go over it again.",
        "Hurry up. I have no time for this, just do it.",
        "Start with one ball, then two.",
        "Let us go slowly, one step at a time.",
    ]
    ranking = Ranker(2, strategy=strategy, max_passes=2, reading="probabilities")(QUESTION, texts, patience)
    assert ranking.order[0][0] in (0, 3)
    assert ranking.order[-1][0] in (1, 2)
    assert ranking.usage.calls == calls  # what would be answered alike is not asked twice
    assert ranking.usage.completion_tokens <= 2 * len(texts) * calls
    spreads = [spread for done in ranking.passes for spread in done.spreads if spread is not None]
    assert all(0 <= spread <= 0.5 for spread in spreads)


def test_what_auto_found_is_kept_in_the_folder_and_a_finished_run_asks_nothing(
    server: FakeServer, tmp_path: Path
) -> None:
    constitution = Constitution(name="clerk", traits=(Trait(name="patience", description="Takes time."),))
    rows = [{"prompt": f"How do I fold a map in {number} steps?", "type": "question"} for number in (2, 3)]
    messages = tmp_path / "messages.json"
    messages.write_text(json.dumps(rows), encoding="utf-8")
    config = {
        "backends": {"default": backend_at(server)},
        "responses": {"candidates": 2},
        "ranking": {"read": "auto", "passes": 1},
        "concurrency": 1,
    }
    run(constitution, tmp_path / "run", config=config, messages=messages, on_progress=False)
    asked = [request for request in server.requests if request.get("logprobs")]
    assert len(asked) == 1
    with open_run(tmp_path / "run") as opened:
        assert [rollout.ranking.status for rollout in opened.rollouts if rollout.ranking] == ["ranked"] * 2
    number = len(server.requests)
    run(constitution, tmp_path / "run", config=config, messages=messages, on_progress=False)
    assert len(server.requests) == number
    with reading(tmp_path / "run") as store:
        assert json.loads(store.meta("probabilities/default") or "{}")["given"] is False
    log = (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8")
    assert log.count("not read by probabilities: its server gives none") == 1


@pytest.mark.parametrize("strategy", ["scores", "pairwise"])
def test_a_judge_by_probabilities_is_tuned_saved_and_judges_a_run(tmp_path: Path, strategy: str) -> None:
    config = {
        "backends": {"default": {"kind": "rehearsal"}},
        "ranking": {"read": "probabilities", "strategy": strategy, "passes": 1},
        "optimize": {"strategy": "copro", "budget": 160},
    }
    tuned = optimize(LABELS, tmp_path / "tuned", config=config, on_progress=False)
    assert tuned.artifact.ranker.reading == "probabilities"
    assert tuned.artifact.signature.name in ("MarkResponses", "PickResponse")
    settings = RankingConfig(ranker=str(tmp_path / "tuned" / "ranker.json"))
    ranker = build_ranker(settings, {})
    assert (ranker.reading, ranker.strategy) == ("probabilities", strategy)
    with pytest.raises(ConfigError, match="tuned to be read as probabilities"):
        build_ranker(RankingConfig(ranker=settings.ranker, read="text"), {})
    figures = evaluate_ranker(LABELS, config={**config, "ranking": {"ranker": settings.ranker}})
    assert figures
