"""The second opinion on the queue: what a preference model would have the other way round comes first, the surest before all."""

from __future__ import annotations

from pathlib import Path

import pytest
from review_helpers import some_rollouts, write_run

from character.errors import ModelFileError
from character.preference import load_preference_model, preference_model
from character.records import PreferencePair
from character.review.index import Filters, Index, Second, facts_of, next_item, second_of
from character.review.sources import EffectItems
from character.review.store import ReviewStore
from character.store.run_store import RunStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", some_rollouts(18))


def pairs_in(folder: Path) -> list[PreferencePair]:
    with RunStore(folder) as run:
        return [pair for rollout in run.rollouts() for pair in rollout.pairs]


def queued(folder: Path, second: Second | None) -> tuple[str, dict[str, object]]:
    """Return the message that comes first to be compared, and what is compared."""
    with RunStore(folder) as run, ReviewStore(folder) as reviews:
        index = Index(reviews, run, EffectItems(), None, second)
        index.run()
        assert not index.error
        first = next_item(reviews, "Ann", "compare", Filters())
        assert first is not None
        facts = facts_of(reviews, "compare", first)
        assert facts is not None
        return first, facts


def test_the_surest_disagreement_comes_first_and_is_what_is_compared(folder: Path, tmp_path: Path) -> None:
    pairs = pairs_in(folder)
    turned = [pair.model_copy(update={"chosen": pair.rejected, "rejected": pair.chosen}) for pair in pairs]
    preference_model("light").fit(turned).save(tmp_path / "turned")
    model = load_preference_model(tmp_path / "turned")
    chosen = model.preferences(pairs)
    worst = pairs[int(chosen.argmin())]
    assert chosen.min() < 0.5
    message, facts = queued(folder, second_of(tmp_path / "turned"))
    assert message == worst.message_id
    with RunStore(folder) as run:
        texts = next(run.rollouts(message)).candidates.texts
    assert {texts[facts["left"]], texts[facts["right"]]} == {worst.chosen, worst.rejected}  # type: ignore[call-overload]


def test_without_it_the_queue_is_made_anew_as_it_was(folder: Path) -> None:
    before = queued(folder, None)
    pairs = pairs_in(folder)
    last = pairs[-1].message_id
    assert last != before[0]
    against_one = Second("one", lambda asked: [0.1 if pair.message_id == last else 0.9 for pair in asked])
    assert queued(folder, against_one)[0] == last
    assert queued(folder, None) == before


def test_who_agrees_changes_nothing(folder: Path) -> None:
    before = queued(folder, None)
    assert queued(folder, Second("agrees", lambda asked: [0.9] * len(asked))) == before


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError):
        second_of(tmp_path)
