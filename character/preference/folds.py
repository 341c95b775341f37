"""Which pairs are held out together: those of one message, whatever their trait."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from character.records import PreferencePair
from character.statistics.arrays import Ints
from character.text import fingerprint, fold

NUM_FOLDS = 5


def message_key(pair: PreferencePair) -> int:
    """Return the key of a pair's message: that of the user's last turn."""
    return text_key(pair.prompt[-1].content)


def text_key(text: str) -> int:
    """Return the key of a message by its last turn: a 64-bit hash of it, folded (``text.fold``).

    Messages that differ in punctuation, width or case alone have one key, as they share a split in exports.
    """
    return int(fingerprint(fold(text) or text), 16)


def folds_of(keys: Sequence[int], num_folds: int, seed: int) -> Ints:
    """Return the fold, from 0, of each pair by its message's key; folds are as even as they can be.

    Which fold a message is in depends on the keys of all and the seed, not on the order of the pairs.
    """
    distinct, place = np.unique(np.array(keys, dtype=np.uint64), return_inverse=True)
    dealt = np.random.default_rng([seed, 5]).permutation(len(distinct)) % max(1, num_folds)
    return np.asarray(dealt[place], dtype=np.int64)
