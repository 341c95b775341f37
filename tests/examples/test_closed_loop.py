"""The closed loop at a small size: it moves the trait, goes on where it stopped, shows what came of it."""

from __future__ import annotations

import json

import pytest
from closed_loop.loop import closed_loop
from closed_loop.plan import QUICK, LoopConfig

from character.errors import InputError

pytestmark = pytest.mark.train


def test_a_small_loop_moves_the_trait_is_not_repeated_and_refuses_another_seed(tmp_path):
    config = LoopConfig(size=QUICK, seed=0)
    found = closed_loop(tmp_path / "loop", config)
    effect = found.effects["dpo-judge"]
    assert effect.shift("patience").low > 0
    assert set(effect.by_language) == {"en", "zh"}
    page = (tmp_path / "loop/closed-loop.html").read_text("utf-8")
    assert "What this proves" in page
    assert "What it does not" in page
    card = (tmp_path / "loop/training/dpo-judge/model/README.md").read_text("utf-8")
    assert "patience (target)" in card

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "loop/steps").iterdir()}
    again = closed_loop(tmp_path / "loop", config)
    assert again.effects == found.effects
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "loop/steps").iterdir()} == before

    # A step whose note is gone is done again, with all that needs it, and comes to the same.
    (tmp_path / "loop/steps/sample-dpo-judge.json").unlink()
    assert closed_loop(tmp_path / "loop", config).effects == found.effects
    known = json.loads((tmp_path / "loop/steps/policy.json").read_text("utf-8"))
    assert known["seconds"] > 0

    with pytest.raises(InputError, match="another size or seed"):
        closed_loop(tmp_path / "loop", LoopConfig(size=QUICK, seed=1))
