"""Messages in slices: the same in every way of running, answered while the rest is written, never doubled."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, Reply, as_rehearsal, asks_for, backend_at, chat
from load_server import Load, LoadServer

from character import (
    CharacterProgram,
    Config,
    Constitution,
    Message,
    MessageBatch,
    MessageGenerator,
    RunStore,
    Trait,
    build_lm,
    run,
)
from character.messages.slices import slice_shares
from character.records import KINDS, Kind
from character.runs.estimate import estimate
from character.runs.progress import RunState


def _program(**options: Any) -> CharacterProgram:
    return CharacterProgram(**{"messages_per_slice": 6, "messages_per_trait": 15, **options})


def _config(server: FakeServer | LoadServer, per_trait: int = 15, **sections: Any) -> Config:
    backend = {"model": "openai/x", "api_base": server.url, "num_retries": 0}
    return Config.model_validate(
        {"backends": {"default": backend}, "messages": {"per_trait": per_trait}, **sections}
    )


def _stored(folder: Path) -> list[Message]:
    with RunStore(folder) as store:
        return [rollout.message for rollout in store.rollouts()]


@pytest.mark.usefixtures("rehearsal")
def test_a_run_and_both_ways_of_calling_give_the_same_messages(
    constitution: Constitution, tmp_path: Path
) -> None:
    result = _program()(constitution=constitution)
    assert asyncio.run(_program().acall(constitution=constitution)) == result
    run(constitution, tmp_path / "run", program=_program())
    assert _stored(tmp_path / "run") == result.messages
    assert len(result.messages) == 30
    assert {m.trait for m in result.messages} == {"patience", "humour"}


@pytest.mark.usefixtures("rehearsal")
def test_the_size_of_slices_does_not_matter_where_one_is_enough(patience: Trait) -> None:
    results = [_program(messages_per_slice=size)(trait=patience) for size in (15, 256)]
    assert results[0] == results[1]


@pytest.mark.usefixtures("rehearsal")
def test_the_first_slice_is_that_of_a_program_that_wants_no_more(patience: Trait) -> None:
    few = _program(messages_per_trait=6)(trait=patience).messages
    assert _program()(trait=patience).messages[:6] == few


@pytest.mark.usefixtures("rehearsal")
def test_kinds_keep_their_shares_over_all_slices(patience: Trait) -> None:
    messages = _program(messages_per_trait=16)(trait=patience).messages
    assert [sum(m.kind == kind for m in messages) for kind in KINDS] == [6, 5, 5]


def test_a_slice_is_spread_over_what_is_missing() -> None:
    assert slice_shares({"question": 100, "situation": 100, "self_reflection": 100}, 256) == {
        "question": 86,
        "situation": 85,
        "self_reflection": 85,
    }
    assert slice_shares({"question": 3, "situation": 0, "self_reflection": 9}, 8) == {
        "question": 3,
        "self_reflection": 5,
    }
    assert slice_shares({"question": 3, "situation": 2}, 256) == {"question": 3, "situation": 2}


class Numbered(dspy.Module):
    """A generator of a user's own that counts up, and says of every slice when it was asked for."""

    def __init__(self, events: list[str], period: int = 10**9) -> None:
        super().__init__()
        self.events, self.period = events, period
        self.numbers = itertools.count()

    async def aforward(
        self, trait: Trait, kind: Kind, num_messages: int, existing: list[str]
    ) -> MessageBatch:
        self.events.append(f"write {num_messages}, shown {len(existing)}")
        await asyncio.sleep(0)
        texts = [_worded(next(self.numbers) % self.period) for _ in range(num_messages)]
        messages = [Message.of(text, trait=trait.name, kind=kind) for text in texts]
        return MessageBatch(messages=tuple(m.model_copy(update={"source": "generated"}) for m in messages))


def _worded(number: int) -> str:
    rng = random.Random(number)
    return " ".join("".join(rng.choices("abcdefghij", k=5)) for _ in range(8))


class Slow(dspy.Module):
    """A responder of a user's own that says when it starts."""

    def __init__(self, events: list[str]) -> None:
        super().__init__()
        self.events = events

    async def aforward(self, message: Message) -> dspy.Prediction:
        self.events.append("answer")
        await asyncio.sleep(0.002)
        return dspy.Prediction(responses=[message.text, "I do not know."])


def _first_wins(candidates: Any) -> dspy.Prediction:
    return dspy.Prediction(scores=[1.0, *[0.0] * (len(candidates.items) - 1)])


def test_at_most_one_slice_is_written_ahead_of_the_one_that_is_answered(
    patience: Trait, tmp_path: Path
) -> None:
    events: list[str] = []
    program = CharacterProgram(
        Numbered(events),
        Slow(events),
        _first_wins,
        kinds=["question"],
        messages_per_trait=40,
        messages_per_slice=10,
        lms={"default": build_lm()},
    )
    config = Config.model_validate({"concurrency": 2})
    summary = run(
        Constitution(name="one", traits=(patience,)), tmp_path / "run", config=config, program=program
    )
    assert summary.messages == {"paired": 40, "messages": 40}
    assert events[0] == "write 10, shown 0"
    writes = [i for i, event in enumerate(events) if event.startswith("write")]
    assert len(writes) == 4
    answered = [events[:i].count("answer") for i in writes]
    assert answered[1] < 10, "the second slice is written while the first is answered"
    assert all(answered[k] >= 10 * (k - 1) - 2 for k in range(2, 4)), "no slice is written two ahead"


def test_answering_begins_before_the_second_slice_is_generated(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    def script(request: dict[str, Any]) -> str:
        server.delay_s = 0.01
        return as_rehearsal(request)

    server.script = script
    run(constitution, tmp_path / "run", config=_config(server, concurrency=2), program=_program())
    steps = [asks_for(request) for request in server.requests]
    last_written = len(steps) - 1 - steps[::-1].index("messages")
    assert steps[:last_written].count("response") > 24, "answers to the first slices precede the last one"


def test_what_repeats_an_earlier_slice_is_dropped_counted_and_asked_for_again(patience: Trait) -> None:
    events: list[str] = []
    program = CharacterProgram(
        Numbered(events, period=25), Slow([]), _first_wins, messages_per_trait=24, messages_per_slice=10
    )
    result = asyncio.run(program.acall(trait=patience))
    assert len({message.text for message in result.messages}) == len(result.messages) == 24
    assert not result.message_drops
    wanting = program.deepcopy()
    wanting.messages_per_trait = 30
    result = asyncio.run(wanting.acall(trait=patience))
    assert len({message.text for message in result.messages}) == len(result.messages) == 25
    reasons = [drop.reason for drop in result.message_drops]
    assert reasons == ["duplicate"] * 15 + ["refills_exhausted"]
    assert "5 of 30 messages are missing" in result.message_drops[-1].detail


def test_a_run_counts_the_drops_and_the_usage_of_all_slices(
    constitution: Constitution, tmp_path: Path, rehearsal: dspy.LM
) -> None:
    program = _program(generator=MessageGenerator(oversample=1.5))
    batch = asyncio.run(program.agenerate(constitution.traits[0], constitution))
    assert batch.drops
    told: list[RunState] = []
    only = constitution.only(["patience"])
    summary = run(only, tmp_path / "run", program=program, on_progress=told.append)
    assert sum(summary.dropped["messages"].values()) == len(batch.drops)
    assert summary.usage["messages"].calls == batch.usage.calls
    assert told[-1].drops == {
        reason: number for part in summary.dropped.values() for reason, number in part.items()
    }


def test_the_prompts_of_a_later_slice_show_the_latest_forty_messages_of_the_kind(
    server: FakeServer, patience: Trait
) -> None:
    numbers = itertools.count()

    def script(request: dict[str, Any]) -> str:
        briefs = _input(request, "briefs")
        return chat(messages=json.dumps([_of_length(brief, next(numbers)) for brief in briefs]))

    server.script = script
    program = CharacterProgram(
        MessageGenerator(prompting="fields"),
        kinds=["question"],
        messages_per_trait=120,
        messages_per_slice=60,
        lms={"default": build_lm(backend_at(server))},
    )
    batch = asyncio.run(program.agenerate(patience))
    assert len(batch.messages) == 120
    shown = [_input(request, "existing_messages") for request in server.requests]
    assert shown[:8] == [[]] * 8
    assert shown[8:] == [[m.text for m in batch.messages[20:60]]] * 8


def _input(request: dict[str, Any], name: str) -> Any:
    return json.loads(request["messages"][-1]["content"].split(f"[[ ## {name} ## ]]\n")[1].split("\n")[0])


def _of_length(brief: dict[str, str], number: int) -> str:
    times = {"short": 1, "medium": 4, "long": 9}[brief["length"].split(":")[0]]
    return " ".join(_worded(1000 * number + i) for i in range(times))


def test_a_slice_that_the_server_cut_short_is_completed_in_the_next_sitting(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    written = itertools.count()

    def script(request: dict[str, Any]) -> str | Reply:
        failing = asks_for(request) == "messages" and next(written) >= 4
        return Reply(status=500) if failing else as_rehearsal(request)

    server.script = script
    only, config = constitution.only(["patience"]), _config(server)
    run(only, tmp_path / "run", config=config, program=_program())
    first = _stored(tmp_path / "run")
    with RunStore(tmp_path / "run") as store:
        assert not store.has_batch("patience")
    assert 6 <= len(first) < 15
    server.script = as_rehearsal
    summary = run(only, tmp_path / "run", config=config, program=_program())
    after = _stored(tmp_path / "run")
    assert after[: len(first)] == first
    assert summary.messages["messages"] == len(after) == 15
    assert "messages" not in summary.dropped
    asked = len(server.requests)
    run(only, tmp_path / "run", config=config, program=_program())
    assert len(server.requests) == asked


@pytest.mark.parametrize("check", [False, True])
def test_the_estimate_counts_the_calls_of_all_slices(server: FakeServer, check: bool) -> None:
    numbers = itertools.count()

    def script(request: dict[str, Any]) -> str:
        if asks_for(request) == "reveals":
            return chat(reasoning="…", reveals=json.dumps([True] * len(_input(request, "messages"))))
        briefs = _input(request, "briefs")
        return chat(messages=json.dumps([_of_length(brief, next(numbers)) for brief in briefs]))

    server.script = script
    constitution = Constitution(name="one", traits=(Trait(name="patience", description="takes its time"),))
    config = _config(server, 300, seed=3).model_copy()
    config = Config.model_validate(
        {
            **config.model_dump(),
            "messages": {"per_trait": 300, "oversample": 1.5, "check": check, "prompting": "fields"},
        }
    )
    from character import build_lms

    program = CharacterProgram.from_config(config, build_lms(config))
    batch = asyncio.run(program.agenerate(constitution.traits[0], constitution))
    guess = estimate(constitution, config)["messages"]
    assert len(batch.messages) == 300
    assert guess.calls == batch.usage.calls == len(server.requests)


_SCRIPT = textwrap.dedent(
    """
    import sys
    from character import CharacterProgram, Config, run
    from load_helpers import PATIENCE
    folder, url = sys.argv[1:]
    backend = {"model": "openai/load", "api_base": url, "max_in_flight": 16}
    config = Config.model_validate({"concurrency": 8, "backends": {"default": backend}})
    run(PATIENCE, folder, config=config, program=CharacterProgram(messages_per_trait=60, messages_per_slice=12))
    """
)


def test_a_run_killed_while_it_generates_loses_and_doubles_nothing(tmp_path: Path) -> None:
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), str(tests.parent / "benchmarks"), os.environ.get("PYTHONPATH", "")])
    kills = 0
    with LoadServer(Load(latency_s=0.05, sigma=0.5)) as server:
        command = [sys.executable, "-c", _SCRIPT, str(tmp_path / "killed"), server.url]
        for moment in (3, 30, 90, 170):
            process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})
            while process.poll() is None and server.stats()["distinct"] < moment:
                time.sleep(0.002)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.wait()
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path})
        repeats = server.stats()["repeats"]
        distinct = server.stats()["distinct"]
        command[3] = str(tmp_path / "whole")
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path})
        assert server.stats()["distinct"] == distinct, "the killed run asked for what the other one did"
    assert kills >= 3
    assert repeats <= 16 * kills
    killed, whole = (_records(tmp_path / name) for name in ("killed", "whole"))
    assert killed == whole
    assert len(whole) == 60


def _records(folder: Path) -> list[str]:
    with RunStore(folder) as store:
        return [rollout.model_dump_json() for rollout in store.rollouts()]
