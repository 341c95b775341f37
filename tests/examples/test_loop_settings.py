"""Every setting that the closed loop trains with is one that the trainer takes."""

from __future__ import annotations

import pytest
from closed_loop.plan import LoopConfig
from closed_loop.steps import settings_of

from character.training.trl_settings import checked_values


@pytest.mark.parametrize("method", ["dpo", "reward", "grpo"])
def test_the_trainer_takes_every_setting_of_the_loop(method: str) -> None:
    values = settings_of(method, LoopConfig())
    assert checked_values(method, values) == values  # type: ignore[arg-type]
