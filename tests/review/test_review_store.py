"""Answers on disk: what stands, what was, and nothing lost when the process dies."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from character.errors import StoreError
from character.review.answers import CheckAnswer, RankAnswer
from character.review.store import ReviewStore
from character.store.vetoes import read_vetoes


def ranked(*order: tuple[int, ...]) -> RankAnswer:
    return RankAnswer(candidates_id="c", order=order)


def keep(store: ReviewStore, item: str, answer: RankAnswer, *, seen: int = 0, nonce: str = "") -> str | None:
    made = nonce or f"{item} {answer.order} {seen}"
    return store.record("Ann", "rank", {item: answer}, seen=seen, nonce=made).elsewhere


def test_the_last_answer_of_a_reviewer_stands_and_the_one_before_stays_in_the_history(tmp_path: Path) -> None:
    with ReviewStore(tmp_path) as store:
        assert keep(store, "m", ranked((0,), (1,))) is None
        seen = store.newest_seq("Ann", "rank", ["m"])
        assert keep(store, "m", ranked((1,), (0,)), seen=seen) is None
        store.record("Bo", "rank", {"m": ranked((0, 1))}, seen=0, nonce="b")
        assert {(s.reviewer, s.answer) for s in store.answers("rank")} == {
            ("Ann", ranked((1,), (0,))),
            ("Bo", ranked((0, 1))),
        }
        assert [event["action"] for event in store.events()] == ["answer"] * 3


def test_an_answer_over_one_that_was_not_seen_is_kept_and_told(tmp_path: Path) -> None:
    with ReviewStore(tmp_path) as store:
        keep(store, "m", ranked((0,), (1,)))
        elsewhere = keep(store, "m", ranked((1,), (0,)), seen=0, nonce="another window")
        assert elsewhere == store.events()[0]["at"]
        assert store.answers("rank")[0].answer == ranked((1,), (0,))


def test_undo_brings_the_answer_before_back_and_then_none(tmp_path: Path) -> None:
    with ReviewStore(tmp_path) as store:
        keep(store, "m", ranked((0,), (1,)))
        keep(store, "m", ranked((1,), (0,)), seen=1)
        assert store.undo("Ann", "rank") == ["m"]
        assert store.answers("rank")[0].answer == ranked((0,), (1,))
        assert store.undo("Ann", "rank") == ["m"]
        assert store.answers("rank") == []
        assert store.undo("Ann", "rank") == []
        assert len(store.events()) == 4, "an undo is an event, and takes none away"


def test_undo_takes_back_a_whole_submission_of_its_own_task_and_reviewer_alone(tmp_path: Path) -> None:
    with ReviewStore(tmp_path) as store:
        keep(store, "m", ranked((0,), (1,)))
        both = {"message:m": CheckAnswer(), "pair:p": CheckAnswer(verdict="veto", note="no")}
        store.record("Ann", "check", both, seen=0, nonce="x")
        store.record("Bo", "check", {"pair:q": CheckAnswer(verdict="veto")}, seen=0, nonce="y")
        assert read_vetoes(tmp_path).pairs == {"p", "q"}
        assert store.undo("Ann", "check") == ["message:m", "pair:p"]
        assert read_vetoes(tmp_path).pairs == {"q"}
        assert len(store.answers("rank")) == 1


def test_a_submission_that_arrives_twice_is_kept_once(tmp_path: Path) -> None:
    with ReviewStore(tmp_path) as store:
        for _ in range(2):
            assert keep(store, "m", ranked((0,), (1,)), nonce="n") is None
        assert len(store.events()) == 1
        assert keep(store, "m", ranked((1,), (0,)), nonce="n") is not None
        assert len(store.events()) == 2, "another answer of the same page is no repetition"


def test_events_can_be_neither_changed_nor_deleted(tmp_path: Path) -> None:
    with ReviewStore(tmp_path) as store:
        keep(store, "m", ranked((0,), (1,)))
    raw = sqlite3.connect(tmp_path / "reviews.sqlite")
    for statement in ("UPDATE events SET answer = '{}'", "DELETE FROM events"):
        with pytest.raises(sqlite3.IntegrityError, match="events never"):
            raw.execute(statement)
    raw.close()


def test_one_process_writes_and_another_is_told_to_share_its_page(tmp_path: Path) -> None:
    with ReviewStore(tmp_path), pytest.raises(StoreError, match="another process is reviewing"):
        ReviewStore(tmp_path)
    with ReviewStore(tmp_path):
        pass


def test_a_file_that_is_none_of_ours_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "reviews.sqlite").write_text("not a database, just a text of some length " * 50)
    with pytest.raises(StoreError, match=r"reviews\.sqlite cannot be used"):
        ReviewStore(tmp_path)
    with pytest.raises(StoreError, match=r"reviews\.sqlite cannot be read"):
        read_vetoes(tmp_path)


WRITER = """
import sys
from pathlib import Path
from character.review.answers import RankAnswer
from character.review.store import ReviewStore

store = ReviewStore(Path(sys.argv[1]))
for number in range(100_000):
    store.record("Ann", "rank", {f"m{number}": RankAnswer(candidates_id="c", order=((0,), (1,)))}, seen=0, nonce=str(number))
    print(number, flush=True)
"""


def test_every_answer_that_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    for sitting in range(3):
        folder = tmp_path / str(sitting)
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        said = [process.stdout.readline() for _ in range(40 + 30 * sitting)]
        os.kill(process.pid, signal.SIGKILL)
        said += process.stdout.readlines()
        process.wait()
        process.stdout.close()
        acknowledged = {f"m{line.strip()}" for line in said if line.endswith("\n")}
        with ReviewStore(folder) as store:
            kept = {each.item for each in store.answers("rank")}
            assert len(store.events()) == len(kept)
        assert acknowledged <= kept
        assert len(kept - acknowledged) <= 1, "at most the one in flight was not told yet"


def test_answers_are_flushed_to_the_disk_also_after_the_queue_was_written_without(tmp_path: Path) -> None:
    with ReviewStore(tmp_path) as store:
        store.write(
            "INSERT INTO queue VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [("rank", "m", "t", "k", "en", 0.5, 1, "{}")]
        )
        assert store.read("PRAGMA synchronous") == [(2,)], "2 is FULL"
        assert store.read("PRAGMA journal_mode") == [("wal",)]
        with pytest.raises(StoreError):
            store.write("INSERT INTO queue VALUES (?)", [("too few",)])
        assert store.read("PRAGMA synchronous") == [(2,)]
        keep(store, "m", ranked((0,), (1,)))
        assert len(store.answers("rank")) == 1
