"""A preference model's second opinion on the queue: where it and the ranker disagree, people look first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from character.constitution import Trait
from character.records import PreferencePair, Rollout
from character.text import fingerprint


class Disagreed(NamedTuple):
    """The candidates of a pair that the model would have the other way round, and its sureness, in 0.5..1."""

    chosen: int
    rejected: int
    sureness: float


class Second(NamedTuple):
    """Whom to ask how probably each pair's chosen side is the better. Another ``identity``, another queue."""

    identity: str
    prefers: Callable[[Sequence[PreferencePair]], Any]

    def on(self, rollout: Rollout) -> Disagreed | None:
        """Return the pair of which the model is surest that it is the wrong way round, None without one."""
        pairs = [pair for pair in rollout.pairs if pair.design != "neutral"]
        if not pairs or rollout.candidates is None:
            return None
        right = [float(probability) for probability in self.prefers(pairs)]
        least = min(range(len(pairs)), key=right.__getitem__)
        texts = list(rollout.candidates.texts)
        chosen, rejected = pairs[least].chosen, pairs[least].rejected
        if right[least] >= 0.5 or chosen not in texts or rejected not in texts:
            return None
        return Disagreed(texts.index(chosen), texts.index(rejected), 1 - right[least])


def second_of(folder: Path | str, traits: Sequence[Trait] = ()) -> Second:
    """Return the second opinion of a saved preference model on a character's traits.

    Raises what ``load_preference_model`` raises, and InputError where it was fitted on none of the traits.
    """
    from character.preference import load_preference_model
    from character.preference.protocol import asked_about

    names = [trait.name for trait in traits]
    model = asked_about(load_preference_model(folder), names, traits, where=str(folder)).model
    facts = (Path(folder) / "preference.json").read_bytes()  # it holds the fingerprint of the weights
    return Second(fingerprint(facts.decode("utf-8")), model.preferences)
