"""Texts on a page: what cannot be seen is named, what shapes emoji and scripts is left, and no part is too large."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from character.review.texts import FIRST_PART, Piece, part_of


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("plain, 中文。\n\tnext", [Piece("plain, 中文。\n\tnext")]),
        ("a\u200bb", [Piece("a"), Piece("\u200b", "ZWSP"), Piece("b")]),
        ("\u202eevil\u202c", [Piece("\u202e", "RLO"), Piece("evil"), Piece("\u202c", "PDF")]),
        ("\u200b" * 5, [Piece("\u200b", "ZWSP ×5")]),
        ("\x00\x1b[31m", [Piece("\x00", "U+0000"), Piece("\x1b", "U+001B"), Piece("[31m")]),
        ("\U000e0041", [Piece("\U000e0041", "U+E0041")]),
        ("\u3164x", [Piece("\u3164", "U+3164"), Piece("x")]),
        ("a\u200db", [Piece("a"), Piece("\u200d", "ZWJ"), Piece("b")]),
        ("👩\u200d👧 ❤\ufe0f", [Piece("👩\u200d👧 ❤\ufe0f")]),
        ("می\u200cخواهم", [Piece("می\u200cخواهم")]),
        ("\ud800", [Piece("\ufffd")]),
    ],
)
def test_what_cannot_be_seen_is_named(text: str, pieces: list[Piece]) -> None:
    assert part_of(text).pieces == pieces


@given(st.text(max_size=300), st.integers(1, 40))
def test_the_parts_of_a_text_are_the_whole_text(text: str, most: int) -> None:
    at: int | None = 0
    found, number = "", 0
    while at is not None:
        part = part_of(text, at, most)
        for piece in part.pieces:
            times = int(piece.mark.partition(" ×")[2].replace(",", "") or 1) if piece.mark else 1
            found += piece.text * times
        at, number = part.rest_from, number + 1
    assert found == text
    assert number <= len(text) // most + 1


def test_a_megabyte_in_one_line_is_shown_in_parts() -> None:
    for text in ("x" * 2**20, "\u200bx" * 2**19, "e" + "\u0301" * 2**20):
        part = part_of(text)
        assert part.length == len(text)
        assert sum(len(piece.text) for piece in part.pieces) <= FIRST_PART + 32
        assert part.rest_from is not None
