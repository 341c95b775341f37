"""What every preference model can do, whatever is inside: the Protocol, and what it is and may be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, Self

import numpy as np

from character.config import is_rehearsal_model
from character.constitution import Trait
from character.files import problem
from character.records import Message, PreferencePair, Turn
from character.statistics.arrays import Floats

Conversation = Message | Sequence[Turn | Mapping[str, str]] | str
"""What was said before a response: a message, its turns, or the user's one turn as text."""


class Judged(NamedTuple):
    """A response to be scored: what was said before it, the response, and the trait it should fit."""

    messages: Conversation
    response: str
    trait: Trait | str

    @property
    def trait_name(self) -> str:
        """The trait's name."""
        return self.trait if isinstance(self.trait, str) else self.trait.name


class PreferenceModel(Protocol):
    """A model of which of two responses fits a trait better, P(a better than b | messages, trait).

    A score is in log-odds and has no zero of its own: for two responses to one message and one trait,
    P(a better than b) = 1 / (1 + exp(score(b) - score(a))). The same model gives the same scores, whatever
    else is in a batch. A fitted model does not change: ``fit`` returns another one.
    """

    @property
    def kind(self) -> str:
        """The name under which the model is registered: ``light``, ``embedding``, ``transformer``."""

    @property
    def traits(self) -> tuple[str, ...]:
        """The traits it was fitted on; others are scored by what these have in common."""

    @property
    def seen_messages(self) -> frozenset[int]:
        """The keys (``folds.message_key``) of the messages it was fitted on, as far as they are known."""

    @property
    def rehearsal(self) -> bool | None:
        """Whether the rehearsal model had a hand in what it was fitted on, None where that is not known."""

    @property
    def reads_traits(self) -> bool:
        """Whether a trait it was not fitted on is judged by the trait's own text."""
        return False

    def told(self, traits: Sequence[Trait]) -> PreferenceModel:
        """Return the model that knows further traits' descriptions, where it reads them; else itself."""
        return self

    def scores(self, judged: Sequence[Judged]) -> Floats:
        """Return the score of each response, in their order."""

    def fit(self, pairs: Sequence[PreferencePair], *, seed: int = 0) -> Self:
        """Return the model that these pairs teach; raises InputError where they teach nothing."""

    def save(self, folder: Path | str) -> None:
        """Write the model into a folder; see ``character.preference.load_preference_model``."""

    def score(self, messages: Conversation, response: str, trait: Trait | str) -> float:
        """Return how well a response fits a trait, in log-odds."""
        return float(self.scores([Judged(messages, response, trait)])[0])

    def prefer(self, a: str, b: str, *, messages: Conversation, trait: Trait | str) -> float:
        """Return the probability, in 0..1, that response ``a`` fits the trait better than ``b``."""
        first, second = self.scores([Judged(messages, a, trait), Judged(messages, b, trait)])
        return float(sigmoid(np.array([first - second]))[0])

    def preferences(self, pairs: Sequence[PreferencePair]) -> Floats:
        """Return for each pair the probability that its chosen side is the better one."""
        chosen, rejected = self.scores(both_sides(pairs)).reshape(-1, 2).T
        return sigmoid(chosen - rejected)


def both_sides(pairs: Sequence[PreferencePair]) -> list[Judged]:
    """Return what scoring pairs asks: of each the chosen side, then the rejected one."""
    return [Judged(pair.prompt, text, pair.trait) for pair in pairs for text in (pair.chosen, pair.rejected)]


def written_by_rehearsal(pairs: Sequence[PreferencePair]) -> bool | None:
    """Return True where the rehearsal model wrote a side; else None: pairs do not say who ranked them."""
    names = (name for pair in pairs for name in (pair.chosen_model, pair.rejected_model))
    return True if any(map(is_rehearsal_model, names)) else None


def sigmoid(odds: Floats) -> Floats:
    """Return 1 / (1 + exp(-odds))."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -500, 500))))


class Asked(NamedTuple):
    """A model that may be asked, and those of the traits that it was not fitted on."""

    model: PreferenceModel
    not_fitted: tuple[str, ...]

    @property
    def note(self) -> str:
        """What to know of the traits that the model was not fitted on; nothing where there are none."""
        if not self.not_fitted:
            return ""
        by = "what its traits have in common, which says little of another"
        if _reads_traits(self.model):
            by = "the trait's own text, which it reads"
        new, fitted = ", ".join(self.not_fitted), ", ".join(self.model.traits)
        return f"the model was not fitted on {new}; there it goes by {by} (it knows {fitted})."


def asked_about(
    model: PreferenceModel,
    names: Iterable[str],
    traits: Sequence[object] = (),
    *,
    where: str = "the model",
    by_name: bool = False,
) -> Asked:
    """Return the model as it can be asked about traits by these names.

    A model that reads a trait's text is told the descriptions of those among ``traits`` that are whole
    traits, and may be asked about any, unless it will be told names alone (``by_name``). A model that does
    not say which traits it knows is asked as it is. Raises InputError where a model that goes by its own
    traits alone knows none of the names; ``where`` is what the error calls it.
    """
    wanted = tuple(dict.fromkeys(names))
    not_fitted = tuple(name for name in wanted if name not in model.traits) if model.traits else ()
    if wanted and len(not_fitted) == len(wanted) and (by_name or not _reads_traits(model)):
        values = {"model": where, "traits": ", ".join(wanted), "fitted": ", ".join(model.traits)}
        raise problem(__file__, "no_such_traits", **values)
    if _reads_traits(model):
        model = model.told([trait for trait in traits if isinstance(trait, Trait)])
    return Asked(model, not_fitted)


def _reads_traits(model: PreferenceModel) -> bool:
    return getattr(model, "reads_traits", False)  # a model of the user's own need not say it
