"""Labels for a run: the least certain messages first, blind, and read back only for the run they belong to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from character import Constitution, RunStore, load_config, run
from character.errors import InputError, UnknownNameError
from character.ranking.uncertainty import doubt
from character.records import Candidate, Candidates, Ranking
from character.review.answers import RankAnswer
from character.review.labelling import export_labelled, labelled_from_run, labels_for_run, with_blanks
from character.review.store import ReviewStore
from optimizers.labelled import read_labelled, write_labelled


@pytest.fixture
def folder(constitution: Constitution, tmp_path: Path) -> Path:
    """Return the folder of a finished run of the rehearsal model, six messages per trait."""
    run(
        constitution,
        tmp_path / "run",
        config=load_config(overrides={"messages": {"per_trait": 6}, "seed": 5}),
    )
    return tmp_path / "run"


def test_the_least_certain_come_first_and_the_traits_take_turns(folder: Path) -> None:
    labelled = labelled_from_run(folder, num_items=6, seed=1)
    assert [item.trait["name"] for item in labelled.items] == ["humour", "patience"] * 3
    with RunStore(folder) as store:
        doubts = {r.message.id: (r.message.trait, doubt(r.ranking)) for r in store.rollouts() if r.ranking}
    for name in ("humour", "patience"):
        chosen = [doubts[item.id][1] for item in labelled.items if item.trait["name"] == name]
        left = [
            d
            for i, (trait, d) in doubts.items()
            if trait == name and i not in {it.id for it in labelled.items}
        ]
        assert chosen == sorted(chosen, reverse=True)
        assert min(chosen) >= max(left)


def test_raters_see_neither_levels_nor_the_order_of_writing(folder: Path) -> None:
    labelled = labelled_from_run(folder, num_items=12, seed=1)
    assert not any(item.levels or item.labels for item in labelled.items)
    with RunStore(folder) as store:
        made = {r.message.id: tuple(r.candidates.texts) for r in store.rollouts() if r.candidates}
    assert all(sorted(item.candidates) == sorted(made[item.id]) for item in labelled.items)
    assert any(item.candidates != made[item.id] for item in labelled.items)
    assert labelled == labelled_from_run(folder, num_items=12, seed=1)
    assert labelled != labelled_from_run(folder, num_items=12, seed=2)


def test_labels_filled_in_by_hand_are_read_back_with_the_levels(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    write_labelled(path, with_blanks(labelled_from_run(folder, num_items=3, strategy="random"), "me"))
    assert not any(item.labels for item in read_labelled(path).items)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").strip().split("\n")]
    assert rows[0]["labels"] == [{"rater": "me", "scores": [None] * len(rows[0]["candidates"])}]
    rows[0]["labels"][0]["scores"][0] = 0.8
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    read = labels_for_run(folder, path)
    assert read.items[0].consensus()[0] == 0.8
    assert all(len(item.levels) == len(item.candidates) for item in read.items)
    assert read.dropped == {"empty": 2}


def test_labels_of_another_run_are_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    labelled = labelled_from_run(folder, num_items=2)
    changed = labelled.items[0].model_copy(update={"candidates": ("another", "text")})
    for items in ((changed,), (labelled.items[0].model_copy(update={"id": "unknown"}),)):
        write_labelled(path, labelled.model_copy(update={"items": items}))
        with pytest.raises(InputError, match="not of this run"):
            labels_for_run(folder, path)


def test_an_unknown_strategy_and_no_items_are_refused(folder: Path) -> None:
    with pytest.raises(UnknownNameError, match="least_sure"):
        labelled_from_run(folder, strategy="best")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 1"):
        labelled_from_run(folder, num_items=0)


def test_doubt_is_one_where_every_pair_is_a_toss_up() -> None:
    made = Candidates(message_id="m", trait="t", items=(Candidate(text="a"), Candidate(text="b")))
    ranking = Ranking.from_scores(made, [0.2, 0.9])
    assert doubt(ranking) == pytest.approx(0.3)
    assert doubt(ranking.model_copy(update={"probabilities": ((0.5, 0.5), (0.5, 0.5))})) == 1.0
    assert doubt(ranking.model_copy(update={"probabilities": ((0.5, 0.0), (1.0, 0.5))})) == 0.0


def test_candidates_of_the_rehearsal_model_are_marked_in_what_is_labelled(
    folder: Path, tmp_path: Path
) -> None:
    given = labelled_from_run(folder, num_items=2)
    write_labelled(tmp_path / "given.jsonl", with_blanks(given, "me"))
    assert read_labelled(tmp_path / "given.jsonl").rehearsal
    item = given.items[0]
    with RunStore(folder) as store:
        candidates = next(store.rollouts(item.id)).candidates
    assert candidates
    order = tuple((place,) for place in range(len(candidates.items)))
    with ReviewStore(folder) as reviews:
        answer = RankAnswer(candidates_id=candidates.id, order=order)
        reviews.record("Ann", "rank", {item.id: answer}, seen=0, nonce="1")
    assert export_labelled(folder, tmp_path / "reviewed.jsonl").labelled.rehearsal
    assert json.loads((tmp_path / "reviewed.jsonl").read_text(encoding="utf-8"))["rehearsal"] is True
    real = item.model_copy(update={"rehearsal": False})
    unmarked = given.model_copy(update={"items": (real, *given.items[1:])})
    assert unmarked.fingerprint == given.fingerprint
    write_labelled(tmp_path / "real.jsonl", given.model_copy(update={"items": (real,)}))
    assert "rehearsal" not in (tmp_path / "real.jsonl").read_text(encoding="utf-8")
