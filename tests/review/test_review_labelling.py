"""Reviews as a labelled set: exactly what was said, and what tuning reads as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from review_helpers import CONSTITUTION, rollout_of, some_rollouts, write_run

from character.errors import InputError
from character.records import Rollout
from character.review.answers import Answer, CheckAnswer, CompareAnswer, RankAnswer, Task
from character.review.labelling import export_labelled
from character.review.store import ReviewStore
from optimizers.labelled import Label, read_labelled


def ids(rollout: Rollout) -> tuple[str, str]:
    assert rollout.candidates
    return rollout.message.id, rollout.candidates.id


def said(folder: Path, *answers: tuple[str, Task, str, Answer]) -> None:
    with ReviewStore(folder) as reviews:
        for number, (reviewer, task, item, answer) in enumerate(answers):
            reviews.record(reviewer, task, {item: answer}, seen=0, nonce=str(number))


def test_rankings_and_comparisons_become_labels_under_the_reviewers_names(tmp_path: Path) -> None:
    made = some_rollouts(4)
    folder = write_run(tmp_path / "run", made)
    (first, c1), (second, c2), (third, c3), _ = map(ids, made)
    said(
        folder,
        ("Ann", "rank", first, RankAnswer(candidates_id=c1, order=((2,), (0, 1), (3,)))),
        ("小李", "rank", first, RankAnswer(candidates_id=c1, order=((0,), (1,), (2,), (3,)))),
        ("Ann", "compare", first, CompareAnswer(candidates_id=c1, left=0, right=3, share=1.0)),
        ("Ann", "compare", second, CompareAnswer(candidates_id=c2, left=1, right=2, share=0.5)),
        ("Ann", "rank", second, RankAnswer(candidates_id=c2, skipped=True)),
        ("Ann", "rank", third, RankAnswer(candidates_id=c3, unsuitable=True)),
        ("Bo", "rank", third, RankAnswer(candidates_id=c3, skipped=True)),
        ("Bo", "compare", third, CompareAnswer(candidates_id=c3, left=0, right=1, skipped=True)),
        ("小李", "rank", third, RankAnswer(candidates_id=c3, unsuitable=True)),
        ("小李", "compare", third, CompareAnswer(candidates_id=c3, left=0, right=1, share=0.0)),
    )
    done = export_labelled(folder, tmp_path / "labelled.jsonl")
    assert (done.no_order, done.left_out) == ({"unsuitable": 2, "skipped": 1}, {})
    written = {item.id: item.labels for item in done.labelled.items}
    assert written[third] == (
        Label(rater="Ann", answer="unsuitable"),
        Label(rater="Bo", answer="skip"),
        Label(rater="小李", answer="unsuitable"),
        Label(rater="小李", choices=((0, 1, 0.0),)),
    )
    read = read_labelled(tmp_path / "labelled.jsonl")
    assert read.dropped == {"unsuitable": 2, "skipped": 1}
    found = {item.id: item for item in read.items}
    assert set(found) == {first, second, third}
    assert found[third].labels == (Label(rater="小李", choices=((0, 1, 0.0),)),)
    assert found[first].labels == (
        Label(rater="Ann", order=((2,), (0, 1), (3,)), choices=((0, 3, 1.0),)),
        Label(rater="小李", order=((0,), (1,), (2,), (3,))),
    )
    assert found[second].labels == (Label(rater="Ann", choices=((1, 2, 0.5),)),)
    assert made[0].candidates
    assert found[first].candidates == tuple(made[0].candidates.texts)
    assert found[first].trait["description"] == CONSTITUTION.trait("patience").description
    alone = export_labelled(folder, tmp_path / "alone.jsonl", reviewers=["小李"])
    assert [label.rater for item in alone.labelled.items for label in item.labels] == ["小李"] * 3


def test_what_was_made_anew_or_vetoed_is_left_out_and_counted(tmp_path: Path) -> None:
    made = some_rollouts(3)
    folder = write_run(tmp_path / "run", made)
    (first, c1), (second, c2), (third, _) = map(ids, made)
    order = ((0,), (1,), (2,), (3,))
    said(
        folder,
        ("Ann", "rank", first, RankAnswer(candidates_id=c1, order=order)),
        ("Ann", "rank", second, RankAnswer(candidates_id=c2, order=order)),
        ("Ann", "rank", third, RankAnswer(candidates_id="older candidates", order=order)),
        ("Bo", "check", f"message:{second}", CheckAnswer(verdict="veto")),
    )
    done = export_labelled(folder, tmp_path / "labelled.jsonl")
    assert done.left_out == {"vetoed": 1, "changed": 1}
    assert [item.id for item in done.labelled.items] == [first]


def test_nothing_to_write_is_said(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", some_rollouts(1))
    with pytest.raises(InputError, match="holds no reviews"):
        export_labelled(folder, tmp_path / "labelled.jsonl")
    message, candidates = ids(some_rollouts(1)[0])
    said(folder, ("Ann", "rank", message, RankAnswer(candidates_id=candidates, skipped=True)))
    with pytest.raises(InputError, match="1 skipped"):
        export_labelled(folder, tmp_path / "labelled.jsonl")
    assert not (tmp_path / "labelled.jsonl").exists()


def character(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "character", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_optimize_reads_what_the_command_writes_as_it_is(tmp_path: Path) -> None:
    made = [
        rollout_of(
            f"Message {i}: I still do not get fractions.",
            [
                f"No hurry with part {i}. Step by step: first the plain idea, then an example. Shall we go on together?",
                f"A fraction is a part of a whole, as in case {i}.",
                f"Look up case {i} yourself, I have no time.",
            ],
        )
        for i in range(12)
    ]
    folder = write_run(tmp_path / "run", made)
    said(
        folder,
        *(
            ("Ann", "rank", ids(each)[0], RankAnswer(candidates_id=ids(each)[1], order=((0,), (1,), (2,))))
            for each in made
        ),
    )
    written = character("review", folder, "--export", tmp_path / "labelled.jsonl")
    assert (written["items"], written["raters"], written["left_out"]) == (12, ["Ann"], {})
    tuned = character("optimize", tmp_path / "labelled.jsonl", "--strategy", "calibrate", "--budget", "200")
    assert tuned["strategy"] == "calibrate"
    assert (tmp_path / "labelled.tuned" / "ranker.json").is_file()
