"""A message's split depends on its text and the seed, and on nothing else."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from character.errors import InputError
from character.exports import Split, export
from character.exports.models import split_of
from character.records import Message

EVEN = Split(train=0.5, validation=0.25, test=0.25)
fractions = st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).filter(
    lambda sizes: sum(sizes) > 0.01
)


@given(st.text(min_size=1), fractions, st.integers())
def test_every_message_lands_in_a_split_of_nonzero_size(text, sizes, seed):
    whole = sum(sizes)
    split = Split(train=sizes[0] / whole, validation=sizes[1] / whole, test=sizes[2] / whole)
    assert getattr(split, split_of(Message.of(text, trait="t"), split, seed)) > 0


@given(st.text(min_size=1), st.integers())
def test_width_case_spacing_punctuation_and_trait_do_not_move_a_message(text, seed):
    plain = Message.of(f"Hello {text}", trait="patience")
    dressed = Message.of(f"ＨＥＬＬＯ，  {text}！", trait="humour", kind="situation")
    assert split_of(plain, EVEN, seed) == split_of(dressed, EVEN, seed)


def test_texts_of_punctuation_alone_are_not_all_one_text():
    splits = {split_of(Message.of("?" * n, trait="t"), EVEN, 0) for n in range(1, 40)}
    assert splits == {"train", "validation", "test"}


def test_the_fractions_hold_on_average_and_the_seed_deals_anew():
    messages = [Message.of(f"message {i}", trait="t") for i in range(4000)]
    first = [split_of(message, Split(), 0) for message in messages]
    counts = Counter(first)
    assert abs(counts["train"] / 4000 - 0.9) < 0.02
    assert abs(counts["test"] / 4000 - 0.05) < 0.02
    assert first != [split_of(message, Split(), 1) for message in messages]


def test_more_messages_do_not_move_those_that_were_there(sixty, make_data, tmp_path):
    export(make_data(*sixty.rollouts[:30]), "trl", tmp_path / "few", split=EVEN)
    export(sixty, "trl", tmp_path / "all", split=EVEN)
    for name in ("train", "validation", "test"):
        few = (tmp_path / f"few/{name}.jsonl").read_text(encoding="utf-8")
        assert set(few.split("\n")) <= set(
            (tmp_path / f"all/{name}.jsonl").read_text(encoding="utf-8").split("\n")
        )


def test_no_prompt_is_in_two_splits(sixty, tmp_path):
    export(sixty, "trl", tmp_path, split=EVEN)
    prompts = []
    for name in ("train", "validation", "test"):
        rows = (tmp_path / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        prompts.append({row.partition('"chosen"')[0] for row in rows})
    assert all(prompts)
    assert sum(map(len, prompts)) == len(set.union(*prompts)) == len(sixty.rollouts)


def test_an_empty_split_is_reported_and_has_no_file(make_rollout, make_data, tmp_path):
    report = export(make_data(make_rollout()), "trl", tmp_path)
    assert report.empty_splits == ("validation", "test")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "export.json", "train.jsonl"]
    assert any("'validation'" in warning for warning in report.warnings)


def test_a_split_of_size_zero_is_not_missed(make_rollout, make_data, tmp_path):
    report = export(make_data(make_rollout()), "trl", tmp_path, split=Split(train=1, validation=0, test=0))
    assert (report.empty_splits, report.warnings) == ((), ())


@pytest.mark.parametrize("sizes", [(0.9, 0.2, 0.1), (1.2, -0.2, 0.0), (float("nan"), 0.5, 0.5), (0, 0, 0)])
def test_fractions_that_are_no_split_are_refused(sizes):
    with pytest.raises(ValidationError, match="fraction"):
        Split(train=sizes[0], validation=sizes[1], test=sizes[2])


def test_percent_and_fractions_parse_to_the_same_split():
    assert Split.parse("90/5/5") == Split.parse("0.9/0.05/0.05") == Split()
    assert Split.parse("100/0/0") == Split.parse("1/0/0") == Split(train=1, validation=0, test=0)


@pytest.mark.parametrize("text", ["", "90", "90/5", "80/5/5", "a/b/c", "50/50/0/0", "120/-10/-10", "nan/0/0"])
def test_a_text_that_is_no_split_is_refused_with_an_example(text):
    with pytest.raises(InputError, match="90/5/5"):
        Split.parse(text)
