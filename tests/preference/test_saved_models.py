"""Saved and loaded, a model gives the same scores bit for bit, and says the same about itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from preference.teaching import pairs_of

from character.errors import InputError, ModelFileError
from character.preference import load_preference_model, preference_model
from character.preference.linear import LinearPreference


def lengths(texts: list[str]) -> np.ndarray:
    """Return an embedding of our own: how often each of a few words comes."""
    return np.array(
        [[text.count(word) + 0.1 for word in ("hurry", "step", "again", "the", "a")] for text in texts]
    )


@pytest.mark.parametrize("length_free", [True, False])
def test_saved_and_loaded_a_light_model_scores_the_same_bit_for_bit(
    length_free: bool, tmp_path: Path
) -> None:
    pairs = [*pairs_of("patience"), *pairs_of("humour", "zh")]
    model = preference_model("light", length_free=length_free).fit(pairs)
    model.save(tmp_path / "model")
    again = load_preference_model(tmp_path / "model")
    tested = [*pairs_of("patience", seed=2), *pairs_of("humour", "zh", seed=2)]
    assert again.preferences(tested).tobytes() == model.preferences(tested).tobytes()
    assert isinstance(again, LinearPreference)
    assert isinstance(model, LinearPreference)
    assert (again.heads, again.seen_messages, again.left_out) == (
        model.heads,
        model.seen_messages,
        model.left_out,
    )
    again.save(tmp_path / "again")
    for name in ("preference.json", "preference.npz"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "model" / name).read_bytes()


def test_an_embedding_model_is_loaded_with_its_embedder(tmp_path: Path) -> None:
    pairs = pairs_of(number=60)
    model = preference_model("embedding", embedder=lengths).fit(pairs)
    assert (model.preferences(pairs_of(seed=1)) > 0.5).mean() > 0.7
    model.save(tmp_path)
    again = load_preference_model(tmp_path, embedder=lengths)
    assert again.preferences(pairs).tobytes() == model.preferences(pairs).tobytes()
    with pytest.raises(InputError, match="without its embedder"):
        load_preference_model(tmp_path).preferences(pairs)
    with pytest.raises(InputError, match=r"shape \(1, 3\)"):
        load_preference_model(tmp_path, embedder=lambda texts: np.ones((len(texts), 3))).score(
            "", "x", "patience"
        )


@pytest.mark.parametrize(
    "bad", [lambda texts: np.ones(len(texts)), lambda texts: np.full((len(texts), 2), np.nan)]
)
def test_an_embedder_that_gives_no_rows_of_numbers_is_refused(bad: Any) -> None:
    with pytest.raises(InputError, match="the embedder gave"):
        preference_model("embedding", embedder=bad).fit(pairs_of(number=6))


def test_a_model_that_is_not_fitted_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not fitted"):
        preference_model("light").save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelFileError, match="cannot be written"):
        preference_model("light").fit(pairs_of(number=6)).save(tmp_path / "file")
