"""Which split a message belongs to: by its text and the seed alone, so other messages cannot move it."""

from __future__ import annotations

from character.exports.models import SPLIT_NAMES, Split, SplitName
from character.records import Message
from character.text import fingerprint, fold


def split_of(message: Message, split: Split, seed: int) -> SplitName:
    """Return the split of a message.

    The user's last turn, folded (width, case, punctuation and spacing do not count), is hashed with the seed
    to a point in [0, 1); train, validation and test lie on it in this order. Messages of the same folded text
    thus always share a split, whatever their trait, and a message keeps its split when others come or go.
    """
    # A text of punctuation alone folds to nothing; such texts must not all count as the same.
    key = fold(message.text) or message.text
    point = int(fingerprint([seed, key]), 16) / 2**64
    names, end = requested_splits(split), 0.0
    for name in names:
        end += getattr(split, name)
        if point < end:
            return name
    return names[-1]  # the sizes' sum may fall short of 1 by rounding


def requested_splits(split: Split) -> tuple[SplitName, ...]:
    """Return the splits of non-zero size, in order."""
    return tuple(name for name in SPLIT_NAMES if getattr(split, name) > 0)
