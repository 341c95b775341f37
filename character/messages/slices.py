"""The messages of one trait in slices, so that answering can begin while the rest is still to be written."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from character.backends.drivers import Steps, adrive
from character.backends.own_steps import (
    STEP_FAULTS,
    STEP_INVALID,
    UNREADABLE,
    WORTH_ANOTHER_SITTING,
    Outcome,
    StepCall,
    unusable,
)
from character.constitution import Constitution, Trait
from character.errors import InvalidReplyError, StepFailedError
from character.inputs import as_batch
from character.messages.generator import NUM_SHOWN, language_of
from character.messages.near_duplicates import NearDuplicates
from character.records import Drop, Kind, Message, MessageBatch, Record, Usage
from character.text import stable_seed

MESSAGES_PER_SLICE = 256
"""How many messages of a trait are written before answering begins, while the next as many are written."""
MOST_IDLE_SLICES = 2
"""Slices in a row without a new message after which no further one is asked for."""


class SliceState(Record):
    """How far the slices of a trait are: enough to go on with the next one in another process.

    ``missing`` is what is still to be asked for by kind, ``drops`` holds one example of each sort with its
    count, ``usage`` is what all slices so far took.
    """

    number: int
    missing: dict[Kind, int]
    idle: int
    drops: tuple[tuple[Drop, int], ...]
    usage: Usage


class MessageSlices:
    """Makes the messages of one trait slice by slice, each over all kinds, and lets none repeat another.

    Call ``anext`` (or run ``steps``) until ``is_done``. The first slice is asked for with the program's own
    seed, each further one with a seed of its own. A message that repeats one of an earlier slice or of
    another kind is dropped, and what that leaves missing is asked for in a further slice, until two in a row
    bring nothing new; what the generator itself could not make is not asked for again. ``has_failed`` is set,
    and the slices end, where messages are missing because of the server: they can be had another time.
    ``state`` says how far the slices are, for ``resume``. Memory grows by the index of repeats alone.
    """

    def __init__(
        self,
        generator: Any,
        trait: Trait,
        constitution: Constitution | None,
        wanted: Mapping[Kind, int],
        *,
        size: int,
        seed: int,
        lm: Any = None,
    ) -> None:
        self._generator, self._trait, self._constitution = generator, trait, constitution
        self._size, self._seed, self._lm = size, seed, lm
        self._language = language_of(trait, constitution)
        self._total = sum(wanted.values())
        self.state = SliceState(number=0, missing=dict(wanted), idle=0, drops=(), usage=Usage())
        self._shown: dict[Kind, deque[str]] = {kind: deque(maxlen=NUM_SHOWN) for kind in wanted}
        self._seen = NearDuplicates()
        self._ids: set[str] = set()
        self.has_failed = False

    @property
    def is_done(self) -> bool:
        """Whether there is no further slice to make."""
        return self.has_failed or not any(self.state.missing.values())

    def resume(self, state: SliceState, messages: Iterable[Message]) -> None:
        """Go on after the slices that ``state`` tells of, whose messages these are, in order."""
        self.state = state
        for message in messages:
            self._remember(message, message.kind)

    def shapes(self) -> Counter[tuple[Kind, int, int]]:
        """Return how often the slices ask for (kind, number of messages, number of earlier ones shown).

        As they do where every message that is asked for is made, and none repeats another.
        """
        shapes: Counter[tuple[Kind, int, int]] = Counter()
        missing, made = Counter(self.state.missing), Counter[Kind]()
        while shares := slice_shares(missing, self._size):
            shapes.update((kind, count, min(made[kind], NUM_SHOWN)) for kind, count in shares.items())
            missing.subtract(shares)
            made.update(shares)
        return shapes

    def totals(self) -> MessageBatch:
        """Return the drops and the usage of all slices, without messages; a drop stands for its sort."""
        drops = (drop for drop, count in self.state.drops for _ in range(count))
        return MessageBatch(messages=(), drops=tuple(drops), usage=self.state.usage)

    async def anext(self) -> MessageBatch:
        """Make the next slice on the event loop and return it."""
        return await adrive(self.steps())

    def steps(self) -> Steps[MessageBatch]:
        """Make the next slice: yields the generator's calls, returns what is new and what was dropped."""
        asked = slice_shares(self.state.missing, self._size)
        results = yield [self._call(kind, count, self._shown[kind]) for kind, count in asked.items()]
        batches = [
            self._batch(outcome, kind, count)
            for (kind, count), outcome in zip(asked.items(), results, strict=True)
        ]
        self._check_model(batches)
        lost = [fault for batch in batches if not batch.messages and (fault := _fault_of(batch))]
        if len(lost) == len(batches):
            raise StepFailedError(
                f"the generator made no message of {self._trait.name}: {lost[0].detail}",
                fix="try it by itself: generator(trait=…, kind='question', num_messages=3).",
            )
        missing = dict(self.state.missing)
        new: list[Message] = []
        drops: list[Drop] = []
        for (kind, count), batch in zip(asked.items(), batches, strict=True):
            fresh, repeats = self._without_repeats(batch.messages, kind)
            lacking = max(0, count - len(batch.messages))
            missing[kind] = max(0, missing[kind] - len(fresh) - lacking)
            again = any(drop.reason in WORTH_ANOTHER_SITTING for drop in batch.drops)
            self.has_failed |= lacking > 0 and again
            new += fresh
            drops += [*batch.drops, *repeats]
        idle = 0 if new else self.state.idle + 1
        if idle >= MOST_IDLE_SLICES and not self.has_failed and any(missing.values()):
            left = f"{sum(missing.values())} of {self._total} messages are missing"
            detail = f"{self._trait.name}: {left}: {idle} slices in a row brought nothing new"
            drops.append(Drop(stage="messages", reason="refills_exhausted", detail=detail))
            missing = dict.fromkeys(missing, 0)
        usage = sum((batch.usage for batch in batches), Usage())
        self.state = SliceState(
            number=self.state.number + 1,
            missing=missing,
            idle=idle,
            drops=_counted(self.state.drops, drops),
            usage=self.state.usage + usage,
        )
        return MessageBatch(messages=tuple(new), drops=tuple(drops), usage=usage)

    def _check_model(self, batches: Sequence[MessageBatch]) -> None:
        """Raise UnusableModelError where the first slice has nothing, for one reason that is the model's."""
        lost = [drop for batch in batches for drop in batch.drops if not drop.recovered]
        reasons = {drop.reason for drop in lost} - {"refills_exhausted"}
        if self.state.number or any(batch.messages for batch in batches) or len(reasons) != 1:
            return
        drop = next(drop for drop in lost if drop.reason in reasons)
        if drop.reason in UNREADABLE:
            raise unusable(f"the model wrote no message of {self._trait.name}: all were", drop)

    def generated(self, kind: Kind, count: int, shown: Iterable[str]) -> Steps[MessageBatch]:
        """Make so many messages of a kind where these were made before, and keep none in mind."""
        (outcome,) = yield [self._call(kind, count, shown)]
        return self._batch(outcome, kind, count)

    def _batch(self, outcome: Outcome, kind: Kind, count: int) -> MessageBatch:
        """Return what the generator gave, no more than was asked for; what it gave too many or too few is
        told.
        """
        fault, detail = outcome.fault, outcome.detail
        batch = MessageBatch(messages=(), usage=outcome.usage or Usage())
        if not fault:
            try:
                batch = as_batch(outcome.result, self._trait, kind, self._language)
            except InvalidReplyError as error:
                fault, detail = STEP_INVALID, " ".join(str(error).split())
        if fault:
            return batch.model_copy(update={"drops": (Drop(stage="messages", reason=fault, detail=detail),)})
        if outcome.usage is None:
            return batch
        made, drops = len(batch.messages), list(batch.drops)
        if made > count or (made < count and not drops):
            reason = "surplus" if made > count else "refills_exhausted"
            detail = f"{self._trait.name}: the generator gave {made} of {count} messages of the kind {kind}"
            drops += [Drop(stage="messages", reason=reason, detail=detail)] * max(1, made - count)
        update = {"messages": batch.messages[:count], "drops": tuple(drops), "usage": outcome.usage}
        return batch.model_copy(update=update)

    def _call(self, kind: Kind, count: int, shown: Iterable[str]) -> StepCall:
        number = self.state.number
        arguments = {
            "trait": self._trait,
            "constitution": self._constitution,
            "existing": (*self._trait.questions, *shown),
            "seed": stable_seed(self._seed, "slice", number) if number else self._seed,
            "kind": kind,
            "num_messages": count,
        }
        return StepCall(
            self._generator,
            arguments,
            self._lm,
            role="generator",
            stage="messages",
            trait=self._trait.name,
            takes=tuple(arguments),
            about=(self._trait.name, kind, count, arguments["seed"]),
        )

    def _without_repeats(self, messages: Iterable[Message], kind: Kind) -> tuple[list[Message], list[Drop]]:
        fresh: list[Message] = []
        drops: list[Drop] = []
        for message in messages:
            repeats = "duplicate" if message.id in self._ids else None
            if repeats is None and message.source == "generated":
                repeats = self._seen.find(message.text)
            if repeats:
                detail = f"repeats one of another kind or an earlier one: {message.text[:80]}"
                drops.append(Drop(stage="messages", reason=repeats, detail=detail))
                continue
            self._remember(message, kind)
            fresh.append(message)
        return fresh, drops

    def _remember(self, message: Message, kind: Kind) -> None:
        self._ids.add(message.id)
        self._seen.add(message.text)
        if kind in self._shown:
            self._shown[kind].append(message.text)


def _fault_of(batch: MessageBatch) -> Drop | None:
    return next((drop for drop in batch.drops if drop.reason in STEP_FAULTS), None)


def _counted(before: Iterable[tuple[Drop, int]], drops: Iterable[Drop]) -> tuple[tuple[Drop, int], ...]:
    """Return one example of each sort of drop with its count, after further drops."""
    counts = {_sort(drop): (drop, count) for drop, count in before}
    for drop in drops:
        example, count = counts.get(_sort(drop), (drop, 0))
        counts[_sort(drop)] = example, count + 1
    return tuple(counts.values())


def _sort(drop: Drop) -> tuple[str, str, bool]:
    return drop.stage, drop.reason, drop.recovered


def slice_shares(missing: Mapping[Kind, int], size: int) -> dict[Kind, int]:
    """Return how many of each kind the next slice of at most ``size`` asks for, as evenly as possible."""
    shares = dict.fromkeys(missing, 0)
    left = {kind: count for kind, count in missing.items() if count}
    while left and size > 0:
        each = max(1, min(size // len(left), *left.values(), size))
        for kind in list(left)[:size]:
            shares[kind] += each
            size -= each
            left[kind] -= each
            if not left[kind]:
                del left[kind]
    return {kind: share for kind, share in shares.items() if share}
