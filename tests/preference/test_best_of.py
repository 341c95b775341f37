"""Best of n takes what the model likes best, stands where the program stood, and gives every try a seed of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import dspy
import pytest
from preference.teaching import pairs_of

from character import BestOfCharacter, Candidates, CharacterProgram, Message, Responder, Trait
from character.errors import InputError
from character.preference import preference_model

MODEL = preference_model("light").fit([*pairs_of("patience"), *pairs_of("humour")])
REPLIES = (
    "Well, the weather stays dry.",
    "Well, said the goose to the lawyer.",
    "Well, no need to hurry.",
    "Well.",
)


class Script(dspy.Module):
    """Answers with its lines in turn, whatever it is asked, and notes the seeds it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds: list[int] = []

    def forward(self, message: str, seed: int = 0) -> dspy.Prediction:
        self.seeds.append(seed)
        return dspy.Prediction(response=REPLIES[(len(self.seeds) - 1) % 4], note="kept")

    async def aforward(self, message: str, seed: int = 0) -> dspy.Prediction:
        return self.forward(message, seed)


def test_it_returns_the_best_prediction_as_it_is_with_the_scores_beside_it() -> None:
    best = asyncio.run(BestOfCharacter(Script(), MODEL, trait="patience").acall(message="Why?"))
    assert (best.response, best.note) == (REPLIES[2], "kept")
    assert set(best.best_of.texts) == set(REPLIES)
    assert best.best_of.scores[best.best_of.taken] == max(best.best_of.scores)


def test_the_trait_of_a_call_goes_before_that_of_the_module() -> None:
    module = BestOfCharacter(Script(), MODEL, trait="patience")
    assert module(message="Why?", trait="humour").response == REPLIES[1]


def test_every_try_has_a_seed_of_its_own_and_the_same_seed_asks_the_same_way() -> None:
    first, second = Script(), Script()
    for script in (first, second):
        BestOfCharacter(script, MODEL, n=6, trait="patience")(message="Why?", seed=3)
    assert len(set(first.seeds)) == 6
    assert sorted(first.seeds) == sorted(second.seeds)


def test_plain_functions_and_texts_will_do() -> None:
    lines = iter(REPLIES[:2])
    assert BestOfCharacter(lambda message: next(lines), MODEL, n=2, trait="humour")(message="x") == REPLIES[1]


def test_predictors_of_a_users_own_program_are_sampled_and_found(rehearsal: dspy.LM) -> None:
    class Answer(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.reply = BestOfCharacter(dspy.Predict("message -> response"), MODEL, n=3, trait="patience")

        def forward(self, message: str) -> str:
            return str(self.reply(message=message).response)

    program = Answer()
    assert program(message="How do I add fractions?")
    assert [name for name, _ in program.named_predictors()] == ["reply.program"]
    both = [
        program.reply(message="How do I add fractions?"),
        asyncio.run(program.reply.acall(message="How do I add fractions?")),
    ]
    assert both[0].best_of == both[1].best_of
    assert len(set(both[0].best_of.texts)) > 1
    assert program.deepcopy().reply.model is MODEL


def test_it_stands_in_the_place_of_a_responder(rehearsal: dspy.LM) -> None:
    trait = Trait(name="patience", description="Takes the time an explanation needs.")
    best = BestOfCharacter(Responder(4), MODEL, n=2)(
        message=Message.of("Why?", trait="patience"), trait=trait
    )
    assert isinstance(best, Candidates)
    assert len(best.items) == 1
    assert best.usage.calls >= 8
    result = CharacterProgram(responder=BestOfCharacter(Responder(4), MODEL, n=1), messages_per_trait=3)(
        trait=trait
    )
    assert [len(candidates.items) for candidates in result.candidates] == [1] * len(result.messages)


@pytest.mark.parametrize(
    ("options", "inputs", "said"),
    [
        ({"n": 0}, {}, "n is 0"),
        ({"n": 2.5}, {}, "n is 2.5"),
        ({}, {"message": "x"}, "no trait is given"),
        (
            {"trait": "patience", "response": "answer"},
            {"message": "x"},
            "a prediction with the fields response, note",
        ),
    ],
)
def test_what_cannot_be_used_is_named(options: dict[str, Any], inputs: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        BestOfCharacter(Script(), MODEL, **options)(**inputs)


def test_a_folder_in_place_of_a_model_is_named_at_once() -> None:
    with pytest.raises(InputError, match="is a str"):
        BestOfCharacter(Script(), "models/patience")  # type: ignore[arg-type]
