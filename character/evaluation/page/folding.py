"""Findings as sentences: of a few of one kind each its own, of many one sentence with a list below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from character.report import Note
from character.report.parts import Weight

MANY = 3
"""Findings of one kind from which they share a sentence."""


@dataclass(frozen=True)
class Found:
    """A finding: its ``kind`` names the sentence that tells it, ``said`` fills that in, ``where`` parts it from others of its kind."""

    kind: str
    weight: Weight
    said: Mapping[str, str]
    where: str = ""


def told(found: Iterable[Found], words: Mapping[str, str]) -> list[Note]:
    """Return findings as notes, in the order in which each kind comes first.

    ``words`` hold the sentence of a kind under its name, and where many may share one, that one under ``KIND_many`` and an item of
    its list under ``KIND_item``.
    """
    kinds: dict[tuple[str, Weight, str], list[Found]] = {}
    for each in found:
        kinds.setdefault((each.kind, each.weight, each.where), []).append(each)
    notes: list[Note] = []
    for (kind, weight, where), alike in kinds.items():
        if len(alike) < MANY or f"{kind}_many" not in words:
            notes += [Note(words[kind].format(where=where, **each.said), weight) for each in alike]
            continue
        items = tuple(words[f"{kind}_item"].format(**each.said) for each in alike)
        notes.append(Note(words[f"{kind}_many"].format(where=where, count=len(alike)), weight, items))
    return notes
