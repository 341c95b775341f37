"""One head per trait over what traits have in common, each scaled so that its probabilities are calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from character.preference.bradley_terry import Duels, calibrate, fit_head, length_slope, surely_better
from character.preference.folds import NUM_FOLDS, folds_of, message_key
from character.preference.ngrams import prepared
from character.records import PreferencePair
from character.statistics.arrays import Floats

LEAST_PAIRS, LEAST_MESSAGES = 30, 5
"""From how many pairs of how many messages on a trait has a temperature of its own; below it has that of all traits, which is
called calibrated from as many on."""
PRIOR_MESSAGES = 30
"""At how many messages of its own a trait takes half of what the others have in common, and no more."""


class TraitHead(NamedTuple):
    """What is known of a trait's head.

    ``temperature`` is what its scores were divided by, found on ``num_held_out`` pairs of messages held out: its own, or with
    too few of these all traits'. ``calibrated`` says that these are enough (``LEAST_PAIRS`` of ``LEAST_MESSAGES``) for
    its probabilities to mean something. ``prior_share`` is how much of the other traits' mean it was drawn to.
    """

    trait: str
    num_pairs: int
    num_messages: int
    temperature: float
    prior_share: float
    num_held_out: int
    calibrated: bool


class Heads(NamedTuple):
    """Fitted heads: what is known of each, and the lines that score, the common one first, then one per trait.

    A score is ``weights`` (1 + traits, features) times the features, less ``slopes`` (1 + traits) times the
    logarithm of the length in characters.
    """

    known: tuple[TraitHead, ...]
    weights: NDArray[np.float32]
    slopes: Floats


class _Trait(NamedTuple):
    """The pairs of one trait, and the matrix of their texts."""

    name: str
    matrix: Any
    duels: Duels
    num_messages: int


class _Fit(NamedTuple):
    """A trait's weights around some share of the prior, and how it did on messages held out (nothing for one message)."""

    weights: Floats
    share: float
    slope: float
    margins: Floats | None


class _Temperature(NamedTuple):
    """What scores are divided by, and the pairs and messages held out that it was found on."""

    value: float
    num_pairs: int
    num_messages: int

    @property
    def is_enough(self) -> bool:
        return self.num_pairs >= LEAST_PAIRS and self.num_messages >= LEAST_MESSAGES


def fit_heads(
    matrix: Any, texts: Sequence[str], pairs: Sequence[PreferencePair], *, length_free: bool, seed: int
) -> Heads:
    """Return the heads that the pairs teach; ``matrix`` holds the features of ``texts``.

    First each trait is fitted alone, then drawn towards the mean of the others, the less the more messages it
    has, and not at all where held-out messages are surely better predicted without. Held out are five folds of messages;
    the slope over length and the temperature are taken from what is predicted for them.
    """
    traits = _by_trait(matrix, texts, pairs, seed)
    alone = [fit_head(trait.matrix, trait.duels) for trait in traits]
    total = np.sum(alone, axis=0)
    # What traits have in common is worth something for a trait only where others had a say in it.
    priors = [(total - own) / (len(alone) - 1) if len(alone) > 1 else None for own in alone]
    fits = [
        _fitted(trait, own, prior, length_free)
        for trait, own, prior in zip(traits, alone, priors, strict=True)
    ]
    temperatures = _temperatures(traits, fits)
    slope, temperature = _common(traits, priors, fits, temperatures, length_free)
    weights = [total / len(alone) / temperature]
    weights += [fit.weights / own.value for fit, own in zip(fits, temperatures, strict=True)]
    slopes = [
        slope / temperature,
        *(fit.slope / own.value for fit, own in zip(fits, temperatures, strict=True)),
    ]
    known = tuple(
        TraitHead(
            trait.name,
            len(trait.duels.chosen),
            trait.num_messages,
            own.value,
            fit.share,
            own.num_pairs,
            own.is_enough,
        )
        for trait, fit, own in zip(traits, fits, temperatures, strict=True)
    )
    return Heads(known, np.array(weights, dtype=np.float32), np.array(slopes))


def _fitted(trait: _Trait, alone: Floats, prior: Floats | None, length_free: bool) -> _Fit:
    """Return a trait's fit around a share of the prior, or alone where that is surely better on messages held out."""
    share = PRIOR_MESSAGES / (PRIOR_MESSAGES + trait.num_messages)
    if trait.num_messages < 2:
        if prior is None:
            return _Fit(alone, 0.0, 0.0, None)
        drawn = fit_head(trait.matrix, trait.duels, prior=share * prior)
        return _Fit(drawn, share, 0.0, None)
    own, own_slope = _held_out(trait, length_free, None)
    if prior is None:
        return _Fit(alone, 0.0, own_slope, own)
    with_prior, slope = _held_out(trait, length_free, share * prior)
    weight = trait.duels.weight
    if surely_better(calibrate(own, weight), calibrate(with_prior, weight), weight):
        return _Fit(alone, 0.0, own_slope, own)
    drawn = fit_head(trait.matrix, trait.duels, prior=share * prior)
    return _Fit(drawn, share, slope, with_prior)


def pair_weight(pair: PreferencePair) -> float:
    """Return how much a pair counts, in 0..1: 2p - 1, or 1 where the ranking gives no probability."""
    return 1.0 if pair.probability is None else max(0.0, 2 * pair.probability - 1)


def log_lengths(texts: Sequence[str]) -> Floats:
    """Return the logarithm of each text's length in characters, without its format; 0 for none."""
    return np.log([max(1.0, float(len(prepared(text, plain=True)))) for text in texts])


def _by_trait(matrix: Any, texts: Sequence[str], pairs: Sequence[PreferencePair], seed: int) -> list[_Trait]:
    place = {text: row for row, text in enumerate(texts)}
    length = log_lengths(texts)
    found = []
    for name in dict.fromkeys(pair.trait for pair in pairs):
        own = [pair for pair in pairs if pair.trait == name]
        sides = np.array([(place[pair.chosen], place[pair.rejected]) for pair in own])
        rows, inner = np.unique(sides, return_inverse=True)
        inner = inner.reshape(-1, 2)
        keys = [message_key(pair) for pair in own]
        duels = Duels(
            chosen=inner[:, 0],
            rejected=inner[:, 1],
            weight=np.array([pair_weight(pair) for pair in own]),
            longer=length[sides[:, 0]] - length[sides[:, 1]],
            fold=folds_of(keys, NUM_FOLDS, seed),
        )
        found.append(_Trait(name, matrix[rows], duels, len(set(keys))))
    return found


def _held_out(trait: _Trait, length_free: bool, prior: Floats | None) -> tuple[Floats, float]:
    """Return the margin of each pair by a head of the other folds, without its slope over length, and that slope."""
    margins = np.empty(len(trait.duels.chosen))
    for fold in np.unique(trait.duels.fold):
        out = trait.duels.fold == fold
        rest = trait.duels.at(np.flatnonzero(~out))
        weights = fit_head(trait.matrix, rest, prior=prior)
        margins[out] = trait.duels.at(np.flatnonzero(out)).margins(trait.matrix @ weights)
    slope = length_slope(margins, trait.duels) if length_free else 0.0
    return margins - slope * trait.duels.longer, slope


def _temperatures(traits: list[_Trait], fits: list[_Fit]) -> list[_Temperature]:
    known = [(trait, fit.margins) for trait, fit in zip(traits, fits, strict=True) if fit.margins is not None]
    if not known:
        return [_Temperature(1.0, 0, 0)] * len(traits)
    own = {trait.name: _temperature([(trait, margins)]) for trait, margins in known}
    shared = _temperature(known)
    return [
        own[trait.name] if trait.name in own and own[trait.name].is_enough else shared for trait in traits
    ]


def _temperature(held_out: list[tuple[_Trait, Floats]]) -> _Temperature:
    margins = np.concatenate([each for _, each in held_out])
    weight = np.concatenate([trait.duels.weight for trait, _ in held_out])
    num_messages = sum(trait.num_messages for trait, _ in held_out)
    return _Temperature(calibrate(margins, weight).temperature, len(margins), num_messages)


def _common(
    traits: list[_Trait],
    priors: Sequence[Floats | None],
    fits: list[_Fit],
    temperatures: list[_Temperature],
    length_free: bool,
) -> tuple[float, float]:
    """Return slope and temperature of a trait nobody knows: taken from each trait as the others alone predict it."""
    predicted = [
        (trait, trait.duels.margins(trait.matrix @ prior))
        for trait, prior in zip(traits, priors, strict=True)
        if prior is not None
    ]
    if not predicted:
        return fits[0].slope, temperatures[0].value
    slope = float(np.mean([length_slope(margins, trait.duels) for trait, margins in predicted]))
    slope = slope if length_free else 0.0
    rest = np.concatenate([margins - slope * trait.duels.longer for trait, margins in predicted])
    return slope, calibrate(rest, np.concatenate([trait.duels.weight for trait, _ in predicted])).temperature
