"""What to read: rankings the judge was least sure of, messages it set aside, pairs that show a confound."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import product
from operator import itemgetter

from character.audit.confounds import ConfoundAudit, without_twins
from character.pairs.feature_words import HasWords, TraitWords, WordsByTrait
from character.pairs.features import FEATURES, MeasuredText, opener
from character.preference.evaluation_records import shown
from character.records import PreferencePair, Ranking, Record, Rollout

NUM_RANKINGS, NUM_SET_ASIDE, NUM_CONFOUNDS = 5, 3, 3
"""How many rankings, messages set aside and confounds are shown by example."""
_OPENER = "opener:"


class ShownCandidate(Record):
    """One candidate as an example shows it; ``level`` is "" and ``score`` None where there is none."""

    text: str
    level: str = ""
    score: float | None = None


class RankingExample(Record):
    """A ranking to look at: the message, its candidates best first, and why it is shown.

    ``consistency`` is the mean Kendall tau-b between passes; ``reason`` what the ranking says, such as why a
    message is unsuitable.
    """

    message_id: str
    trait: str
    message: str
    candidates: tuple[ShownCandidate, ...]
    status: str = "ranked"
    consistency: float | None = None
    reason: str = ""


class PairExample(Record):
    """A pair that shows a confound. ``name`` is that of the feature, or of an opener as ``opener:well``."""

    name: str
    message_id: str
    trait: str
    message: str
    chosen: str
    rejected: str


class AuditExamples(Record):
    """The examples of an audit: least consistent rankings, messages set aside, and confounded pairs."""

    rankings: tuple[RankingExample, ...] = ()
    set_aside: tuple[RankingExample, ...] = ()
    pairs: tuple[PairExample, ...] = ()


class ExampleCollector:
    """Picks examples one rollout after the other; it keeps a handful at any time.

    Rankings are those of the lowest consistency, earlier messages first among equals. A confound's pair is
    the one that shows it most strongly, in the direction of the effect.
    """

    def __init__(self, confounds: ConfoundAudit | None = None, traits: Iterable[HasWords] = ()) -> None:
        self._words = WordsByTrait(traits)
        self._signs = _directions(confounds)
        self._best: dict[str, tuple[float, PreferencePair]] = {}
        self._least: list[tuple[float, int, RankingExample]] = []
        self._aside: list[RankingExample] = []
        self._seen = 0

    def add(self, rollout: Rollout) -> None:
        """Look at a rollout."""
        self._seen += 1
        ranking = rollout.ranking
        if ranking and ranking.status != "ranked" and len(self._aside) < NUM_SET_ASIDE:
            self._aside.append(_ranking(rollout, ranking))
        if ranking and ranking.status == "ranked" and ranking.consistency is not None:
            entry = (ranking.consistency, self._seen, _ranking(rollout, ranking))
            self._least = heapq.nsmallest(NUM_RANKINGS, [*self._least, entry], key=itemgetter(0, 1))
        for pair, (name, sign) in product(rollout.pairs, self._signs.items()):
            strength = sign * _difference(name, pair, self._words[pair.trait])
            if strength > 0 and (name not in self._best or strength > self._best[name][0]):
                self._best[name] = (strength, pair)

    def examples(self) -> AuditExamples:
        """Return what was picked."""
        pairs = [(name, self._best[name][1]) for name in self._signs if name in self._best]
        return AuditExamples(
            rankings=tuple(example for *_, example in self._least),
            set_aside=tuple(self._aside),
            pairs=tuple(PairExample(name=name, **shown(pair)) for name, pair in pairs),
        )


def _directions(confounds: ConfoundAudit | None) -> dict[str, int]:
    """Return 1 or -1 per confound to show, the largest effect first; tokens are told by characters."""
    if confounds is None:
        return {}
    effects = {row.name: row.effect for row in confounds.run.features}
    effects |= {f"{_OPENER}{row.opener}": row.effect for row in confounds.run.openers}
    names = without_twins(confounds.flagged)[:NUM_CONFOUNDS]
    return {name: 1 if effects[name] > 0 else -1 for name in names}


def _difference(name: str, pair: PreferencePair, words: TraitWords) -> float:
    if name.startswith(_OPENER):
        wanted = name.removeprefix(_OPENER)
        return float((opener(pair.chosen) == wanted) - (opener(pair.rejected) == wanted))
    feature = FEATURES[name]
    return feature(MeasuredText.of(pair.chosen, words)) - feature(MeasuredText.of(pair.rejected, words))


def _ranking(rollout: Rollout, ranking: Ranking) -> RankingExample:
    items = rollout.candidates.items if rollout.candidates else ()
    scores = ranking.scores or (None,) * len(items)
    order = [i for group in ranking.order for i in group] if ranking.scores else range(len(items))
    candidates = (
        ShownCandidate(text=items[i].text, level=items[i].level or "", score=scores[i]) for i in order
    )
    return RankingExample(
        message_id=rollout.message.id,
        trait=rollout.message.trait,
        message=rollout.message.text,
        candidates=tuple(candidates),
        **ranking.model_dump(include={"status", "consistency", "reason"}),
    )
