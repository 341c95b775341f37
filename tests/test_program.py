"""The program as users compose it: whole, with parts of their own, nested, saved, and under DSPy's optimizers."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, asks_for, backend_at

from character import (
    Candidates,
    CharacterProgram,
    Constitution,
    Message,
    MessageBatch,
    MessageGenerator,
    Ranking,
    Responder,
    Trait,
    build_lm,
)
from character.errors import InputError, InvalidReplyError, UnknownNameError

pytestmark = pytest.mark.usefixtures("rehearsal")


class LongestFirst(dspy.Module):
    """A ranker of a user's own that needs neither the trait nor a model."""

    def forward(self, candidates: Candidates) -> dspy.Prediction:
        longest = max(len(text) for text in candidates.texts)
        return dspy.Prediction(scores=[len(text) / longest for text in candidates.texts])


class AsyncOnly(dspy.Module):
    """A ranker that can only be awaited."""

    async def aforward(self, candidates: Candidates, **_: Any) -> Ranking:
        await asyncio.sleep(0)
        return Ranking.from_scores(candidates, [1.0, *[0.0] * (len(candidates.items) - 1)])


def test_a_constitution_gives_messages_candidates_rankings_and_pairs(constitution: Constitution) -> None:
    result = CharacterProgram(messages_per_trait=5)(constitution=constitution)
    assert len(result.messages) == len(result.candidates) == len(result.rankings) == 10
    assert {message.trait for message in result.messages} == {"patience", "humour"}
    assert {pair.trait for pair in result.pairs} == {"patience", "humour"}
    ranking_ids = {ranking.id for ranking in result.rankings}
    assert all(pair.ranking_id in ranking_ids for pair in result.pairs)
    assert (
        result.usage.calls
        == sum(rollout.usage.calls for rollout in result.rollouts) + result.message_usage.calls
    )


def test_one_trait_may_be_given_in_four_ways(constitution: Constitution, patience: Trait) -> None:
    program = CharacterProgram(messages_per_trait=2)
    by_record = program(trait=patience, constitution=constitution)
    assert program(trait="patience", constitution=constitution) == by_record
    assert program(trait=patience.model_dump(), constitution=constitution) == by_record
    assert program(trait="takes the time an explanation needs").pairs


def test_the_async_way_gives_the_same_result(constitution: Constitution) -> None:
    program = CharacterProgram(messages_per_trait=3)
    assert asyncio.run(program.acall(constitution=constitution)) == program(constitution=constitution)


def test_texts_given_as_messages_are_answered_for_every_trait(constitution: Constitution) -> None:
    result = CharacterProgram()(constitution=constitution, messages=["How do I juggle?", "怎么学游泳？"])
    assert [(m.trait, m.language) for m in result.messages] == [
        ("patience", "en"),
        ("humour", "en"),
        ("patience", "zh"),
        ("humour", "zh"),
    ]


@pytest.mark.parametrize("ranker", [LongestFirst(), AsyncOnly()])
def test_a_ranker_of_the_users_own_takes_the_place_of_ours(
    constitution: Constitution, ranker: dspy.Module
) -> None:
    program = CharacterProgram(ranker=ranker, messages_per_trait=2)
    result = program(constitution=constitution)
    assert result.pairs
    assert asyncio.run(program.acall(constitution=constitution)).pairs == result.pairs


def test_a_plain_function_serves_as_a_step(patience: Trait) -> None:
    def respond(message: Message) -> dspy.Prediction:
        return dspy.Prediction(responses=[message.text, "No idea.", "Let us see together."])

    def write(trait: Trait, num_messages: int) -> dspy.Prediction:
        return dspy.Prediction(messages=[f"Message {i} about {trait.name}" for i in range(num_messages)])

    result = CharacterProgram(generator=write, responder=respond, messages_per_trait=3)(trait=patience)
    assert [message.text for message in result.messages] == ["Message 0 about patience"] * 3
    assert all(len(candidates.items) == 3 for candidates in result.candidates)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scores": [0.1]},
        {"scores": [0.1, 0.2, 0.3, 7]},
        {"scores": [0.1, 0.2, 0.3, float("nan")]},
        {"scores": ["a", "b", "c", "d"]},
        {"order": [0, 1, 2, 3]},
    ],
)
def test_a_step_that_breaks_its_contract_is_named(patience: Trait, wrong: dict[str, Any]) -> None:
    program = CharacterProgram(ranker=lambda: dspy.Prediction(**wrong))
    with pytest.raises(InvalidReplyError, match="the ranker returned"):
        program(trait=patience)


def test_steps_use_the_models_given_by_role(constitution: Constitution) -> None:
    with FakeServer(name="writer") as writer, FakeServer(name="judge") as judge:
        lms = {"messages": build_lm(backend_at(writer)), "ranking": build_lm(backend_at(judge))}
        result = CharacterProgram(lms=lms, messages_per_trait=2)(constitution=constitution)
    assert {asks_for(request) for request in writer.requests} == {"messages"}
    assert {asks_for(request) for request in judge.requests} == {"scores"}
    assert {message.model for message in result.messages} == {"openai/writer"}
    assert {item.model for candidates in result.candidates for item in candidates.items} == {
        "rehearsal/default"
    }
    assert {one.model for ranking in result.rankings for one in ranking.passes} == {"openai/judge"}


def test_a_model_of_the_context_serves_a_role_of_the_users_own_module(patience: Trait) -> None:
    class ByModel(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.judge = dspy.Predict("responses: list[str] -> scores: list[float]")

        def forward(self, candidates: Candidates) -> dspy.Prediction:
            self.judge(responses=candidates.texts)
            return dspy.Prediction(scores=[0.9, *[0.1] * (len(candidates.items) - 1)])

    with FakeServer(name="judge") as judge:
        judge.script = lambda _request: "[[ ## scores ## ]]\n[0.5]\n\n[[ ## completed ## ]]"
        program = CharacterProgram(ranker=ByModel(), lms={"ranking": build_lm(backend_at(judge))})
        assert program(trait=patience).pairs
    assert len(judge.requests) == 6


def test_a_program_nested_in_a_module_of_the_users_own_keeps_its_predictors(patience: Trait) -> None:
    class Curriculum(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.character = CharacterProgram(messages_per_trait=2)

        def forward(self, trait: Trait) -> list[str]:
            return [pair.chosen for pair in self.character(trait=trait).pairs]

    nested = Curriculum()
    assert nested(trait=patience)
    assert [name for name, _ in nested.named_predictors()] == [
        "character.generator.generate",
        "character.responder.respond",
        "character.responder.respond_plainly",
        "character.ranker.rank",
    ]


def test_a_saved_program_comes_back_with_its_prompts(tmp_path: Path, patience: Trait) -> None:
    program = CharacterProgram(messages_per_trait=2)
    predict = program.ranker.rank
    predict.signature = predict.signature.with_instructions("Judge with a light hand.")
    program.save(tmp_path / "program.json")
    loaded = CharacterProgram(messages_per_trait=2)
    loaded.load(tmp_path / "program.json")
    assert loaded.ranker.rank.signature.instructions == "Judge with a light hand."
    assert loaded(trait=patience) == program(trait=patience)


def test_a_saved_program_holds_no_model_and_no_address(
    tmp_path: Path, server: FakeServer, patience: Trait
) -> None:
    program = CharacterProgram(lms={"default": build_lm(backend_at(server))}, messages_per_trait=2)
    program(trait=patience)
    program.save(tmp_path / "program.json")
    assert "127.0.0.1" not in (tmp_path / "program.json").read_text(encoding="utf-8")


def test_an_optimizer_of_dspys_compiles_the_program_as_it_stands(
    patience: Trait, constitution: Constitution
) -> None:
    def share_of_pairs(example: dspy.Example, result: Any, trace: Any = None) -> float:
        return len(result.pairs) / max(1, 3 * len(result.messages))

    trainset = [dspy.Example(trait=each).with_inputs("trait") for each in constitution.traits]
    optimizer = dspy.BootstrapFewShot(metric=share_of_pairs, max_bootstrapped_demos=2, max_labeled_demos=0)
    compiled = optimizer.compile(CharacterProgram(messages_per_trait=2), trainset=trainset)
    assert sum(len(predict.demos) for predict in compiled.predictors()) > 0
    assert compiled(trait=patience).pairs


def test_messages_of_two_kinds_that_repeat_each_other_are_kept_once(patience: Trait) -> None:
    program = CharacterProgram(generator=_SameForEveryKind(), messages_per_trait=3)
    result = program(trait=patience)
    assert [message.text for message in result.messages] == ["What do you do when I ask again?"]
    reasons = Counter(drop.reason for drop in result.message_drops)
    assert reasons == {"duplicate": 6, "refills_exhausted": 1}, (
        "asked again twice, then what is missing is said"
    )


class _SameForEveryKind(dspy.Module):
    def forward(self, trait: Trait, kind: Any) -> MessageBatch:
        message = Message.of("What do you do when I ask again?", trait=trait.name, kind=kind)
        return MessageBatch(messages=(message.model_copy(update={"source": "generated"}),))


def test_wrong_calls_say_what_was_expected(constitution: Constitution) -> None:
    program = CharacterProgram(generator=MessageGenerator(), responder=Responder(2))
    with pytest.raises(InputError, match="without a trait and without a constitution"):
        program()
    with pytest.raises(UnknownNameError, match="did you mean 'patience'"):
        program(trait="patiense", constitution=constitution)
    with pytest.raises(InputError, match="not worked on"):
        program(constitution=constitution, messages=[Message.of("Hi", trait="courage")])
