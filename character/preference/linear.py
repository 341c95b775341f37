"""The linear preference models, light and embedding: a head of weights per trait over what traits share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from character._version import __version__
from character.errors import InputError, ModelFileError
from character.files import problem
from character.preference import container
from character.preference.encoders import MOST_FEATURES, Embedder, Embeddings, NGramTfidf
from character.preference.folds import message_key
from character.preference.heads import TraitHead, fit_heads, fitting, log_lengths, pair_weight
from character.preference.protocol import Judged, PreferenceModel, written_by_rehearsal
from character.records import PreferencePair
from character.statistics.arrays import Floats

FACTS_NAME, ARRAYS_NAME = "preference.json", "preference.npz"
MOST_DIMENSIONS = 100_000
MOST_IN_A_DRAWER = 64
"""Hashes that share their leading bits, at most: real ones hardly do, and each slows every look-up."""
MOST_TRAITS = 1_000
_KEPT = ("length_free", "left_out", "seed", "rehearsal")
"""What a model and its facts hold alike."""


@dataclass(frozen=True)
class LinearPreference(PreferenceModel):
    """Bradley-Terry on features of the responses; what was said before them is not looked at.

    Every trait has a head of its own, drawn towards the mean of the other traits' heads as far as it has few
    messages (see ``heads.fit_heads``), so that few pairs already serve; an unknown trait is scored by the
    mean alone. A pair counts 2p - 1, p being the ranking's probability (1 where it has none). Pairs of the
    design ``neutral`` are left out. Scores are scaled so that probabilities are calibrated on messages held
    out. ``length_free`` keeps length and format from deciding: format is not seen (``ngrams.prepared``), and
    what grows with length on messages held out is taken off the scores (``heads.length_slope``).

    A score is ``weights`` (1 + traits, features) times the features, less ``slopes`` (1 + traits) times the
    logarithm of the length in characters, the common line first. ``left_out`` counts the pairs that were not
    fitted on, by reason. ``rehearsal`` is True after fitting on pairs of which the rehearsal model wrote a
    side, else None; who knows more of them says so.
    """

    encoder: NGramTfidf | Embeddings
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
        self._check_fitted()
        line = {trait: number for number, trait in enumerate(self.traits, 1)}
        of_row = np.array([line.get(item.trait_name, 0) for item in judged], dtype=np.int64)
        texts = [item.response for item in judged]
        scores = self.encoder.encode(texts).scores(self.weights, of_row)
        return scores - self.slopes[of_row] * log_lengths(texts)

    def fit(self, pairs: Sequence[PreferencePair], *, seed: int = 0) -> LinearPreference:
        """Return the model fitted on pairs; the same pairs in the same order and seed give the same weights.

        Raises InputError where no pair can be learnt from, or there are more than ``MOST_TRAITS`` traits, and
        MissingExtraError without the extra ``preference``.
        """
        reasons = [_unlearnable(pair) for pair in pairs]
        learnable = [pair for pair, reason in zip(pairs, reasons, strict=True) if not reason]
        left_out = dict(Counter(filter(None, reasons)))
        if not learnable:
            values = {"number": len(pairs), "left_out": left_out or "there are none"}
            raise problem(__file__, "nothing_to_learn", **values)
        if len({pair.trait for pair in learnable}) > MOST_TRAITS:
            raise InputError(f"the pairs are of more than {MOST_TRAITS:,} traits.", fix="fit several models.")
        texts = list(dict.fromkeys(text for pair in learnable for text in (pair.chosen, pair.rejected)))
        with fitting():
            encoder = self.encoder.fit(texts, plain=self.length_free)
            matrix = encoder.encode(texts).matrix
            heads, weights, slopes = fit_heads(
                matrix, texts, learnable, length_free=self.length_free, seed=seed
            )
        return replace(
            self,
            encoder=encoder,
            heads=heads,
            weights=weights,
            slopes=slopes,
            seen_messages=frozenset(message_key(pair) for pair in learnable),
            left_out=left_out,
            seed=seed,
            rehearsal=written_by_rehearsal(pairs),
        )

    def save(self, folder: Path | str) -> None:
        """Write ``preference.json`` and ``preference.npz`` into a folder.

        Raises InputError before ``fit``, and ModelFileError where they cannot be written.
        """
        self._check_fitted()
        wanted = _arrays_of(self.encoder.name, 1 + len(self.heads), self.encoder.num_features)
        content = {**vars(self.encoder), **vars(self), "messages": sorted(self.seen_messages)}
        arrays = {name: np.asarray(content[name], dtype=dtype) for name, (dtype, _) in wanted.items()}
        facts = LinearFacts(
            model=self.encoder.name,
            character_version=__version__,
            num_features=self.encoder.num_features,
            strange_idf=getattr(self.encoder, "strange_idf", None),
            heads=list(self.heads),
            arrays_sha256=container.write_arrays(Path(folder) / ARRAYS_NAME, arrays),
            **{name: getattr(self, name) for name in _KEPT},
        )
        container.save_facts(Path(folder) / FACTS_NAME, facts)

    def _check_fitted(self) -> None:
        if not self.heads:
            raise problem(__file__, "not_fitted")


def _unlearnable(pair: PreferencePair) -> str:
    """Return why nothing can be learnt from a pair; nothing where something can."""
    if pair.design == "neutral":
        return "neutral"
    if pair.chosen.strip() == pair.rejected.strip():
        return "same_sides"
    return "coin_flip" if pair_weight(pair) == 0 else ""


class LinearFacts(container.ModelFacts):
    """What ``preference.json`` holds of a light or an embedding model, and nothing else."""

    model: Literal["light", "embedding"]
    length_free: bool
    num_features: int = Field(ge=1, le=MOST_DIMENSIONS)
    strange_idf: float | None = Field(default=None, gt=0, le=100)
    heads: list[TraitHead] = Field(min_length=1, max_length=MOST_TRAITS)
    left_out: dict[container.Name, container.Count] = Field(max_length=20)
    seed: int = Field(ge=0, le=10**9)
    rehearsal: bool | None
    arrays_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


def load_linear(folder: Path, data: dict[str, Any], embedder: Embedder | None) -> LinearPreference:
    """Return the model of a folder whose ``preference.json`` was read as ``data``; raises ModelFileError."""
    where, place = folder / FACTS_NAME, folder / ARRAYS_NAME
    facts = container.checked_facts(LinearFacts, data, where)
    if len({head.trait for head in facts.heads}) < len(facts.heads):
        raise ModelFileError(f"{where}: two heads are of one trait.", expected="one head per trait")
    wanted = _arrays_of(facts.model, 1 + len(facts.heads), facts.num_features)
    arrays = container.read_arrays(place, wanted, facts.arrays_sha256)
    _check_rising(arrays["messages"], f"{place}: messages")
    light = facts.model == "light"
    return LinearPreference(
        encoder=_tfidf(arrays, facts, folder) if light else Embeddings(embedder, facts.num_features),
        heads=tuple(facts.heads),
        weights=arrays["weights"],
        slopes=arrays["slopes"],
        seen_messages=frozenset(arrays["messages"].tolist()),
        **{name: getattr(facts, name) for name in _KEPT},
    )


def _arrays_of(
    kind: Literal["light", "embedding"], num_lines: int, size: int
) -> dict[str, container.ArrayType]:
    """Return the arrays of a model's file: those of the fields of these names, and those of its encoder's."""
    common: dict[str, container.ArrayType] = {
        "weights": ("<f4", (num_lines, size)),
        "slopes": ("<f8", (num_lines,)),
        "messages": ("<u8", (None,)),
    }
    if kind == "embedding":
        return common
    return {**common, "hashes": ("<u8", (size,)), "blocks": ("|u1", (size,)), "idf": ("<f4", (size,))}


def _tfidf(arrays: container.Arrays, facts: LinearFacts, folder: Path) -> NGramTfidf:
    where = folder / ARRAYS_NAME
    if facts.num_features > MOST_FEATURES:
        number = f"{facts.num_features:,}"
        raise ModelFileError(f"{where}: {number} n-grams.", expected=f"at most {MOST_FEATURES:,}")
    _check_rising(arrays["hashes"], f"{where}: hashes")
    if (arrays["blocks"] > 1).any():
        raise ModelFileError(f"{where}: blocks: holds other numbers than 0 and 1.")
    if (arrays["idf"] <= 0).any():
        raise ModelFileError(f"{where}: idf: holds numbers that are not above 0.")
    if facts.strange_idf is None:
        raise ModelFileError(f"{folder / FACTS_NAME}: strange_idf: is missing.", expected="a number above 0")
    tfidf = NGramTfidf(
        arrays["hashes"], arrays["blocks"], arrays["idf"], facts.strange_idf, facts.length_free
    )
    if tfidf.index.fullest > MOST_IN_A_DRAWER:
        raise ModelFileError(f"{where}: hashes: they lie too close together to be hashes of n-grams.")
    return tfidf


def _check_rising(values: Any, what: str) -> None:
    if len(values) > 1 and not (values[1:] > values[:-1]).all():
        raise ModelFileError(f"{what}: not in strictly rising order.")
