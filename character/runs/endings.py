"""What ended a sitting early, and what of a run is tried again after it."""

from __future__ import annotations

import json

from character.errors import UnusableModelError
from character.store.run_store import RunStore

_LOST = ("unanswered", "unranked")
"""The states of messages that replies of no use have cost."""


def stopped_by(store: RunStore) -> dict[str, str]:
    """Return what ended the last sitting early, its ``error`` and what it ``said``; else nothing."""
    return dict(json.loads(store.meta("stopped") or "{}"))


def set_stopped(store: RunStore, error: str = "", said: str = "") -> None:
    """Keep what ended a sitting before its end; without it, that nothing did."""
    if error or stopped_by(store):
        store.set_meta("stopped", json.dumps({"error": error, "said": said} if error else {}))


def was_of_no_use(store: RunStore) -> bool:
    """Whether replies of no use ended the last sitting."""
    return stopped_by(store).get("error") == UnusableModelError.__name__


def try_lost_again(store: RunStore) -> int:
    """Have the messages tried again that replies of no use have cost; return how many there are.

    That is where such replies ended the last sitting, or left a finished run without a pair. The calls that
    gave them are made anew, all others are kept.
    """
    counts = store.counts()
    is_over = counts["messages"] and not (counts["pairs"] or counts.get("pending"))
    if not (was_of_no_use(store) or (is_over and any(counts.get(state) for state in _LOST))):
        return 0
    store.leave_out_of_no_use()
    return store.try_again(*_LOST)
