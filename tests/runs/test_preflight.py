"""What could make no pair is refused before anything is paid for."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from character import Config, Constitution, Message, Trait, run
from character.errors import ConfigError, InputError
from character.pairs.designs import build_pairs
from character.records import Candidate, Candidates, Ranking
from character.runs.estimate import estimate

POLED = Trait(name="patience", description="Takes its time.", opposite="curt and hurried")
PLAIN = Trait(name="candour", description="Says what it thinks.")


@pytest.mark.parametrize(
    ("trait", "candidates", "design", "said"),
    [(PLAIN, 5, "opposite", "opposite pole"), (POLED, 5, "neutral", "at least 6 candidates|--candidates 6")],
)
def test_a_design_that_a_traits_levels_cannot_give_is_refused_before_the_first_call(
    tmp_path: Path, trait: Trait, candidates: int, design: str, said: str
) -> None:
    config = Config.model_validate({"responses": {"candidates": candidates}, "pairs": {"design": design}})
    constitution = Constitution(name="one", traits=(trait,))
    with pytest.raises(ConfigError, match=said):
        run(constitution, tmp_path / "run", config=config)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match=said):
        estimate(constitution, config)


@pytest.mark.parametrize(
    ("trait", "candidates", "design"), [(POLED, 5, "opposite"), (POLED, 6, "neutral"), (PLAIN, 5, "neutral")]
)
def test_a_design_that_the_levels_give_makes_pairs(
    tmp_path: Path, trait: Trait, candidates: int, design: str
) -> None:
    config = Config.model_validate(
        {
            "messages": {"per_trait": 6},
            "responses": {"candidates": candidates},
            "pairs": {"design": design, "min_margin": 0.0, "min_probability": 0.0},
        }
    )
    assert run(Constitution(name="one", traits=(trait,)), tmp_path / "run", config=config).pairs > 0


def test_fewer_passes_at_most_than_passes_are_refused() -> None:
    with pytest.raises(ValidationError, match="max_passes is 1, fewer than the 2 passes"):
        Config.model_validate({"ranking": {"max_passes": 1}})
    assert Config.model_validate({"ranking": {"passes": 6}}).ranking.most_passes == 6
    assert Config.model_validate({"ranking": {"passes": 1}}).ranking.most_passes == 1


@pytest.mark.parametrize(
    "limits",
    [
        {"min_margin": 2},
        {"min_margin": "a"},
        {"min_probability": -1},
        {"max_per_message": 0},
        {"max_per_message": -2},
    ],
)
def test_limits_that_cannot_be_are_refused(limits: dict[str, object]) -> None:
    message = Message.of("Why?", trait="patience")
    candidates = Candidates(
        message_id=message.id, trait="patience", items=(Candidate(text="a"), Candidate(text="b"))
    )
    ranking = Ranking.from_scores(candidates, [0.9, 0.1])
    with pytest.raises(InputError, match=next(iter(limits))):
        build_pairs(message, candidates, ranking, **limits)  # type: ignore[arg-type]


def test_a_message_is_in_the_language_of_its_text() -> None:
    assert Message.of("我的计划行不行？", trait="坦率").language == "zh"
    assert Message.of("Will my plan do?", trait="candour").language == "en"
