"""What `character effect` leaves in its folder is reviewed as it stands: which of two responses has the trait."""

from __future__ import annotations

from pathlib import Path

from evaluation.planted import PAIR
from review_helpers import ReviewServer

from character.evaluation.effect import effect
from character.review.answers import EffectAnswer
from character.review.store import ReviewStore


def test_an_evaluation_opens_at_its_most_doubtful_item_and_keeps_what_is_said(tmp_path: Path) -> None:
    effect(PAIR, tmp_path / "effect", messages_per_trait=3, neutral_messages=0)
    with ReviewServer(tmp_path / "effect") as server:
        page = server.get("/effect?as=Ann")
        assert page.status == 200
        first = page.field("item")
        after = server.answer(page, "/effect?as=Ann", guess="A", overdone="no")
        assert after.status == 200
        assert after.field("item") != first
    with ReviewStore(tmp_path / "effect", write=False) as reviews:
        ((item, answer),) = [(said.item, said.answer) for said in reviews.answers("effect")]
    assert item == first
    assert isinstance(answer, EffectAnswer)
