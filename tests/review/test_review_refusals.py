"""What cannot be reviewed or written is said in words: evaluations cut short, strangers, answers that are no rankings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from evaluation.planted import PAIR
from review_helpers import ReviewServer, some_rollouts, write_run

from character import Config
from character.errors import BudgetReachedError
from character.evaluation.effect import effect
from character.review.answers import RankAnswer
from character.review.store import ReviewStore


def review(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "character", "review", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_an_evaluation_that_was_cut_short_is_not_opened(tmp_path: Path) -> None:
    capped = Config.model_validate({"budget": {"max_calls": 20}})
    with pytest.raises(BudgetReachedError):
        effect(PAIR, tmp_path, config=capped, messages_per_trait=4)
    done = review(tmp_path)
    assert done.returncode == 2
    assert "an evaluation that is not finished" in done.stderr
    assert "character effect" in done.stderr


def test_rankings_of_a_stranger_are_not_written_and_the_known_names_are_told(tmp_path: Path) -> None:
    made = some_rollouts(2)
    folder, out = write_run(tmp_path / "run", made), tmp_path / "labels.jsonl"
    candidates = made[0].candidates
    assert candidates is not None
    answer = RankAnswer(candidates_id=candidates.id, order=((1,), (0,), (2,), (3,)))
    with ReviewStore(folder) as reviews:
        reviews.record("Ann", "rank", {made[0].message.id: answer}, seen=0, nonce="one")
    done = review(folder, "--export", str(out), "--reviewer", "Nobody")
    assert (done.returncode, out.exists()) == (2, False)
    assert "by Nobody" in done.stderr
    assert "one of Ann" in done.stderr
    assert review(folder, "--export", str(out), "--reviewer", "Ann").returncode == 0
    assert out.is_file()


def test_an_effect_has_no_rankings_to_write_and_its_sign_off_page_tells_of_the_rehearsal(
    tmp_path: Path,
) -> None:
    effect(PAIR, tmp_path, messages_per_trait=4, neutral_messages=2)
    done = review(tmp_path, "--export", str(tmp_path / "labels.jsonl"))
    assert done.returncode == 2
    assert "holds an effect, whose answers are no rankings" in done.stderr
    assert "--report" in done.stderr
    with ReviewServer(tmp_path) as server:
        assert "The rehearsal model had a hand in this" in server.get("/sign?as=Ann").text
