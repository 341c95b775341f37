"""What is vetoed is in no later export, and the export says how much it left out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from review_helpers import CONSTITUTION, some_rollouts, write_run

from character.config import PairsConfig
from character.exports import ExportData, Split, export
from character.exports.formats import EXPORT_FORMATS
from character.records import Rollout
from character.review.answers import CheckAnswer, target_key
from character.review.store import ReviewStore
from character.store.vetoes import Vetoes, read_vetoes, without_vetoed

ALL = Split(train=1, validation=0, test=0)


def veto(folder: Path, *items: str, reviewer: str = "Ann") -> None:
    with ReviewStore(folder) as reviews:
        for item in items:
            reviews.record(
                reviewer,
                "check",
                {item: CheckAnswer(verdict="veto", note="no")},
                seen=0,
                nonce=f"{reviewer} {item}",
            )


def exported(folder: Path, out: Path, format: str = "trl") -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "character",
        "export",
        folder,
        "--format",
        format,
        "--out",
        out,
        "--split",
        "100/0/0",
        "--json",
    ]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_the_export_command_leaves_out_what_was_vetoed_and_says_how_much(tmp_path: Path) -> None:
    made = [each for each in some_rollouts(30) if each.pairs][-12:]
    folder = write_run(tmp_path / "run", made)
    before = exported(folder, tmp_path / "before")
    assert before["skipped"] == {}
    message, pair, candidates = made[11].message, made[10].pairs[0], made[9].candidates
    assert candidates
    veto(
        folder,
        target_key("message", message.id),
        target_key("pair", pair.id),
        target_key("candidate", candidates.id, 3),
    )
    after = exported(folder, tmp_path / "after")
    assert after["skipped"] == {
        "pair_with_vetoed_candidate": 1,
        "vetoed_candidate": 1,
        "vetoed_message": 1,
        "vetoed_pair": 1,
    }
    lines = (tmp_path / "after" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    cards = [(tmp_path / name / "README.md").read_text(encoding="utf-8") for name in ("before", "after")]
    assert ["No person rated anything" in card for card in cards] == [True, False]
    assert "what they vetoed was left out" in cards[1]
    lost = before["files"][0]["rows"] - len(rows)
    assert lost == len(made[11].pairs) + 2
    assert {row["message_id"] for row in rows}.isdisjoint({message.id})
    assert pair.id not in {row["pair_id"] for row in rows}
    assert candidates.texts[3] not in {row["rejected"][0]["content"] for row in rows}


def test_a_veto_stands_until_its_own_reviewer_takes_it_back(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", some_rollouts(2))
    veto(folder, "trait:humour", "trait:patience")
    veto(folder, "trait:patience", reviewer="Bo")
    with ReviewStore(folder) as reviews:
        reviews.record("Ann", "check", {"trait:humour": CheckAnswer(verdict="approve")}, seen=9, nonce="2")
        reviews.record("Ann", "check", {"trait:patience": CheckAnswer(verdict="approve")}, seen=9, nonce="3")
    assert read_vetoes(folder) == Vetoes(traits=frozenset({"patience"}))


@pytest.mark.parametrize("format", sorted(EXPORT_FORMATS))
def test_no_format_holds_a_vetoed_text(tmp_path: Path, format: str) -> None:
    made = some_rollouts(16)
    one, other = made[14].candidates, made[12].message
    assert one
    vetoes = Vetoes(
        traits=frozenset({"humour"}),
        messages=frozenset({other.id}),
        candidates=frozenset({(one.id, 2)}),
    )
    data = ExportData(constitution=CONSTITUTION, rollouts=tuple(made), vetoes=vetoes)
    report = export(data, format, tmp_path / "out", split=ALL)
    assert report.skipped["vetoed_trait"] == sum(each.message.trait == "humour" for each in made)
    assert report.skipped["vetoed_candidate"] == 1
    if format == "parquet":
        import pyarrow.parquet as pq

        text = str(pq.read_table(tmp_path / "out" / "train.parquet").to_pylist())
    else:
        text = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "out").glob("*.json*"))
    assert "Answer P to message 14," in text or format == "trl-prompt"
    assert "Answer R to message 14," not in text
    assert "message 3," not in text
    assert other.text not in text


def test_pairs_built_anew_have_no_vetoed_side(tmp_path: Path) -> None:
    made = some_rollouts(4)
    assert made[0].candidates
    vetoes = Vetoes(candidates=frozenset({(made[0].candidates.id, 0)}))
    data = ExportData(constitution=CONSTITUTION, rollouts=tuple(made), vetoes=vetoes)
    export(data, "trl", tmp_path / "out", split=ALL, pairs=PairsConfig(design="all", min_probability=0.5))
    rows = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text("utf-8").splitlines()]
    sides = {side[0]["content"] for row in rows for side in (row["chosen"], row["rejected"])}
    assert made[0].candidates.texts[0] not in sides
    assert set(made[0].candidates.texts[1:]) <= sides


def test_a_ranking_without_a_vetoed_candidate_is_still_one() -> None:
    (rollout,) = some_rollouts(1)
    assert rollout.candidates
    assert rollout.ranking
    left_out: Counter[str] = Counter()
    vetoes = Vetoes(candidates=frozenset({(rollout.candidates.id, 1)}))
    found = without_vetoed(rollout, vetoes, left_out)
    assert found
    assert found.candidates
    assert found.ranking
    assert found.ranking.scores == tuple(s for i, s in enumerate(rollout.ranking.scores) if i != 1)
    assert found.ranking.order == ((0,), (1,), (2,))
    assert len(found.ranking.probabilities) == len(found.ranking.probabilities[0]) == 3
    assert Rollout.model_validate(found.model_dump(by_alias=True)) == found
    everything = Vetoes(candidates=frozenset((rollout.candidates.id, i) for i in range(4)))
    emptied = without_vetoed(rollout, everything, left_out)
    assert emptied
    assert (emptied.candidates, emptied.ranking, emptied.pairs) == (None, None, ())
