"""Program-level metrics, and DSPy's optimizers compiling the whole program as it stands, or some of its parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest

from character import (
    Candidate,
    Candidates,
    CharacterProgram,
    CharacterResult,
    Message,
    Ranker,
    Ranking,
    Rollout,
)
from character.errors import InputError, UnknownNameError
from character.messages.generator import MessageGenerator
from character.pairs.designs import build_pairs
from character.records import Drop, Level
from character.responses.responder import Responder
from character.tuning.program_metrics import (
    METRICS,
    PARTS,
    compile_parts,
    describe,
    judged_responses,
    level_agreement,
    mean_margin,
    message_diversity,
    usable_pairs,
    weighted,
    with_feedback,
)

LEVELS: tuple[Level, ...] = ("natural", "absent", "overdone")
TRAITS = (
    {"name": "patience", "description": "Takes the time an explanation needs.", "opposite": "hurried"},
    {"name": "humour", "description": "Lets the light side of things show."},
    {"name": "耐心", "description": "在解释时详细，不急躁"},
)
TRAINSET = [dspy.Example(trait=trait).with_inputs("trait") for trait in TRAITS]


def rollout(scores: tuple[float, ...] | None, text: str = "How do I swim?") -> Rollout:
    message = Message.of(text, trait="patience")
    items = tuple(Candidate(text=f"{level} reply", level=level) for level in LEVELS)
    candidates = Candidates(message_id=message.id, trait="patience", items=items)
    if scores is None:
        ranking = Ranking(
            message_id=message.id,
            candidates_id=candidates.id,
            trait="patience",
            status="unranked",
            reason="unreadable",
        )
    else:
        ranking = Ranking.from_scores(candidates, scores)
    pairs, drops = build_pairs(message, candidates, ranking)
    return Rollout(message=message, candidates=candidates, ranking=ranking, pairs=pairs, drops=drops)


def result_of(*rollouts: Rollout) -> CharacterResult:
    return CharacterResult(rollouts=rollouts)


def test_usable_pairs_counts_what_was_lost_and_not_what_a_cap_left_out() -> None:
    assert usable_pairs(None, result_of(rollout((0.9, 0.2, 0.4)))) == 1.0
    assert usable_pairs(None, result_of(rollout((0.9, 0.2, 0.9)))) == 1 / 2  # a tie
    assert usable_pairs(None, result_of(rollout((0.9, 0.2, 0.4)), rollout(None))) == 2 / 3
    assert usable_pairs(None, result_of(rollout(None))) == usable_pairs(None, result_of()) == 0.0
    unanswered = Rollout(
        message=Message.of("And?", trait="patience"),
        drops=(Drop(stage="responses", reason="too_few_candidates"), Drop(stage="responses", reason="empty")),
    )
    assert usable_pairs(None, result_of(rollout((0.9, 0.2, 0.4)), unanswered)) == 2 / 3
    capped = rollout((0.9, 0.2, 0.4)).model_copy(update={"drops": (Drop(stage="pairs", reason="over_cap"),)})
    assert usable_pairs(None, result_of(capped)) == 1.0


def test_mean_margin_is_over_messages_and_counts_those_without_pairs() -> None:
    assert mean_margin(None, result_of(rollout((0.9, 0.1, 0.5)))) == pytest.approx(0.6)
    assert mean_margin(None, result_of(rollout((0.9, 0.1, 0.5)), rollout(None))) == pytest.approx(0.3)
    assert mean_margin(None, result_of()) == 0.0


def test_level_agreement_is_the_share_of_contrasts_that_the_ranking_sees() -> None:
    assert level_agreement(None, result_of(rollout((0.9, 0.1, 0.5)))) == 1.0
    assert level_agreement(None, result_of(rollout((0.5, 0.1, 0.9)))) == 0.5
    assert level_agreement(None, result_of(rollout((0.5, 0.5, 0.9)))) == 0.25
    assert level_agreement(None, result_of(rollout((0.9, 0.1, 0.5)), rollout(None))) == 0.5
    assert level_agreement(None, result_of()) == 0.0


def test_message_diversity_is_the_share_of_messages_that_differ() -> None:
    same = result_of(*[rollout(None, "How do I swim?")] * 4)
    other = result_of(*[rollout(None, text) for text in ("abcdef", "ghijkl", "一二三四五", "mnopqr")])
    assert message_diversity(None, same) == pytest.approx(1 / 4)
    assert message_diversity(None, other) == pytest.approx(1.0)
    assert message_diversity(None, result_of()) == 0.0


def test_responses_are_judged_where_they_are_meant_to_be_in_character() -> None:
    asked = []

    def judge(message: str, response: str, trait: str) -> float:
        asked.append((message, response, trait))
        return 0.75

    assert judged_responses(judge)(None, result_of(rollout((0.9, 0.1, 0.5)))) == 0.75
    assert asked == [("How do I swim?", "natural reply", "patience")]


def test_weighted_means_and_wrong_names() -> None:
    result = result_of(rollout((0.9, 0.1, 0.5)))
    assert weighted({"usable_pairs": 1, mean_margin: 3})(None, result) == pytest.approx((1 + 3 * 0.6) / 4)
    with pytest.raises(UnknownNameError, match="level_agreement"):
        weighted({"margin": 1})
    with pytest.raises(InputError):
        weighted({"usable_pairs": 0})


def test_feedback_says_what_was_lost_and_an_example() -> None:
    told = with_feedback("usable_pairs")(None, result_of(rollout((0.9, 0.2, 0.4)), rollout(None)))
    assert told.score == pytest.approx(2 / 3)
    assert "2 messages, 2 preference pairs." in told.feedback
    assert "Lost in pairs: 1 times unranked, for example: unreadable." in told.feedback
    for part, said in (("generator", "effective number"), ("ranker", "above the others in 50%")):
        told = with_feedback("usable_pairs")(
            None, result_of(rollout((0.9, 0.2, 0.4)), rollout(None)), None, f"{part}.x"
        )
        assert said in told.feedback
        assert told.score == pytest.approx(2 / 3)


@pytest.fixture
def program() -> CharacterProgram:
    """Return a small program: one message per trait, three candidates, one pass."""
    return CharacterProgram(
        MessageGenerator(max_refills=0),
        Responder(3, levels=LEVELS),
        Ranker(1),
        messages_per_trait=2,
        kinds=("question",),
    )


metric = weighted({"usable_pairs": 1.0, "mean_margin": 1.0, "level_agreement": 1.0, "message_diversity": 0.5})


def bootstrap(program: Any) -> Any:
    optimizer = dspy.BootstrapFewShot(metric=metric, max_bootstrapped_demos=1, max_labeled_demos=0)
    return optimizer.compile(program, trainset=TRAINSET[:2])


def mipro(program: Any) -> Any:
    optimizer = dspy.MIPROv2(
        metric=metric,
        auto=None,
        num_candidates=2,
        max_bootstrapped_demos=1,
        max_labeled_demos=0,
        num_threads=1,
        verbose=False,
    )
    return optimizer.compile(program, trainset=TRAINSET, valset=TRAINSET[:2], num_trials=2, minibatch=False)


def gepa(program: Any) -> Any:
    optimizer = dspy.GEPA(
        metric=with_feedback(metric),
        max_metric_calls=40,  # its proposals differ from run to run: with 12 one in some thirty runs kept every instruction
        reflection_lm=dspy.settings.lm,
        reflection_minibatch_size=2,
        num_threads=1,
    )
    return optimizer.compile(program, trainset=TRAINSET, valset=TRAINSET[:2])


COMPILERS: dict[str, Callable[[Any], Any]] = {"BootstrapFewShot": bootstrap, "MIPROv2": mipro, "GEPA": gepa}


def state_of(module: Any) -> str:
    return json.dumps(module.dump_state(), sort_keys=True, default=str)


@pytest.mark.parametrize("name", COMPILERS)
def test_an_optimizer_compiles_the_whole_program_which_runs_saves_and_loads(
    name: str, program: CharacterProgram, rehearsal: dspy.LM, tmp_path: Path
) -> None:
    before = state_of(program)
    compiled = COMPILERS[name](program)
    assert state_of(program) == before
    assert isinstance(compiled, CharacterProgram)
    made = compiled(trait=TRAITS[0])
    assert made.pairs
    compiled.save(tmp_path / "program.json")
    loaded = program.deepcopy()
    loaded.load(tmp_path / "program.json")
    assert state_of(loaded) == state_of(compiled)
    assert loaded(trait=TRAITS[0]) == made


def test_bootstrapping_and_reflection_change_what_the_predictors_are_asked(
    program: CharacterProgram, rehearsal: dspy.LM
) -> None:
    bootstrapped = bootstrap(program)
    assert all(predictor.demos for predictor in bootstrapped.predictors())
    before = {name: each.signature.instructions for name, each in program.named_predictors()}
    after = {name: each.signature.instructions for name, each in gepa(program).named_predictors()}
    assert set(after) == set(before)
    assert after != before


@pytest.mark.parametrize("name", COMPILERS)
@pytest.mark.parametrize("parts", [("generator",), ("responder",), ("ranker",), ("responder", "ranker")])
def test_some_parts_are_compiled_and_the_others_stay_byte_identical(
    name: str, parts: tuple[str, ...], program: CharacterProgram, rehearsal: dspy.LM, tmp_path: Path
) -> None:
    compiled = compile_parts(program, parts, COMPILERS[name])
    for part in PARTS:
        if part not in parts:
            assert state_of(getattr(compiled, part)) == state_of(getattr(program, part))
    if name == "BootstrapFewShot":
        assert all(predictor.demos for part in parts for predictor in getattr(compiled, part).predictors())
    compiled.save(tmp_path / "program.json")
    saved = json.loads((tmp_path / "program.json").read_text(encoding="utf-8"))
    assert {key.split(".")[0] for key in saved} >= set(PARTS), "no part is left out of what is saved"
    assert compiled(trait=TRAITS[1]).rollouts


def test_an_unknown_part_names_the_known_ones(program: CharacterProgram) -> None:
    with pytest.raises(UnknownNameError, match="generator, ranker, responder"):
        compile_parts(program, ["judge"], bootstrap)


def test_every_metric_lies_in_0_to_1_on_what_the_rehearsal_model_makes(
    program: CharacterProgram, rehearsal: dspy.LM
) -> None:
    for trait in TRAITS:
        result = program(trait=trait)
        values = {name: metric(None, result) for name, metric in METRICS.items()}
        assert all(0.0 <= value <= 1.0 for value in values.values()), values
        assert describe(result).startswith(f"{len(result.messages)} messages")


def test_a_pointwise_ranker_can_be_the_judge(program: CharacterProgram, rehearsal: dspy.LM) -> None:
    ranker = Ranker(1, strategy="pointwise")
    by_name = {trait["name"]: trait for trait in TRAITS}

    def judge(message: str, response: str, trait: str) -> float:
        return float(ranker(message, [response, "No."], by_name[trait]).scores[0])

    assert 0.0 < judged_responses(judge)(None, program(trait=TRAITS[0])) <= 1.0
