"""What a tuned model does otherwise than its base: shifts with intervals by message, and the card on them."""

from __future__ import annotations

import numpy as np
import pytest
from closed_loop.measured import PLAIN_MEASURES, Measure, card_text, lines_of, measure_effect
from training_rows import pair

from character import Message
from character.config import TrainConfig
from character.training.card import model_card, write_card
from character.training.preparing import write_training

WORDS = (
    Measure("patience", "target", lambda _m, texts: [float("slowly" in text) for text in texts]),
    Measure("humour", "other", lambda _m, texts: [float("joke" in text) for text in texts]),
    Measure("on topic", "kept", lambda _m, texts: [float("rice" in text) for text in texts]),
)


def messages(number: int, language: str = "en") -> list[Message]:
    return [
        Message.of(f"Question {i} ({language})?", trait="patience", language=language) for i in range(number)
    ]


def test_a_shift_is_the_difference_of_the_means_with_an_interval_around_it():
    asked = messages(40)
    base = [["rice", "rice"]] * 40
    tuned = [["rice slowly", "rice"]] * 20 + [["rice slowly", "rice slowly"]] * 20
    shift = measure_effect(asked, base, tuned, WORDS).shift("patience")
    assert (shift.base, shift.tuned, shift.shift) == (0.0, 0.75, 0.75)
    assert shift.low < 0.75 < shift.high
    assert shift.num_messages == 40


def test_replies_to_one_message_count_as_one():
    # Twenty replies to each of ten messages that all agree within a message say no more than ten replies.
    asked = messages(10)
    base = [["rice"]] * 10
    many = [["rice slowly"] * 20 if i < 5 else ["rice"] * 20 for i in range(10)]
    once = [replies[:1] for replies in many]
    wide = measure_effect(asked, base, many, WORDS).shift("patience")
    assert (wide.low, wide.high) == tuple(
        getattr(measure_effect(asked, base, once, WORDS).shift("patience"), end) for end in ("low", "high")
    )


def test_side_effects_are_flagged_by_their_role():
    asked = messages(50)
    base = [["rice"]] * 50
    tuned = [["slowly joke"] if i % 2 else ["rice slowly"] for i in range(50)]
    report = measure_effect(asked, base, tuned, WORDS)
    assert [each.name for each in report.side_effects] == ["humour", "on topic"]
    assert sum("look" in line for line in lines_of(report)) == 2


def test_nothing_is_flagged_where_nothing_changed_at_the_stated_error_rate():
    asked, flags = messages(60), 0
    for seed in range(50):
        random = np.random.default_rng(seed)
        base, tuned = (
            [["joke" if value < 0.3 else "rice" for value in row] for row in random.random((60, 4))]
            for _ in "ab"
        )
        flags += any(each.flagged for each in measure_effect(asked, base, tuned, WORDS[:2], seed=seed).shifts)
    assert flags <= 5


def test_languages_are_told_apart():
    asked = [*messages(20), *messages(20, "zh")]
    base = [["rice"]] * 40
    tuned = [["rice slowly"]] * 20 + [["rice"]] * 20
    report = measure_effect(asked, base, tuned, WORDS)
    assert (report.shift("patience", "en").shift, report.shift("patience", "zh").shift) == (1.0, 0.0)


def test_what_needs_no_judge_is_measured_in_both_languages():
    asked = [
        Message.of("How do I cook rice?", trait="patience"),
        Message.of("怎么煮米饭？", trait="patience"),
    ]
    base = [["Wash it first."], ["先把米洗干净。"]]
    tuned = [["I'm sorry, but I can't help with that."], ["Wash the rice in cold water first, then boil it."]]
    report = measure_effect(asked, base, tuned, PLAIN_MEASURES)
    assert report.shift("refusals").tuned == 0.5
    assert report.shift("wrong language").tuned == 0.5
    assert report.shift("characters").shift > 0


@pytest.fixture
def trained(write_rows, model):
    rows = [pair(number, chosen="Go slowly.", rejected="Hurry up!!") for number in range(20)]
    facts = {
        "constitution": "pair",
        "rehearsal": True,
        "run_fingerprint": "feed",
        "constitution_fingerprint": "beef",
    }
    return write_training("dpo", write_rows(train=rows).parent, TrainConfig(model=str(model)), facts=facts)


def test_a_card_without_a_measurement_says_that_there_is_none(trained):
    card = model_card(trained)
    assert f"base_model: {trained.facts.model}" in card
    assert "Nothing was measured yet" in card
    assert "rehearsal" in card


def test_a_card_says_base_data_shift_side_effects_and_languages(trained):
    asked = [*messages(20), *messages(20, "zh")]
    tuned = [["slowly joke"]] * 40
    effect = measure_effect(asked, [["rice"]] * 40, tuned, WORDS)
    (trained.folder / "model").mkdir()
    card = write_card(trained, card_text(effect)).read_text("utf-8")
    assert trained.facts.data_fingerprint in card
    assert trained.facts.model_fingerprint in card
    assert "Side effects to look at: humour, on topic" in card
    assert "| patience (target) | 0% to 100% (+1.00" in card
    assert "| zh | before" in card
