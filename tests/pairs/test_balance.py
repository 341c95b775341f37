"""Balancing: what is planted is gone afterwards, at a sensible cost, and what cannot go is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from audit.planted import pair_of, planted, reply
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import optimize

from character.audit.confounds import audit_confounds
from character.errors import InputError, UnknownNameError
from character.pairs.balance import MIN_SHARE, balance
from character.pairs.balance_solvers import SolverLimits, choose_rows, reachable_share, weigh_rows


def _kept(pairs, balanced):
    kept = set(balanced.kept)
    return [pair for pair in pairs if pair.id in kept]


def _opener(rng, text, share):
    return f"Well, {text}" if rng.random() < share else text


def _emoji(rng, text, share):
    return f"{text} 😊" if rng.random() < share else text


PLANTS: dict[str, Any] = {
    "length": {"chosen": lambda _rng, text: f"{text} {text}"},
    "opener": {
        "chosen": lambda rng, text: _opener(rng, text, 0.6),
        "rejected": lambda rng, text: _opener(rng, text, 0.1),
    },
    "emoji": {
        "chosen": lambda rng, text: _emoji(rng, text, 0.5),
        "rejected": lambda rng, text: _emoji(rng, text, 0.1),
    },
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("plant", "least_share"), [("length", 0.3), ("opener", 0.4), ("emoji", 0.45)])
def test_a_subset_has_no_confound_left_and_keeps_a_sensible_share(plant, least_share, language) -> None:
    pairs = planted(200, language=language, **PLANTS[plant])
    assert audit_confounds(pairs).flagged
    balanced = balance(pairs)
    again = audit_confounds(_kept(pairs, balanced))
    assert again.flagged == balanced.unreached == ()
    assert max(abs(row.effect) for row in again.run.features) <= 0.1 + 1e-6
    assert all(abs(row.effect_after) <= 0.1 + 1e-6 for row in balanced.rows)
    assert all(abs(row.difference_after or 0) <= 0.1 + 1e-6 for row in balanced.rows)
    assert balanced.share == balanced.num_kept / balanced.num_pairs >= least_share
    assert balanced.num_messages_kept <= balanced.num_messages == 200


@pytest.mark.parametrize("plant", list(PLANTS))
def test_weights_bring_the_effects_to_zero_and_keep_every_pair(plant) -> None:
    pairs = planted(200, **PLANTS[plant])
    balanced = balance(pairs, method="weights")
    weights = np.array(list(balanced.weights.values()))
    assert list(balanced.weights) == list(balanced.kept) == [pair.id for pair in pairs]
    assert max(abs(row.effect_after) for row in balanced.rows) < 0.01
    assert weights.min() > 0
    assert weights.max() <= 5.1
    assert weights.mean() == pytest.approx(1)
    assert 0.3 * 600 < balanced.effective_pairs < 600
    longer = np.array([np.sign(len(pair.chosen) - len(pair.rejected)) for pair in pairs])
    row = next(row for row in balanced.rows if row.name == "characters")
    assert row.effect_after == pytest.approx(weights @ longer / weights.sum())


def test_pairs_without_a_confound_all_stay() -> None:
    balanced = balance(planted(400))
    assert (balanced.share, balanced.unreached, balanced.weights) == (1.0, (), {})


@pytest.mark.parametrize("method", ["subset", "weights"])
def test_what_no_pair_speaks_against_is_named_and_the_rest_is_balanced(method) -> None:
    pairs = planted(
        150,
        chosen=lambda rng, text: _emoji(rng, f"{text} {reply(rng, mean_words=400)}", 0.5),
        rejected=lambda _rng, text: text[:20],
    )
    balanced = balance(pairs, method=method)
    assert {"characters", "tokens"} <= set(balanced.unreached)
    assert len(balanced.notes) == len(balanced.unreached)
    length = next(row for row in balanced.rows if row.name == "characters")
    assert length.effect_after == pytest.approx(1.0)
    assert (length.reached, length.reachable_share) == (False, 0.0)
    assert "characters still sets the sides apart: net effect +1.00" in balanced.notes[0]
    assert balanced.num_kept > 0


def test_a_confound_that_would_cost_too_many_pairs_is_given_up() -> None:
    pairs = planted(300, chosen=lambda rng, text: _emoji(rng, text, 0.85))
    balanced = balance(pairs, min_share=0.2)
    assert balanced.unreached == ("emoji",)
    assert balanced.rows[[row.name for row in balanced.rows].index("emoji")].reachable_share < 0.2
    assert balance(pairs, min_share=0.05).unreached == ()


def test_what_the_trait_consists_of_can_be_left_alone() -> None:
    pairs = planted(100, chosen=lambda _rng, text: f"{text} Why?")
    balanced = balance(pairs, ignore=("questions",))
    row = next(row for row in balanced.rows if row.name == "questions")
    assert (row.ignored, row.effect_after) == (True, 1.0)
    assert balanced.unreached == ()
    assert balanced.share > 0.8
    opened = planted(100, chosen=lambda rng, text: _opener(rng, text, 0.6))
    assert balance(opened, ignore=("openers",)).share > balance(opened).share + 0.2


def test_the_same_seed_gives_the_same_subset_and_ties_fall_by_the_seed() -> None:
    pairs = planted(100, **PLANTS["opener"])
    assert balance(pairs, seed=1) == balance(iter(pairs), seed=1)
    assert balance(pairs, seed=1).kept != balance(pairs, seed=2).kept


def test_a_pair_that_comes_twice_counts_once() -> None:
    pairs = planted(20)
    assert balance([*pairs, *pairs]).num_pairs == 60


def test_no_pairs_and_pairs_that_do_not_differ_are_left_as_they_are() -> None:
    assert balance([]).kept == ()
    same = [pair_of(i, "one text here", "one text here.") for i in range(3)]
    for method in ("subset", "weights"):
        assert len(balance(same, method=method, ignore=("characters", "tokens")).kept) == 3


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.5, float("nan")])
def test_a_threshold_outside_its_range_is_refused(threshold) -> None:
    with pytest.raises(InputError, match="threshold"):
        balance([], threshold=threshold)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="subset, weights"):
        balance([], method="subsets")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="did you mean 'emoji'"):
        balance([], ignore=["emojis"])


_COLUMNS = npst.arrays(
    np.float64,
    st.tuples(st.integers(1, 40), st.integers(1, 4)),
    elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0]),
)


def _limits(columns, threshold):
    bounds = np.full((2, columns.shape[1]), threshold)
    bounds[1] = 2.0
    return SolverLimits(np.ones(len(columns), dtype=np.int64), bounds, np.array([1, 0]))


@given(columns=_COLUMNS, threshold=st.sampled_from([0.05, 0.1, 0.3]))
def test_rows_that_stay_are_balanced_or_what_is_beyond_is_told(columns, threshold) -> None:
    keep, beyond = choose_rows(columns, _limits(columns, threshold), rng=np.random.default_rng(0))
    if beyond is None:
        assert np.abs(columns[keep].mean(axis=0)).max() <= threshold + 1e-6
    else:
        assert beyond.max() > 0
    assert keep.any()


@given(column=npst.arrays(np.float64, st.integers(1, 12), elements=st.sampled_from([-1.0, 0.0, 1.0])))
def test_a_single_column_loses_no_more_rows_than_it_must(column) -> None:
    share = reachable_share(column, 0.1)
    if share:
        columns = column[:, None]
        keep, beyond = choose_rows(columns, _limits(columns, 0.1), rng=np.random.default_rng(0))
        assert beyond is None
        assert keep.mean() == pytest.approx(share)


_SIDES = st.lists(
    st.sampled_from(("Well, ", "I ", "why? ", "😊 ", "perhaps ", "road ", "**plan** ")), max_size=6
)
_PAIRS = st.lists(st.tuples(_SIDES, _SIDES, st.sampled_from("ab")), min_size=1, max_size=130)


def _pairs_of(drawn):
    return [
        pair_of(i, f"{''.join(left)}{i}", f"{''.join(right)}{i}", trait=trait)
        for i, (left, right, trait) in enumerate(drawn)
    ]


@pytest.mark.parametrize("method", ["subset", "weights"])
@settings(max_examples=40, deadline=None)
@given(drawn=_PAIRS, copies=st.integers(1, 4), threshold=st.sampled_from([0.05, 0.1, 0.3]))
def test_no_effect_ends_beyond_the_threshold_or_where_it_was(method, drawn, copies, threshold) -> None:
    pairs = _pairs_of(drawn * copies)
    balanced = balance(pairs, method=method, threshold=threshold)
    for row in balanced.rows:
        assert abs(row.effect_after) <= max(threshold, abs(row.effect_before)) + 1e-5
        if row.difference_before is not None:
            assert abs(row.difference_after or 0) <= max(threshold, abs(row.difference_before or 0)) + 1e-5
    assert balanced.num_kept >= min(len(pairs), max(10, MIN_SHARE * len(pairs)))


@settings(max_examples=20, deadline=None)
@given(drawn=_PAIRS, copies=st.integers(2, 4))
def test_no_effect_within_a_large_trait_ends_further_out_either(drawn, copies) -> None:
    pairs = _pairs_of(drawn * copies)
    balanced = balance(pairs)
    for trait in balanced.within:
        own = [pair for pair in pairs if pair.trait == trait]
        before, after = audit_confounds(own).run.features, audit_confounds(_kept(own, balanced)).run.features
        for left, right in zip(before, after, strict=True):
            assert abs(right.effect) <= max(0.1, abs(left.effect)) + 1e-6


def test_large_traits_are_balanced_by_themselves_where_their_confounds_cancel() -> None:
    pairs = [
        *planted(80, chosen=lambda rng, text: _emoji(rng, text, 0.5), trait="humour"),
        *planted(80, seed=1, rejected=lambda rng, text: _emoji(rng, text, 0.5), trait="patience"),
    ]
    for method in ("subset", "weights"):
        balanced = balance(pairs, method=method)
        assert balanced.within == ("humour", "patience")
        weights = balanced.weights or dict.fromkeys(balanced.kept, 1.0)
        for trait in balanced.within:
            own = [pair for pair in pairs if pair.trait == trait and pair.id in weights]
            signs = [weights[p.id] * (("😊" in p.chosen) - ("😊" in p.rejected)) for p in own]
            assert abs(sum(signs) / sum(weights[p.id] for p in own)) < 0.2


def test_a_shift_of_the_traits_is_told() -> None:
    pairs = [
        *planted(14, per_message=2, chosen=lambda _rng, text: f"{text} {text} {text}", trait="humour"),
        *planted(60),
    ]
    balanced = balance(pairs)
    before, after = balanced.traits["humour"]
    assert before == pytest.approx(28 / 208)
    assert sum(after for _, after in balanced.traits.values()) == pytest.approx(1)
    assert any("humour" in said for said in balanced.warnings) == (abs(after - before) > 0.1)


def test_few_pairs_are_warned_about_and_hardly_touched() -> None:
    balanced = balance(planted(2, chosen=lambda _rng, text: f"I say {text}"))
    assert balanced.num_kept == 6
    assert any("Only 6 pairs" in said for said in balanced.warnings)


def test_weights_are_those_nearest_to_equal_ones_that_scipy_finds() -> None:
    columns = np.random.default_rng(0).normal(0.3, 1.0, size=(25, 2))
    ours = weigh_rows(columns, max_weight=3.0)
    theirs = optimize.minimize(
        lambda w: (w * np.log(w) - w).sum(),
        np.full(25, 0.9),
        jac=np.log,
        bounds=[(1e-9, 3.0)] * 25,
        constraints=[
            {"type": "eq", "fun": lambda w: w @ columns, "jac": lambda _w: columns.T},
            {"type": "eq", "fun": lambda w: w.sum() - 25, "jac": lambda _w: np.ones((1, 25))},
        ],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    assert theirs.success
    assert ours == pytest.approx(theirs.x, abs=0.01)
