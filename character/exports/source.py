"""Where an export's rows come from: the rollouts, read as they are needed, with the pairs it is to write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from character.config import PairsConfig, is_rehearsal_model
from character.exports.models import ExportData
from character.files import problem
from character.pairs.designs import build_pairs
from character.ranking.combine import Effects
from character.ranking.rerank import position_effects, rerank
from character.records import Rollout
from character.store.run_store import RunStore
from character.store.vetoes import without_vetoed


class StoredRollouts:
    """The rollouts of an open run, read a few at a time on each pass: no run is too large for memory."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def __iter__(self) -> Iterator[Rollout]:
        return self._store.rollouts()


@dataclass
class Census:
    """What one pass over the rollouts shows: how many, whose, in which languages, by whom, dropped why."""

    num_rollouts: int = 0
    traits: set[str] = field(default_factory=set)
    languages: set[str] = field(default_factory=set)
    rehearsed: bool = False
    drops: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, rollout: Rollout) -> None:
        """Count one rollout."""
        self.num_rollouts += 1
        self.traits.add(rollout.message.trait)
        self.languages.add(rollout.message.language)
        self.rehearsed = self.rehearsed or any(map(is_rehearsal_model, _model_names(rollout)))
        for drop in rollout.drops:
            self.drops.setdefault(drop.stage, Counter())[drop.reason] += 1


class Source:
    """The rollouts of an export, over which it may pass more than once.

    ``pairs`` is how the pairs of each rollout are rebuilt from its stored candidates and ranking, without a
    model, None for the stored pairs. ``weights`` are those of the pairs that stay, by id, None for all. What
    reviewers vetoed is in no pass, nor what ``left_out`` counts. ``census`` and ``vetoed`` (how much of what)
    are filled by the first whole pass, at whose end a trait that the constitution lacks is refused.
    """

    def __init__(
        self, data: ExportData, pairs: PairsConfig | None = None, *, without_position_effects: bool = False
    ) -> None:
        self.constitution, self.pairs = data.constitution, pairs
        self.weights: Mapping[str, float] | None = None
        self.census = Census()
        self.vetoed: Counter[str] = Counter()
        self.left_out = Counter(data.left_out)
        self._data, self._counted = data, False
        rankings = (rollout.ranking for rollout in data.rollouts if rollout.ranking)
        self._effects = position_effects(rankings) if without_position_effects else None

    @property
    def position_effects(self) -> dict[str, tuple[float, ...]]:
        """What was taken out of the rankings: per judge and list length, the worth of each place."""
        effects = self._effects or {}
        return {f"{judge}, {length} shown": each.effects for (judge, length), each in effects.items()}

    @property
    def rollouts(self) -> Iterator[Rollout]:
        """Return a new pass over the rollouts; raises InputError for a trait that the constitution lacks."""
        census, vetoed = Census(), Counter[str]()
        for stored in self._data.rollouts:
            made = stored if self.pairs is None else _rebuilt(stored, self.pairs, self._effects)
            rollout = without_vetoed(made, self._data.vetoes, vetoed)
            if rollout is None:
                continue
            if not self._counted:
                census.add(rollout)
            yield rollout
        if not self._counted:
            self.census, self.vetoed, self._counted = census, vetoed, True
            self._refuse_unknown_traits()

    def _refuse_unknown_traits(self) -> None:
        names = {trait.name for trait in self.constitution.traits}
        strangers = sorted(self.census.traits - names)
        if strangers:
            known, unknown = ", ".join(sorted(names)), ", ".join(strangers)
            raise problem(__file__, "unknown_traits", of=self.constitution, known=known, unknown=unknown)


def _rebuilt(rollout: Rollout, config: PairsConfig, effects: Effects | None) -> Rollout:
    """Return the rollout with the pairs that other settings make of it, position effects taken out before."""
    ranking = rollout.ranking
    if rollout.candidates is None or ranking is None:
        return rollout
    if effects is not None:
        ranking = rerank(ranking, effects)
    pairs, drops = build_pairs(rollout.message, rollout.candidates, ranking, **config.model_dump())
    earlier = tuple(drop for drop in rollout.drops if drop.stage != "pairs")
    return rollout.model_copy(update={"ranking": ranking, "pairs": pairs, "drops": (*earlier, *drops)})


def _model_names(rollout: Rollout) -> Iterator[str]:
    yield rollout.message.model
    if rollout.candidates:
        yield from (item.model for item in rollout.candidates.items)
    if rollout.ranking:
        yield from (judgement.model for judgement in rollout.ranking.passes)
    for pair in rollout.pairs:
        yield pair.chosen_model
        yield pair.rejected_model
