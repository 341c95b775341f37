"""A stored run to work with: its records in order, any number of times, as rows and as frames that join."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from character import (
    Candidates,
    CharacterProgram,
    Constitution,
    InputError,
    Message,
    MessageBatch,
    PreferencePair,
    Ranking,
    RunSummary,
    StoredRun,
    StoreError,
    Trait,
    build_lm,
    open_run,
    run,
    summarize,
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with the rehearsal model."""
    out = tmp_path_factory.mktemp("open") / "run"
    trait = Trait(name="patience", description="Takes the time that an explanation needs.")
    assert isinstance(run(Constitution(name="clerk", traits=(trait,)), out), RunSummary)
    return out


def test_a_run_gives_its_records_as_often_as_one_asks(kept: Path) -> None:
    with open_run(str(kept)) as opened:
        summary = opened.summary()
        for records, kind in (
            (opened.messages, Message),
            (opened.candidates, Candidates),
            (opened.rankings, Ranking),
            (opened.pairs, PreferencePair),
        ):
            assert all(isinstance(record, kind) for record in records)
            assert list(records) == list(records)
        assert len(opened.messages) == summary.messages["messages"]
        assert len(opened.pairs) == summary.pairs
        assert opened.constitution.name == "clerk"
        assert opened.config.seed == summary.seed
        assert repr(opened) == f"StoredRun({str(kept)!r})"
        assert str(summary.pairs) in opened._repr_html_()


def test_records_of_a_run_show_the_first_ones_short(kept: Path) -> None:
    with open_run(kept) as opened:
        for records in (opened.messages, opened.candidates, opened.rankings, opened.pairs):
            name = type(next(iter(records))).__name__
            assert repr(records).startswith(f"StoredRecords([{name}(")
            assert len(repr(records)) < 500
            assert "message_id" in records._repr_html_()
        assert repr(opened.drops).startswith("StoredRecords([")


def test_drops_are_those_that_the_figures_count(kept: Path) -> None:
    counted = summarize(kept)
    with open_run(kept) as opened:
        drops = list(opened.drops)
    lost = sum(sum(reasons.values()) for reasons in counted.dropped.values())
    made_up_for = sum(sum(reasons.values()) for reasons in counted.reasked.values())
    assert len(drops) == lost + made_up_for
    assert sum(drop.recovered for drop in drops) == made_up_for


def test_the_rows_of_a_run_are_its_pairs(kept: Path) -> None:
    with open_run(kept) as opened:
        assert opened.to_rows() == [pair.to_row() for pair in opened.pairs]
        assert opened.to_dataset().to_list() == opened.to_rows()
        assert opened.to_pandas().shape == (len(opened.pairs), len(opened.to_rows()[0]))


def test_frames_are_joined_by_their_ids(kept: Path) -> None:
    with open_run(kept) as opened:
        messages, candidates = opened.messages.to_pandas(), opened.candidates.to_pandas()
        rankings, pairs = opened.rankings.to_pandas(), opened.pairs.to_pandas()
        number = sum(len(each.items) for each in opened.candidates)
    assert len(messages.merge(candidates, on="message_id")) == number
    assert len(candidates.merge(rankings, on=["message_id", "candidates_id"])) == number
    joined = pairs.merge(rankings, on=["message_id", "ranking_id"])
    assert len(joined) == len(pairs)
    assert (pairs["score_chosen"] - pairs["score_rejected"] - pairs["margin"]).abs().max() < 1e-6


@pytest.mark.parametrize("of", ["pairs", "messages", "candidates", "rankings", "drops"])
def test_a_result_a_summary_and_a_stored_run_have_the_same_frames(tmp_path: Path, of: Any) -> None:
    trait = Trait(name="patience", description="Takes the time that an explanation needs.")
    result = CharacterProgram(messages_per_trait=3, lms={"default": build_lm()})(trait=trait)
    of_result = result.to_pandas(of)
    given = {"patience": MessageBatch(messages=tuple(result.messages))}
    summary = run(Constitution(name="clerk", traits=(trait,)), tmp_path / "run", messages=given)
    with open_run(tmp_path / "run") as opened:
        assert opened.to_rows(of) == summary.to_rows(of)
        assert list(opened.to_pandas(of).columns) == list(of_result.columns)
        assert len(opened.to_rows(of)) == len(opened.to_pandas(of))
    assert len(of_result) == len(result.to_rows(of))
    if of in ("messages", "rankings"):
        assert len(of_result) == 3
    with pytest.raises(InputError, match="did you mean 'rankings'"):
        result.to_rows("ranking")  # type: ignore[arg-type]


def test_a_frame_without_rows_has_its_columns(tmp_path: Path) -> None:
    trait = Trait(name="patience", description="Takes the time that an explanation needs.")
    run(Constitution(name="clerk", traits=(trait,)), tmp_path / "run", messages={})
    with open_run(tmp_path / "run") as opened:
        for records in (opened.messages, opened.candidates, opened.rankings, opened.pairs, opened.drops):
            assert list(records) == []
            assert "message_id" in records.to_pandas().columns


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no run"):
        open_run(tmp_path)
    assert StoredRun.__doc__
