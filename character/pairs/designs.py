"""From a ranking to preference pairs; every pair that is left out has a counted reason."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise
from typing import NamedTuple

from character.config import PAIR_DESIGNS, PairDesign
from character.errors import InputError, UnknownNameError
from character.records import Candidates, Drop, Level, Message, PreferencePair, Ranking, Rollout
from character.text import stable_seed

IN_CHARACTER: tuple[Level, ...] = ("natural", "subtle")
"""The levels that show the trait as it should be: the best of them is chosen where a design names levels."""
_NEEDS: dict[PairDesign, str] = {
    "opposite": "opposite, and natural or subtle",
    "overdone": "overdone, and natural or subtle",
    "anchored": "absent and another level",
    "neutral": "a level twice",
}
LEVEL_DESIGNS = tuple(_NEEDS)
"""The designs that pair by the level a candidate was asked for; the others go by the ranking alone."""


class Limits(NamedTuple):
    """What a pair must reach: a difference of scores and a probability, both in 0..1."""

    min_margin: float
    min_probability: float


def build_pairs(
    message: Message,
    candidates: Candidates,
    ranking: Ranking,
    *,
    design: PairDesign = "best_rest",
    min_margin: float = 0.1,
    min_probability: float = 0.7,
    max_per_message: int | None = None,
) -> tuple[tuple[PreferencePair, ...], tuple[Drop, ...]]:
    """Return the pairs a design makes of one ranking, and what was left out.

    By the ranking alone: ``best_rest`` pairs the best candidate with each other one (the recipe's shape),
    ``best_worst`` with the worst alone, ``adjacent`` each candidate with the next lower one, ``all`` each
    with every lower one. By levels: ``opposite`` and ``overdone`` pair the best natural or subtle candidate
    with each one of that level, ``anchored`` each candidate with each one of level ``absent``. ``neutral`` is
    the control without a trait signal: candidates of the same level, chosen by a coin that the candidates'
    id and places seed. It tells what training on any pairs does.

    A pair needs a score difference of at least ``min_margin`` and above 0, and where the ranking gives a
    probability, one of at least ``min_probability``; neither holds for ``neutral``. Of more than
    ``max_per_message`` pairs the most probable stay, then those of the largest margin (of ``neutral`` pairs,
    any). Reasons for what is left out: ``unranked``, ``unsuitable``, ``level_missing``, ``against_level``
    (the ranking says otherwise than the levels), ``tie``, ``low_margin``, ``uncertain``, ``identical`` and
    ``over_cap``. Raises UnknownNameError for a design and
    InputError for a limit that can not be.
    """
    if design not in PAIR_DESIGNS:
        raise UnknownNameError("pair design", design, PAIR_DESIGNS)
    _refuse_limits(min_margin, min_probability, max_per_message)
    if ranking.status != "ranked":
        return (), (_drop(message, ranking.status, ranking.reason),)
    sides = list(_sides(candidates, ranking, design))
    if not sides and design in LEVEL_DESIGNS:
        levels = ", ".join(item.level or "none" for item in candidates.items)
        detail = f"{design} needs {_NEEDS[design]}; there are {levels}"
        return (), (_drop(message, "level_missing", detail),)
    pairs: list[PreferencePair] = []
    drops: list[Drop] = []
    limits = Limits(min_margin, min_probability)
    for better, worse in sides:
        reason, detail = _left_out(candidates, ranking, design, better, worse, limits)
        if reason:
            drops.append(_drop(message, reason, detail))
        else:
            pairs.append(_pair(message, candidates, ranking, design, better, worse))
    capped, over = _capped(pairs, max_per_message)
    drops += [_drop(message, "over_cap", f"more than {max_per_message}")] * over
    return capped, tuple(drops)


def _refuse_limits(min_margin: float, min_probability: float, max_per_message: int | None) -> None:
    for name, value in (("min_margin", min_margin), ("min_probability", min_probability)):
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InputError(f"{name} is {value!r}.", expected="a number from 0 to 1")
    if max_per_message is not None and (not isinstance(max_per_message, int) or max_per_message < 1):
        raise InputError(
            f"max_per_message is {max_per_message!r}.", expected="None, or a whole number from 1"
        )


def _drop(message: Message, reason: str, detail: str) -> Drop:
    return Drop(stage="pairs", reason=reason, detail=detail, message_id=message.id)


def _sides(candidates: Candidates, ranking: Ranking, design: PairDesign) -> Iterator[tuple[int, int]]:
    """Yield (chosen, rejected) indices in the ranking's order."""
    best_first = [index for group in ranking.order for index in group]
    if design in LEVEL_DESIGNS:
        yield from _sides_by_level(candidates, best_first, design)
    elif len(best_first) < 2:
        return
    elif design == "best_worst":
        yield best_first[0], best_first[-1]
    elif design == "best_rest":
        yield from ((best_first[0], other) for other in best_first[1:])
    elif design == "adjacent":
        yield from pairwise(best_first)
    else:
        yield from combinations(best_first, 2)


def _sides_by_level(
    candidates: Candidates, best_first: list[int], design: PairDesign
) -> Iterator[tuple[int, int]]:
    level = {index: candidates.items[index].level for index in best_first}
    if design == "neutral":
        for left, right in combinations(sorted(best_first), 2):
            if level[left] and level[left] == level[right]:
                heads = stable_seed("neutral", candidates.id, left, right) % 2
                yield (left, right) if heads else (right, left)
    elif design == "anchored":
        anchors = [index for index in best_first if level[index] == "absent"]
        others = [index for index in best_first if level[index] not in ("absent", None)]
        yield from ((other, anchor) for anchor in anchors for other in others)
    else:
        best = next((index for index in best_first if level[index] in IN_CHARACTER), None)
        if best is not None:
            yield from ((best, index) for index in best_first if level[index] == design)


def _left_out(
    candidates: Candidates, ranking: Ranking, design: PairDesign, better: int, worse: int, limits: Limits
) -> tuple[str, str]:
    margin = _margin(ranking, better, worse)
    probability = _probability(ranking, better, worse)
    sides = f"{candidates.items[better].level or better} over {candidates.items[worse].level or worse}"
    if design != "neutral":
        if margin < 0 and design in LEVEL_DESIGNS:
            return "against_level", f"{sides}: margin {margin:.3f}"
        if margin <= 0:
            return "tie", f"both scored {ranking.scores[better]:.2f}"
        if margin < limits.min_margin:
            return "low_margin", f"{sides}: margin {margin:.3f} is below {limits.min_margin:.3f}"
        if probability is not None and probability < limits.min_probability:
            return (
                "uncertain",
                f"{sides}: probability {probability:.3f} is below {limits.min_probability:.3f}",
            )
    if _plain(candidates.items[better].text) == _plain(candidates.items[worse].text):
        return "identical", "both sides are the same text"
    return "", ""


def _margin(ranking: Ranking, better: int, worse: int) -> float:
    return round(ranking.scores[better] - ranking.scores[worse], 6)


def _probability(ranking: Ranking, better: int, worse: int) -> float | None:
    return ranking.probabilities[better][worse] if ranking.probabilities else None


def _capped(pairs: list[PreferencePair], cap: int | None) -> tuple[tuple[PreferencePair, ...], int]:
    """Return at most ``cap`` pairs in the order in which they came, and how many did not fit."""
    if cap is None or len(pairs) <= cap:
        return tuple(pairs), 0
    places = sorted(range(len(pairs)), key=lambda i: _worth(pairs[i]), reverse=True)
    return tuple(pairs[i] for i in sorted(places[:cap])), len(pairs) - cap


def _worth(pair: PreferencePair) -> tuple[float, float]:
    if pair.design == "neutral":  # to go by the ranking here would bring the trait's signal back in
        return (stable_seed("cap", pair.id), 0.0)
    return (0.0 if pair.probability is None else pair.probability, pair.margin)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _pair(
    message: Message, candidates: Candidates, ranking: Ranking, design: str, better: int, worse: int
) -> PreferencePair:
    chosen, rejected = candidates.items[better], candidates.items[worse]
    return PreferencePair(
        trait=ranking.trait,
        message_id=message.id,
        ranking_id=ranking.id,
        kind=message.kind,
        language=message.language,
        prompt=message.turns,
        chosen=chosen.text,
        rejected=rejected.text,
        score_chosen=ranking.scores[better],
        score_rejected=ranking.scores[worse],
        margin=_margin(ranking, better, worse),
        probability=_probability(ranking, better, worse),
        design=design,
        chosen_level=chosen.level,
        rejected_level=rejected.level,
        chosen_model=chosen.model,
        rejected_model=rejected.model,
    )


def why_no_pairs(rollout: Rollout) -> str:
    """Return the reason why a rollout without pairs has none."""
    if rollout.candidates is None or not rollout.candidates.items:
        return "no_candidates"
    if rollout.ranking is None:
        return "not_ranked"
    return "no_pairs" if rollout.ranking.status == "ranked" else rollout.ranking.status


def distinct_pairs(
    rollouts: Iterable[Rollout], skips: Counter[str]
) -> Iterator[tuple[Message, PreferencePair]]:
    """Yield each pair with its message; one that came twice or has equal sides is counted instead."""
    seen: set[str] = set()
    for rollout in rollouts:
        if not rollout.pairs:
            skips[why_no_pairs(rollout)] += 1
        for pair in rollout.pairs:
            if pair.id in seen:
                skips["duplicate_pair"] += 1
            elif pair.chosen.strip() == pair.rejected.strip():
                skips["identical_sides"] += 1
            else:
                yield rollout.message, pair
            seen.add(pair.id)
