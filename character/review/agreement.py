"""How far reviewers agree with each other and with the judge, from the answers that stand now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple, cast

import numpy as np

from character.review.answers import CheckAnswer, CompareAnswer, EffectAnswer, RankAnswer, SignAnswer, Task
from character.review.index import facts_of
from character.review.store import ReviewStore, StandingAnswer
from character.statistics.agreement import krippendorff_alpha, pairwise_agreement
from optimizers.labelled import Label
from optimizers.labelled.votes import scores_of

BLOCK = 5
"""Answers that are compared with the judge at once."""
Unit = tuple[str, int]
"""What is rated: an item, and the place in it."""


class ReviewerRow(NamedTuple):
    """One reviewer: items answered, and of ``num_judged`` verdicts the share (0..1) that is like the judge's.

    For effects, the share of right guesses of those that were made; ``judge`` is None where there is nothing
    to compare. It moves by whole blocks of ``BLOCK`` answers, so that nobody learns from it whether the last
    one was like the judge's.
    """

    reviewer: str
    num_answered: int
    num_skipped: int
    judge: float | None
    num_judged: int


class Agreement(NamedTuple):
    """Krippendorff's ``alpha`` (1 perfect, 0 chance, None undefined) over ``num_shared`` items of several."""

    rows: list[ReviewerRow]
    alpha: float | None
    num_shared: int


def agreement(reviews: ReviewStore, task: Task, *, block: int = BLOCK) -> Agreement:
    """Return the agreement on a task over all its standing answers; with the judge over whole blocks of them.

    Alpha is ordinal for rankings (mid-ranks of candidates), nominal for comparisons, guesses and verdicts.
    The judge agrees on a pair of candidates where both put the same one first; pairs with a tie are left out.
    """
    given: dict[str, dict[Unit, float]] = defaultdict(dict)
    alike: dict[str, list[tuple[int, int]]] = defaultdict(list)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    facts: dict[str, list[float]] = {}
    for each in reviews.answers(task):
        counts[each.reviewer][1 if each.answer.skipped else 0] += 1
        given[each.reviewer] |= ratings_of(each)
        if task in ("rank", "compare") and each.item not in facts:
            facts[each.item] = (facts_of(reviews, task, each.item) or {}).get("scores", [])
        same, compared = _with_judge(each, facts.get(each.item, []))
        if compared:
            alike[each.reviewer].append((same, compared))
    rows = [
        ReviewerRow(name, done, skipped, *_share(alike[name], block))
        for name, (done, skipped) in sorted(counts.items())
    ]
    return Agreement(rows, *alpha_of(given, "ordinal" if task == "rank" else "nominal"))


def ratings_of(standing: StandingAnswer) -> dict[Unit, float]:
    """Return what an answer says as numbers, nothing for what was skipped or left open."""
    answer, item = standing.answer, standing.item
    if isinstance(answer, RankAnswer) and answer.order:
        number = sum(map(len, answer.order))
        scores = scores_of(Label(order=answer.order), number)
        return {(item, place): score for place, score in enumerate(scores) if score is not None}
    if isinstance(answer, CompareAnswer) and answer.share is not None:
        return {(item, 0): answer.share}
    if isinstance(answer, EffectAnswer) and not answer.skipped:
        guess = {True: 1.0, False: 0.0, None: 0.5}[answer.is_right]
        return {(item, 0): guess, (item, 1): float(answer.overdone or False)}
    if isinstance(answer, CheckAnswer) and answer.verdict:
        return {(item, 0): 1.0 if answer.verdict == "approve" else 0.0}
    if isinstance(answer, SignAnswer) and answer.is_signed is not None:
        return {(item, 0): float(answer.is_signed)}
    return {}


def _with_judge(standing: StandingAnswer, scores: list[float]) -> tuple[int, int]:
    """Return (verdicts like the judge's, verdicts that can be compared)."""
    answer = standing.answer
    if isinstance(answer, EffectAnswer):
        return (int(answer.is_right or False), int(answer.is_right is not None))
    if not scores:
        return 0, 0
    if isinstance(answer, CompareAnswer) and answer.share is not None:
        return pairwise_agreement([answer.share, 0.5], [scores[answer.left], scores[answer.right]])
    if isinstance(answer, RankAnswer) and sum(map(len, answer.order)) == len(scores):
        ranked = scores_of(Label(order=answer.order), len(scores))
        return pairwise_agreement(cast("list[float]", ranked), scores)
    return 0, 0


def alpha_of(given: Mapping[str, Mapping[Unit, float]], level: str) -> tuple[float | None, int]:
    """Return Krippendorff's alpha of what reviewers said by unit, and how many items two or more spoke of."""
    raters: dict[Unit, int] = defaultdict(int)
    for ratings in given.values():
        for unit in ratings:
            raters[unit] += 1
    shared = sorted(unit for unit, number in raters.items() if number >= 2)
    if not shared:
        return None, 0
    table = np.asarray([[ratings.get(unit, np.nan) for unit in shared] for ratings in given.values()])
    return krippendorff_alpha(table, level=level), len({item for item, _place in shared})


def _share(alike: list[tuple[int, int]], block: int) -> tuple[float | None, int]:
    whole = alike[: len(alike) // block * block]
    compared = sum(number for _same, number in whole)
    return (sum(same for same, _number in whole) / compared if compared else None), compared
