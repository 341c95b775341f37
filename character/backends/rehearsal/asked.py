"""What a prompt asks of the rehearsal model, as the tasks take it."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple

from character.backends.rehearsal.prompt import Field
from character.backends.rehearsal.sense import Sense, sense_of


class Assignment(NamedTuple):
    """The values of a prompt, the outputs that it wants, and all that an answer depends on besides.

    ``noise`` is the standard deviation of a score, ``position_bias`` what the response shown first gains and
    the last one loses, ``overdoing`` what excess costs: all as the instruction leaves them. ``leanings`` are
    the log-odds by concept of showing a trait rather than another one.
    """

    values: dict[str, Any]
    outputs: Mapping[str, Field]
    demos: tuple[dict[str, Any], ...]
    language: str
    rng: Random
    noise: float
    position_bias: float
    overdoing: float
    leanings: Mapping[str, float]

    def listed(self, name: str) -> list[Any]:
        """Return what an input lists, nothing where it is no list."""
        value = self.values.get(name)
        return value if isinstance(value, list) else []

    @property
    def sense(self) -> Sense:
        """What the trait of the prompt means."""
        return sense_of(self.values.get("trait"), self.language)

    @property
    def responses(self) -> list[str]:
        """The responses to judge, as text."""
        return [str(text) for text in self.listed("responses")]

    @property
    def pair(self) -> tuple[Any, Any]:
        """The two traits of which a reply is to show one."""
        return (*self.listed("traits"), "", "")[:2]

    @property
    def message(self) -> str:
        """What the last turn of the conversation says."""
        return last_content(self.values.get("conversation"))

    def slip(self) -> float:
        """Return the next error of a score."""
        return self.rng.gauss(0.0, self.noise)


def last_content(turns: Any) -> str:
    """Return what the last turn of a conversation says, "" for none."""
    if isinstance(turns, list) and turns:
        last = turns[-1]
        return str(last.get("content", "")) if isinstance(last, dict) else str(last)
    return str(turns or "")
