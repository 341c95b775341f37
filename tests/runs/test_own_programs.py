"""Whole programs of one's own: what runs, what a second start does, what is another run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import dspy
import numpy
import pytest
from own_parts import (
    FirstWins,
    OwnLM,
    TwoStageRanker,
    Wrapped,
    batches,
    fixed_scores,
    marked,
    three_replies,
    two_stages,
)

from character import (
    Candidates,
    CharacterProgram,
    CharacterResult,
    Config,
    Constitution,
    Ranker,
    Responder,
    Trait,
    run,
)
from character.errors import InputError, StoreError

SECRET = "sk-" + "e5f6" * 8


class Place(Enum):
    """Something to choose."""

    HERE = 1
    THERE = 2


class Widest(dspy.Module):
    """Keeps the widest pair of each message; takes traits only."""

    def __init__(self, lm: Any) -> None:
        super().__init__()
        self.inner = CharacterProgram(
            messages_per_trait=3, design="all", min_margin=0.01, min_probability=0.5
        )
        self.inner.lms = {"default": lm}

    def forward(self, trait: Trait) -> CharacterResult:
        result = self.inner(trait=trait)
        kept = [each.model_copy(update={"pairs": each.pairs[:1]}) for each in result.rollouts]
        return result.model_copy(update={"rollouts": tuple(kept)})


OF_FUNCTIONS: dict[str, Any] = {"responder": three_replies, "ranker": fixed_scores, "messages_per_trait": 3}


class PerMessage(CharacterProgram):
    """Overrides ``forward`` and takes whatever a program takes."""

    def forward(self, **arguments: Any) -> CharacterResult:  # type: ignore[override]
        return super().forward(**arguments)


class AwaitedAround(dspy.Module):
    """Has only ``aforward``."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    async def aforward(self, trait: Trait, messages: Any = None) -> Any:
        return await self.inner.acall(trait=trait, messages=messages)


class TakesMessages(dspy.Module):
    """Takes messages, and holds no program that makes any."""

    def forward(self, messages: Any, trait: Trait) -> CharacterResult:
        return CharacterResult()


AROUND = {
    "awaited": lambda lm: AwaitedAround(CharacterProgram(**OF_FUNCTIONS, lms={"default": lm})),
    "any argument": lambda lm: Wrapped(CharacterProgram(**OF_FUNCTIONS, lms={"default": lm})),
    "a subclass": lambda lm: PerMessage(**OF_FUNCTIONS, lms={"default": lm}),
    "two around": lambda lm: Wrapped(Wrapped(PerMessage(**OF_FUNCTIONS, lms={"default": lm}))),
    "best of n": lambda lm: dspy.BestOfN(
        CharacterProgram(**OF_FUNCTIONS, lms={"default": lm}),
        N=1,
        reward_fn=lambda _given, _made: 1.0,
        threshold=0.5,
    ),
}


@pytest.mark.parametrize("name", AROUND)
def test_a_program_around_another_is_called_message_by_message_with_messages_that_are_given_or_made(
    name: str, constitution: Constitution, tmp_path: Path
) -> None:
    one, lm = constitution.only(["patience"]), OwnLM()
    given = run(one, tmp_path / "given", program=AROUND[name](lm), messages=batches(3))
    assert given.messages == {"messages": 3, "paired": 3}
    assert not lm.prompts
    made = run(one, tmp_path / "made", program=AROUND[name](lm))
    assert made.messages["paired"] == 3
    assert lm.prompts


def test_a_program_that_takes_messages_and_has_none_is_refused(
    constitution: Constitution, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="TakesMessages takes messages, none are given"):
        run(constitution.only(["patience"]), tmp_path / "run", program=TakesMessages())


def test_a_module_around_a_program_makes_the_pairs_of_a_run_and_goes_on_for_nothing(
    constitution: Constitution, tmp_path: Path
) -> None:
    one, lm = constitution.only(["patience"]), OwnLM()
    first = run(one, tmp_path / "run", program=Widest(lm))
    assert 0 < first.pairs <= 3
    calls = len(lm.prompts)
    assert run(one, tmp_path / "run", program=Widest(lm)) == first
    assert len(lm.prompts) == calls
    with pytest.raises(InputError, match="Widest takes none"):
        run(one, tmp_path / "other", program=Widest(lm), messages=batches(1))
    capped = Config.model_validate({"budget": {"max_calls": calls - 2}})
    with pytest.raises(BaseException, match="budget"):
        run(one, tmp_path / "capped", capped, program=Widest(lm))
    again = run(one, tmp_path / "capped", program=Widest(lm))
    assert again.pairs == first.pairs
    assert len(lm.prompts) == 2 * calls


def test_a_program_that_overrides_forward_is_called_message_by_message(
    constitution: Constitution, tmp_path: Path, rehearsal: dspy.LM
) -> None:
    one = constitution.only(["patience"])
    own = run(one, tmp_path / "own", program=PerMessage(messages_per_trait=3))
    ours = run(one, tmp_path / "ours", program=CharacterProgram(messages_per_trait=3))
    assert own.messages == ours.messages
    assert own.pairs == ours.pairs
    assert run(one, tmp_path / "own", program=PerMessage(messages_per_trait=3)) == own


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (lambda: CharacterProgram(ranker=Ranker(passes=4)), "passes"),
        (lambda: CharacterProgram(ranker=FirstWins()), "FirstWins"),
        (lambda: CharacterProgram(responder=Responder(levels=["natural", "overdone"])), "levels"),
        (lambda: CharacterProgram(design="all"), "design"),
        (lambda: CharacterProgram(ranker=TwoStageRanker()), "TwoStageRanker"),
        (lambda: CharacterProgram(lms={"ranking": OwnLM(two_stages, "own/two")}), "own/two"),
    ],
    ids=["parameter", "class", "levels", "design", "module", "model"],
)
def test_another_program_in_a_folder_is_refused_by_what_differs_and_the_same_goes_on(
    changed: Any, named: str, constitution: Constitution, tmp_path: Path, rehearsal: dspy.LM
) -> None:
    one = constitution.only(["patience"])
    first = run(one, tmp_path / "run", program=CharacterProgram(), messages=batches(1))
    assert run(one, tmp_path / "run", program=CharacterProgram(), messages=batches(1)) == first
    with pytest.raises(StoreError, match=named):
        run(one, tmp_path / "run", program=changed(), messages=batches(1))
    assert run(one, tmp_path / "run", program=CharacterProgram(), messages=batches(1)) == first


class Holds(dspy.Module):
    """A ranker that has a value as its parameter."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def forward(self, candidates: Candidates) -> list[float]:
        return [0.9, 0.1, 0.2][: len(candidates.items)]


@dataclass(frozen=True)
class Weighed:
    """A ranker that is a data class."""

    weight: float

    def __call__(self, candidates: Candidates) -> list[float]:
        return [0.9, 0.1, 0.2][: len(candidates.items)]


def _first_best(candidates: Candidates, weight: float) -> list[float]:
    return Weighed(weight)(candidates)


def _closed_over(weight: float) -> Any:
    return lambda candidates: _first_best(candidates, weight)


def _judge(asked: str = "how kind", **config: Any) -> dspy.Predict:
    field = dspy.OutputField(desc=asked)
    signature = dspy.Signature("message, candidates: list[str] -> scores: list[float]", "Judge.")
    return dspy.Predict(signature.with_updated_fields("scores", **field.json_schema_extra), **config)


@pytest.mark.parametrize(
    ("make", "one", "other"),
    [
        (Weighed, 1.0, 2.0),
        (lambda weight: partial(_first_best, weight=weight), 1.0, 2.0),
        (_closed_over, 1.0, 2.0),
        (lambda weight: Holds(Weighed(weight)), 1.0, 2.0),
        (Holds, Place.HERE, Place.THERE),
        (Holds, {"a", "b"}, {"a", "c"}),
        (Holds, Path("a"), Path("b")),
        (Holds, numpy.array([1, 2]), numpy.array([1, 3])),
        (_judge, "how kind", "how cruel"),
        (lambda heat: _judge(temperature=heat), 0.1, 0.9),
        (lambda top: Holds(dspy.LM("openai/x", api_key=SECRET, top_p=top)), 0.1, 0.9),
        (lambda top: Holds(dspy.LM("openai/x", extra_body={"top_k": top})), 1, 9),
    ],
)
def test_another_parameter_of_whatever_kind_is_another_program(
    make: Any, one: Any, other: Any, constitution: Constitution, tmp_path: Path
) -> None:
    def started(value: Any) -> Any:
        lm = OwnLM(lambda _request: marked(scores="[0.9, 0.1, 0.2]"))
        program = CharacterProgram(responder=three_replies, ranker=make(value), lms={"default": lm})
        return run(constitution.only(["patience"]), tmp_path / "run", program=program, messages=batches(1))

    assert started(one) == started(one)
    with pytest.raises(StoreError, match=r"program\.ranker\."):
        started(other)
    assert SECRET.encode() not in (tmp_path / "run" / "run.sqlite").read_bytes()


class Counts(Holds):
    """A ranker that counts its calls and keeps what it said."""

    def __init__(self, value: Any = None) -> None:
        super().__init__(value)
        self.calls = 0
        self.said: dict[str, list[float]] = {}

    def forward(self, candidates: Candidates) -> list[float]:
        self.calls += 1
        self.said[candidates.id] = super().forward(candidates)
        return self.said[candidates.id]


@pytest.mark.parametrize("lms", [None, {"default": OwnLM()}])
def test_what_changes_while_a_program_runs_is_no_setting_and_the_object_that_is_given_is_what_runs(
    lms: Any, constitution: Constitution, tmp_path: Path
) -> None:
    one, counts = constitution.only(["patience"]), Counts("a")
    program = CharacterProgram(responder=three_replies, ranker=counts, lms=lms)
    first = run(one, tmp_path / "run", program=program, messages=batches(2))
    run(one, tmp_path / "other", program=program, messages=batches(3))
    assert counts.calls == 5
    for ranker in (counts, Counts("a")):
        program = CharacterProgram(responder=three_replies, ranker=ranker, lms=lms)
        assert run(one, tmp_path / "run", program=program, messages=batches(2)) == first
    program = CharacterProgram(responder=three_replies, ranker=Counts("b"), lms=lms)
    with pytest.raises(StoreError, match="'a' before, 'b' now"):
        run(one, tmp_path / "run", program=program, messages=batches(2))


def test_an_estimate_of_a_program_of_ones_own_is_refused(constitution: Constitution, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="program of its own"):
        run(constitution, tmp_path / "run", dry_run=True, program=CharacterProgram())
    assert not (tmp_path / "run").exists()


def test_verbs_work_inside_a_running_event_loop(constitution: Constitution, tmp_path: Path) -> None:
    async def cell() -> int:
        return run(constitution.only(["patience"]), tmp_path / "run", messages=batches(2)).pairs

    assert asyncio.run(cell()) > 0
