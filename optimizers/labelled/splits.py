"""Parting a labelled set so that nothing leaks, and its control with permuted labels."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from character.statistics.groups import Groups
from optimizers.errors import LabelledError

if TYPE_CHECKING:
    from optimizers.labelled.records import Label, LabelledItem, LabelledSet


def split(labelled: LabelledSet, fractions: Sequence[float], seed: int = 0) -> tuple[LabelledSet, ...]:
    """Return disjoint parts of about these fractions of the items (positive, sum 1), none of them empty.

    Items that share a group or a message are in the same part; each trait is spread as the whole is.
    Raises LabelledError where there are fewer groups than parts.
    """
    if not fractions or min(fractions) <= 0 or not math.isclose(sum(fractions), 1.0, abs_tol=1e-6):
        raise LabelledError(f"found the fractions {fractions}.", expected="positive numbers whose sum is 1")
    parts = _parts(labelled.items, fractions, seed)
    return tuple(_part(labelled, members, f"{i}/{len(parts)}") for i, members in enumerate(parts, 1))


def folds(labelled: LabelledSet, k: int, seed: int = 0) -> tuple[tuple[LabelledSet, LabelledSet], ...]:
    """Return k pairs (the rest, the fold held out), as ``split`` does; every item is held out once."""
    if k < 2:
        raise LabelledError(f"found {k} folds.", expected="at least 2")
    parts = _parts(labelled.items, [1 / k] * k, seed)
    everything = set(range(len(labelled.items)))
    return tuple(
        (_part(labelled, everything - held, f"all but fold {i}"), _part(labelled, held, f"fold {i}"))
        for i, held in enumerate(parts, 1)
    )


def permuted(labelled: LabelledSet, seed: int = 0) -> LabelledSet:
    """Return a control: in each item the labels belong to other candidates, at random.

    All raters of an item are permuted alike, so that they agree as before while there is nothing to learn.
    """
    rng = Random(seed)
    items = []
    for item in labelled.items:
        to = list(range(len(item.candidates)))
        rng.shuffle(to)
        labels = tuple(_moved(label, to) for label in item.labels)
        items.append(item.model_copy(update={"labels": labels}))
    return labelled.model_copy(update={"items": tuple(items), "name": f"{labelled.name} (permuted)".strip()})


def _moved(label: Label, to: Sequence[int]) -> Label:
    """Return the label with what it says of candidate i said of ``to[i]``."""
    order = tuple(tuple(to[i] for i in group) for group in label.order)
    moved = dict(zip(to, label.scores, strict=False))
    scores = tuple(moved[i] for i in sorted(moved))
    choices = tuple((to[i], to[j], share) for i, j, share in label.choices)
    return label.model_copy(update={"order": order, "scores": scores, "choices": choices})


def blocks(items: Sequence[LabelledItem]) -> list[list[int]]:
    """Return the positions of items that belong together: linked by groups or messages, however far."""
    groups = Groups(len(items))
    first: dict[tuple[str, str], int] = {}
    for index, item in enumerate(items):
        for key in (("group", item.group), ("message", item.message_key)):
            groups.join(first.setdefault(key, index), index)
    return groups.members()


def _parts(items: Sequence[LabelledItem], fractions: Sequence[float], seed: int) -> list[set[int]]:
    """Deal out blocks, largest first, each to the part that lacks most of its traits and most items."""
    together = blocks(items)
    if len(together) < len(fractions):
        raise LabelledError(
            f"found {len(items)} items in {len(together)} groups, too few for {len(fractions)} parts.",
            expected="at least one group of items per part; items with the same message are one group",
            fix="label more messages, or ask for fewer parts.",
        )
    strata: dict[tuple[str, ...], list[list[int]]] = defaultdict(list)
    for block in together:
        strata[tuple(sorted({str(items[i].trait["name"]) for i in block}))].append(block)
    rng = Random(seed)
    parts: list[list[list[int]]] = [[] for _ in fractions]
    total = [fraction * len(items) for fraction in fractions]
    for traits in sorted(strata):
        mine = strata[traits]
        rng.shuffle(mine)
        mine.sort(key=len, reverse=True)
        lacking = [fraction * sum(map(len, mine)) for fraction in fractions]
        for block in mine:
            to = max(range(len(parts)), key=lambda p: (lacking[p] + total[p] / len(items), total[p]))
            parts[to].append(block)
            lacking[to] -= len(block)
            total[to] -= len(block)
    for part in parts:
        if not part:  # it gets the smallest block of the part with most of them
            richest = max(parts, key=len)
            part.append(richest.pop(min(range(len(richest)), key=lambda i: len(richest[i]))))
    return [{index for block in part for index in block} for part in parts]


def _part(labelled: LabelledSet, members: set[int], which: str) -> LabelledSet:
    items = tuple(item for index, item in enumerate(labelled.items) if index in members)
    name = f"{labelled.name} ({which})".strip()
    return labelled.model_copy(update={"items": items, "name": name, "dropped": {}})
