"""Steps that failed in an earlier sitting are asked again, and no answer is paid for twice."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from character.backends.observe import attempting
from character.store.run_store import RunStore

R = TypeVar("R")


async def tried(
    store: RunStore,
    key: str,
    failed: dict[str, int],
    make: Callable[[], Awaitable[R]],
    failed_stages: Callable[[R], Collection[str]],
) -> R:
    """Return what steps make, and note under a key which failed, the latest last.

    ``failed`` is what was noted before. Steps that failed are first given what was answered then, as they may
    have been mended; where one fails again, its models are asked anew.
    """

    def noted(made: R) -> R:
        for stage in failed_stages(made):
            failed[stage] = failed.pop(stage, 0) + 1
            store.set_meta(key, json.dumps(failed))
        return made

    if failed:
        last = next(reversed(failed))
        with attempting({**failed, last: failed[last] - 1}) as attempts:
            made = await make()
        if attempts.have_asked or not failed_stages(made):
            return noted(made)
    with attempting(failed):
        return noted(await make())
