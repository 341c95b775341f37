"""From a ranking to preference pairs: pure functions over records, every pair left out has a counted reason."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import combinations, pairwise

from character.config import PAIR_DESIGNS, PairDesign
from character.errors import UnknownNameError
from character.records import Candidates, Drop, Message, PreferencePair, Ranking


def build_pairs(
    message: Message,
    candidates: Candidates,
    ranking: Ranking,
    *,
    design: PairDesign = "best_rest",
    min_margin: float = 0.1,
) -> tuple[tuple[PreferencePair, ...], tuple[Drop, ...]]:
    """Return the pairs a design makes of one ranking, and what was left out.

    ``best_rest`` pairs the best candidate with each other one (the recipe's shape), ``best_worst`` with the
    worst alone, ``adjacent`` each candidate with the next lower one, ``all`` each with every lower one.
    A pair needs a score difference of at least ``min_margin`` and above 0. Ties, sides with the same text,
    and rankings that are unranked or unsuitable never make a pair. Raises UnknownNameError for a design.
    """
    if design not in PAIR_DESIGNS:
        raise UnknownNameError("pair design", design, PAIR_DESIGNS)
    if ranking.status != "ranked":
        return (), (Drop(stage="pairs", reason=ranking.status, detail=ranking.reason, message_id=message.id),)
    pairs: list[PreferencePair] = []
    drops: list[Drop] = []
    for better, worse in _sides(ranking, design):
        reason, detail = _left_out(candidates, ranking, better, worse, min_margin)
        if reason:
            drops.append(Drop(stage="pairs", reason=reason, detail=detail, message_id=message.id))
        else:
            pairs.append(_pair(message, candidates, ranking, design, better, worse))
    return tuple(pairs), tuple(drops)


def _sides(ranking: Ranking, design: PairDesign) -> Iterator[tuple[int, int]]:
    """Yield (better, worse) indices, the better side always first in the ranking's order."""
    best_first = [index for group in ranking.order for index in group]
    if len(best_first) < 2:
        return
    if design == "best_worst":
        yield best_first[0], best_first[-1]
    elif design == "best_rest":
        yield from ((best_first[0], other) for other in best_first[1:])
    elif design == "adjacent":
        yield from pairwise(best_first)
    else:
        yield from combinations(best_first, 2)


def _left_out(
    candidates: Candidates, ranking: Ranking, better: int, worse: int, min_margin: float
) -> tuple[str, str]:
    margin = _margin(ranking, better, worse)
    if margin <= 0:
        return "tie", f"both scored {ranking.scores[better]:.2f}"
    if margin < min_margin:
        sides = f"{candidates.items[better].level or better} over {candidates.items[worse].level or worse}"
        return "low_margin", f"{sides}: margin {margin:.3f} is below {min_margin:.3f}"
    if _same(candidates.items[better].text, candidates.items[worse].text):
        return "identical", "both sides are the same text"
    return "", ""


def _margin(ranking: Ranking, better: int, worse: int) -> float:
    return round(ranking.scores[better] - ranking.scores[worse], 6)


def _same(left: str, right: str) -> bool:
    return _plain(left) == _plain(right)


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
        design=design,
        chosen_level=chosen.level,
        rejected_level=rejected.level,
        chosen_model=chosen.model,
        rejected_model=rejected.model,
    )
