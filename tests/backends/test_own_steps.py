"""Steps and predictors of one's own: every shape of callable, everything that one may give or raise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dspy
import numpy as np
import pandas as pd
import pytest
from own_parts import QUESTIONS, OwnLM, batches, fixed_scores, marked, three_replies

from character import (
    Candidates,
    CharacterProgram,
    Constitution,
    Message,
    MessageBatch,
    Ranker,
    Ranking,
    Responder,
    RunSummary,
    Trait,
    run,
)
from character.errors import BudgetReachedError, InputError, StepFailedError

SCORES = [0.9, 0.1, 0.2]


class Ways:
    """The three ways to have a program work on given messages."""

    def __init__(self, constitution: Constitution, folder: Path) -> None:
        self.constitution, self.folder = constitution.only(["patience"]), folder
        self.given = list(batches(3)["patience"].messages)

    def run(self, program: CharacterProgram, config: Any = None) -> RunSummary:
        return run(self.constitution, self.folder / "run", config, program=program, messages=batches(3))

    def pairs(self, program: CharacterProgram) -> list[int]:
        """Return how many pairs each way makes."""
        trait = self.constitution.traits[0]
        awaited = asyncio.run(program.acall(trait=trait, messages=self.given))
        made = [program(trait=trait, messages=self.given), awaited]
        return [*(len(result.pairs) for result in made), self.run(program).pairs]


@pytest.fixture
def ways(constitution: Constitution, tmp_path: Path) -> Ways:
    return Ways(constitution, tmp_path)


async def _awaited(candidates: Candidates) -> list[float]:
    return SCORES


class AwaitedObject:
    async def __call__(self, candidates: Candidates) -> list[float]:
        return SCORES


@dataclass
class Unhashable:
    best: float = 0.9

    def __call__(self, candidates: Candidates) -> list[float]:
        return [self.best, 0.1, 0.2]


def _lazily(candidates: Candidates) -> Iterator[float]:
    yield from SCORES


async def _one_by_one(candidates: Candidates) -> Any:
    for score in SCORES:
        yield score


async def _awaited_and_lazy(candidates: Candidates) -> dict[str, Any]:
    return {"scores": iter(SCORES)}


CALLABLES: dict[str, Callable[..., Any]] = {
    "object that is awaited": AwaitedObject(),
    "function that returns what is to be awaited": lambda candidates: _awaited(candidates),
    "object that cannot be hashed": Unhashable(),
    "generator": _lazily,
    "asynchronous generator": _one_by_one,
    "lazy field": lambda candidates: dspy.Prediction(scores=map(float, SCORES)),
    "awaited lazy field": _awaited_and_lazy,
    "array": lambda candidates: np.array(SCORES),
    "example": lambda candidates: dspy.Example(scores=SCORES),
}


@pytest.mark.parametrize("name", CALLABLES)
def test_every_callable_that_gives_scores_in_order_ranks_in_every_way(name: str, ways: Ways) -> None:
    assert ways.pairs(CharacterProgram(responder=three_replies, ranker=CALLABLES[name])) == [6, 6, 6]


def test_what_a_lazy_result_asks_is_asked_of_the_steps_own_model(ways: Ways) -> None:
    own, other = (OwnLM(lambda _request: marked(score=0.5), name) for name in ("own/one", "own/two"))
    judge = dspy.Predict("answer -> score: float")
    program = CharacterProgram(
        responder=three_replies,
        ranker=lambda candidates: (judge(answer=text).score for text in candidates.texts),
        lms={"default": own},
    )
    with dspy.context(lm=other):
        program(trait=ways.constitution.traits[0], messages=ways.given)
    assert (len(own.prompts), len(other.prompts)) == (9, 0)


ENDS = [
    StopIteration,
    StopAsyncIteration,
    GeneratorExit,
    SystemExit,
    asyncio.CancelledError,
    ZeroDivisionError,
]


@pytest.mark.parametrize("error", ENDS)
def test_whatever_a_step_raises_costs_one_message(error: type[BaseException], ways: Ways) -> None:
    def rank(message: Message, candidates: Candidates) -> Iterator[float]:
        if "bread" in message.text:
            raise error("too dense")
        return iter(SCORES)

    async def awaited(message: Message, candidates: Candidates) -> Iterator[float]:
        return rank(message, candidates)

    for ranker in (rank, awaited):
        program = CharacterProgram(responder=three_replies, ranker=ranker)
        made = program(trait=ways.constitution.traits[0], messages=ways.given)
        assert [f"raised {error.__name__}: too dense" in drop.detail for drop in made.drops] == [True]
        assert ways.pairs(program) == [4, 4, 4]
        ways.folder /= "again"


def test_ctrl_c_in_a_step_stops(ways: Ways) -> None:
    def rank(candidates: Candidates) -> list[float]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CharacterProgram(responder=three_replies, ranker=rank)(trait="patience", messages=ways.given)


class Mine(dspy.Module):
    """A ranker that takes less than ours does."""

    def forward(self, message: Message, candidates: Candidates) -> list[float]:
        return SCORES


class ByNames(dspy.Module):
    """Hands all that it is given to what it holds, and keeps the names."""

    def __init__(self, **held: Any) -> None:
        super().__init__()
        self.given: set[str] = set()
        for name, part in held.items():
            setattr(self, name, part)

    def forward(self, **inputs: Any) -> list[float]:
        self.given = set(inputs)
        return SCORES


class BySuper(Mine):
    def forward(self, **inputs: Any) -> list[float]:  # type: ignore[override]
        return super().forward(**inputs)


def _by_closure(**inputs: Any) -> list[float]:
    return fixed_only(**inputs)


def fixed_only(candidates: Candidates) -> list[float]:
    return SCORES


ALL = {"message", "candidates", "trait", "seed"}
HELD: dict[str, tuple[dict[str, Any], set[str]]] = {
    "nothing": ({}, ALL),
    "our ranker": ({"inner": Ranker()}, ALL),
    "a module that takes more than the function beside it": (
        {"one": Mine(), "two": fixed_only},
        {"message", "candidates"},
    ),
    "two of the same": ({"one": Mine(), "two": Mine()}, {"message", "candidates"}),
    "steps in a list": ({"all": [Mine(), Mine()]}, {"message", "candidates"}),
    "a function": ({"score": fixed_only}, {"candidates"}),
    "a helper beside our ranker": ({"inner": Ranker(), "clean": lambda message: message.text}, ALL),
    "a predictor beside our ranker": ({"inner": Ranker(), "note": dspy.Predict("message -> note")}, ALL),
    "a predictor": ({"ask": dspy.ChainOfThought("message, candidates -> scores")}, {"message", "candidates"}),
    "a wrapper": ({"inner": ByNames(inner=Mine())}, {"message", "candidates"}),
}


@pytest.mark.parametrize("name", HELD)
def test_a_wrapper_is_given_what_all_that_it_holds_take(name: str, patience: Trait) -> None:
    held, names = HELD[name]
    wrapper = ByNames(**held)
    CharacterProgram(responder=three_replies, ranker=wrapper)(trait=patience, messages=[QUESTIONS[0]])
    assert wrapper.given == names


@pytest.mark.parametrize(
    "ranker",
    [
        BySuper(),
        _by_closure,
        dspy.asyncify(Mine()),
        dspy.Ensemble(reduce_fn=lambda made: made[0]).compile([Mine(), Mine()]),
    ],
)
def test_wrappers_by_super_by_closure_and_of_dspys_rank(ranker: Any, ways: Ways) -> None:
    assert ways.pairs(CharacterProgram(responder=three_replies, ranker=ranker)) == [6, 6, 6]


def test_a_program_that_hands_its_inputs_to_super_is_given_the_messages(ways: Ways) -> None:
    class Logged(CharacterProgram):
        def forward(self, **inputs: Any) -> Any:  # type: ignore[override]
            return super().forward(**inputs)

    lm = OwnLM()
    summary = ways.run(Logged(None, three_replies, lambda candidates: SCORES, lms={"default": lm}))
    assert (summary.pairs, lm.prompts) == (6, [])


def test_a_callable_that_nobody_can_tell_the_inputs_of_is_refused() -> None:
    with pytest.raises(InputError, match="nobody can tell"):
        CharacterProgram(ranker=max)


def test_a_set_of_scores_has_no_order(patience: Trait) -> None:
    program = CharacterProgram(responder=three_replies, ranker=lambda candidates: set(SCORES))
    (drop,) = program(trait=patience, messages=[QUESTIONS[0]]).drops
    assert (drop.reason, "returned a set" in drop.detail) == ("step_invalid", True)


def _generated(patience: Trait, give: Callable[[int, str], Any]) -> Any:
    def generator(num_messages: int, kind: str) -> Any:
        return give(num_messages, kind)

    return CharacterProgram(generator, three_replies, fixed_scores, messages_per_trait=6)(trait=patience)


def test_a_message_that_is_none_or_blank_costs_itself_alone(patience: Trait) -> None:
    made = _generated(patience, lambda _number, kind: [f"Is this a {kind}?", None, "   "])
    assert len(made.messages) == 3
    assert [drop.reason for drop in made.drops if drop.stage == "messages"] == ["unreadable", "empty"] * 3


def test_messages_are_read_from_an_example_and_a_table_is_refused(patience: Trait) -> None:
    made = _generated(patience, lambda _number, kind: dspy.Example(messages=[f"A {kind}?", f"Why a {kind}?"]))
    assert [message.text for message in made.messages][:2] == ["A question?", "Why a question?"]
    with pytest.raises(StepFailedError, match="returned a DataFrame"):
        _generated(patience, lambda _number, kind: pd.DataFrame({"messages": [f"A {kind}?"]}))


def test_messages_of_another_trait_are_left_out_and_those_of_none_get_this_one(patience: Trait) -> None:
    def give(_number: int, kind: str) -> MessageBatch:
        texts = {"humour": f"A joke, a {kind}?", "": f"Whose {kind}?"}
        return MessageBatch(messages=tuple(Message.of(text, trait=name) for name, text in texts.items()))

    made = _generated(patience, give)
    assert [message.trait for message in made.messages] == ["patience"] * 3
    assert "a message of the trait 'humour'" in made.drops[0].detail


def test_a_response_that_is_none_costs_itself_alone(patience: Trait) -> None:
    program = CharacterProgram(responder=lambda message: ["a", None, "b"], ranker=fixed_scores)
    made = program(trait=patience, messages=[QUESTIONS[0]])
    assert [drop.reason for drop in made.drops] == ["unreadable"]
    assert made.candidates[0].texts == ["a", "b"]


def test_records_of_another_message_are_refused_and_anothers_trait_is_set_right(ways: Ways) -> None:
    def made(message_id: str) -> Candidates:
        return Candidates(message_id=message_id, trait="other", items=({"text": "a"}, {"text": "b"}))  # type: ignore[arg-type]

    def rank(candidates: Candidates) -> Ranking:
        return Ranking.from_scores(made("elsewhere"), [0.9, 0.1])

    trait, here = ways.constitution.traits[0], lambda message: made(message.id)
    for program in (
        CharacterProgram(responder=lambda message: made("elsewhere"), ranker=fixed_scores),
        CharacterProgram(responder=here, ranker=rank),
    ):
        (drop,) = program(trait=trait, messages=ways.given[:1]).drops
        assert (drop.reason, "of the message 'elsewhere'" in drop.detail) == ("step_invalid", True)
    pairs = CharacterProgram(responder=here, ranker=fixed_scores)(trait=trait, messages=ways.given).pairs
    assert {pair.trait for pair in pairs} == {"patience"}


class Asks(dspy.Module):
    """A predictor of one's own with only ``forward``."""

    def __init__(self, give: Callable[[], Any] = lambda: dspy.Prediction(scores=[10, 0, 5])) -> None:
        super().__init__()
        self._give = give

    def forward(self, conversation: Any, responses: list[str]) -> Any:
        tyre = "tyre" in conversation[-1]["content"]
        return self._give() if tyre else dspy.Prediction(scores=[10, 0, 5])


class AsksAwaited(dspy.Module):
    """The same with only ``aforward``."""

    async def aforward(self, conversation: Any, responses: list[str]) -> Any:
        return dspy.Prediction(scores=(score for score in (10, 0, 5)))


@pytest.mark.parametrize("predictor", [Asks, AsksAwaited])
def test_a_predictor_with_one_way_to_be_called_asks_in_every_way(predictor: Any, ways: Ways) -> None:
    ranker = Ranker(1, predictor=predictor())
    assert ways.pairs(CharacterProgram(None, three_replies, ranker, lms={"default": OwnLM()})) == [6, 6, 6]


def _cannot() -> Any:
    raise StopIteration("cannot judge this")


@pytest.mark.parametrize(
    ("give", "reason", "said"),
    [
        (_cannot, "step_error", "raised StopIteration: cannot judge this"),
        (lambda: [10, 0, 5], "step_invalid", "returned a list"),
        (lambda: None, "step_invalid", "returned a NoneType"),
        (lambda: dspy.Prediction(scores=["10", "0", "5"]), "step_invalid", "scores=['10'"),
        (lambda: dspy.Prediction(scores=None), "step_invalid", "scores=None"),
    ],
)
def test_a_fault_of_a_predictor_costs_one_message_which_is_asked_again(
    give: Any, reason: str, said: str, ways: Ways
) -> None:
    predictor = Asks(give)
    ranker = Ranker(1, predictor=predictor, max_reasks=0)
    program = CharacterProgram(None, three_replies, ranker, lms={"default": OwnLM()})
    made = program(trait=ways.constitution.traits[0], messages=ways.given)
    assert [said in drop.detail for drop in made.drops if drop.reason == reason] == [True]
    summary = ways.run(program)
    assert (summary.messages["failed"], summary.dropped["ranking"]) == (1, {reason: 1})
    predictor._give = lambda: dspy.Prediction(scores=[10, 0, 5])
    assert ways.run(program).messages["paired"] == 3


def test_a_cap_stops_a_run_whose_predictor_makes_light_of_errors(ways: Ways) -> None:
    def program() -> CharacterProgram:
        best = dspy.BestOfN(Ranker().rank, N=1, reward_fn=lambda _given, _made: 1.0, threshold=1.0)
        return CharacterProgram(None, three_replies, Ranker(1, predictor=best), lms={"default": OwnLM()})

    with pytest.raises(BudgetReachedError):
        ways.run(program(), {"budget": {"max_calls": 2}})
    assert "failed" not in ways.run(program()).messages


def test_a_response_of_a_predictor_that_is_no_text_is_counted(patience: Trait) -> None:
    class Silent(dspy.Module):
        def forward(self, conversation: Any) -> dspy.Prediction:
            return dspy.Prediction(response=None)

    program = CharacterProgram(None, Responder(2, predictor=Silent()), fixed_scores, lms={"default": OwnLM()})
    made = program(trait=patience, messages=[QUESTIONS[0]])
    assert "response=None" in next(drop.detail for drop in made.drops if drop.reason == "step_invalid")
