"""Getting to know the judge: what messages of lower numbers tell of it is used for those that come after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import dspy

from character.backends.drivers import Branch, Steps
from character.ranking.habits import learn
from character.ranking.score_model import Habits
from character.records import Message, Ranking, Rollout

BATCHES = (4, 16, 64)
"""After so many messages of a trait it is worked out anew what its judge is like; then that stands."""


@dataclass
class _Trait:
    """The first messages of a trait by number, what came of them, and what is known after each batch."""

    numbers: dict[str, int] = field(default_factory=dict)
    told: dict[int, Ranking | None] = field(default_factory=dict)
    known: dict[int, Future[Habits | None]] = field(
        default_factory=lambda: {size: Future() for size in BATCHES}
    )


@dataclass(frozen=True)
class _Known:
    """Work that is done as soon as a batch of messages is."""

    future: Future[Habits | None]

    def run(self) -> Habits | None:
        return self.future.result()

    async def arun(self) -> Habits | None:
        return await asyncio.shield(asyncio.wrap_future(self.future))


class Acquaintance:
    """What a run has learned of its judge, for each trait by itself.

    A message goes by the first 4, 16 or 64 messages of its trait, the most that are before it by number, and
    waits for them: it is asked the same whichever of them ends first. ``facts`` (a run's store) keeps what
    was learned: in the next sitting it is the same, even where a message that failed is made up for there.
    """

    def __init__(self, facts: Any = None) -> None:
        self._facts, self._traits, self._lock = facts, dict[str, _Trait](), Lock()

    def number(
        self, trait: str, messages: Iterable[Message], finished: Callable[[str], Rollout | None] | None = None
    ) -> None:
        """Number a trait's messages, from its first; ``finished`` gives the rollouts that there are already.

        Called again, it goes on where it ended; more than are learned from are not looked at.
        """
        numbers = self._traits.setdefault(trait, _Trait()).numbers
        for message in messages if len(numbers) < BATCHES[-1] else ():
            if message.id not in numbers:
                numbers[message.id] = len(numbers)
                if finished is not None and (rollout := finished(message.id)) is not None:
                    self.tell(message, rollout.ranking)
            if len(numbers) == BATCHES[-1]:
                return

    def habits(self, message: Message) -> Steps[Habits | None]:
        """Return what is known of the judge when this message's turn comes; None for the very first."""
        of_trait = self._traits.get(message.trait, _Trait())
        beyond = len(of_trait.numbers) == BATCHES[-1]
        number = of_trait.numbers.get(message.id, BATCHES[-1] if beyond else 0)
        before = [size for size in BATCHES if size <= number]
        if not before:
            return None
        (habits,) = yield [_Known(of_trait.known[before[-1]])]
        known: Habits | None = habits
        return known

    def tell(self, message: Message, ranking: Ranking | None) -> None:
        """Say what came of a message; only the first time counts."""
        of_trait = self._traits.get(message.trait)
        if of_trait is None or (number := of_trait.numbers.get(message.id)) is None:
            return
        with self._lock:
            of_trait.told.setdefault(number, ranking)
            for size, future in of_trait.known.items():
                if not future.done() and all(each in of_trait.told for each in range(size)):
                    future.set_result(self._learned(message.trait, size, of_trait))

    def watched(self, message: Message, steps: Steps[Any]) -> Steps[Any]:
        """Return a message's steps; whoever waits for it goes on when they end, or is stopped as they are."""
        if message.trait not in self._traits:
            return (yield from steps)
        (result,) = yield [Branch(steps, self._watching(message))]
        return result

    @contextmanager
    def _watching(self, message: Message) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            of_trait = self._traits.get(message.trait, _Trait())
            with self._lock:
                for size, future in of_trait.known.items():
                    if of_trait.numbers.get(message.id, size) < size and not future.done():
                        future.set_exception(error if isinstance(error, Exception) else CancelledError())
            raise
        self.tell(message, None)

    def _learned(self, trait: str, size: int, of_trait: _Trait) -> Habits | None:
        key = f"habits/{trait}/{size}"
        kept = self._facts.meta(key) if self._facts is not None else None
        if kept is not None:
            return Habits.model_validate_json(kept) if kept else None
        habits = learn(ranking for each in range(size) if (ranking := of_trait.told[each]) is not None)
        if self._facts is not None:
            self._facts.set_meta(key, "" if habits is None else habits.model_dump_json())
        return habits


def acquainting(acquaintance: Acquaintance) -> AbstractContextManager[object]:
    """Have programs learn of their judge here inside the block, in DSPy's threads too."""
    inside: AbstractContextManager[object] = dspy.context(character_acquaintance=acquaintance)
    return inside


def acquaintance() -> Acquaintance | None:
    """Return what programs learn of their judge here, where something does."""
    found: Acquaintance | None = dspy.settings.get("character_acquaintance")
    return found
