"""Tuning strategies: what they touch, what they cost, and what they leave as it was."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, Reply, backend_at
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_judge import pupil

from character import CharacterProgram, Ranker, build_lm
from optimizers.artifact.artifact import apply_artifact, artifact_of, load_artifact, save_artifact
from optimizers.errors import OptimizerError
from optimizers.labelled import LabelledSet, read_labelled
from optimizers.optimize import STRATEGIES, OptimizationResult, optimize_ranker
from optimizers.strategies.few_shot import LEAST_EXCERPT, LONG, excerpted
from optimizers.strategies.metering import RANKING, REFLECTION, CallsSpentError, Ledger, metered
from optimizers.strategies.tuning import find_ranker

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "labelled"
CREATED = "2026-01-31T12:00:00Z"


@pytest.fixture(scope="module")
def labelled() -> LabelledSet:
    """Return our own English labels, 24 messages."""
    return read_labelled(EXAMPLES / "patience-and-humour.en.jsonl")


@pytest.fixture(scope="module")
def few(labelled: LabelledSet) -> LabelledSet:
    """Return ten of them."""
    return labelled.model_copy(update={"items": labelled.items[:5] + labelled.items[-5:]})


def tuned(program: Any, labelled: LabelledSet, strategy: str, budget: int = 300) -> OptimizationResult:
    """Tune with the rehearsal model, in one thread."""
    with dspy.context(lm=build_lm()):
        return optimize_ranker(program, labelled, strategy, budget=budget, num_threads=1)


def taught(program: Any, labelled: LabelledSet, budget: int, seed: int = 0) -> OptimizationResult:
    """Tune with few-shot demos and a judge that learns from them, in one thread."""
    with FakeServer(pupil(labelled)) as server, dspy.context(lm=build_lm(backend_at(server))):
        return optimize_ranker(program, labelled, "few_shot", budget=budget, seed=seed, num_threads=1)


def without_ranker(program: Any) -> str:
    """Return the state of everything in a program but its ranker."""
    return json.dumps(
        {"generator": program.generator.dump_state(), "responder": program.responder.dump_state()}
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_leaves_all_but_the_ranker_as_it_was_also_after_saving_and_loading(
    strategy: str, few: LabelledSet, tmp_path: Path
) -> None:
    program = CharacterProgram()
    before, ranker_before = without_ranker(program), json.dumps(program.ranker.dump_state())
    result = tuned(program, few, strategy)
    assert without_ranker(program) == before
    assert json.dumps(program.ranker.dump_state()) == ranker_before
    assert without_ranker(result.tuned) == before
    assert without_ranker(result.program) == before
    first = artifact_of(
        result.ranker,
        strategy=strategy,
        model="rehearsal/default",
        labelled=few,
        adopted=False,
        created_at=CREATED,
        character_version="0",
    )
    save_artifact(tmp_path / "first.json", first)
    loaded = apply_artifact(Ranker(), load_artifact(tmp_path / "first.json"))
    second = artifact_of(
        loaded,
        strategy=strategy,
        model="rehearsal/default",
        labelled=few,
        adopted=False,
        created_at=CREATED,
        character_version="0",
    )
    save_artifact(tmp_path / "second.json", second)
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()
    with dspy.context(lm=build_lm()):
        for item in few.items[:3]:
            asked = (item.message, list(item.candidates), item.trait)
            assert loaded(*asked).scores == result.ranker(*asked).scores


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("budget", [25, 90])
def test_no_more_calls_are_sent_than_the_budget_has(
    strategy: str, budget: int, few: LabelledSet, server: FakeServer
) -> None:
    lm = build_lm(backend_at(server))
    with dspy.context(lm=lm):
        report = optimize_ranker(Ranker(), few, strategy, budget=budget).report
    assert len(server.requests) == report.calls.total <= budget


def test_the_same_seed_gives_the_same_tuning_whatever_the_number_of_threads(few: LabelledSet) -> None:
    for strategy in ("few_shot", "gepa", "copro"):
        found = []
        for num_threads in (1, 4):
            with dspy.context(lm=build_lm()):
                found.append(optimize_ranker(Ranker(), few, strategy, budget=250, num_threads=num_threads))
        assert found[0].tuning == found[1].tuning
        assert found[0].report == found[1].report


def test_another_seed_may_choose_other_demos(labelled: LabelledSet) -> None:
    found = [taught(Ranker(), labelled, 400, seed).tuning.demos for seed in range(3)]
    assert len({json.dumps(demos) for demos in found}) > 1


@pytest.mark.parametrize("strategy", ["copro", "gepa", "mipro", "simba"])
def test_what_optimizers_print_does_not_reach_the_terminal_and_their_threads_end(
    strategy: str, few: LabelledSet, capfd: pytest.CaptureFixture[str]
) -> None:
    before = threading.active_count()
    tuned(Ranker(), few, strategy)
    assert capfd.readouterr() == ("", "")
    assert [thread.name for thread in threading.enumerate()][before:] == []


def test_demos_carry_the_raters_scores_and_the_signatures_fields_alone(labelled: LabelledSet) -> None:
    tuning = taught(Ranker(), labelled, 500).tuning
    assert tuning.demos
    fields = set(Ranker().rank.signature.fields)
    by_candidates = {item.candidates: item for item in labelled.items}
    for demo in tuning.demos:
        assert set(demo) <= fields
        item = next(item for key, item in by_candidates.items() if set(key) == set(demo["responses"]))
        label = dict(zip(item.candidates, item.consensus(), strict=True))
        assert demo["scores"] == [round(10 * (label[text] or 0.0)) for text in demo["responses"]]


@pytest.mark.parametrize("filler", ["and so on, as was said before, ", "如前所述，以此类推，"])
def test_a_demo_with_long_responses_can_be_shown_with_excerpts(filler: str) -> None:
    short: dict[str, Any] = {"conversation": [], "responses": ["one", "two"], "scores": [1, 2]}
    assert excerpted(short) == short
    long = {**short, "responses": [f"First {i}. {filler * 400}Last {i}." for i in range(4)] + ["Brief."]}
    shown = excerpted(long)["responses"]
    assert shown[4] == "Brief."
    assert all(text.startswith(f"First {i}.") for i, text in enumerate(shown[:4]))
    assert all(" … " in text and text.endswith(f"Last {i}.") for i, text in enumerate(shown[:4]))
    assert all(len(text) >= LEAST_EXCERPT for text in shown[:4])
    assert len(json.dumps(excerpted(long), ensure_ascii=False)) <= LONG + 20
    assert long["responses"] != shown  # the labelled item keeps its text


def test_more_demos_of_long_responses_fit_with_excerpts_and_survive_saving(
    labelled: LabelledSet, tmp_path: Path
) -> None:
    filler = " It is a plain remark that says nothing either way, and it goes on." * 60
    items = [
        item.model_copy(update={"candidates": tuple(text + filler for text in item.candidates)})
        for item in labelled.items
    ]
    long = labelled.model_copy(update={"items": tuple(items)})
    result = taught(Ranker(), long, 600)
    assert len(result.tuning.demos) >= 8  # in full there would be room for two
    assert any(" … " in text for demo in result.tuning.demos for text in demo["responses"])
    artifact = artifact_of(
        result.ranker,
        strategy="few_shot",
        model="rehearsal/default",
        labelled=long,
        adopted=False,
        created_at=CREATED,
        character_version="0",
    )
    save_artifact(tmp_path / "ranker.json", artifact)
    assert load_artifact(tmp_path / "ranker.json") == artifact


def test_a_server_that_fails_stops_the_tuning_with_its_error(few: LabelledSet) -> None:
    def broken(request: dict[str, Any]) -> Reply:
        return Reply(status=500, body="{}")

    with FakeServer(broken) as server, dspy.context(lm=build_lm(backend_at(server))):
        with pytest.raises(Exception, match=r".") as caught:
            optimize_ranker(Ranker(), few, "few_shot", budget=200, num_threads=1)
        assert len(server.requests) <= 2
    assert isinstance(caught.value, dspy.utils.exceptions.LMServerError)


def test_a_judge_that_never_says_anything_readable_is_named() -> None:
    few = read_labelled(EXAMPLES / "patience-and-humour.en.jsonl")
    with (
        FakeServer(lambda _request: "no") as server,
        dspy.context(lm=build_lm(backend_at(server))),
        pytest.raises(OptimizerError, match="could rank none"),
    ):
        optimize_ranker(Ranker(), few, "few_shot", budget=300)


def test_mipro_names_the_extra_where_optuna_is_missing() -> None:
    code = (
        "import sys; sys.modules['optuna'] = None\n"
        "import dspy\n"
        "from character import Ranker, build_lm\n"
        "from optimizers.labelled import read_labelled\n"
        "from optimizers.optimize import optimize_ranker\n"
        "dspy.configure(lm=build_lm())\n"
        f"labelled = read_labelled({str(EXAMPLES / 'patience-and-humour.en.jsonl')!r})\n"
        "optimize_ranker(Ranker(), labelled, 'mipro', budget=400)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert "pip install 'character-framework[optimize]'" in done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"strategy": "magic"}, "strategy 'magic' is not known"),
        ({"metric": "luck"}, "metric 'luck' is not known"),
        ({"budget": 0}, "a budget of 0 calls"),
        ({"lms": {"judge": None}}, "found a model for 'judge'"),
    ],
)
def test_what_is_wrong_with_the_arguments_is_named(
    change: dict[str, Any], said: str, few: LabelledSet
) -> None:
    arguments = {"strategy": "few_shot", "budget": 100, **change}
    with dspy.context(lm=build_lm()), pytest.raises(OptimizerError, match=said):
        optimize_ranker(Ranker(), few, **arguments)


def test_the_ranker_inside_a_larger_program_is_found_and_two_are_one_too_many() -> None:
    class Outer(dspy.Module):
        def __init__(self, *parts: Any) -> None:
            super().__init__()
            self.parts = list(parts)

        def forward(self) -> None:
            """Do nothing."""

    program = CharacterProgram()
    assert find_ranker(Outer(program)) is program.ranker
    with pytest.raises(OptimizerError, match="holds 2 rankers"):
        find_ranker(Outer(program, Ranker()))
    with pytest.raises(OptimizerError, match="holds 0 rankers"):
        find_ranker(Outer())


def test_an_identical_call_is_made_once_but_a_proposal_is_sampled_anew(server: FakeServer) -> None:
    ledger = Ledger(10)
    judge, proposer = (metered(build_lm(backend_at(server)), ledger, role) for role in (RANKING, REFLECTION))
    for _ in range(3):
        judge("How are you?")
        proposer("Write an instruction.")
    assert [ledger.calls[RANKING], ledger.calls[REFLECTION], len(server.requests)] == [1, 3, 4]
    assert (
        len({request.get("seed") for request in server.requests if "Write" in str(request["messages"])}) == 3
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 5), max_size=6), st.integers(0, 12))
def test_a_ledger_never_lets_more_calls_through_than_any_allowance_it_is_under(
    allowances: list[int], cap: int
) -> None:
    ledger = Ledger(cap)

    def drain() -> int:
        made = 0
        while True:
            try:
                ledger.reserve(RANKING, "m/x")
            except CallsSpentError:
                return made
            made += 1

    total = 0
    for allowance in allowances:
        with ledger.allowance(allowance):
            made = drain()
        assert made <= allowance
        total += made
    assert total + drain() == cap
