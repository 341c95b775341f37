"""The pairs of rollouts that can be used: each once, with two sides that differ; what cannot is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from character.records import Message, PreferencePair, Rollout


def why_no_pairs(rollout: Rollout) -> str:
    """Return the reason why a rollout without pairs has none."""
    if rollout.candidates is None or not rollout.candidates.items:
        return "no_candidates"
    if rollout.ranking is None:
        return "not_ranked"
    return "no_pairs" if rollout.ranking.status == "ranked" else rollout.ranking.status


def distinct_pairs(
    rollouts: Iterable[Rollout], skips: Counter[str]
) -> Iterator[tuple[Message, PreferencePair]]:
    """Yield each pair with its message; one that came twice or has equal sides is counted instead."""
    seen: set[str] = set()
    for rollout in rollouts:
        if not rollout.pairs:
            skips[why_no_pairs(rollout)] += 1
        for pair in rollout.pairs:
            if pair.id in seen:
                skips["duplicate_pair"] += 1
            elif pair.chosen.strip() == pair.rejected.strip():
                skips["identical_sides"] += 1
            else:
                yield rollout.message, pair
            seen.add(pair.id)
