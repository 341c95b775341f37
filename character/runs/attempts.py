"""Steps that failed in an earlier sitting are asked again, and no answer is paid for twice."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from character.backends.observe import attempting
from character.backends.own_steps import STEP_FAULTS, WORTH_ANOTHER_SITTING
from character.records import Rollout
from character.store.run_store import FAILED, RunStore

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


def failed_stages(rollout: Rollout) -> set[str]:
    """Return the stages at which steps of somebody's own failed."""
    return {drop.stage for drop in rollout.drops if drop.reason in STEP_FAULTS}


def outcome(rollout: Rollout) -> tuple[str, str]:
    """Return the state a message reached, and why where it made no pair.

    ``paired``; ``unpaired``, ``unranked``, ``unsuitable``, ``unanswered`` (fewer than two usable candidates);
    or ``failed`` where that came of a failing server or step, so that trying again may help.
    """
    if rollout.pairs:
        return "paired", ""
    lost = [drop.reason for drop in rollout.drops if not drop.recovered]
    ranking = rollout.ranking
    if ranking is None or ranking.status == "unranked":
        again = [reason for reason in lost if reason in WORTH_ANOTHER_SITTING]
        if again:
            return FAILED, again[0]
    if ranking is None:
        return "unanswered", lost[0] if lost else ""
    if ranking.status == "ranked":
        return "unpaired", lost[-1] if lost else ""
    return ranking.status, ranking.reason
