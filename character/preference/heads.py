"""One head per trait over what traits have in common, each scaled so that its probabilities are calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from character.preference.bradley_terry import Duels, fit_head, temperature_of
from character.preference.folds import NUM_FOLDS, folds_of, message_key
from character.preference.ngrams import Floats
from character.records import PreferencePair

LEAST_PAIRS, LEAST_MESSAGES = 30, 5
"""From how many pairs of how many messages on a trait has a temperature of its own; below it has that of all."""


class TraitHead(NamedTuple):
    """What is known of a trait's head.

    ``temperature`` is what its scores were divided by; ``calibrated`` says that it was found on messages held
    out, which takes at least two. ``prior_share`` is how much of the other traits' mean went in (1 all of it).
    """

    trait: str
    num_pairs: int
    num_messages: int
    temperature: float
    prior_share: float
    calibrated: bool


class _Trait(NamedTuple):
    """The pairs of one trait, and the matrix of their texts."""

    name: str
    matrix: Any
    duels: Duels
    num_messages: int


def fit_heads(
    matrix: Any, texts: Sequence[str], pairs: Sequence[PreferencePair], *, length_free: bool, seed: int
) -> tuple[tuple[TraitHead, ...], NDArray[np.float32]]:
    """Return what is known of each trait's head, and the weights (1 + traits, features), the common line first.

    First each trait is fitted alone; then again around the mean of the others' weights. In between, five folds
    of its messages are predicted from the rest of it, and the temperature is fitted on these predictions.
    """
    traits = _by_trait(matrix, texts, pairs, seed)
    alone = [fit_head(trait.matrix, trait.duels, length_free=length_free).weights for trait in traits]
    total = np.sum(alone, axis=0)
    # What traits have in common is worth something for a trait only where others had a say in it.
    priors = [(total - own) / (len(alone) - 1) if len(alone) > 1 else None for own in alone]
    fitted = [
        fit_head(trait.matrix, trait.duels, length_free=length_free, prior=prior)
        for trait, prior in zip(traits, priors, strict=True)
    ]
    held_out = [_held_out(trait, length_free, prior) for trait, prior in zip(traits, priors, strict=True)]
    temperatures = _temperatures(traits, held_out)
    lines = [total / len(alone) / _common_temperature(traits, priors, temperatures)]
    lines += [head.weights / own for head, own in zip(fitted, temperatures, strict=True)]
    known = tuple(
        TraitHead(
            trait.name,
            len(trait.duels.chosen),
            trait.num_messages,
            float(own),
            head.prior_share,
            margins is not None,
        )
        for trait, head, own, margins in zip(traits, fitted, temperatures, held_out, strict=True)
    )
    return known, np.array(lines, dtype=np.float32)


def pair_weight(pair: PreferencePair) -> float:
    """Return how much a pair counts, in 0..1: 2p - 1, or 1 where the ranking gives no probability."""
    return 1.0 if pair.probability is None else max(0.0, 2 * pair.probability - 1)


def _by_trait(matrix: Any, texts: Sequence[str], pairs: Sequence[PreferencePair], seed: int) -> list[_Trait]:
    place = {text: row for row, text in enumerate(texts)}
    length = np.log([max(1, len(text.strip())) for text in texts])
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


def _held_out(trait: _Trait, length_free: bool, prior: Floats | None) -> Floats | None:
    """Return the margin of each pair by a head of the other folds; None where there is one message alone."""
    if trait.num_messages < 2:
        return None
    margins = np.empty(len(trait.duels.chosen))
    for fold in np.unique(trait.duels.fold):
        out = trait.duels.fold == fold
        rest = trait.duels.at(np.flatnonzero(~out))
        head = fit_head(trait.matrix, rest, length_free=length_free, prior=prior)
        margins[out] = trait.duels.at(np.flatnonzero(out)).margins(trait.matrix @ head.weights)
    return margins


def _temperatures(traits: list[_Trait], held_out: list[Floats | None]) -> list[float]:
    known = [
        (trait.duels.weight, margins)
        for trait, margins in zip(traits, held_out, strict=True)
        if margins is not None
    ]
    if not known:
        return [1.0] * len(traits)
    shared = temperature_of(
        np.concatenate([margins for _, margins in known]), np.concatenate([weight for weight, _ in known])
    )
    return [
        temperature_of(margins, trait.duels.weight)
        if margins is not None and len(margins) >= LEAST_PAIRS and trait.num_messages >= LEAST_MESSAGES
        else shared
        for trait, margins in zip(traits, held_out, strict=True)
    ]


def _common_temperature(
    traits: list[_Trait], priors: Sequence[Floats | None], temperatures: Sequence[float]
) -> float:
    """Return the temperature of a trait nobody knows: fitted on each trait as predicted by the others alone."""
    predicted = [
        (trait.duels.margins(trait.matrix @ prior), trait.duels.weight)
        for trait, prior in zip(traits, priors, strict=True)
        if prior is not None
    ]
    if not predicted:
        return temperatures[0]
    return temperature_of(*(np.concatenate(part) for part in zip(*predicted, strict=True)))
