"""How a judge is asked: by scores of all candidates, an order of all, comparisons of two, or one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, Literal, get_args

import numpy as np

from character.errors import ConfigError, UnknownNameError
from character.ranking.chains import parse_chain
from character.ranking.combine import Method
from character.ranking.orders import balanced_orders, round_robin, swiss_round
from character.records import order_by_score, scores_by_order
from character.text import stable_seed
from signatures.judging import CompareResponses, PickResponse
from signatures.ranking import (
    BEST_MARK,
    BEST_SCORE,
    MarkResponse,
    MarkResponses,
    OrderResponses,
    RankResponses,
    ScoreResponse,
)

StrategyName = Literal["scores", "listwise", "pairwise", "pointwise"]
STRATEGIES: tuple[StrategyName, ...] = get_args(StrategyName)
Tournament = Literal["round_robin", "swiss"]
TOURNAMENTS: tuple[Tournament, ...] = get_args(Tournament)

Reading = Literal["text", "probabilities", "auto"]
READINGS: tuple[Reading, ...] = get_args(Reading)

UNSURE = 0.1
"""A pair is compared again while either side is the better one with more than this probability."""

Read = tuple[tuple[float, ...] | None, str, str]
"""Scores in 0..1 in the order shown (None for an unsuitable message), or a fault and its detail."""


@dataclass(frozen=True)
class Strategy:
    """One way to ask: the signature, how its reply is read, how the scores of several passes are combined.

    ``write`` is the other way round: what the reply would be for scores in 0..1 in the order shown.
    ``values`` are the scores that the words of an answer stand for, where it is read by their probabilities.
    """

    name: StrategyName
    signature: Any
    read: Callable[[Mapping[str, Any], int], Read]
    write: Callable[[Sequence[float]], dict[str, Any]]
    method: Method
    values: Mapping[str, float] | None = None

    def spreads(self, outputs: Mapping[str, Any]) -> tuple[float, ...]:
        """Return each score's standard deviation by the answer's probabilities; none of a written one."""
        if self.values is None:
            return ()
        means = (_mean(odds, self.values) for odds in _odds(outputs))
        return tuple(round(math.sqrt(variance), 4) for _, variance in means) * (
            2 if "better" in outputs else 1
        )


def strategy(name: str, reading: Reading = "text") -> Strategy:
    """Return the strategy of that name, read as said; raises UnknownNameError, which lists the known ones.

    A strategy that cannot be read by probabilities is an error, unless ``reading`` is ``auto``.
    """
    if name not in _STRATEGIES:
        raise UnknownNameError("ranking strategy", name, STRATEGIES)
    if reading not in READINGS:
        raise UnknownNameError("way to read a judge", reading, READINGS)
    if reading == "probabilities" and name not in _BY_ODDS:
        raise ConfigError(
            f"the strategy {name} cannot be read by probabilities: it answers with an order.",
            expected=f'a strategy among {", ".join(_BY_ODDS)}, or read = "text"',
        )
    return _STRATEGIES[name] if reading == "text" else _BY_ODDS.get(name, _STRATEGIES[name])


def _scores(outputs: Mapping[str, Any], number: int) -> Read:
    scores = outputs["scores"]
    if len(scores) != number:
        return None, "wrong_count", f"expected {number} scores, one per response, got {len(scores)}"
    wrong = next((score for score in scores if not 0 <= score <= BEST_SCORE), None)
    if wrong is not None:
        return None, "out_of_range", f"every score must lie between 0 and {BEST_SCORE}, got {wrong}"
    return tuple(score / BEST_SCORE for score in scores), "", ""


def _score(outputs: Mapping[str, Any], _number: int) -> Read:
    return _scores({"scores": [outputs["score"]]}, 1)


def _order(outputs: Mapping[str, Any], number: int) -> Read:
    groups = parse_chain(outputs["order"], [str(i + 1) for i in range(number)])
    if groups is None:
        order = outputs["order"].strip()[:60]
        fault = f"the order {order!r} is no chain that names each of 1 to {number} once, such as 2 > 3 = 1"
        return None, "unreadable_order", fault
    scores = scores_by_order(groups)
    return tuple(scores[i] for i in range(number)), "", ""


def _verdict(outputs: Mapping[str, Any], _number: int) -> Read:
    by_verdict = {"first": (1.0, 0.0), "second": (0.0, 1.0), "tie": (0.5, 0.5)}
    return by_verdict.get(outputs["verdict"]), "", ""


def _whole(scores: Sequence[float]) -> list[int]:
    return [round(BEST_SCORE * score) for score in scores]


def _write_scores(scores: Sequence[float]) -> dict[str, Any]:
    return {"suitable": True, "scores": _whole(scores)}


def _write_score(scores: Sequence[float]) -> dict[str, Any]:
    return {"suitable": True, "score": _whole(scores)[0]}


def _write_order(scores: Sequence[float]) -> dict[str, Any]:
    groups = order_by_score(tuple(scores))
    chain = " > ".join(" = ".join(str(index + 1) for index in group) for group in groups)
    return {"suitable": True, "order": chain}


def _write_verdict(scores: Sequence[float]) -> dict[str, Any]:
    first, second = scores
    return {"verdict": "tie" if first == second else "first" if first > second else "second"}


_STRATEGIES: dict[str, Strategy] = {
    each.name: each
    for each in (
        Strategy("scores", RankResponses, _scores, _write_scores, "model"),
        Strategy("listwise", OrderResponses, _order, _write_order, "borda"),
        Strategy("pairwise", CompareResponses, _verdict, _write_verdict, "bradley_terry"),
        Strategy("pointwise", ScoreResponse, _score, _write_score, "model"),
    )
}


def _odds(outputs: Mapping[str, Any]) -> list[Mapping[str, float]]:
    """Return the odds of an answer's words; of an example, which has none, they are sure."""
    if "odds" in outputs:
        return list(outputs["odds"])
    given = next(outputs[name] for name in ("marks", "mark", "better") if name in outputs)
    return [{word: 1.0} for word in (given if isinstance(given, list) else [given])]


def _mean(odds: Mapping[str, float], values: Mapping[str, float]) -> tuple[float, float]:
    """Return mean and variance of a score over the words that stand for one."""
    shares = {word: share for word, share in odds.items() if word in values}
    total = sum(shares.values()) or 1.0
    mean = sum(share * values[word] for word, share in shares.items()) / total
    return mean, sum(share * (values[word] - mean) ** 2 for word, share in shares.items()) / total


def _marks(outputs: Mapping[str, Any], number: int) -> Read:
    answers = _odds(outputs)
    last = answers[-1] if answers else {"U": 1.0}
    ends_early = len(answers) < number and max(last, key=lambda word: last[word]) == "U"
    if last.get("U", 0.0) > 0.5 or ends_early:
        return None, "", ""
    if len(answers) != number:
        return None, "wrong_count", f"expected {number} marks, one per response, got {len(answers)}"
    return tuple(round(_mean(odds, _MARK_VALUES)[0], 4) for odds in answers), "", ""


def _better(outputs: Mapping[str, Any], _number: int) -> Read:
    odds = _odds(outputs)[0]
    if odds.get("U", 0.0) > 0.5:
        return None, "", ""
    first = round(_mean(odds, _BETTER_VALUES)[0], 4)
    return (first, 1 - first), "", ""


def _figures(scores: Sequence[float]) -> list[str]:
    return [str(round(BEST_MARK * score)) for score in scores]


def _write_better(scores: Sequence[float]) -> dict[str, Any]:
    first, second = scores
    return {"better": "T" if first == second else "A" if first > second else "B"}


_MARK_VALUES = {str(mark): mark / BEST_MARK for mark in range(BEST_MARK + 1)}
_BETTER_VALUES = {"A": 1.0, "T": 0.5, "B": 0.0}
_BY_ODDS: dict[str, Strategy] = {
    "scores": Strategy(
        "scores", MarkResponses, _marks, lambda scores: {"marks": _figures(scores)}, "model", _MARK_VALUES
    ),
    "pointwise": Strategy(
        "pointwise", MarkResponse, _marks, lambda scores: {"mark": _figures(scores)[0]}, "model", _MARK_VALUES
    ),
    "pairwise": Strategy("pairwise", PickResponse, _better, _write_better, "model", _BETTER_VALUES),
}
"""The same strategies, answered with a word or a figure, of which the probabilities are read."""


class Plan:
    """Which candidates a judge is shown in each round; ``first`` and then ``more``, as often as wanted.

    ``scores`` and ``listwise`` show all candidates, in the orders of a balanced design, one order to a pass.
    ``pointwise`` shows each alone, one round to a pass. ``pairwise`` shows pairs: in the first round each
    pair (or each that a Swiss tournament matches) as often as there are passes, in both orders by turns.
    """

    def __init__(
        self, name: StrategyName, num_candidates: int, passes: int, tournament: Tournament, seed: int
    ) -> None:
        self.name, self.num_candidates, self.passes, self.seed = name, num_candidates, passes, seed
        is_swiss = name == "pairwise" and tournament == "swiss"
        self.rounds = math.ceil(math.log2(num_candidates)) if is_swiss else 1
        self._tournament = tournament
        self._orders: Iterator[tuple[int, ...]] = balanced_orders(num_candidates, seed)
        self._met: set[frozenset[int]] = set()
        self._turn = count()

    def round(self, points: list[float]) -> list[tuple[int, ...]]:
        """Return what the next round of the first part shows; ``points`` so far steer a Swiss tournament."""
        if self.name == "pairwise":
            return self._comparisons(points)
        if self.name == "pointwise":
            return [(i,) for _ in range(self.passes) for i in range(self.num_candidates)]
        return list(islice(self._orders, self.passes))

    def _comparisons(self, points: list[float]) -> list[tuple[int, ...]]:
        seed = stable_seed(self.seed, next(self._turn))
        if self._tournament == "swiss":
            both = swiss_round(points, self._met, seed)
            self._met |= {frozenset(pair) for pair in both}
        else:
            both = round_robin(self.num_candidates, seed)
        # Both orders of a pair stand next to each other: one pass takes the first of them.
        return [both[i + turn % 2] for i in range(0, len(both), 2) for turn in range(self.passes)]

    def more(self, probabilities: tuple[tuple[float, ...], ...]) -> list[tuple[int, ...]]:
        """Return what one further pass shows: of ``pairwise`` the pairs still unsure, else everything."""
        if self.name != "pairwise":
            self.passes = 1
            return self.round([])
        table = np.asarray(probabilities)
        unsure = np.minimum(table, 1 - table) > UNSURE
        turn = next(self._turn)
        pairs = [(int(i), int(j)) for i, j in np.argwhere(np.triu(unsure, 1))]
        return [pair if turn % 2 else pair[::-1] for pair in pairs]


def calls_per_pass(name: StrategyName, num_candidates: int, tournament: Tournament) -> int:
    """Return how many calls one pass over all candidates takes."""
    if name == "pointwise":
        return num_candidates
    if name != "pairwise":
        return 1
    if tournament == "swiss":
        return math.ceil(math.log2(num_candidates)) * (num_candidates // 2)
    return num_candidates * (num_candidates - 1) // 2
