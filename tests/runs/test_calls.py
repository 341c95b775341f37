"""Every call of a kept folder can be looked at: what was asked, what came word for word, what became of it."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, Reply, Script, as_rehearsal, asks_for, backend_at, refusal
from postgres_server import postgres_server

from character import Constitution, StoredCall, Trait, open_run, run
from character.errors import BackendUnavailableError, UnusableModelError
from character.store.calls import CallRows

TRAIT = Constitution(
    name="clerk", traits=(Trait(name="patience", description="Takes the time an explanation needs."),)
)
MESSAGES = ['Why is "0.999…" one?\nI ask for the third time.', "How do I fold a map?"]


def kept(server: FakeServer, folder: Path, store: str = "", **backend: Any) -> Path:
    """Return the folder of a run over messages of ours, however it ended."""
    config = {
        "backends": {"default": backend_at(server, **backend)},
        "responses": {"candidates": 2, "max_reasks": 0},
        "ranking": {"passes": 1},
        "concurrency": 1,
        "store": {"url": store or None},
    }
    rows = [{"prompt": text, "type": "question"} for text in MESSAGES]
    source = folder.with_suffix(".json")
    source.write_text(json.dumps(rows), encoding="utf-8")
    with contextlib.suppress(UnusableModelError):
        run(TRAIT, folder, config=config, messages=source, on_progress=False)
    return folder


def calls_of(folder: Path) -> list[StoredCall]:
    with open_run(folder) as opened:
        return list(opened.calls)


def shown(folder: Path, *options: object) -> str:
    """Return what ``character show`` prints."""
    command = [sys.executable, "-m", "character", "show", str(folder), *map(str, options)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "COLUMNS": "60"}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def judging(reply: str | Reply) -> Script:
    """Return a script that judges so, and answers like the rehearsal model."""
    return lambda request: reply if asks_for(request) == "scores" else as_rehearsal(request)


def test_a_reply_that_cannot_be_read_is_kept_with_its_prompt_and_why(tmp_path: Path) -> None:
    essay = "Both have their charm, as a kettle and a comet have."
    with FakeServer(judging(essay)) as server:
        folder = kept(server, tmp_path / "run")
        judged = [call for call in calls_of(folder) if call.stage == "ranking"]
        assert len(judged) == 6
        assert {
            (call.fault, call.reply, call.usage.prompt_tokens if call.usage else 0) for call in judged
        } == {("unreadable", essay, 100)}
        assert all("lacks the field" in call.detail for call in judged)
        sent = [request["messages"] for request in server.requests]
        assert all(list(call.messages) in sent for call in calls_of(folder))
        assert len(calls_of(folder)) == len(server.requests)
    printed = shown(folder, "--failed")
    assert printed.count(f"── reply ──\n{essay}") == printed.count("\nunreadable: ") == 6
    assert "6 calls" in printed
    assert shown(folder, "--calls", "--limit", 1).count("── reply ──") == 1
    listed = json.loads(shown(folder, "--step", "ranking", "--limit", 2, "--json"))
    assert [call["id"] for call in listed] == [call.id for call in judged[:2]]
    (one,) = json.loads(shown(folder, "--call", judged[0].id[:12], "--json"))
    assert one["messages"][1]["content"] in shown(folder, "--call", judged[0].id)


def test_scores_that_break_their_scale_and_refusals_are_failed_calls_too(tmp_path: Path) -> None:
    def script(request: dict[str, Any]) -> str:
        if asks_for(request) == "scores":
            return as_rehearsal(request).replace("[[ ## scores ## ]]\n[", "[[ ## scores ## ]]\n[99, ")
        return "I'm sorry, but I can't help with that."

    with FakeServer(script) as server:
        assert {call.fault for call in calls_of(kept(server, tmp_path / "refused"))} == {"refusal"}
        server.script = lambda request: (
            script(request) if asks_for(request) == "scores" else as_rehearsal(request)
        )
        faults = {(call.stage, call.fault) for call in calls_of(kept(server, tmp_path / "counted"))}
        assert faults == {("responses", ""), ("ranking", "wrong_count")}


def test_a_call_that_the_server_refused_is_there_with_the_servers_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEA_KEY", "teapot-secret-0001")
    said = "The kettle teapot-secret-0001 is archived. \ud800\0"
    error = json.dumps({"error": {"message": said, "code": "x"}})
    with FakeServer(judging(Reply(status=400, body=error))) as server:
        folder = kept(server, tmp_path / "run", api_key_env="TEA_KEY")
    failed = [call for call in calls_of(folder) if call.fault]
    assert {(call.stage, call.fault, call.reply, call.usage) for call in failed} == {
        ("ranking", "invalid_request", None, None)
    }
    assert "The kettle [hidden] is archived." in failed[0].detail
    assert failed[0].messages[0]["role"] == "system"
    assert "(none came)" in shown(folder, "--failed")
    assert b"teapot-secret" not in b"".join(path.read_bytes() for path in folder.iterdir())


@pytest.mark.parametrize(
    ("reply", "word", "said"),
    [
        (refusal("No such key.", 401), "key_refused", "refuses the key"),
        (refusal("Pay first.", 402), "account_empty", "refuses the account"),
        (None, "timeout", "no reply came within timeout_s = 0.3"),
    ],
)
def test_a_call_that_stopped_a_run_is_kept_by_what_was_wrong(
    tmp_path: Path, reply: Reply | None, word: str, said: str
) -> None:
    with FakeServer(lambda _request: reply or "Hello.") as server:
        server.delay_s = 0.0 if reply else 1.0
        with contextlib.suppress(BackendUnavailableError):
            kept(server, tmp_path / "run", timeout_s=0.3)
    failed = [call for call in calls_of(tmp_path / "run") if call.fault]
    assert {call.fault for call in failed} == {word}
    assert any(said in call.detail for call in failed)


def test_a_call_that_is_answered_when_it_is_tried_again_has_failed_no_more(tmp_path: Path) -> None:
    with FakeServer(judging(Reply(status=500, body="{}"))) as server:
        folder = kept(server, tmp_path / "run")
        lost = [call for call in calls_of(folder) if call.fault]
        assert {(call.stage, call.fault) for call in lost} == {("ranking", "server_error")}
        server.script = as_rehearsal
        kept(server, tmp_path / "run")
    answered = {call.id for call in calls_of(folder) if call.reply}
    failed = json.loads(shown(folder, "--failed", "--json"))
    again = {call.id for call in lost} & answered
    assert (
        len(again) == 2
    )  # one judgement of each message; that it had failed was told to no model after that
    assert {call["id"] for call in failed} == {call.id for call in lost} - again


def test_reasoning_is_set_apart_and_the_form_of_a_reply_is_told(tmp_path: Path) -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        said = as_rehearsal(request)
        if asks_for(request) == "scores":
            return "<think>\nHm, the tram.\n</think>\n" + said.replace("[[ ## ", "**").replace(" ## ]]", "**")
        message = {"role": "assistant", "content": said, "reasoning_content": "Let me see."}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        return Reply(
            body=json.dumps({"id": "c", "model": "m", "object": "chat.completion", "choices": choices})
        )

    with FakeServer(script) as server:
        calls = calls_of(kept(server, tmp_path / "run"))
    judged = next(call for call in calls if call.stage == "ranking")
    assert (judged.reasoning, judged.fault) == ("", "")
    assert "thoughts before the reply" in judged.habits
    assert str(judged.reply).startswith("<think>")
    assert {call.reasoning for call in calls if call.stage == "responses"} == {"Let me see."}
    printed = shown(tmp_path / "run", "--calls")
    assert "read, in another form: thoughts before the reply" in printed
    assert "── reasoning ──\nHm, the tram.\n── reply ──\n**reasoning**" in printed
    assert "── reasoning ──\nLet me see.\n── reply ──" in printed


def test_control_characters_of_a_reply_do_not_reach_the_terminal(tmp_path: Path) -> None:
    with FakeServer(judging("\x1b[2J\x1b]0;title\x07 \x9b31m red \u202e abc")) as server:
        folder = kept(server, tmp_path / "run")
    for options in (["--failed"], ["--failed", "--json"]):
        printed = shown(folder, *options)
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(printed)
        assert "\\u001b[2J" in printed
    assert "\x1b[2J" in json.loads(shown(folder, "--failed", "--json"))[0]["reply"]


def test_the_calls_about_a_message_are_those_whose_prompt_has_it(tmp_path: Path) -> None:
    with FakeServer() as server:
        folder = kept(server, tmp_path / "run")
    with open_run(folder) as opened:
        ids = {message.text: message.id for message in opened.messages}
    for text, other in (MESSAGES, MESSAGES[::-1]):
        calls = json.loads(shown(folder, "--calls", "--message", ids[text], "--json"))
        assert [call["stage"] for call in calls] == ["responses", "responses", "ranking"]
        escaped = json.dumps(other, ensure_ascii=False)[1:-1]
        said = [turn["content"] for call in calls for turn in call["messages"]]
        assert not [each for each in said if escaped in each or other in each]


def test_a_run_that_takes_over_calls_takes_over_their_prompts(tmp_path: Path) -> None:
    with FakeServer() as server:
        first = kept(server, tmp_path / "first")
        config = {"backends": {"default": backend_at(server)}, "responses": {"candidates": 2}}
        asked = len(server.requests)
        again = {**config, "ranking": {"passes": 1}, "pairs": {"min_margin": 0.2}}
        source = tmp_path / "first.json"
        run(TRAIT, tmp_path / "second", config=again, messages=source, reuse=[first], on_progress=False)
        assert len(server.requests) == asked
    with open_run(tmp_path / "second") as opened:
        rows = opened.calls.to_rows()
    assert {row["reused"] for row in rows} == {True}
    before = {call.id: call.messages for call in calls_of(first)}
    assert {row["id"]: tuple(row["messages"]) for row in rows} == before


def test_a_system_message_that_calls_share_is_written_once(tmp_path: Path) -> None:
    with FakeServer() as server:
        folder = kept(server, tmp_path / "run")
    with sqlite3.connect(folder / "run.sqlite") as connection:
        ((systems,),) = connection.execute("SELECT COUNT(*) FROM systems")
    first = [call.messages[0] for call in calls_of(folder)]  # the bare model is told nothing
    told = {turn["content"] if turn["role"] == "system" else "" for turn in first}
    assert systems == len(told) < len(first)


@pytest.mark.postgres
def test_calls_are_shown_from_a_database_too(tmp_path: Path) -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        refused = asks_for(request) == "scores" and "fold a map" in str(request)
        return (
            Reply(status=400, body='{"error": {"message": "No kettles."}}')
            if refused
            else as_rehearsal(request)
        )

    with FakeServer(script) as server, postgres_server() as url:
        folder = kept(server, tmp_path / "run", store=url)
        calls = calls_of(folder)
        faults = [call.fault for call in calls if call.stage == "ranking" and call.fault]
        assert faults == ["invalid_request"]  # what the server refuses is not asked again
        told = [call for call in calls if len(call.messages) > 1]
        assert len(calls) > len(told) > 0, "the bare model is told nothing"
        assert all(call.messages[0]["role"] == "system" for call in told)
        with open_run(folder) as opened:
            chosen = list(opened.store.calls(text=MESSAGES[1], failed=True, stage="ranking"))
    assert [call.id for call in chosen] == [call.id for call in calls if call.fault]


def test_a_call_whose_system_message_was_lost_is_shown_without_it(tmp_path: Path) -> None:
    with FakeServer(as_rehearsal) as server:
        folder = kept(server, tmp_path / "run")
    with contextlib.closing(sqlite3.connect(folder / "run.sqlite")) as store:
        store.execute("delete from systems")
        store.commit()
    assert {call.messages[0]["content"] for call in calls_of(folder)} == {
        "(not kept: the process was ended while it was written)"
    }
    assert "(not kept: " in shown(folder, "--calls", "--limit", 1)


def test_a_system_message_is_written_until_it_is_on_disk() -> None:
    written = CallRows()
    parts = {"system": '"Be brief."', "messages": "[]"}
    rows = [written.prompt(parts)[1] for _ in range(2)]
    assert rows[0] == rows[1] != []
    written.are_durable(rows[0])
    assert written.prompt(parts)[1] == []
    assert json.loads(written.prompt(parts)[0])["system"] == rows[0][0][1]["id"]


def test_an_unreadable_reply_that_was_of_use_is_no_failed_call(tmp_path: Path) -> None:
    with FakeServer(judging("[[ ## suitable ## ]]\nFalse\n\n[[ ## scores ## ]]\nn/a")) as server:
        folder = kept(server, tmp_path / "run")
    assert {call.fault for call in calls_of(folder) if call.stage == "ranking"} == {""}
    assert "0 calls" in shown(folder, "--calls", "--failed")
