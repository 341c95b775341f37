"""What a tuned model does otherwise than its base: the same messages to both, and every reply measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from character.records import Message, Record
from character.responses.filters import is_wrong_language
from character.statistics.intervals import Interval, bootstrap_mean
from character.text import is_refusal

Role = Literal["target", "other", "kept", "plain"]
"""What is hoped for: that it rises, that it stays (another trait), that it is not lost, or nothing."""
OTHER_BAR, KEPT_BAR = 0.1, 0.07
"""A shift of another trait, and a loss of what is to be kept, that is a side effect to look at."""


class Measure(NamedTuple):
    """One thing to measure in replies: ``of`` gives a number for each reply to the message at the same place.

    ``is_share`` says that the number is in 0..1 and its mean a share of the replies.
    """

    name: str
    role: Role
    of: Callable[[Sequence[Message], Sequence[str]], Sequence[float]]
    is_share: bool = True


class Shift(Record):
    """One measure before and after: means over replies, and their difference with its 95 % interval.

    The interval is by bootstrap over messages, replies to one message together. ``flagged`` says that the
    shift is a side effect to look at: its interval excludes 0 and it passes the bar of its role.
    """

    name: str
    role: Role
    base: float
    tuned: float
    shift: float
    low: float
    high: float
    num_messages: int
    is_share: bool = True
    flagged: bool = False


class EffectReport(Record):
    """What changed from base to tuned, over all messages and by their language.

    ``base`` and ``tuned`` name the models, ``num_replies`` counts those of one model.
    """

    base: str
    tuned: str
    num_messages: int
    num_replies: int
    shifts: tuple[Shift, ...]
    by_language: dict[str, tuple[Shift, ...]] = Field(default_factory=dict)

    def shift(self, name: str, language: str = "") -> Shift:
        """Return one measure's shift, over all messages or of a language; raises KeyError for others."""
        found = self.by_language[language] if language else self.shifts
        return {each.name: each for each in found}[name]

    @property
    def side_effects(self) -> tuple[Shift, ...]:
        """The shifts to look at, over all messages."""
        return tuple(each for each in self.shifts if each.flagged)


def _wrong_language(messages: Sequence[Message], replies: Sequence[str]) -> list[float]:
    return [float(is_wrong_language(text, one)) for one, text in zip(messages, replies, strict=True)]


PLAIN_MEASURES = (
    Measure("characters", "plain", lambda _m, replies: [float(len(text)) for text in replies], False),
    Measure("refusals", "other", lambda _m, replies: [float(is_refusal(text)) for text in replies]),
    Measure("wrong language", "other", _wrong_language),
)
"""What can be measured without a judge: length, refusals, replies in another language than the message."""


def measure_effect(
    messages: Sequence[Message],
    base: Sequence[Sequence[str]],
    tuned: Sequence[Sequence[str]],
    measures: Sequence[Measure],
    *,
    base_name: str = "base",
    tuned_name: str = "tuned",
    seed: int = 0,
) -> EffectReport:
    """Return what changed between two models' replies to the same held-out messages.

    ``base`` and ``tuned`` hold the replies to each message, any number of them but at least one.
    """
    means = {
        name: _means(messages, replies, measures) for name, replies in (("base", base), ("tuned", tuned))
    }
    languages = [message.language for message in messages]
    every = np.arange(len(messages))

    def shifts(places: np.ndarray) -> tuple[Shift, ...]:
        return tuple(
            _shift(measure, means["base"][i][places], means["tuned"][i][places], seed)
            for i, measure in enumerate(measures)
        )

    names = sorted(set(languages))
    by_language = {
        name: shifts(np.flatnonzero([each == name for each in languages])) for name in names if len(names) > 1
    }
    return EffectReport(
        base=base_name,
        tuned=tuned_name,
        num_messages=len(messages),
        num_replies=sum(len(replies) for replies in tuned),
        shifts=shifts(every),
        by_language=by_language,
    )


def _means(
    messages: Sequence[Message], replies: Sequence[Sequence[str]], measures: Sequence[Measure]
) -> list[np.ndarray]:
    """Return per measure its mean over the replies to each message."""
    asked = [message for message, texts in zip(messages, replies, strict=True) for _ in texts]
    said = [text for texts in replies for text in texts]
    numbers = [len(texts) for texts in replies]
    starts = np.cumsum([0, *numbers[:-1]])
    return [
        np.add.reduceat(np.asarray(measure.of(asked, said), dtype=float), starts) / numbers
        for measure in measures
    ]


def _shift(measure: Measure, base: np.ndarray, tuned: np.ndarray, seed: int) -> Shift:
    found = bootstrap_mean(tuned - base, seed=seed)
    if found is None:
        raise ValueError("there are no messages to measure on")
    return Shift(
        name=measure.name,
        role=measure.role,
        base=float(base.mean()),
        tuned=float(tuned.mean()),
        shift=found.estimate,
        low=found.low,
        high=found.high,
        num_messages=len(base),
        is_share=measure.is_share,
        flagged=_is_side_effect(measure.role, found),
    )


def _is_side_effect(role: Role, shift: Interval) -> bool:
    if not shift.excludes(0.0):
        return False
    if role == "other":
        return abs(shift.estimate) >= OTHER_BAR
    return role == "kept" and shift.estimate <= -KEPT_BAR


def words_of_shift(shift: Shift) -> str:
    """Return a shift in a few words: before, after, and the difference with its interval."""
    form = "{:.0%}" if shift.is_share else "{:.1f}"
    signed = "{:+.2f}" if shift.is_share else "{:+.1f}"
    before, after = form.format(shift.base), form.format(shift.tuned)
    low, high = signed.format(shift.low), signed.format(shift.high)
    return f"{before} to {after} ({signed.format(shift.shift)} [{low}, {high}])"


def lines_of(report: EffectReport) -> Iterator[str]:
    """Yield the shifts over all messages, one a line."""
    for shift in report.shifts:
        mark = "  <- look" if shift.flagged else ""
        yield f"{shift.name:<16} {words_of_shift(shift)}{mark}"


def card_text(effect: EffectReport) -> str:
    """Return what a measurement said, as the part of a model's card in Markdown."""
    return "\n".join(_card_lines(effect))


def _card_lines(effect: EffectReport) -> Iterator[str]:
    yield (
        f"{effect.num_replies:,} replies to {effect.num_messages:,} held-out messages, before and after; "
        "95 % intervals by bootstrap over messages."
    )
    found = effect.side_effects
    said = ", ".join(each.name for each in found)
    yield f"\n**Side effects to look at: {said}.**\n" if found else "\nNo side effect passed its bar.\n"
    yield from _table("all messages", effect.shifts)
    for language, shifts in effect.by_language.items():
        yield ""
        yield from _table(language, shifts)


def _table(caption: str, shifts: Sequence[Shift]) -> Iterator[str]:
    yield f"| {caption} | before to after (shift, interval) | messages |"
    yield "| --- | --- | ---: |"
    for shift in shifts:
        mark = " **look**" if shift.flagged else ""
        yield f"| {shift.name} ({shift.role}) | {words_of_shift(shift)}{mark} | {shift.num_messages:,} |"
