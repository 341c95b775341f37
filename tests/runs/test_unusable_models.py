"""A run stops where nothing that its model says can be used, and one that ends without a pair is no success."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, Reply, backend_at, chat, cut_off, refusal
from own_parts import QUESTIONS, batches

from character import Config, Constitution, Message, MessageBatch, Ranker, Trait, build_lm, run, summarize
from character.config import MessagesConfig
from character.errors import CharacterError, UnusableModelError

MANY = {
    "patience": MessageBatch(
        messages=tuple(
            Message.of(f"{text} ({number})", trait="patience") for text in QUESTIONS for number in range(9)
        )
    )
}
GOOD = chat(reasoning="r", suitable="True", scores="[9, 5, 1]")


def _config(server: FakeServer) -> Config:
    return Config.model_validate(
        {
            "concurrency": 4,
            "responses": {"candidates": 3},
            "ranking": {"passes": 1, "max_passes": 1},
            "backends": {"default": backend_at(server).model_dump(exclude_unset=True)},
        }
    )


def _is_ranking(request: dict[str, Any]) -> bool:
    return "scores" in str(request["messages"][0])


def _replies(rank: Callable[[], Any], respond: Callable[[int], Any]) -> Callable[[dict[str, Any]], Any]:
    numbers = iter(range(10_000))
    return lambda request: rank() if _is_ranking(request) else respond(next(numbers))


def _answer(number: int) -> str:
    return f"Start with step {number * 7919 % 1000}, then look at part {number} of it."


@pytest.mark.parametrize(
    ("rank", "respond", "said", "advice"),
    [
        (lambda: "They are all lovely.", _answer, "They are all lovely", "another model"),
        (lambda: cut_off(chat(reasoning="Wait, but then again, " * 9)), _answer, "cut_off", "max_tokens"),
        (
            lambda: GOOD,
            lambda _n: "I'm sorry, but I can't help with that.",
            "refusal",
            "declines",
        ),
    ],
)
def test_a_model_that_cannot_be_used_stops_the_run_early_with_its_words_and_what_to_do(
    server: FakeServer,
    constitution: Constitution,
    tmp_path: Path,
    rank: Any,
    respond: Any,
    said: str,
    advice: str,
) -> None:
    server.script = _replies(rank, respond)
    with pytest.raises(UnusableModelError, match=said) as raised:
        run(constitution.only(["patience"]), tmp_path / "run", _config(server), messages=MANY)
    assert advice in raised.value.fix
    assert "`character backends --probe`" in raised.value.fix
    assert "`character show RUN --calls --failed`" in raised.value.fix
    assert raised.value.exit_code == 5
    assert len(server.requests) < 150


def test_what_may_help_is_said_for_the_step_that_failed(
    server: FakeServer, constitution: Constitution, tmp_path: Path
) -> None:
    server.script = lambda _request: "They are all lovely."
    form = _config(server).model_copy(update={"messages": MessagesConfig(prompting="fields")})
    with pytest.raises(UnusableModelError, match="wrote no message of patience") as raised:
        run(constitution.only(["patience"]), tmp_path / "prose", form)
    assert "[backends.messages]" in raised.value.fix
    assert "ranking" not in raised.value.fix
    message = {"role": "assistant", "content": None, "reasoning_content": "Hm, and hm."}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    body = json.dumps({"id": "c", "model": "m", "object": "chat.completion", "choices": choices})
    server.script = lambda _request: Reply(body=body)
    with pytest.raises(UnusableModelError, match="it begins with thoughts") as raised:
        run(constitution.only(["patience"]), tmp_path / "thinks", _config(server), messages=MANY)
    assert "thinking off" in raised.value.fix
    assert "another model" not in raised.value.fix


def test_a_habit_that_begins_later_stops_the_run_too(
    server: FakeServer, constitution: Constitution, tmp_path: Path
) -> None:
    ranked = iter(range(10_000))
    server.script = _replies(lambda: GOOD if next(ranked) < 8 else "No more of this.", _answer)
    with pytest.raises(UnusableModelError, match="at least 25 messages in a row"):
        run(constitution.only(["patience"]), tmp_path / "run", _config(server), messages=MANY)


@pytest.mark.parametrize(
    ("lost", "number", "goes_on"),
    [
        ("ranking", 3, "in its folder"),
        ("ranking", 9, "in another one that reuses it"),
        ("responses", 9, "in its folder"),
    ],
)
def test_once_the_server_is_mended_what_was_of_no_use_is_asked_for_anew_and_nothing_else(
    server: FakeServer, constitution: Constitution, tmp_path: Path, lost: str, number: int, goes_on: str
) -> None:
    messages = {"patience": MessageBatch(messages=MANY["patience"].messages[:number])}
    patience, config = constitution.only(["patience"]), _config(server)
    rank = (lambda: "They are all lovely.") if lost == "ranking" else (lambda: GOOD)
    refused = "I'm sorry, but I can't help with that."
    server.script = _replies(rank, _answer if lost == "ranking" else lambda _n: refused)
    with contextlib.suppress(UnusableModelError):
        run(patience, tmp_path / "run", config, messages=messages)
    stopped = summarize(tmp_path / "run")
    assert not stopped.pairs
    assert ("cannot be used" in stopped.stopped) == (number == 9)
    assert stopped.finished == (number == 3)

    first = [json.dumps(request, sort_keys=True) for request in server.requests]
    server.requests.clear()
    server.script = _replies(lambda: GOOD, _answer)
    out, reuse = (
        (tmp_path / "run", []) if goes_on == "in its folder" else (tmp_path / "new", [tmp_path / "run"])
    )
    made = run(patience, out, config, messages=messages, reuse=reuse)
    again = [json.dumps(request, sort_keys=True) for request in server.requests]
    assert made.messages["paired"] == number
    assert made.finished
    assert not made.stopped
    kept = [request for request in first if not _is_ranking(json.loads(request))]
    if lost == "ranking":
        assert not set(again) & set(kept), "responses that were of use are kept"
    assert len(again) == len(set(again)), "nothing is asked for twice"

    server.requests.clear()
    assert run(patience, out, config, messages=messages, reuse=reuse).pairs == made.pairs
    assert not server.requests


def test_what_stopped_a_run_is_told_by_its_status(
    server: FakeServer, constitution: Constitution, tmp_path: Path
) -> None:
    server.script = lambda _request: refusal("no such model", 404)
    with pytest.raises(CharacterError):
        run(constitution, tmp_path / "run", _config(server))
    command = [sys.executable, "-m", "character", "status", str(tmp_path / "run")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith("0 of 0 messages to go; it stopped: ")
    assert "no such model" in said
    assert "No pair came" not in said


def test_a_command_whose_run_made_no_pair_does_not_end_well(server: FakeServer, tmp_path: Path) -> None:
    server.script = _replies(lambda: chat(reasoning="r", suitable="True", scores="[5, 5, 5]"), _answer)
    (tmp_path / "c.json").write_text('[{"trait": "patience", "description": "takes its time"}]')
    (tmp_path / "m.txt").write_text("\n".join(QUESTIONS[:3]))
    (tmp_path / "c.toml").write_text(
        f'[ranking]\npasses = 1\n[backends.default]\nmodel = "openai/fake"\napi_base = "{server.url}"\n'
    )
    flags = ["--out", "run", "--config", "c.toml", "--messages", "m.txt", "--candidates", "3"]
    command = [sys.executable, "-m", "character", "run", "c.json", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 5
    assert "No pair came of this run. Most often lost: tie in pairs" in done.stderr
    assert "To fix it: `character show run --calls --failed`" in done.stderr
    assert "character show run\n" in done.stdout
    assert "character export" not in done.stdout


def test_unsuitable_is_no_single_vote(server: FakeServer) -> None:
    votes = iter(["True", "False"] * 9)
    server.script = lambda _request: chat(reasoning="r", suitable=next(votes), scores="[9, 5, 1]")
    trait, texts = Trait(name="patience", description="Takes its time."), ["One.", "Two.", "Three."]
    with dspy.context(lm=build_lm(backend_at(server, max_in_flight=1))):
        ranking = Ranker(2, max_passes=2)(batches(1)["patience"].messages[0], texts, trait)
    assert ranking.status == "ranked"
    assert len(ranking.passes) == 1
    assert [(drop.reason, drop.recovered) for drop in ranking.drops] == [("called_unsuitable", True)]


@pytest.mark.parametrize(
    ("language", "said"), [("en", "were found unsuitable by every pass"), ("zh", "都判为不适合")]
)
def test_many_unsuitable_messages_are_said_while_the_run_goes_on_and_at_its_end(
    server: FakeServer, constitution: Constitution, tmp_path: Path, language: str, said: str
) -> None:
    votes = iter(range(10_000))
    server.script = _replies(
        lambda: chat(reasoning="r", suitable=next(votes) % 2 == 0, scores="[9, 5, 1]"), _answer
    )
    states: list[str] = []
    asked = constitution.only(["patience"]).model_copy(update={"language": language})
    batch = {"patience": MessageBatch(messages=MANY["patience"].messages[:12])}
    summary = run(
        asked,
        tmp_path / "run",
        _config(server),
        messages=batch,
        on_progress=lambda state: states.append(state.note),
    )
    assert summary.messages["unsuitable"] == 6
    assert states[0] == ""
    assert said in states[-1]
    events = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text("utf-8").splitlines()]
    (told,) = [event for event in events if event["event"] == "unsuitable"]
    assert told["note"] in states
    assert said in told["note"]
    assert said in summary.advice
    assert "6" in summary.advice
    assert "50%" in summary.advice


def test_what_is_said_of_unsuitable_messages_goes_with_their_number(
    server: FakeServer, constitution: Constitution, tmp_path: Path
) -> None:
    votes = iter([True, False, True, False, True])
    server.script = _replies(
        lambda: chat(reasoning="r", suitable=next(votes, True), scores="[9, 5, 1]"), _answer
    )
    config = _config(server).model_copy(update={"concurrency": 1})
    states: list[tuple[int, str]] = []
    batch = {"patience": MessageBatch(messages=MANY["patience"].messages[:12])}
    asked = constitution.only(["patience"]).model_copy(update={"language": "en"})
    summary = run(
        asked,
        tmp_path / "run",
        config,
        messages=batch,
        on_progress=lambda state: states.append((state.finished, state.note)),
    )
    assert any("2 of 5" in note for finished, note in states if finished == 5)
    assert states[-1] == (12, "")
    assert summary.advice == ""
    events = (tmp_path / "run" / "log.jsonl").read_text("utf-8")
    assert events.count('"event": "unsuitable"') == 1
