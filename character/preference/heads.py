"""One Bradley-Terry head per trait over what traits have in common, each scaled to be calibrated.

A head is the weights that best explain which side of each pair was chosen: P(a better than b) =
1 / (1 + exp(-(x_a - x_b)·w)), fitted with a ridge by L-BFGS. Bradley & Terry 1952.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from character.errors import MissingExtraError
from character.preference.container import Count, Name, StrictRecord
from character.preference.folds import NUM_FOLDS, folds_of, message_key
from character.preference.ngrams import prepared
from character.records import PreferencePair
from character.statistics.arrays import Floats, Ints

STRENGTH = 5.0
"""The variance expected of a weight: half its inverse times the squared weights is the penalty."""
SLOPE_DOUBT = 10
"""How many pairs without any slope over length are added to those there are."""
LEAST_PAIRS, LEAST_MESSAGES = 30, 5
"""From how many pairs of how many messages on a trait has a temperature of its own; below it has that of all
traits, which is called calibrated from as many on."""
PRIOR_MESSAGES = 30
"""At how many messages of its own a trait takes half of what the others have in common, and no more."""


class Duels(NamedTuple):
    """Pairs as places in a matrix of texts: who won, who lost, what each counts, log-length differences."""

    chosen: Ints
    rejected: Ints
    weight: Floats
    longer: Floats
    fold: Ints

    def at(self, rows: Ints | NDArray[np.bool_]) -> Duels:
        """Return the pairs of these places, or those that are marked."""
        return Duels._make(column[rows] for column in self)

    def margins(self, scores: Floats) -> Floats:
        """Return the score of the chosen minus that of the rejected side."""
        return np.asarray(scores[self.chosen] - scores[self.rejected])


class TraitHead(StrictRecord):
    """What is known of a trait's head, in memory as in its file.

    ``temperature`` is what its scores were divided by, found on ``num_held_out`` pairs of messages held out:
    its own, or with too few of these all traits'. ``calibrated`` says that these are enough (``LEAST_PAIRS``
    of ``LEAST_MESSAGES``) for its probabilities to mean something. ``prior_share`` is how much of the other
    traits' mean it was drawn to.
    """

    trait: Name
    num_pairs: Count
    num_messages: Count
    temperature: float = Field(gt=0)
    prior_share: float
    num_held_out: Count
    calibrated: bool


class _Trait(NamedTuple):
    name: str
    matrix: Any
    duels: Duels
    num_messages: int


class _Fit(NamedTuple):
    """A trait's weights around a share of the prior, and how it did on messages held out, if any were."""

    trait: _Trait
    prior: Floats | None
    weights: Floats
    share: float
    margins: Floats
    slope: float


class _Temperature(NamedTuple):
    """What scores are divided by, and what a head says of it."""

    temperature: float
    num_held_out: int
    calibrated: bool


def fit_heads(
    matrix: Any, texts: Sequence[str], pairs: Sequence[PreferencePair], *, length_free: bool, seed: int
) -> tuple[tuple[TraitHead, ...], NDArray[np.float32], Floats]:
    """Return the heads that the pairs teach, and the weights and slopes of ``linear.LinearPreference``.

    ``matrix`` holds the features of ``texts``. First each trait is fitted alone, then drawn towards the mean
    of the others, the less the more messages it has, and not at all where held-out messages are surely better
    predicted without. Held out are five folds of messages; the slope over length and the temperature are
    taken from what is predicted for them.
    """
    traits = _by_trait(matrix, texts, pairs, seed)
    alone = [fit_head(trait.matrix, trait.duels) for trait in traits]
    total = np.sum(alone, axis=0)
    # What traits have in common is worth something for a trait only where others had a say in it.
    priors = [(total - own) / (len(alone) - 1) if len(alone) > 1 else None for own in alone]
    fits = [_fitted(*each, length_free) for each in zip(traits, alone, priors, strict=True)]
    temperatures = _temperatures(fits)
    slope, temperature = _common(fits, temperatures[0], length_free)
    scale = np.array([temperature, *(own.temperature for own in temperatures)])
    weights = np.array([total / len(alone), *(fit.weights for fit in fits)]) / scale[:, None]
    slopes = np.array([slope, *(fit.slope for fit in fits)]) / scale
    heads = tuple(
        TraitHead.model_construct(  # it is checked where it is saved
            trait=fit.trait.name,
            num_pairs=len(fit.trait.duels.chosen),
            num_messages=fit.trait.num_messages,
            prior_share=fit.share,
            **own._asdict(),
        )
        for fit, own in zip(fits, temperatures, strict=True)
    )
    return heads, weights.astype(np.float32), slopes


def _fitted(trait: _Trait, alone: Floats, prior: Floats | None, length_free: bool) -> _Fit:
    """Return a trait's fit around a share of the prior, or alone where that surely does better held out."""
    without = _Fit(trait, prior, alone, 0.0, *_held_out(trait, length_free, None))
    if prior is None:
        return without
    share = PRIOR_MESSAGES / (PRIOR_MESSAGES + trait.num_messages)
    margins, slope = _held_out(trait, length_free, share * prior)
    weight = trait.duels.weight
    if len(margins) and surely_better(calibrate(without.margins, weight), calibrate(margins, weight), weight):
        return without
    drawn = fit_head(trait.matrix, trait.duels, prior=share * prior)
    return _Fit(trait, prior, drawn, share, margins, slope)


def pair_weight(pair: PreferencePair) -> float:
    """Return how much a pair counts, in 0..1: 2p - 1, or 1 where the ranking gives no probability."""
    return 1.0 if pair.probability is None else max(0.0, 2 * pair.probability - 1)


def log_lengths(texts: Sequence[str]) -> Floats:
    """Return the logarithm of each text's length in characters, without its format; 0 for none."""
    return np.log([max(1.0, float(len(prepared(text, plain=True)))) for text in texts])


def _by_trait(matrix: Any, texts: Sequence[str], pairs: Sequence[PreferencePair], seed: int) -> list[_Trait]:
    place = {text: row for row, text in enumerate(texts)}
    length = log_lengths(texts)
    traits = []
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
        traits.append(_Trait(name, matrix[rows], duels, len(set(keys))))
    return traits


def _held_out(trait: _Trait, length_free: bool, prior: Floats | None) -> tuple[Floats, float]:
    """Return each pair's margin by a head of the other folds less its slope over length, and that slope."""
    if trait.num_messages < 2:
        return np.empty(0), 0.0
    margins = np.empty(len(trait.duels.chosen))
    for fold in np.unique(trait.duels.fold):
        out = trait.duels.fold == fold
        weights = fit_head(trait.matrix, trait.duels.at(~out), prior=prior)
        margins[out] = trait.duels.at(out).margins(trait.matrix @ weights)
    slope = length_slope(margins, trait.duels) if length_free else 0.0
    return margins - slope * trait.duels.longer, slope


def _temperatures(fits: list[_Fit]) -> list[_Temperature]:
    measured = [fit for fit in fits if len(fit.margins)]
    if not measured:
        return [_Temperature(1.0, 0, False)] * len(fits)
    shared = _temperature(measured)
    own = [_temperature([fit]) if len(fit.margins) else shared for fit in fits]
    return [each if each.calibrated else shared for each in own]


def _temperature(fits: list[_Fit]) -> _Temperature:
    margins = np.concatenate([fit.margins for fit in fits])
    weight = np.concatenate([fit.trait.duels.weight for fit in fits])
    num_messages = sum(fit.trait.num_messages for fit in fits)
    is_enough = len(margins) >= LEAST_PAIRS and num_messages >= LEAST_MESSAGES
    return _Temperature(calibrate(margins, weight).temperature, len(margins), is_enough)


def _common(fits: list[_Fit], of_first: _Temperature, length_free: bool) -> tuple[float, float]:
    """Return slope and temperature of an unknown trait: taken from each as the others alone predict it."""
    predicted = [
        (fit.trait.duels, fit.trait.duels.margins(fit.trait.matrix @ fit.prior))
        for fit in fits
        if fit.prior is not None
    ]
    if not predicted:
        return fits[0].slope, of_first.temperature
    slope = 0.0
    if length_free:
        slope = float(np.mean([length_slope(margins, duels) for duels, margins in predicted]))
    rest = np.concatenate([margins - slope * duels.longer for duels, margins in predicted])
    return slope, calibrate(rest, np.concatenate([duels.weight for duels, _ in predicted])).temperature


def fit_head(matrix: Any, duels: Duels, prior: Floats | None = None) -> Floats:
    """Return the weights w that explain the duels; ``matrix`` (texts, features) is dense or sparse.

    With a ``prior`` they are drawn towards it instead of towards 0, so that few pairs leave it as it is and
    many overrule it.
    """
    from scipy.optimize import minimize

    num_texts, num_features = matrix.shape
    transposed = matrix.T.tocsr() if hasattr(matrix, "tocsr") else matrix.T
    centre = np.zeros(num_features) if prior is None else prior
    before = duels.margins(matrix @ centre)

    def loss(change: Floats) -> tuple[float, Floats]:
        margin = before + duels.margins(matrix @ change)
        pull = -duels.weight / (1 + np.exp(np.clip(margin, -500, 500)))
        of_text = np.bincount(duels.chosen, pull, num_texts) - np.bincount(duels.rejected, pull, num_texts)
        value = duels.weight @ np.logaddexp(0, -margin) + change @ change / (2 * STRENGTH)
        return float(value), transposed @ of_text + change / STRENGTH

    options = {"maxiter": 300, "ftol": 1e-7, "maxcor": 5}
    least = minimize(loss, np.zeros(num_features), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(centre + least.x)


def length_slope(margins: Floats, duels: Duels) -> float:
    """Return how much held-out margins grow per unit of log-length difference, beside their average.

    Least squares with an intercept: the intercept is what the chosen sides have besides length, so that a
    trait whose pairs favour long replies is not blamed for it. Ten pairs' worth of doubt draw it towards 0.
    """
    if len(margins) < 2:
        return 0.0
    longer = duels.longer - np.average(duels.longer, weights=duels.weight)
    spread = float(duels.weight @ longer**2)
    if spread <= 0:
        return 0.0
    beside = margins - np.average(margins, weights=duels.weight)
    shrunk = len(margins) / (len(margins) + SLOPE_DOUBT)
    return float(duels.weight @ (longer * beside)) / spread * shrunk


class OddsCalibration(NamedTuple):
    """A temperature, and the log loss (nats) of each held-out pair with it."""

    temperature: float
    losses: Floats


def calibrate(margins: Floats, weight: Floats) -> OddsCalibration:
    """Return the T > 0 under which margins / T are the best calibrated log-odds (temperature scaling).

    The sides are taken to be right with Platt's (n + 1) / (n + 2) instead of 1, so that a few pairs, all of
    them right, do not make it certain. Platt 1999; Guo et al. 2017.
    """
    from scipy.optimize import minimize_scalar

    target = (weight.sum() + 1) / (weight.sum() + 2)

    def losses(log_inverse: float) -> Floats:
        odds = margins * np.exp(log_inverse)
        return np.asarray(target * np.logaddexp(0, -odds) + (1 - target) * np.logaddexp(0, odds))

    def penalized(log_inverse: float) -> float:
        return float(weight @ losses(log_inverse) + log_inverse**2 / 20)

    best = minimize_scalar(penalized, bounds=(-5.0, 5.0), method="bounded").x
    return OddsCalibration(float(np.exp(-best)), losses(best))


def surely_better(one: OddsCalibration, other: OddsCalibration, weight: Floats) -> bool:
    """Whether the losses of ``one`` are lower, by more than the standard error of the difference."""
    gain = other.losses - one.losses
    mean = float(np.average(gain, weights=weight))
    error = float(np.sqrt(np.average((gain - mean) ** 2, weights=weight) / max(1, len(gain) - 1)))
    return mean > error


@contextmanager
def fitting() -> Iterator[None]:
    """Compute what is fitted inside in one thread; raises MissingExtraError where the extra is not installed.

    The vectors are small: on a busy machine BLAS threads that wait for one another made a fit of one second
    take a minute.
    """
    try:
        import scipy.optimize
        import scipy.sparse  # noqa: F401
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise MissingExtraError("fitting a preference model", "preference") from None
    with threadpool_limits(limits=1):
        yield
