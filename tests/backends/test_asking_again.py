"""Asking again: what was wrong in a model's words, an example of what is expected, and only for what lacks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, Reply, as_rehearsal, asks_for, backend_at, chat

from character import Gauge, Message, MessageGenerator, Ranker, Ranking, Trait, build_lm
from character.backends.adapter import CharacterAdapter

QUESTION = Message.of("How do I learn to juggle?", trait="patience")
TEXTS = ["alpha", "beta", "gamma", "delta"]
RIGHT = chat(reasoning="anew", suitable="True", scores="[1, 9, 5, 0]")
Script = Callable[[dict[str, Any]], str | Reply]


class Kept:
    """A journal in memory."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}

    def get(self, key: str) -> dict[str, Any] | None:
        return self.entries.get(key)

    def put(self, key: str, entry: dict[str, Any]) -> None:
        self.entries[key] = entry

    async def aput(self, key: str, entry: dict[str, Any]) -> None:
        self.put(key, entry)


def told(request: dict[str, Any]) -> str:
    """Return what a request says of the reply before, with how it closes; nothing in a first one."""
    return str(request["messages"][-1]["content"]).partition("[[ ## previous_fault ## ]]")[2]


def once(first: str | Reply, then: Script | str = RIGHT) -> Script:
    """Return a script that replies so to whatever is asked for the first time."""

    def script(request: dict[str, Any]) -> str | Reply:
        if not told(request):
            return first
        return then if isinstance(then, str) else then(request)

    return script


def ranked(server: FakeServer, script: Script, **settings: Any) -> Ranking:
    server.script = script
    with dspy.context(lm=build_lm(backend_at(server), journal=settings.pop("journal", None))):
        return Ranker(1, **settings)(QUESTION, TEXTS, trait(), seed=3)


def trait() -> Trait:
    return Trait(name="patience", description="takes its time")


@pytest.mark.parametrize(
    ("first", "named", "found", "expected"),
    [
        (chat(reasoning="so", suitable="True", scores='["good", "bad", "bad", "bad"]'), ["scores"], "good", "each item a whole number"),
        (chat(reasoning="so", suitable="perhaps", scores="[1, 2, 3, 4]"), ["suitable", "scores"], "perhaps", "True or False"),
        (chat(reasoning="so", suitable="True", scores="[8, 7, 6]"), ["scores"], "[8, 7, 6]", "expected 4 scores"),
        (chat(reasoning="so", suitable="True"), ["scores"], "[[ ## suitable ## ]]", "lacks the field scores"),
        ("They are all lovely.", ["reasoning", "suitable", "scores"], "all lovely", "lacks the field reasoning, suitable, scores"),
        (Reply("[[ ## reasoning ## ]]\nOn the one hand", finish_reason="length"), ["suitable", "scores"], "max_tokens", "no reasoning|Do not explain"),
    ],
)  # fmt: skip
def test_a_ranking_is_asked_again_for_what_it_lacks_with_the_field_what_stood_there_and_an_example(
    server: FakeServer, first: str | Reply, named: list[str], found: str, expected: str
) -> None:
    assert ranked(server, once(first)).status == "ranked"
    says = told(server.requests[1])
    closing = says.rsplit("\n", 1)[-1]
    assert [name for name in re.findall(r"\[\[ ## (\w+) ## \]\]", closing) if name != "completed"] == named
    assert found in says
    assert re.search(expected, says)
    example = re.search(r"\[\d+, \d+, \d+, \d+\]", closing)
    assert example, "as many numbers as there are responses"
    assert "list[int]" not in says


def test_what_stands_of_a_reply_is_shown_and_kept(server: FakeServer) -> None:
    first = chat(reasoning="beta is calm", suitable="True", scores="[1, 2")
    ranking = ranked(server, once(first, '{"scores": [1, 9, 5, 0]}'))
    assert ranking.reason == "beta is calm"
    assert "beta is calm" in told(server.requests[1])
    assert ranking.usage.reasks == 1


def test_what_cannot_be_read_is_asked_for_in_the_other_form_and_then_in_the_first_one(
    server: FakeServer,
) -> None:
    ranking = ranked(server, lambda _: "I cannot say.")
    assert ranking.status == "unranked"
    first, second, third = (
        request["messages"][-1]["content"].rsplit("\n", 1)[-1] for request in server.requests
    )
    assert ["JSON object" in closing for closing in (first, second, third)] == [False, True, False]
    assert all(f"[[ ## {name} ## ]]" in third for name in ("scores", "completed"))


def test_a_number_of_scores_that_is_wrong_is_asked_for_in_the_same_form(server: FakeServer) -> None:
    assert ranked(server, once(chat(reasoning="so", suitable="True", scores="[8]"))).status == "ranked"
    assert "JSON object" not in told(server.requests[1])


def test_a_reply_that_repeats_the_example_is_not_read(server: FakeServer) -> None:
    def copying(request: dict[str, Any]) -> str:
        (example,) = re.findall(r"\[\d+, \d+, \d+, \d+\]", told(request).rsplit("\n", 1)[-1])
        return chat(scores=example)

    ranking = ranked(server, once(chat(reasoning="so", suitable="True", scores="[8]"), copying))
    assert ranking.status == "unranked"
    assert "repeats the example" in ranking.reason
    examples = [re.findall(r"\[\d+, \d+, \d+, \d+\]", told(request))[-1] for request in server.requests[1:]]
    assert len(set(examples)) == len(examples), "no number is suggested twice"
    forms = ["JSON object" in told(request) for request in server.requests[1:]]
    assert forms == [False, False], "the form was right"


def test_the_same_call_is_asked_again_in_the_same_words(server: FakeServer) -> None:
    for _ in range(2):
        ranked(server, once(chat(reasoning="so", suitable="True", scores="[8]")))
    assert server.requests[1] == server.requests[3]


@pytest.mark.parametrize(
    "first",
    [
        chat(reasoning="so", suitable="True", scores="[8, 7, 6]"),
        chat(reasoning="so", suitable="True", scores="[high, low]"),
        chat(reasoning="so", suitable="True"),
        Reply("[[ ## reasoning ## ]]\nOn the one hand", finish_reason="length"),
    ],
)
def test_what_was_answered_in_the_words_of_earlier_versions_is_not_asked_anew(
    server: FakeServer, first: str | Reply
) -> None:
    journal = Kept()
    with dspy.context(
        adapter=CharacterAdapter()
    ):  # one's own adapter: the fault is one more input, as it was
        before = ranked(server, once(first), journal=journal)
    assert len(server.requests) == len(journal.entries) == 2
    assert "[[ ## previous_fault ## ]]" in server.requests[1]["messages"][0]["content"]
    assert ranked(server, once(first), journal=journal) == before
    assert len(server.requests) == 2


def test_where_no_reply_is_suitable_the_scores_do_not_matter(server: FakeServer) -> None:
    ranking = ranked(server, lambda _: chat(reasoning="so", suitable="False", scores="n/a"))
    assert ranking.status == "unsuitable"
    assert [(drop.reason, drop.recovered) for drop in ranking.drops] == [("unreadable", True)]
    assert len(server.requests) == 1


class TwoPredictors(dspy.Module):
    """A judge of one's own that no one signature stands for."""

    def __init__(self) -> None:
        super().__init__()
        self.first = dspy.Predict("trait: str, responses: list[str] -> scores: list[int]")
        self.second = dspy.Predict("scores: list[int] -> scores_again: list[int]")

    def forward(self, trait: Any, responses: list[str]) -> Any:
        return self.first(trait=str(trait), responses=responses)


def test_a_cut_off_judge_of_ones_own_is_asked_again_with_another_seed(server: FakeServer) -> None:
    ranking = ranked(
        server,
        lambda _: Reply("[[ ## scores ## ]]\n[1, 2", finish_reason="length"),
        predictor=TwoPredictors(),
    )
    assert ranking.status == "unranked"
    assert ranking.usage.reasks == 2
    assert len({request["seed"] for request in server.requests}) == 3
    assert not any(told(request) for request in server.requests)


def test_degrees_are_asked_for_again_without_the_reasoning(server: FakeServer) -> None:
    server.script = once(
        chat(reasoning="so", degrees='["subtle"]'), chat(degrees='["absent", "natural", "subtle"]')
    )
    with dspy.context(lm=build_lm(backend_at(server))):
        gauged = Gauge()(QUESTION, TEXTS[:3], trait())
    assert gauged.degrees is not None
    assert "1 degrees for 3 responses" in told(server.requests[1])
    assert told(server.requests[1]).count("<one of opposite, absent, subtle, natural, overdone>") == 3
    assert gauged.reasoning == "so"


def test_messages_that_do_not_go_into_one_reply_are_asked_for_in_smaller_batches(server: FakeServer) -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        whole = as_rehearsal(request)
        return Reply(whole[:40], finish_reason="length") if len(briefs(request)) > 2 else whole

    server.script = script
    with dspy.context(lm=build_lm(backend_at(server))):
        batch = MessageGenerator(prompting="fields", batch_size=4, max_refills=2)(trait(), "question", 4)
    assert [len(briefs(request)) for request in server.requests] == [4, 2, 2]
    assert {asks_for(request) for request in server.requests} == {"messages"}
    assert len(batch.messages) == 4


def briefs(request: dict[str, Any]) -> list[Any]:
    """Return the briefs that a request for messages has."""
    found = re.findall(r"\[\[ ## briefs ## \]\]\n(.*)", request["messages"][-1]["content"])
    return list(json.loads(found[-1]))


REFUSED = Reply(status=400, body='{"error": {"message": "too long", "code": "context_length_exceeded"}}')


def test_a_prompt_that_the_server_refuses_is_not_sent_again_in_other_words(server: FakeServer) -> None:
    assert ranked(server, lambda _: REFUSED).status == "unranked"
    with dspy.context(lm=build_lm(backend_at(server))):
        assert not Gauge()(QUESTION, TEXTS, trait()).degrees
        made = MessageGenerator()(trait(), "question", 4)
        server.script = lambda request: REFUSED if asks_for(request) == "reveals" else as_rehearsal(request)
        checked = MessageGenerator(check=True, max_refills=0)(trait(), "question", 4)
    asked = [asks_for(request) for request in server.requests[2:]]
    assert asked == ["messages", "messages", "reveals"], "after a refusal the others are not asked for"
    for batch in (made, checked):
        assert {drop.reason for drop in batch.drops} == {"context_overflow", "refills_exhausted"}


def test_what_the_server_failed_at_is_asked_again_as_it_was(server: FakeServer) -> None:
    failing, short = Reply(status=500, body="{}"), chat(reasoning="so", suitable="True", scores="[8]")
    replies: Iterator[str | Reply] = iter([failing, RIGHT, short, failing, RIGHT])
    for _ in range(2):
        assert ranked(server, lambda _: next(replies)).status == "ranked"
    says = [told(request) for request in server.requests]
    assert says[:3] == ["", "", ""]
    assert all("expected 4 scores" in each for each in says[3:])
