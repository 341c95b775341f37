"""An evaluation never scores what was fitted on, and its parts say what they claim to say."""

from __future__ import annotations

import pytest
from audit.planted import pair_of
from preference.teaching import pairs_of

from character.errors import InputError
from character.locale import LANGUAGES, Language, wording
from character.preference import preference_model
from character.preference.evaluation import cross_validate, evaluate
from character.preference.evaluation_records import PreferenceEvaluation
from character.preference.folds import folds_of, message_key
from character.preference.page import evaluation_page
from character.preference.protocol import Judged, PreferenceModel
from character.records import PreferencePair
from character.report import render

PAGE = {language: wording("preference.page", language) for language in LANGUAGES}


def both(number: int = 30, seed: int = 0) -> list[PreferencePair]:
    return [*pairs_of("patience", number=number, seed=seed), *pairs_of("humour", number=number, seed=seed)]


@pytest.fixture(scope="module")
def found() -> PreferenceEvaluation:
    """Return the cross-validation of a model that learns two traits."""
    return cross_validate(preference_model("light"), both())


def test_messages_that_were_fitted_on_are_left_out_and_counted() -> None:
    model = preference_model("light").fit(both())
    again = evaluate(model, [*both(), *both(seed=1)])
    assert (again.how, again.num_seen, again.overall.num_pairs) == ("held_out", 60, 60)
    with pytest.raises(InputError, match="fitted on the messages of all 60 pairs"):
        evaluate(model, both())


def test_a_message_that_differs_in_punctuation_alone_counts_as_the_same() -> None:
    pair = pair_of(1, "a", "b")
    turns = (pair.prompt[0].model_copy(update={"content": "Question 1 ?!"}),)
    assert message_key(pair) == message_key(pair.model_copy(update={"prompt": turns}))


def test_folds_keep_messages_whole_are_even_and_do_not_depend_on_the_order() -> None:
    keys = [key for key in range(23) for _ in range(1 + key % 3)]
    fold = folds_of(keys, 5, seed=1)
    of_key = dict(zip(keys, fold.tolist(), strict=True))
    assert [of_key[key] for key in keys] == fold.tolist()
    sizes = [list(of_key.values()).count(each) for each in range(5)]
    assert max(sizes) - min(sizes) <= 1
    backwards = folds_of(keys[::-1], 5, seed=1)
    assert backwards.tolist() == fold.tolist()[::-1]


def test_every_pair_is_predicted_once_by_a_model_that_has_not_seen_its_message(
    found: PreferenceEvaluation,
) -> None:
    assert found.overall.num_pairs == 60
    seen: list[set[int]] = []

    class Recording:
        """Passes fits and scores on, and notes which messages each was of."""

        kind, traits, seen_messages = "light", (), frozenset[int]()

        def __init__(self, inner: PreferenceModel, keys: frozenset[int] = frozenset()) -> None:
            self.inner, self.keys = inner, keys

        def fit(self, pairs: list[PreferencePair], *, seed: int = 0) -> Recording:
            return Recording(self.inner.fit(pairs, seed=seed), frozenset(message_key(pair) for pair in pairs))

        def scores(self, judged: list[Judged]) -> object:
            asked = {
                message_key(pair_of(0, "a", "b").model_copy(update={"prompt": tuple(one.messages)}))
                for one in judged
            }
            seen.append(asked & self.keys)
            return self.inner.scores(judged)

    cross_validate(Recording(preference_model("light")), both(8))  # type: ignore[arg-type]
    assert seen
    assert not any(seen)


def test_the_parts_tell_what_there_is(found: PreferenceEvaluation) -> None:
    assert set(found.groups) == {"trait", "kind", "language", "design"}
    assert {rival.name for rival in found.rivals} == {"longer", "shorter", "confounds", "length_used"}
    longer = next(rival for rival in found.rivals if rival.name == "longer")
    assert longer.length_balanced.value == pytest.approx(0.5)
    assert longer.gain.value == pytest.approx(found.overall.accuracy.value - longer.accuracy.value)
    assert set(found.unseen) == set(found.specificity) == {"patience", "humour"}
    sizes = [point.num_messages for point in found.curve]
    assert sizes == sorted(sizes)
    assert found.curve[-1].accuracy.value >= found.curve[0].accuracy.value


def test_it_is_specific_where_the_traits_have_their_own_signs(found: PreferenceEvaluation) -> None:
    assert all(measure.value > 0.8 for measure in found.specificity.values())


def test_the_judge_is_held_against_the_levels_and_its_own_probabilities() -> None:
    pairs = [
        pair.model_copy(update={"probability": 0.8, "chosen_level": good, "rejected_level": bad})
        for number, pair in enumerate(pairs_of(number=20, seed=3))
        for good, bad in [("natural", "absent") if number % 4 else ("overdone", "natural")]
    ]
    judge = evaluate(preference_model("light").fit(pairs_of()), pairs).judge
    assert judge.claimed.value == pytest.approx(0.8)
    assert judge.num_levels == 20
    assert judge.judge.value == pytest.approx(0.75)


def test_disagreements_are_shown_surest_first() -> None:
    swapped = [
        p.model_copy(update={"chosen": p.rejected, "rejected": p.chosen}) for p in pairs_of(number=5, seed=4)
    ]
    model = preference_model("light").fit(pairs_of())
    shown = evaluate(model, [*pairs_of(number=5, seed=5), *swapped]).disagreements
    assert [one.probability for one in shown] == sorted((one.probability for one in shown), reverse=True)
    assert {one.pair_id for one in shown} >= {swapped[0].id}


def test_neutral_pairs_are_counted_and_one_message_cannot_be_cross_validated() -> None:
    neutral = pair_of(1, "a", "b").model_copy(update={"design": "neutral"})
    assert cross_validate(preference_model("light"), [*both(6), neutral]).left_out == {"neutral": 1}
    with pytest.raises(InputError, match="nothing can be held out"):
        cross_validate(preference_model("light"), [pair_of(1, "a b c", "d e f")] * 3)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_renders_in_both_languages(found: PreferenceEvaluation, language: Language) -> None:
    html = render(evaluation_page(found, language))
    assert PAGE[language]["reliability"] in html
    assert "http-equiv" in html


def test_both_languages_have_the_same_words() -> None:
    assert set(PAGE["en"]) == set(PAGE["zh"])
