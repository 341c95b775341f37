"""Findings of one kind: a few each in a sentence of its own, many in one sentence with a list below it."""

from __future__ import annotations

import string

import pytest

from character.evaluation.page.findings import MANY, Found, told
from character.locale import wording

_WORDS = {
    "more": "{trait} shows more {where}.",
    "more_many": "{count} show more {where}:",
    "more_item": "{trait}",
}


@pytest.mark.parametrize("number", [1, MANY - 1, MANY, 9])
def test_many_of_one_kind_share_a_sentence_and_none_is_left_out(number: int) -> None:
    names = [f"trait {i}" for i in range(number)]
    notes = told([Found("more", "look", {"trait": name}, "alone") for name in names], _WORDS)
    if number < MANY:
        assert [note.text for note in notes] == [f"{name} shows more alone." for name in names]
        assert not any(note.items for note in notes)
    else:
        (note,) = notes
        assert (note.text, note.items) == (f"{number} show more alone:", tuple(names))
    assert {note.weight for note in notes} == {"look"}


def test_findings_of_another_weight_or_place_stay_apart_in_the_order_of_the_first() -> None:
    given = [
        Found("more", "note", {"trait": "a"}, "beside"),
        Found("more", "look", {"trait": "b"}, "alone"),
        Found("more", "note", {"trait": "c"}, "alone"),
        Found("more", "note", {"trait": "d"}, "beside"),
    ]
    notes = told(given, _WORDS)
    assert [(note.text[0], note.weight) for note in notes] == [
        ("a", "note"),
        ("d", "note"),
        ("b", "look"),
        ("c", "note"),
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_shared_sentence_and_its_items_say_no_less_than_the_single_ones(language: str) -> None:
    words = wording("effect.page", language)
    shared = [name.removesuffix("_many") for name in words if name.endswith("_many")]
    assert len(shared) >= 10
    for kind in shared:
        single, together = (
            {field for text in texts for _, field, _, _ in string.Formatter().parse(text) if field}
            for texts in ((words[kind],), (words[f"{kind}_many"], words[f"{kind}_item"]))
        )
        assert together - {"count"} == single, kind
