"""Why a light model prefers a response: the words and phrases that decided, which add up to its log-odds."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from character.files import problem
from character.preference.encoders import NGramTfidf
from character.preference.linear import LinearPreference
from character.preference.ngrams import character_grams, prepared, word_grams, word_spans
from character.preference.protocol import PreferenceModel, sigmoid
from character.records import Record
from character.statistics.arrays import Floats

LONGEST_PHRASE = 8
"""The most Han characters that are shown as one phrase."""
_HAN_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")


class Reason(Record):
    """A word or phrase of one response, and by how much it moves the log-odds that ``a`` is the better one.

    ``side`` says where it stands, ``a``, ``b`` or ``both`` (then the weight is what is left of the two). What
    speaks for ``b`` has a negative weight.
    """

    side: str
    text: str
    weight: float


class Why(Record):
    """Why ``a`` is, or is not, preferred to ``b``: the reasons with the largest weights first, either way.

    ``log_odds`` is the sum of all weights, those of the reasons shown and ``rest``.
    """

    trait: str
    probability: float
    log_odds: float
    reasons: tuple[Reason, ...]
    rest: float


def why(model: PreferenceModel, a: str, b: str, trait: str, *, num_reasons: int = 12) -> Why:
    """Return the words and phrases that decided between two responses.

    Raises InputError for a model that cannot say: only ``light`` can. Texts are shown as the model sees them,
    in lower case and, where it is length-free, without format.
    """
    if not (isinstance(model, LinearPreference) and isinstance(model.encoder, NGramTfidf) and model.heads):
        raise problem(__file__, "no_reasons", kind=model.kind)
    line = {name: number for number, name in enumerate(model.traits, 1)}.get(trait, 0)
    weights = model.weights[line].astype(np.float64)
    of_a, of_b = (_phrases(model.encoder, weights, text) for text in (a, b))
    parts = []
    for phrase in dict.fromkeys([*of_a, *of_b]):
        side = "both" if phrase in of_a and phrase in of_b else "a" if phrase in of_a else "b"
        weight = of_a.get(phrase, 0.0) - of_b.get(phrase, 0.0)
        parts.append(Reason(side=side, text=phrase, weight=weight))
    odds = model.score((), a, trait) - model.score((), b, trait)
    parts.sort(key=lambda part: (-abs(part.weight), part.side, part.text))
    reasons = tuple(part for part in parts[:num_reasons] if part.weight)
    return Why(
        trait=trait,
        probability=float(sigmoid(np.array(odds))),
        log_odds=odds,
        reasons=reasons,
        rest=odds - sum(part.weight for part in reasons),
    )


explain_preference = why  # its public name


def _phrases(tfidf: NGramTfidf, weights: Floats, text: str) -> dict[str, float]:
    """Return the words and phrases of a text with what they add to its score."""
    seen = prepared(text, plain=tfidf.plain)
    spread = _spread(tfidf, weights, seen)
    phrases: dict[str, float] = {}
    for start, end in _spans(seen, spread):
        phrases[seen[start:end]] = phrases.get(seen[start:end], 0.0) + float(spread[start:end].sum())
    return phrases


def _spread(tfidf: NGramTfidf, weights: Floats, text: str) -> Floats:
    """Return what each character of a prepared text adds to its score; n-grams are shared among theirs."""
    rows = tfidf.encode([text])
    worth = np.zeros(len(weights))
    worth[rows.column] = rows.value * weights[rows.column]
    step = np.zeros(len(text) + 1)
    for grams in (word_grams([text]), character_grams([text])):
        column = tfidf.index.places(grams.hashes)
        own = column >= 0
        column, start, end = column[own], grams.start[own], grams.end[own]
        share = worth[column] / np.bincount(column, minlength=len(weights))[column] / (end - start)
        np.add.at(step, start, share)
        np.add.at(step, end, -share)
    return np.cumsum(step)[:-1]


def _spans(text: str, spread: Floats) -> Iterator[tuple[int, int]]:
    """Yield the words, and the phrases that runs of Han characters are cut into where weights change."""
    for start, end in word_spans(text):
        if not _HAN_RUN.match(text, start):
            yield start, end
    for run in _HAN_RUN.finditer(text):
        yield from _cut(run.start(), run.end(), spread)


def _cut(start: int, end: int, spread: Floats) -> Iterator[tuple[int, int]]:
    """Yield the parts of a run: its heaviest phrase of ``LONGEST_PHRASE``, and what is left on both sides."""
    if end - start <= LONGEST_PHRASE:
        if end > start:
            yield start, end
        return
    sums = np.convolve(spread[start:end], np.ones(LONGEST_PHRASE), mode="valid")
    best = start + int(np.argmax(np.abs(sums)))
    yield from _cut(start, best, spread)
    yield best, best + LONGEST_PHRASE
    yield from _cut(best + LONGEST_PHRASE, end, spread)
