"""The error tree: one root catches whatever is raised on purpose, and every error says what it has to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import character
from character.errors import CharacterError, UnknownNameError
from optimizers.artifact.artifact import load_artifact
from optimizers.errors import ArtifactError, LabelledError, OptimizerError


def test_the_root_of_the_tree_is_a_public_name() -> None:
    assert character.CharacterError is CharacterError


@pytest.mark.parametrize("read", [character.read_labelled, load_artifact])
def test_the_root_catches_what_the_optimizers_raise(read: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"neither": "labels", "nor": "a ranker"}', encoding="utf-8")
    with pytest.raises(CharacterError) as caught:
        read(tmp_path / "broken.json")
    assert str(tmp_path / "broken.json") in caught.value.found
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("error", [OptimizerError, LabelledError, ArtifactError])
def test_an_error_of_the_optimizers_is_a_value_error_too(error: type[CharacterError]) -> None:
    assert issubclass(error, CharacterError)
    assert issubclass(error, ValueError)


def test_an_error_says_what_was_found_what_was_expected_and_what_to_do() -> None:
    error = UnknownNameError("design", "allpairs", ["all_pairs", "best_worst"])
    assert str(error) == (
        "design 'allpairs' is not known.\n"
        "  Expected: one of all_pairs, best_worst\n"
        "  To fix it: did you mean 'all_pairs'?"
    )
