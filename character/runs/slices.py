"""Slices of generated messages in the store of a run: kept one by one, and gone on with after a stop."""

from __future__ import annotations

import json

from character.backends.observe import attempting
from character.backends.own_steps import STEP_FAULTS, WORTH_ANOTHER_SITTING
from character.constitution import Trait
from character.errors import BackendUnavailableError
from character.messages.slices import MessageSlices, SliceState
from character.records import Message, MessageBatch
from character.store.run_store import RunStore


class StoredSlices:
    """The slices of one trait's messages, in a store. ``keep`` one before another one is made.

    A slice that was kept whole is never made again: the store knows how far the slices are. One that a stop
    has interrupted is made again from the calls in the journal. So is one that lacks messages because of the
    server, in the next sitting; what it did bring is kept, and the trait's messages count as unfinished.
    """

    def __init__(self, store: RunStore, slices: MessageSlices, trait: Trait, first_ordinal: int) -> None:
        self._store, self.slices, self._trait, self._first = store, slices, trait.name, first_ordinal
        self._key, self._failed = f"slices/{trait.name}", f"failed/{trait.name}"
        stored = store.meta(self._key)
        if stored is not None:
            progress = json.loads(stored)
            state = SliceState.model_validate(progress["state"])
            slices.resume(state, store.messages(trait.name, before=progress["before"]))
            self._finish_if_done()

    async def anext(self) -> MessageBatch:
        """Make the next slice; ``keep`` it before another one is made."""
        with attempting({"messages": int(self._store.meta(self._failed) or 0)}):
            return await self.slices.anext()

    def keep(self, batch: MessageBatch) -> list[Message]:
        """Keep a slice that was made, and return those of its messages that were not in the store.

        Raises BackendUnavailableError where the server is why the trait has no message at all.
        """
        earlier = self._store.known(message.id for message in batch.messages)
        fresh = [message for message in batch.messages if message.id not in earlier]
        last = self._store.last_ordinal(self._trait)
        start = self._first if last is None else last + 1
        self._store.add_messages(self._trait, fresh, start)
        if self.slices.has_failed:
            if any(drop.reason in STEP_FAULTS for drop in batch.drops):
                self._store.set_meta(self._failed, str(int(self._store.meta(self._failed) or 0) + 1))
            if last is None and not fresh:
                fault = next(drop for drop in batch.drops if drop.reason in WORTH_ANOTHER_SITTING)
                raise BackendUnavailableError(
                    f"no message could be made for {self._trait}: {fault.reason}, {fault.detail}",
                    fix="check the server; the same command then goes on where it stopped.",
                )
            return fresh  # the next sitting asks again for what is missing
        progress = {"state": self.slices.state.model_dump(mode="json"), "before": start + len(fresh)}
        self._store.set_meta(self._key, json.dumps(progress, ensure_ascii=False))
        self._finish_if_done()
        return fresh

    def _finish_if_done(self) -> None:
        if self.slices.is_done and not self._store.has_batch(self._trait):
            self._store.finish_batch(self._trait, self.slices.totals())
