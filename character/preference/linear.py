"""The linear preference models, light and embedding: one head of weights per trait over what the traits have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from character.errors import InputError
from character.preference.bradley_terry import fitting
from character.preference.encoders import Encoder, fitting_matrix, not_fitted
from character.preference.folds import message_key
from character.preference.heads import TraitHead, fit_heads, log_lengths, pair_weight
from character.preference.ngrams import Floats
from character.preference.protocol import Judged, PreferenceModel, written_by_rehearsal
from character.records import PreferencePair

MOST_TRAITS = 1_000


@dataclass(frozen=True)
class LinearPreference(PreferenceModel):
    """Bradley-Terry on features of the responses; what was said before them is not looked at.

    Every trait has a head of its own, drawn towards the mean of the other traits' heads as far as it has few
    messages (see ``heads.fit_heads``), so that few pairs already serve; an unknown trait is scored by the mean alone. A pair counts 2p - 1, p being the
    ranking's probability (1 where it has none). Pairs of the design ``neutral`` are left out. Scores are scaled so that probabilities are
    calibrated on messages held out. ``length_free`` keeps length and format from deciding:
    format is not seen (``ngrams.prepared``), and what grows with length on messages held out is taken off the
    scores (``bradley_terry.length_slope``).

    ``weights`` and ``slopes`` are those of ``heads.Heads``. ``left_out`` counts the pairs that were not fitted on, by reason.
    ``rehearsal`` is True after fitting on pairs of which the rehearsal model wrote a side, else None; who knows more of them
    says so.
    """

    encoder: Encoder
    length_free: bool = True
    heads: tuple[TraitHead, ...] = ()
    weights: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    slopes: Floats = field(default_factory=lambda: np.empty(0))
    seen_messages: frozenset[int] = frozenset()
    left_out: dict[str, int] = field(default_factory=dict)
    seed: int = 0
    rehearsal: bool | None = None

    @property
    def kind(self) -> str:
        """The name under which the model is registered."""
        return self.encoder.name

    @property
    def traits(self) -> tuple[str, ...]:
        """The traits that have a head."""
        return tuple(head.trait for head in self.heads)

    def scores(self, judged: Sequence[Judged]) -> Floats:
        """Return the score of each response, in log-odds; raises InputError before ``fit``."""
        if not len(self.weights):
            raise not_fitted()
        line = {trait: number for number, trait in enumerate(self.traits, 1)}
        of_row = np.array([line.get(item.trait_name, 0) for item in judged], dtype=np.int64)
        texts = [item.response for item in judged]
        found = self.encoder.encode(texts).scores(self.weights, of_row)
        return found - self.slopes[of_row] * log_lengths(texts)

    def fit(self, pairs: Sequence[PreferencePair], *, seed: int = 0) -> LinearPreference:
        """Return the model fitted on pairs; the same pairs in the same order and seed give the same weights.

        Raises InputError where no pair can be learnt from, or there are more than ``MOST_TRAITS`` traits, and
        MissingExtraError without the extra ``preference``.
        """
        kept, left_out = _learnable(pairs)
        if not kept:
            raise InputError(
                f"none of {len(pairs)} pairs can be learnt from ({dict(left_out) or 'there are none'}).",
                expected="pairs whose sides differ, with a probability above a half, not of the design neutral",
            )
        if len({pair.trait for pair in kept}) > MOST_TRAITS:
            raise InputError(f"the pairs are of more than {MOST_TRAITS:,} traits.", fix="fit several models.")
        texts = list(dict.fromkeys(text for pair in kept for text in (pair.chosen, pair.rejected)))
        with fitting():
            encoder = self.encoder.fitted(texts, plain=self.length_free)
            matrix = fitting_matrix(encoder.encode(texts))
            fitted = fit_heads(matrix, texts, kept, length_free=self.length_free, seed=seed)
        return replace(
            self,
            encoder=encoder,
            heads=fitted.known,
            weights=fitted.weights,
            slopes=fitted.slopes,
            seen_messages=frozenset(message_key(pair) for pair in kept),
            left_out=dict(left_out),
            seed=seed,
            rehearsal=written_by_rehearsal(pairs),
        )

    def save(self, folder: Path | str) -> None:
        """Write the model: ``preference.json`` and ``preference.npz``. Raises InputError before ``fit``."""
        from character.preference.linear_files import save_linear

        save_linear(self, Path(folder))


def _learnable(pairs: Sequence[PreferencePair]) -> tuple[list[PreferencePair], Counter[str]]:
    kept, left_out = [], Counter[str]()
    for pair in pairs:
        reason = (
            "neutral"
            if pair.design == "neutral"
            else "same_sides"
            if pair.chosen.strip() == pair.rejected.strip()
            else "coin_flip"
            if pair_weight(pair) == 0
            else ""
        )
        if reason:
            left_out[reason] += 1
        else:
            kept.append(pair)
    return kept, left_out
