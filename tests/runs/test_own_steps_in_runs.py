"""Steps of one's own: what runs, what a fault costs, what a second start does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import dspy
import pytest
from own_parts import (
    QUESTIONS,
    FirstWins,
    OwnLM,
    Wrapped,
    batches,
    fixed_scores,
    marked,
    three_replies,
)

from character import (
    Candidates,
    CharacterProgram,
    CharacterResult,
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
from character.errors import InputError, StepFailedError

SECRET = "sk-" + "e5f6" * 8


class FirstWinsAwaited(Ranker):
    """Overrides ``aforward`` alone."""

    async def aforward(self, message: Message, candidates: Candidates, trait: Trait) -> Ranking:  # type: ignore[override]
        return Ranking.from_scores(candidates, [0.9] + [0.1] * (len(candidates.items) - 1))


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
    assert f"{Path(__file__).name}:" in first.advice
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
