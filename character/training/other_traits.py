"""The traits that were not asked for: how far each tells chosen from rejected, by words or by a judge.

A judge that also likes jokes gives pairs whose chosen sides joke more. A reward model learns that with
everything else and its held-out accuracy stays high, because the held-out pairs lean the same way. It has to
be looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from character.constitution import Trait
from character.exports.rows import trl_row
from character.pairs.feature_words import signs_of_trait
from character.pairs.features import MeasuredText, trait_words
from character.records import Candidate, Candidates, Message, PreferencePair
from character.statistics.intervals import bootstrap_mean
from character.training.data import Row, TrainingData, prompt_key, text_of, turns_of
from character.training.findings import check, weight_of, written
from character.training.methods import Method
from character.training.reports import Check

SHOWN = 0.5
EFFECT_BAR = 0.1
"""The difference of rates between the sides that flags another trait, where its interval excludes 0."""
LEAST_SHOWN = 0.02
"""A trait whose words are in a smaller share of all sides was hardly looked for: nothing is said of it."""


class TraitScorer(NamedTuple):
    """Who finds a trait in responses: ``score`` says how strongly each response, to the message of the same
    place, shows the trait, in 0..1 (one half and more shows it), and ``how`` in words who that is."""

    score: Callable[[Sequence[Message], Sequence[str], Trait], Sequence[float]]
    how: str


def _score_by_words(_messages: Sequence[Message], responses: Sequence[str], trait: Trait) -> list[float]:
    """Say 1 where a response has a word of the trait's name and definition, else 0: coarse, and asks nobody.

    In Chinese two characters side by side count as a word (see ``signs_of_trait``).
    """
    words = signs_of_trait(trait)
    return [float(trait_words(MeasuredText.of(text, words)) > 0) for text in responses]


BY_WORDS = TraitScorer(_score_by_words, "by the words of its definition")


def by_judge(ranker: Any) -> TraitScorer:
    """Return a scorer that asks a ranker about the trait, with all responses to a message in one list.

    ``ranker`` is a Ranker or anything else called as one; the model is that of DSPy's context. Responses to a
    message that it could not rank count as not showing the trait, and so do single ones that it scores below
    one half.
    """

    def score(messages: Sequence[Message], responses: Sequence[str], trait: Trait) -> list[float]:
        scores: dict[tuple[str, str], float] = {}
        by_message: dict[str, tuple[Message, list[str]]] = {}
        for message, text in zip(messages, responses, strict=True):
            by_message.setdefault(message.id, (message, []))[1].append(text)
        for message, texts in by_message.values():
            distinct = list(dict.fromkeys(texts))
            for text, value in zip(distinct, _judged(ranker, message, distinct, trait), strict=True):
                scores[message.id, text] = value
        return [scores[message.id, text] for message, text in zip(messages, responses, strict=True)]

    return TraitScorer(score, "as the judge sees it when asked about that trait alone")


def _judged(ranker: Any, message: Message, texts: list[str], trait: Trait) -> list[float]:
    asked = message.model_copy(update={"trait": trait.name})
    candidates = Candidates(
        message_id=asked.id, trait=trait.name, items=tuple(Candidate(text=text) for text in texts)
    )
    ranking = ranker(message=asked, candidates=candidates, trait=trait)
    return list(ranking.scores) if ranking.status == "ranked" else [0.0] * len(texts)


def contrasts_of(
    pairs: Iterable[PreferencePair], traits: Sequence[Trait], scorer: TraitScorer
) -> dict[str, dict[str, float]]:
    """Return what balancing takes as ``contrasts``: by ``trait:NAME`` and pair id, 1 where the chosen side
    alone shows another trait, -1 where the rejected does."""
    contrasts: dict[str, dict[str, float]] = {}
    for trait, others, chosen, rejected in _shown([trl_row(pair) for pair in pairs], traits, scorer):
        differences = chosen.astype(float) - rejected.astype(float)
        ids = [row["pair_id"] for row in others]
        contrasts[f"trait:{trait.name}"] = dict(zip(ids, differences.tolist(), strict=True))
    return contrasts


def other_traits(
    data: TrainingData, method: Method, traits: Sequence[Trait], scorer: TraitScorer
) -> Iterator[Check]:
    """Tell how often each side shows every trait that the pair is not about."""
    rows = [row for row in data.rows if row.get("trait")] if method.has_pairs else []
    for trait, others, chosen, rejected in _shown(rows, traits, scorer):
        yield _check(trait.name, chosen, rejected, [prompt_key(row) for row in others], scorer)


def _shown(
    rows: Sequence[Row], traits: Sequence[Trait], scorer: TraitScorer
) -> Iterator[tuple[Trait, list[Row], Any, Any]]:
    """Yield every trait with the rows of the others, and which of their chosen and rejected sides show it."""
    for trait in traits:
        others = [row for row in rows if row["trait"] != trait.name]
        if others:
            messages = [_message(row) for row in others]
            chosen, rejected = (
                np.asarray(scorer.score(messages, [text_of(row[side]) for row in others], trait)) >= SHOWN
                for side in ("chosen", "rejected")
            )
            yield trait, others, chosen, rejected


def _check(name: str, chosen: Any, rejected: Any, keys: list[str], scorer: TraitScorer) -> Check:
    difference = bootstrap_mean(chosen.astype(float) - rejected.astype(float), groups=keys)
    if difference is None:
        raise ValueError("there are no rows")
    weight, case = weight_of(difference, 0.0, EFFECT_BAR, len(set(keys))), ""
    if scorer is BY_WORDS and (chosen.mean() + rejected.mean()) / 2 < LEAST_SHOWN:
        weight, case = "note", "unseen"
    numbers = {
        "chosen": float(chosen.mean()),
        "rejected": float(rejected.mean()),
        "difference": difference.estimate,
        "low": difference.low,
        "high": difference.high,
    }
    spread = written(difference).replace("%", " points")
    return check(f"other_trait:{name}", weight, numbers, case=case, name=name, how=scorer.how, spread=spread)


def _message(row: Row) -> Message:
    return Message.model_validate(
        {
            "trait": row["trait"],
            "turns": tuple(turns_of(row["prompt"], "user")),
            "kind": row.get("kind") or "question",
            "language": row.get("language") or "en",
        }
    )
