"""What the audit says of a jury whose jurors were not all shown the same candidates."""

from __future__ import annotations

import json
from pathlib import Path

from evaluation.planted import PATIENCE
from own_parts import batches, three_replies

from character import Candidates, CharacterProgram, Constitution, Ranking, audit_run, run
from character.records import RankingPass

SHOWN = {"whole": (0.9, 0.5, 0.1), "part": (0.9, 0.5, None), "other": (0.8, 0.4, 0.2)}


def jury(candidates: Candidates) -> Ranking:
    """Rank as three jurors do, of whom one was shown two candidates."""
    passes = [
        RankingPass(shown=tuple(range(3 - scores.count(None))), scores=scores, juror=name)
        for name, scores in SHOWN.items()
    ]
    return Ranking.from_scores(candidates, [0.9, 0.5, 0.1]).model_copy(update={"passes": tuple(passes)})


def test_a_jurors_agreement_is_that_over_the_candidates_it_was_shown(tmp_path: Path) -> None:
    program = CharacterProgram(responder=three_replies, ranker=jury)
    run(
        Constitution(name="clerk", traits=(PATIENCE,)), tmp_path / "run", messages=batches(6), program=program
    )
    audited = audit_run(tmp_path / "run")
    jurors = json.loads(audited.model_dump_json())["rankings"]["jurors"]
    assert {row["juror"]: row["tau"][0] for row in jurors} == dict.fromkeys(SHOWN, 1.0)
