"""What reviewers vetoed in a run: read from its reviews, and taken out of rollouts that are exported."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

from character.records import Candidates, Ranking, RankingPass, Record, Rollout, order_by_score
from character.store.errors import problem
from character.store.tables import read_only_address

FILE_NAME = "reviews.sqlite"
"""Where a run's reviews lie, in its folder."""


VETO_REASONS = (
    "vetoed_trait",
    "vetoed_message",
    "vetoed_candidate",
    "vetoed_pair",
    "pair_with_vetoed_candidate",
)
"""What is left out because of vetoes, by the reason it is counted under."""


class Vetoes(Record):
    """Ids of what at least one reviewer vetoes now; of a candidate its candidates' id and its place there."""

    traits: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()
    candidates: frozenset[tuple[str, int]] = frozenset()
    pairs: frozenset[str] = frozenset()


def read_vetoes(folder: Path | str) -> Vetoes:
    """Return the vetoes that stand in a run folder, none where nobody reviewed it; raises StoreError.

    One reviewer's veto is enough, whatever the others say: it is taken back by that reviewer alone.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        return Vetoes()
    try:
        with closing(sqlite3.connect(read_only_address(path), uri=True, timeout=30)) as connection:
            items = [str(item) for (item,) in connection.execute("SELECT DISTINCT item FROM standing_vetoes")]
    except sqlite3.Error as error:
        raise problem("reviews", path=path, error=error) from None
    names: dict[str, set[str]] = defaultdict(set)
    for item in items:
        what, _, name = item.partition(":")
        names[what].add(name)
    places = (name.rpartition("/") for name in names["candidate"])
    return Vetoes(
        traits=frozenset(names["trait"]),
        messages=frozenset(names["message"]),
        candidates=frozenset((candidates, int(place)) for candidates, _, place in places),
        pairs=frozenset(names["pair"]),
    )


def without_vetoed(rollout: Rollout, vetoes: Vetoes, left_out: Counter[str]) -> Rollout | None:
    """Return a rollout without what was vetoed, None where that is all of it; ``left_out`` counts by reason.

    A vetoed candidate takes its place in the ranking with it, and every pair that has its text on a side.
    """
    of_trait = rollout.message.trait in vetoes.traits
    if of_trait or rollout.message.id in vetoes.messages:
        left_out["vetoed_trait" if of_trait else "vetoed_message"] += 1
        return None
    texts = _vetoed_texts(rollout, vetoes)
    pairs = []
    for pair in rollout.pairs:
        if pair.id in vetoes.pairs:
            left_out["vetoed_pair"] += 1
        elif texts & {pair.chosen, pair.rejected}:
            left_out["pair_with_vetoed_candidate"] += 1
        else:
            pairs.append(pair)
    if texts and rollout.candidates:
        rollout = _without_candidates(rollout, rollout.candidates, texts, left_out)
    return rollout if len(pairs) == len(rollout.pairs) else rollout.model_copy(update={"pairs": tuple(pairs)})


def _vetoed_texts(rollout: Rollout, vetoes: Vetoes) -> set[str]:
    candidates = rollout.candidates
    places = enumerate(candidates.texts if candidates else ())
    return {text for place, text in places if candidates and (candidates.id, place) in vetoes.candidates}


def _without_candidates(
    rollout: Rollout, candidates: Candidates, texts: set[str], left_out: Counter[str]
) -> Rollout:
    places = [place for place, text in enumerate(candidates.texts) if text not in texts]
    left_out["vetoed_candidate"] += len(candidates.items) - len(places)
    if not places:
        return rollout.model_copy(update={"candidates": None, "ranking": None})
    ranking = rollout.ranking and _of_places(rollout.ranking, places)
    candidates = candidates.model_copy(update={"items": tuple(candidates.items[place] for place in places)})
    return rollout.model_copy(update={"candidates": candidates, "ranking": ranking})


def _of_places(ranking: Ranking, places: list[int]) -> Ranking:
    if ranking.status != "ranked":
        return ranking
    scores = tuple(ranking.scores[place] for place in places)
    table = ranking.probabilities
    return ranking.model_copy(
        update={
            "scores": scores,
            "order": order_by_score(scores),
            "passes": tuple(_pass_of_places(each, places) for each in ranking.passes),
            "probabilities": tuple(tuple(table[i][j] for j in places) for i in places) if table else (),
        }
    )


def _pass_of_places(one: RankingPass, places: list[int]) -> RankingPass:
    numbers = {place: number for number, place in enumerate(places)}
    shown = tuple(numbers[place] for place in one.shown if place in numbers)
    return one.model_copy(update={"shown": shown, "scores": tuple(one.scores[place] for place in places)})
