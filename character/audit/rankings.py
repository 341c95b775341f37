"""How far a run's rankings can be trusted: places, consistency, intended levels, jurors, what is unsure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from heapq import nsmallest
from itertools import combinations
from operator import attrgetter
from typing import Literal, NamedTuple

import numpy as np

from character.constitution import Trait
from character.ranking.combine import consistency
from character.ranking.position_bias import MIN_RANKINGS, PositionEstimator
from character.records import LEVELS, Candidates, Level, Ranking, RankingPass, Record, Rollout
from character.statistics.agreement import interval_alpha, interval_alpha_sums, kendall_tau_b
from character.statistics.intervals import LEAST_GROUPS, Interval, bootstrap_mean, interval_of_sums

Measure = Literal["passes", "orders", "scores"]
"""What consistency compares: passes over all candidates, both orders of a pair, two scores of a candidate."""
SURE, UNSURE = 0.9, 0.7
"""A pair of candidates is sure above the one probability and unsure below the other."""


class PlaceRow(Record):
    """What one place in the list does to a score (0..1), for one judge and number of candidates shown.

    ``first_choice`` is how often the candidate shown there got the highest score of its pass.
    """

    judge: str
    num_shown: int
    place: int
    effect: Interval
    first_choice: float
    rankings: int


class LevelRow(Record):
    """How candidates asked for at one level were judged: mean score, and how often they came first."""

    level: str
    candidates: int
    score: Interval
    best: Interval


class VersusRow(Record):
    """How often the level meant to fit better was judged to: ties count half."""

    better: str
    worse: str
    pairs: int
    share: Interval


class GroupRow(Record):
    """Consistency and agreement with the intended levels for one trait or language."""

    by: str
    name: str
    rankings: int
    consistency: Interval | None
    intended: Interval | None


class JurorRow(Record):
    """One juror's mean tau-b with the mean of the others, over messages."""

    juror: str
    messages: int
    tau: Interval


class RankingAudit(Record):
    """What the rankings of a run are worth.

    ``passes`` is how often a candidate was judged per ranking. ``consistency`` is how far a judge agrees
    with itself, in -1..1: where ``measure`` is ``passes`` the mean tau-b between two passes over the same
    candidates, ``scores`` that between the first and the second scores of each, ``orders`` 2 s - 1 with s
    the share of pairs of candidates on which both orders agree (ties half). ``repeated`` counts the rankings
    that judged something twice. ``same_model`` lists models that more than one juror is made of.
    ``same_best`` how often two passes agree on the best. ``intended`` is the share of pairs of levels that
    were judged as they were meant. ``sure`` and ``unsure`` are shares of all pairs of candidates;
    ``expected_errors`` the share of pairs that the orders are expected to get wrong. Intervals hold at 95 %,
    messages resampled; from fewer than five messages nothing is estimated.
    """

    statuses: dict[str, int]
    strategies: dict[str, int]
    passes: float
    saved_calls: int
    saved_share: float
    places: tuple[PlaceRow, ...]
    consistency: Interval | None
    measure: Measure = "passes"
    repeated: int = 0
    same_model: tuple[str, ...] = ()
    same_best: Interval | None
    intended: Interval | None
    levels: tuple[LevelRow, ...]
    versus: tuple[VersusRow, ...]
    groups: tuple[GroupRow, ...]
    alpha: Interval | None
    jurors: tuple[JurorRow, ...]
    sure: float
    unsure: float
    expected_errors: Interval | None
    least_consistent: tuple[str, ...]


def audit_rankings(
    rollouts: Iterable[Rollout], *, traits: Mapping[str, Trait] | None = None, seed: int = 0
) -> RankingAudit:
    """Return what the rankings are worth; rollouts are read once and not kept.

    ``traits`` tell the target of each by its name; one that is not there is meant to be natural.
    """
    collected = _Collected(traits or {})
    for rollout in rollouts:
        collected.add(rollout)
    return collected.audit(seed)


class _Seen(NamedTuple):
    """What was measured of one message; None where there was nothing to measure."""

    message_id: str
    trait: str
    language: str
    consistency: float | None
    same_best: float | None
    intended: float | None
    error: float | None
    jurors: dict[str, list[float]]


def _mean(values: Iterable[float | None], seed: int) -> Interval | None:
    """Return the mean of what was measured with its interval, None for too few."""
    numbers = [value for value in values if value is not None]
    return bootstrap_mean(numbers, seed=seed) if len(numbers) >= LEAST_GROUPS else None


class _Collected:
    def __init__(self, traits: Mapping[str, Trait]) -> None:
        self.traits = traits
        self.statuses: Counter[str] = Counter()
        self.strategies: Counter[str] = Counter()
        self.places = PositionEstimator()
        self.models: dict[str, set[str]] = defaultdict(set)
        self.seen: list[_Seen] = []
        self.scores: dict[str, list[float]] = defaultdict(list)
        self.firsts: dict[str, list[float]] = defaultdict(list)
        self.versus: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.judged = 0.0
        self.saved = self.calls = self.sure = self.unsure = self.pairs = 0

    def add(self, rollout: Rollout) -> None:
        ranking, message = rollout.ranking, rollout.message
        if ranking is None:
            return
        self.statuses[ranking.status] += 1
        self.strategies[ranking.strategy] += 1
        self.calls += ranking.usage.calls
        if ranking.status != "ranked" or rollout.candidates is None:
            return
        self.judged += sum(len(done.shown) for done in ranking.passes) / len(ranking.scores)
        self.saved += ranking.saved_calls
        self.places.add(ranking)
        for done in ranking.passes:
            if done.juror:
                self.models[done.model].add(done.juror)
        agreed = _consistency(ranking)
        self.seen.append(
            _Seen(
                message_id=ranking.message_id,
                trait=message.trait,
                language=message.language,
                consistency=agreed,
                same_best=None if agreed is None else _same_best(ranking),
                intended=self._intended(self.traits.get(message.trait), rollout.candidates, ranking),
                error=self._error(ranking),
                jurors=_juror_scores(ranking),
            )
        )

    def _intended(self, trait: Trait | None, candidates: Candidates, ranking: Ranking) -> float | None:
        """Return in what share of pairs the level meant to fit better won; counts all levels on the way."""
        levels = [item.level for item in candidates.items]
        best = set(ranking.order[0])
        for index, level in enumerate(levels):
            if level is not None:
                self.scores[level].append(ranking.scores[index])
                self.firsts[level].append(1 / len(best) if index in best else 0.0)
        won: list[float] = []
        for (i, a), (j, b) in combinations(enumerate(levels), 2):
            sides = _intended(a, b, trait.target if trait else "natural")
            if sides is not None:
                difference = ranking.scores[i] - ranking.scores[j]
                won.append(0.5 + 0.5 * float(np.sign(difference if sides[0] == a else -difference)))
                self.versus[sides].append(won[-1])
        return float(np.mean(won)) if won else None

    def _error(self, ranking: Ranking) -> float | None:
        """Return the share of pairs that the order is expected to get wrong; counts sure pairs on the way."""
        if not ranking.probabilities:
            return None
        table = np.asarray(ranking.probabilities)
        of_pairs = table[np.triu_indices(len(table), 1)]
        likelier = np.maximum(of_pairs, 1 - of_pairs)
        self.pairs += len(likelier)
        self.sure += int((likelier >= SURE).sum())
        self.unsure += int((likelier < UNSURE).sum())
        return float((1 - likelier).mean())

    def audit(self, seed: int) -> RankingAudit:
        agreed = [(seen.consistency, seen.message_id) for seen in self.seen if seen.consistency is not None]
        jurors = [seen.jurors for seen in self.seen if seen.jurors]
        commonest = max(self.strategies, key=lambda name: self.strategies[name], default="")
        return RankingAudit(
            statuses=dict(self.statuses),
            strategies=dict(self.strategies),
            passes=round(self.judged / max(1, self.statuses["ranked"]), 3),
            saved_calls=self.saved,
            saved_share=round(self.saved / max(1, self.saved + self.calls), 4),
            places=tuple(self._places(seed)),
            consistency=_mean((seen.consistency for seen in self.seen), seed),
            measure=_MEASURES.get(commonest, "passes"),
            repeated=len(agreed),
            same_model=tuple(sorted(name for name, of in self.models.items() if name and len(of) > 1)),
            same_best=_mean((seen.same_best for seen in self.seen), seed),
            intended=_mean((seen.intended for seen in self.seen), seed),
            levels=tuple(self._levels(seed)),
            versus=tuple(self._versus(seed)),
            groups=tuple(self._groups(seed)),
            alpha=_alpha(jurors, seed),
            jurors=tuple(_juror_rows(jurors, seed)),
            sure=round(self.sure / max(1, self.pairs), 4),
            unsure=round(self.unsure / max(1, self.pairs), 4),
            expected_errors=_mean((seen.error for seen in self.seen), seed),
            least_consistent=tuple(message_id for _, message_id in nsmallest(5, agreed)),
        )

    def _places(self, seed: int) -> Iterable[PlaceRow]:
        for judge, length in self.places.judges():
            number = self.places.num_rankings(judge, length)
            if number < MIN_RANKINGS:
                continue
            effects = self.places.intervals(judge, length, seed=seed)
            choices = self.places.first_choices(judge, length)
            for place, (effect, choice) in enumerate(zip(effects, choices, strict=True), 1):
                yield PlaceRow(
                    judge=judge,
                    num_shown=length,
                    place=place,
                    effect=effect,
                    first_choice=choice,
                    rankings=number,
                )

    def _levels(self, seed: int) -> Iterable[LevelRow]:
        for level in LEVELS:
            score, best = (_mean(of[level], seed) for of in (self.scores, self.firsts))
            if score and best:
                yield LevelRow(level=level, candidates=len(self.scores[level]), score=score, best=best)

    def _versus(self, seed: int) -> Iterable[VersusRow]:
        for (better, worse), shares in sorted(self.versus.items()):
            share = _mean(shares, seed)
            if share:
                yield VersusRow(better=better, worse=worse, pairs=len(shares), share=share)

    def _groups(self, seed: int) -> Iterable[GroupRow]:
        for by in ("trait", "language"):
            name_of = attrgetter(by)
            numbers = Counter(name_of(seen) for seen in self.seen if seen.intended is not None)
            for name, number in numbers.items():
                group = [seen for seen in self.seen if name_of(seen) == name]
                yield GroupRow(
                    by=by,
                    name=name,
                    rankings=number,
                    consistency=_mean((seen.consistency for seen in group), seed),
                    intended=_mean((seen.intended for seen in group), seed),
                )


_MEASURES: dict[str, Measure] = {"pairwise": "orders", "pointwise": "scores"}


def _consistency(ranking: Ranking) -> float | None:
    """Return the stored consistency; of passes over some candidates, what it comes to in whole rounds."""
    if ranking.strategy not in _MEASURES:
        return ranking.consistency
    rows = [done.scores for done in ranking.passes]
    return consistency(np.array(rows, dtype=float)) if rows else None


def _same_best(ranking: Ranking) -> float | None:
    """Return how far two passes over all candidates agree on the best, on average."""
    bests = [_best(done) for done in ranking.passes if len(done.shown) == len(ranking.scores)]
    same = [len(left & right) / len(left | right) for left, right in combinations(bests, 2)]
    return float(np.mean(same)) if same else None


def _best(done: RankingPass) -> set[int]:
    highest = max(score for score in done.scores if score is not None)
    return {i for i, score in enumerate(done.scores) if score == highest}


_BELOW: dict[str, tuple[Level, ...]] = {
    "natural": ("subtle", "absent", "overdone", "opposite"),
    "subtle": ("absent", "overdone", "opposite"),
    "absent": ("opposite",),
}


def _intended(left: Level | None, right: Level | None, target: str) -> tuple[str, str] | None:
    """Return (better, worse) of two levels, None where nothing is meant: absent against overdone, or equals.

    Where the trait's target is subtle, natural and subtle change places.
    """
    swap = {"natural": "subtle", "subtle": "natural"} if target == "subtle" else {}
    for better, worse in ((left, right), (right, left)):
        if better and worse and swap.get(worse, worse) in _BELOW.get(swap.get(better, better), ()):
            return better, worse
    return None


def _juror_scores(ranking: Ranking) -> dict[str, list[float]]:
    """Return each juror's mean score of each candidate, nan where not shown; none for a single juror."""
    passes: dict[str, list[tuple[float | None, ...]]] = defaultdict(list)
    for done in ranking.passes:
        if done.juror:
            passes[done.juror].append(done.scores)
    if len(passes) < 2:
        return {}
    tables = {name: np.ma.masked_invalid(np.array(rows, dtype=float)) for name, rows in passes.items()}
    return {name: table.mean(axis=0).filled(np.nan).tolist() for name, table in tables.items()}


def _alpha(messages: list[dict[str, list[float]]], seed: int) -> Interval | None:
    """Return Krippendorff's alpha (interval level) of the jurors' scores, messages resampled."""
    if len(messages) < LEAST_GROUPS:
        return None
    sums = np.array([interval_alpha_sums(list(jurors.values())) for jurors in messages])
    return interval_of_sums(interval_alpha, sums, seed=seed)


def _juror_rows(messages: list[dict[str, list[float]]], seed: int) -> Iterable[JurorRow]:
    for name in sorted({name for jurors in messages for name in jurors}):
        taus = []
        for jurors in messages:
            others = [scores for other, scores in jurors.items() if other != name]
            if name in jurors:
                own, rest = np.array(jurors[name]), np.ma.masked_invalid(others).mean(axis=0).filled(np.nan)
                shown = np.isfinite(own) & np.isfinite(rest)  # to this juror, and to another
                taus += [kendall_tau_b(own[shown], rest[shown]) or 0.0] if shown.sum() > 1 else []
        tau = _mean(taus, seed)
        if tau:
            yield JurorRow(juror=name, messages=len(taus), tau=tau)
