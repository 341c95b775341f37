"""N-grams by hash: what counts as a word, which n-grams a text has, and that hashing changes nothing."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from character.preference.encoders import HashIndex, NGramTfidf, runs
from character.preference.ngrams import Grams, character_grams, prepared, word_grams, word_spans

TEXTS = [
    "Take your time, no hurry.",
    "不用着急，慢慢说。",
    "a",
    "",
    "aaaa aaaa",
    "完 done 完",
    "  ",
    "é́ 𝔘𝔫𝔦 🙂",
]


def spelled(grams: Grams, texts: list[str]) -> list[Counter[str]]:
    found = [Counter[str]() for _ in texts]
    for text, start, end in zip(grams.text, grams.start, grams.end, strict=True):
        found[text][texts[text][start:end]] += 1
    return found


def test_character_grams_are_all_runs_of_two_to_five_and_none_spans_two_texts() -> None:
    wanted = [
        Counter(text[i : i + n] for n in (2, 3, 4, 5) for i in range(len(text) - n + 1)) for text in TEXTS
    ]
    assert spelled(character_grams(TEXTS), TEXTS) == wanted


def test_a_han_character_is_a_word_and_words_pair_up_within_their_text() -> None:
    texts = ["慢慢 take 时间", "no"]
    found = spelled(word_grams(texts), texts)
    assert found[0] == Counter(["慢", "慢", "take", "时", "间", "慢慢", "慢 take", "take 时", "时间"])
    assert found[1] == Counter(["no"])


@given(st.lists(st.text(max_size=12), max_size=6))
def test_two_runs_of_characters_have_one_hash_only_where_they_are_the_same(texts: list[str]) -> None:
    grams = character_grams(texts)
    spelt = [texts[t][a:b] for t, a, b in zip(grams.text, grams.start, grams.end, strict=True)]
    hashes = grams.hashes.tolist()
    assert len(set(zip(spelt, hashes, strict=True))) == len(set(spelt)) == len(set(hashes))


@given(st.lists(st.text(alphabet="ab 慢\n,", max_size=12), max_size=6))
def test_what_stands_between_two_words_makes_no_other_pair_of_them(texts: list[str]) -> None:
    grams = word_grams(texts)
    spelt = [texts[t][a:b] for t, a, b in zip(grams.text, grams.start, grams.end, strict=True)]
    words = [tuple(text[a:b] for a, b in word_spans(text)) for text in spelt]
    hashes = grams.hashes.tolist()
    assert len(set(zip(words, hashes, strict=True))) == len(set(words)) == len(set(hashes))


def test_format_is_taken_out_only_where_asked() -> None:
    text = "# Title\n- **First** ✨ item\n2. Ｓecond\t`x`"
    assert prepared(text, plain=True) == "title first item second x"
    assert prepared(text, plain=False) == "# title - **first** ✨ item 2. second `x`"


def test_a_list_in_chinese_loses_its_heads_alone() -> None:
    assert prepared("一、先看大意\n二、再看细节，一步一步来", plain=True) == "先看大意 再看细节,一步一步来"


def test_values_are_those_of_scikit_learn_where_all_grams_are_known() -> None:
    texts = ["take your time and take it slow", "no time to hurry at all", "slow slow slow and steady"]
    own = NGramTfidf.fit(texts, plain=False)
    rows = own.encode(texts)
    matrix = np.zeros((3, rows.num_columns))
    matrix[rows.row, rows.column] = rows.value
    wanted = np.zeros((3, 3))
    for analyzer, lengths in (("word", (1, 2)), ("char", (2, 5))):
        pattern = r"\w+" if analyzer == "word" else None
        theirs = TfidfVectorizer(
            analyzer=analyzer, ngram_range=lengths, sublinear_tf=True, token_pattern=pattern
        ).fit_transform(texts)
        wanted += (theirs @ theirs.T).toarray()
    np.testing.assert_allclose(matrix @ matrix.T, wanted, rtol=1e-5)


def test_unknown_grams_make_less_of_the_known_ones() -> None:
    own = NGramTfidf.fit(["slow and steady", "quick and dirty"], plain=False)
    known, half = own.encode(["slow and steady"]), own.encode(["slow and steady xylophone quartz"])
    assert set(known.column.tolist()) <= set(half.column.tolist())
    assert half.value[half.column == known.column[0]][0] < known.value[0]


@pytest.mark.parametrize("texts", [[], [""], ["", "abc", "，。"]])
def test_texts_with_nothing_in_them_are_rows_of_nothing(texts: list[str]) -> None:
    rows = NGramTfidf.fit(["abc abd"], plain=True).encode(texts)
    assert rows.num_rows == len(texts)
    scores = rows.scores(np.ones((1, rows.num_columns)), np.zeros(len(texts), dtype=np.int64))
    assert len(scores) == len(texts)
    assert all(score == 0 for score, text in zip(scores, texts, strict=True) if "a" not in text)


@given(st.sets(st.integers(0, 2**64 - 1), max_size=200), st.lists(st.integers(0, 2**64 - 1), max_size=50))
def test_an_index_finds_what_is_there_and_nothing_else(known: set[int], wanted: list[int]) -> None:
    hashes = np.array(sorted(known), dtype=np.uint64)
    asked = np.array([*wanted, *known], dtype=np.uint64)
    places = HashIndex.of(hashes).places(asked)
    assert [int(hashes[p]) if p >= 0 else None for p in places] == [
        int(a) if int(a) in known else None for a in asked
    ]


@given(st.lists(st.integers(-5, 5)))
def test_runs_are_numpys_unique(values: list[int]) -> None:
    found, counts = runs(np.array(values, dtype=np.int64))
    wanted, numbers = np.unique(np.array(values, dtype=np.int64), return_counts=True)
    assert found.tolist() == wanted.tolist()
    assert counts.tolist() == numbers.tolist()
