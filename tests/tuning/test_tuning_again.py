"""An optimization is the same whichever thread comes first, and a finished one is not asked for again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import dspy
from fake_server import as_rehearsal
from own_parts import OwnLM

from character import optimize
from optimizers.labelled import read_labelled

LABELS = read_labelled(Path(__file__).parents[2] / "examples" / "labelled" / "patience-and-humour.en.jsonl")


def test_which_calls_the_budget_pays_for_does_not_hang_on_which_of_them_are_slow(tmp_path: Path) -> None:
    def slow(remainder: int) -> OwnLM:
        def reply(request: dict[str, Any]) -> str:
            time.sleep(0.02 * (len(str(request["messages"])) % 2 == remainder))
            return as_rehearsal(request)

        return OwnLM(reply)

    models = [slow(0), slow(1), OwnLM()]
    for number, lm in enumerate(models):
        with dspy.context(lm=lm):
            optimize(LABELS, tmp_path / str(number), strategy="calibrate", budget=60)
    one, other, third = (sorted(lm.prompts) for lm in models)
    assert one == other == third


def test_a_finished_optimization_is_read_and_asks_nothing_again(tmp_path: Path) -> None:
    lm = OwnLM(as_rehearsal)
    asked: dict[str, Any] = {"strategy": "calibrate", "budget": 60}
    with dspy.context(lm=lm):
        first = optimize(LABELS, tmp_path / "o", **asked)
        number, saved = len(lm.prompts), (tmp_path / "o" / "ranker.json").read_text(encoding="utf-8")
        again = optimize(LABELS, tmp_path / "o", **asked)
        assert (again.report, again.artifact) == (first.report, first.artifact)
        assert again.result.tuning == first.result.tuning
        (tmp_path / "o" / "report.json").unlink()
        anew = optimize(LABELS, tmp_path / "o", **asked)
    assert len(lm.prompts) == number
    assert (tmp_path / "o" / "ranker.json").read_text(encoding="utf-8") == saved
    assert anew.report.metrics == first.report.metrics
