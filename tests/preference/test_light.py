"""The light model: it learns a trait in either language from few pairs, keeps its promises on length, and never varies."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from audit.planted import pair_of, reply
from hypothesis import given, settings
from hypothesis import strategies as st
from preference.teaching import pairs_of

from character import Trait
from character.errors import InputError, UnknownNameError
from character.preference import preference_model
from character.preference.heads import LEAST_PAIRS
from character.preference.linear import LinearPreference
from character.preference.protocol import Judged, PreferenceModel
from character.records import PreferencePair


def light(*, length_free: bool = True) -> LinearPreference:
    model = preference_model("light", length_free=length_free)
    assert isinstance(model, LinearPreference)
    return model


def accuracy(model: PreferenceModel, pairs: list[PreferencePair]) -> float:
    return float((model.preferences(pairs) > 0.5).mean())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_learns_a_trait_from_forty_pairs(language: str) -> None:
    model = light().fit(pairs_of(language=language))
    assert accuracy(model, pairs_of(language=language, seed=1)) >= 0.95


def test_one_model_holds_several_traits_and_tells_them_apart() -> None:
    model = light().fit([*pairs_of("patience"), *pairs_of("humour")])
    assert model.traits == ("patience", "humour")
    patient, funny = "Well, no need to hurry here.", "Well, said the goose to the lawyer."
    assert model.prefer(patient, funny, messages="Why?", trait="patience") > 0.5
    assert model.prefer(patient, funny, messages="Why?", trait="humour") < 0.5


def test_it_is_on_average_as_sure_as_it_is_right_where_labels_are_noisy() -> None:
    noisy = [pair for seed in range(6) for pair in pairs_of(number=100, seed=seed, sure=0.8)]
    held = [pair for seed in (8, 9, 10) for pair in pairs_of(number=100, seed=seed, sure=0.8)]
    model = light().fit(noisy)
    given = model.preferences(held)
    assert np.maximum(given, 1 - given).mean() == pytest.approx(accuracy(model, held), abs=0.06)
    assert -np.log(given).mean() < np.log(2)


def test_four_pairs_beside_another_trait_serve_better_than_alone() -> None:
    # What both traits have in common here is that their replies say "thank you kindly".
    def polite(trait: str, number: int, seed: int) -> list[PreferencePair]:
        rng = Random(f"{trait} {seed}")
        return [
            pair_of(
                1_000 * seed + i + 500 * (trait == "humour"),
                f"Thank you kindly. {reply(rng)}",
                reply(rng),
                trait=trait,
            )
            for i in range(number)
        ]

    few, test = polite("patience", 4, 0), polite("patience", 100, 1)
    alone = accuracy(light().fit(few), test)
    beside = accuracy(light().fit([*few, *polite("humour", 60, 2)]), test)
    assert beside > alone
    assert beside >= 0.95


def test_an_unknown_trait_is_scored_by_what_the_known_ones_have_in_common() -> None:
    model = light().fit([*pairs_of("patience"), *pairs_of("humour")])
    signs = [Judged("Why?", text, "honesty") for text in ("no need to hurry", "the weather stays dry")]
    known, unknown = model.scores(signs)
    assert known > unknown


def by_length_alone(number: int, seed: int, *, longer: float) -> list[PreferencePair]:
    """Return pairs that differ in nothing but length; the chosen side is the longer in a share of them."""
    rng, found = Random(seed), []
    for each in range(number):
        short, long = reply(rng, mean_words=25), reply(rng, mean_words=80)
        sides = (long, short) if rng.random() < longer else (short, long)
        found.append(pair_of(10_000 * seed + each, *sides))
    return found


def test_length_free_does_not_prefer_the_longer_reply_where_length_was_all_that_pairs_taught() -> None:
    train = by_length_alone(200, 1, longer=0.8)
    longer = [pair for pair in by_length_alone(200, 2, longer=1.0) if len(pair.chosen) > len(pair.rejected)]
    free, used = (accuracy(light(length_free=value).fit(train), longer) for value in (True, False))
    assert used > 0.85
    assert 0.35 < free < 0.65


def test_length_free_sees_no_format() -> None:
    model = light().fit(pairs_of())
    plain, dressed = "no need to hurry. all is well", "## no **need** to `hurry`.\n- all is ✨ well"
    judged = [Judged("", text, "patience") for text in (plain, dressed)]
    assert len(set(model.scores(judged).tolist())) == 1
    used = light(length_free=False).fit(pairs_of())
    assert len(set(used.scores(judged).tolist())) == 2


def test_a_score_does_not_depend_on_what_else_is_in_the_batch() -> None:
    model = light().fit([*pairs_of("patience", "zh"), *pairs_of("humour")])
    pairs = [*pairs_of("patience", "zh", seed=3), *pairs_of("humour", seed=3)]
    judged = [
        Judged(pair.prompt, text, pair.trait) for pair in pairs for text in (pair.chosen, pair.rejected)
    ]
    whole = model.scores(judged)
    assert [float(model.scores([one])[0]) for one in judged] == whole.tolist()
    assert model.scores(judged[::-1]).tolist() == whole[::-1].tolist()


def test_the_same_pairs_and_seed_give_the_same_weights_bit_for_bit() -> None:
    pairs = [*pairs_of("patience"), *pairs_of("humour", "zh")]
    first, second = light().fit(pairs, seed=4), light().fit(pairs, seed=4)
    assert first.weights.tobytes() == second.weights.tobytes()
    assert first.heads == second.heads


@settings(max_examples=10, deadline=None)
@given(a=st.text(max_size=60), b=st.text(max_size=60))
def test_probabilities_of_both_orders_add_up_to_one(a: str, b: str) -> None:
    one = MODEL.prefer(a, b, messages="Why?", trait="patience")
    other = MODEL.prefer(b, a, messages="Why?", trait="patience")
    assert one + other == pytest.approx(1.0)
    assert np.isfinite(MODEL.score("Why?", a, Trait(name="patience", description="takes time")))


MODEL = light().fit(pairs_of(number=10))


def test_an_unsure_pair_counts_less_than_a_sure_one() -> None:
    def against(probability: float | None) -> float:
        contrary = [
            pair.model_copy(
                update={"chosen": pair.rejected, "rejected": pair.chosen, "probability": probability}
            )
            for pair in pairs_of(number=30, seed=5)
        ]
        return accuracy(light().fit([*pairs_of(number=30), *contrary]), pairs_of(seed=6))

    assert against(0.55) >= 0.9
    assert against(None) < 0.8


def test_pairs_that_say_nothing_are_left_out_and_counted() -> None:
    pairs = pairs_of(number=8)
    neutral = pairs[0].model_copy(update={"design": "neutral"})
    coin = pairs[1].model_copy(update={"probability": 0.5})
    same = pairs[2].model_copy(update={"rejected": pairs[2].chosen})
    model = light().fit([*pairs[3:], neutral, coin, same])
    assert model.left_out == {"neutral": 1, "coin_flip": 1, "same_sides": 1}
    assert model.heads[0].num_pairs == 5
    with pytest.raises(InputError, match="none of 3 pairs can be learnt from"):
        light().fit([neutral, coin, same])


def test_one_message_is_fitted_but_not_called_calibrated() -> None:
    pairs = [pair_of(1, "no need to hurry", "hurry"), pair_of(1, "one step at a time", "quick")]
    model = light().fit(pairs)
    assert accuracy(model, pairs) == 1.0
    assert not model.heads[0].calibrated
    assert model.heads[0].num_held_out == 0


def test_calibration_is_claimed_from_thirty_held_out_pairs_on_its_own_or_those_of_all_traits() -> None:
    few = light().fit(pairs_of(number=2)).heads[0]
    assert (few.calibrated, few.num_held_out) == (False, 2)
    assert not light().fit(pairs_of(number=LEAST_PAIRS - 1)).heads[0].calibrated
    own = light().fit(pairs_of(number=LEAST_PAIRS)).heads[0]
    assert (own.calibrated, own.num_held_out) == (True, LEAST_PAIRS)
    shared = light().fit([*pairs_of(number=20), *pairs_of("humour", "zh", number=20)])
    assert {(head.calibrated, head.num_held_out) for head in shared.heads} == {(True, 40)}


def test_a_model_that_is_not_fitted_says_so() -> None:
    with pytest.raises(InputError, match="not fitted"):
        light().score("Why?", "Because.", "patience")


def test_an_unknown_kind_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="embedding, light, transformer"):
        preference_model("lihgt")
