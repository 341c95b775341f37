"""Steps and whole programs of one's own: what runs, what a fault costs, what a second start does, what is another run."""

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
    QUESTIONS,
    OwnLM,
    TwoStageRanker,
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
    Message,
    MessageGenerator,
    Ranker,
    Ranking,
    Responder,
    RunStore,
    Trait,
    run,
)
from character.errors import InputError, StepFailedError, StoreError

SECRET = "sk-" + "e5f6" * 8


class Place(Enum):
    """Something to choose."""

    HERE = 1
    THERE = 2


class FirstWins(Ranker):
    """Overrides ``forward`` alone."""

    def forward(self, message: Message, candidates: Candidates, trait: Trait) -> Ranking:  # type: ignore[override]
        return Ranking.from_scores(candidates, [0.9] + [0.1] * (len(candidates.items) - 1))


class FirstWinsAwaited(Ranker):
    """Overrides ``aforward`` alone."""

    async def aforward(self, message: Message, candidates: Candidates, trait: Trait) -> Ranking:  # type: ignore[override]
        return Ranking.from_scores(candidates, [0.9] + [0.1] * (len(candidates.items) - 1))


class Wrapped(dspy.Module):
    """Passes whatever it is given on to a ranker."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, **arguments: Any) -> Any:
        return self.inner(**arguments)


class AwaitedOnly(dspy.Module):
    """A module of somebody's own with only ``aforward``."""

    async def aforward(self, candidates: Candidates) -> dspy.Prediction:
        return dspy.Prediction(scores=[0.9] + [0.1] * (len(candidates.items) - 1))


async def _awaited(candidates: Candidates) -> dict[str, Any]:
    return {"scores": [0.9] + [0.1] * (len(candidates.items) - 1)}


RANKERS = {
    "forward": FirstWins,
    "aforward": FirstWinsAwaited,
    "wrapped": lambda: Wrapped(FirstWins()),
    "awaited only": AwaitedOnly,
    "coroutine": lambda: _awaited,
    "list": lambda: lambda candidates: [0.9] + [0.1] * (len(candidates.items) - 1),
    "best of n": lambda: dspy.BestOfN(FirstWins(), N=2, reward_fn=lambda _given, _made: 1.0, threshold=0.5),
}


@pytest.mark.parametrize("name", RANKERS)
def test_a_ranker_of_ones_own_is_what_ranks_in_every_way_of_calling(
    name: str, constitution: Constitution, tmp_path: Path, rehearsal: dspy.LM
) -> None:
    texts, trait = list(QUESTIONS[:2]), constitution.traits[0]

    def program() -> CharacterProgram:
        return CharacterProgram(responder=three_replies, ranker=RANKERS[name]())

    made = program()(trait=trait, messages=texts).rankings
    made += asyncio.run(program().acall(trait=trait, messages=texts)).rankings
    run(constitution.only(["patience"]), tmp_path / "run", program=program(), messages=batches(2))
    with RunStore(tmp_path / "run") as store:
        made += [rollout.ranking for rollout in store.rollouts() if rollout.ranking]
    assert [ranking.scores for ranking in made] == [(0.9, 0.1, 0.1)] * 6


def test_a_subclass_is_called_by_what_it_overrides_by_itself_too(patience: Trait) -> None:
    message = Message.of(QUESTIONS[0], trait="patience")
    candidates = Candidates(message_id=message.id, trait="patience", items=({"text": "a"}, {"text": "b"}))  # type: ignore[arg-type]
    for ranker in (FirstWins(), FirstWinsAwaited()):
        assert ranker(message, candidates, patience).scores == (0.9, 0.1)
        assert asyncio.run(ranker.acall(message, candidates, patience)).scores == (0.9, 0.1)


@pytest.mark.parametrize("fault", ["raises", "wrong count", "nan", "other type", "unreadable"])
def test_what_fails_for_one_message_costs_that_message_and_is_tried_again(
    fault: str, constitution: Constitution, tmp_path: Path
) -> None:
    broken = [True]

    def answer(request: dict[str, Any]) -> str:
        asked = "".join(turn["content"] for turn in request["messages"])
        if broken[0] and "tyre" in asked:
            return "I would rather not say."
        return marked(reasoning="By ear.", scores="[0.9, 0.1, 0.2]")

    lm, asked = OwnLM(answer), dspy.ChainOfThought("question, answers: list[str] -> scores: list[float]")

    class Shaky(dspy.Module):
        def forward(self, message: Message, candidates: Candidates) -> Any:
            if broken[0] and "tyre" in message.text and fault != "unreadable":
                if fault == "raises":
                    raise ZeroDivisionError("nothing to divide by")
                return {"wrong count": [0.5], "nan": [float("nan")] * 3, "other type": "good"}[fault]
            return asked(question=message.text, answers=candidates.texts)

    program = CharacterProgram(responder=three_replies, ranker=Shaky(), lms={"default": lm})
    result = program(trait=constitution.traits[0], messages=list(QUESTIONS[:4]))
    assert len({pair.message_id for pair in result.pairs}) == 3
    (lost,) = [drop for drop in result.drops if drop.reason.startswith("step_")]
    assert lost.stage == "ranking"
    assert lost.message_id == Message.of(QUESTIONS[2], trait="patience").id

    one, before = constitution.only(["patience"]), len(lm.prompts)
    first = run(one, tmp_path / "run", program=program, messages=batches(4))
    assert first.messages == {"paired": 3, "failed": 1, "messages": 4}
    assert lost.reason in first.dropped["ranking"]
    broken[0] = False
    second = run(one, tmp_path / "run", program=program, messages=batches(4))
    assert second.messages == {"paired": 4, "messages": 4}
    assert second.dropped.get("ranking", {}) == {}
    repeated = fault == "unreadable"  # the bad reply is asked for anew, the good ones are not
    assert len(lm.prompts) - before == 4 + repeated


def test_a_step_that_fails_for_every_message_stops_early_and_says_so(
    constitution: Constitution, tmp_path: Path
) -> None:
    calls = []

    def ranker(message: Message) -> Any:
        calls.append(message.id)
        raise KeyError("no such key")

    program = CharacterProgram(responder=three_replies, ranker=ranker, max_in_flight=1)
    with pytest.raises(StepFailedError, match="no such key"):
        program(trait=constitution.traits[0], messages=[f"Question {i}?" for i in range(40)])
    assert len(calls) <= 8
    many = {"patience": batches(6)["patience"]}
    with pytest.raises(StepFailedError, match="no such key"):
        run(constitution.only(["patience"]), tmp_path / "run", program=program, messages=many)


def test_a_plain_signature_is_given_texts_and_no_more(constitution: Constitution) -> None:
    lm = OwnLM(lambda _request: marked(scores="[0.9, 0.2, 0.1]"))
    ranker = dspy.Predict("conversation, responses: list[str], trait, language -> scores: list[float]")
    program = CharacterProgram(responder=three_replies, ranker=ranker, lms={"default": lm})
    result = program(trait=constitution.traits[0], messages=[QUESTIONS[0]])
    assert result.pairs
    (prompt,) = lm.prompts
    assert "Reply 0 to:" in prompt
    assert not any(word in prompt for word in ("message_id", '"level"', '"seed"', '"model"', "brief"))


@pytest.mark.parametrize(
    ("ranker", "said"),
    [
        (dspy.Predict("essay -> scores: list[float]"), "the ranker's signature asks for essay"),
        (lambda mesage, candidates: [0.5] * len(candidates.items), "the ranker takes mesage"),
        (AwaitedOnly, "the ranker is the class AwaitedOnly"),
        ("best", "the ranker is a str"),
    ],
)
def test_a_step_that_cannot_be_called_is_refused_before_anything_is_paid(ranker: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        CharacterProgram(ranker=ranker)


def test_a_misspelt_option_is_refused_by_every_verb_and_module(
    constitution: Constitution, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="did you mean 'program'"):
        run(constitution, tmp_path / "run", progam=CharacterProgram())  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"config=\{'budget': \{'max_calls'"):
        run(constitution, tmp_path / "run", max_calls=5)  # type: ignore[call-overload]
    with pytest.raises(InputError, match="did you mean 'passes'"):
        Ranker(pases=3)  # type: ignore[call-arg]
    with pytest.raises(
        TypeError, match=r"CharacterProgram\.forward\(\) got an unexpected keyword argument 'trat'"
    ):
        CharacterProgram()(trat="patience")  # type: ignore[call-arg]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("adapter", [None, dspy.ChatAdapter(), dspy.JSONAdapter(), dspy.XMLAdapter()])
def test_records_are_shown_as_texts_outside_a_program_too_and_in_demos(
    constitution: Constitution, adapter: dspy.Adapter | None
) -> None:
    lm, message = OwnLM(lambda _request: "{}"), Message.of(QUESTIONS[0], trait="patience")
    candidates = Candidates.model_validate(
        {"message_id": message.id, "trait": "patience", "items": [{"text": "Slowly.", "level": "natural"}]}
    )
    judge = dspy.Predict("message, candidates: list[str], trait -> scores: list[float]")
    judge.demos = [dspy.Example(message=message, candidates=candidates, trait="any", scores=[0.5])]
    with dspy.context(lm=lm, adapter=adapter), pytest.raises(Exception, match=r"(?i)parse|field|read"):
        judge(message=message, candidates=candidates, trait=constitution.traits[0])
    assert all('["Slowly."]' in prompt.replace("\\", "") for prompt in lm.prompts[:1])
    assert not any(word in prompt for prompt in lm.prompts for word in ("message_id", "natural", "seed"))


def test_a_step_that_is_mended_is_given_what_was_answered_before(
    constitution: Constitution, tmp_path: Path
) -> None:
    lm = OwnLM(lambda _request: marked(scores="[0.9, 0.2, 0.1]"))

    class Judge(dspy.Module):
        broken = True

        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("message, candidates: list[str] -> scores: list[float]")

        def forward(self, message: Message, candidates: Candidates) -> Any:
            scores = self.ask(message=message, candidates=candidates).scores
            return (
                {"scores": scores}
                if not (Judge.broken and message.text == QUESTIONS[1])
                else dict[str, Any]()["scores"]
            )

    def start() -> Any:
        program = CharacterProgram(responder=three_replies, ranker=Judge(), lms={"default": lm})
        return run(constitution.only(["patience"]), tmp_path / "run", program=program, messages=batches(4))

    first = start()
    assert first.messages["failed"] == 1
    assert "KeyError: 'scores' (" in first.advice
    assert "test_own_programs.py:" in first.advice
    assert "server" not in first.advice
    asked = len(lm.prompts)
    assert start().messages["failed"] == 1
    assert len(lm.prompts) == asked + 1  # it may have been the reply: that is asked for anew
    Judge.broken = False
    assert start().messages["paired"] == 4
    assert len(lm.prompts) == asked + 1


def test_records_that_a_step_hands_to_a_predictor_are_shown_as_texts(constitution: Constitution) -> None:
    lm, judge = (
        OwnLM(lambda _request: marked(scores="[0.9, 0.2, 0.1]")),
        dspy.Predict("message, candidates, trait, all -> scores: list[float]"),
    )

    class Judge(dspy.Module):
        def forward(
            self, message: Message, candidates: Candidates, trait: Trait, constitution: Constitution
        ) -> Any:
            return judge(message=message, candidates=candidates, trait=trait, all=constitution)

    program = CharacterProgram(responder=three_replies, ranker=Judge(), lms={"default": lm})
    assert program(trait="patience", constitution=constitution, messages=[QUESTIONS[0]]).pairs
    (prompt,) = lm.prompts
    assert "Reply 2 to:" in prompt
    assert "Lets the light side of things show" in prompt
    assert not any(word in prompt for word in ("message_id", "level", "seed", "brief"))


def test_a_predictor_of_ones_own_asks_and_one_that_cannot_is_refused_at_once(
    rehearsal: dspy.LM, patience: Trait
) -> None:
    plain = Ranker()
    for predictor in (dspy.ChainOfThought(plain.rank.signature), plain.rank.signature):
        ranking = Ranker(predictor=predictor)(QUESTIONS[0], ["Take your time.", "Read the manual."], patience)
        assert ranking.status == "ranked"
    with pytest.raises(InputError, match="does not give scores"):
        Ranker(predictor=dspy.Predict("conversation, responses -> verdict"))
    with pytest.raises(InputError, match="asks for mood"):
        Responder(predictor=dspy.Predict("conversation, mood -> response"))
    with pytest.raises(InputError, match=r"a dspy\.Module"):
        MessageGenerator(predictor="gpt")


def test_a_generator_is_held_to_the_number_and_told_of(rehearsal: dspy.LM, patience: Trait) -> None:
    def generator(number: int) -> Any:
        return lambda trait, kind: dspy.Prediction(
            messages=[f"A {kind} about drawer {i}?" for i in range(number)]
        )

    def made(number: int) -> CharacterResult:
        return CharacterProgram(generator(number), three_replies, fixed_scores, messages_per_trait=6)(
            trait=patience
        )

    many, few, none = made(12), made(1), made(0)
    assert len(many.messages) <= 6
    assert sum(drop.reason == "surplus" for drop in many.drops) == 30
    assert len(few.messages) == 3
    assert [drop.stage for drop in few.drops].count("messages") == 3
    assert not none.messages
    assert all("0 of 2" in drop.detail for drop in none.drops)


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
