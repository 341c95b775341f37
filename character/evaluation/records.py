"""What an evaluation knows and says: responses with what was found in them, shifts with their certainty."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from character.config import EffectDesign
from character.evaluation.conditions import Contrast
from character.records import Drop, Message, Record, Usage
from character.views import html
from signatures.gauging import Degree

DEGREE_SCORES: dict[Degree, int] = {"opposite": -1, "absent": 0, "subtle": 1, "natural": 2, "overdone": 3}
"""Degrees as numbers: shifts are counted in steps of this scale."""


class Response(Record):
    """One response to a message under a condition.

    ``degrees`` holds, per trait, how strongly the judge found it (a trait whose judgement was lost is
    missing); ``odds`` how well it fits a trait by a preference model, in log-odds, of which only differences
    on one message count; ``measures`` what was counted without a judge.
    """

    message_id: str
    condition: str
    text: str
    model: str = ""
    degrees: dict[str, Degree] = Field(default_factory=dict)
    odds: dict[str, float] = Field(default_factory=dict)
    measures: dict[str, float] = Field(default_factory=dict)


class Probed(Record):
    """A message with its responses, one per condition that gave a usable one.

    ``group`` is a trait's name, "" for neutral. ``pressure`` names what was done to the message
    ``pressed_from``, if anything.
    """

    message: Message
    group: str
    pressure: str = ""
    pressed_from: str = ""
    responses: tuple[Response, ...]
    coherence: dict[str, tuple[int, int]] = Field(default_factory=dict)
    """Per condition two verdicts against its reference, one in each order: 1 better, 0 as good, -1 worse."""
    drops: tuple[Drop, ...] = ()
    usage: Usage = Usage()


class Choice(Record):
    """A reply in which a model showed one of two traits, of its own choice.

    ``first`` and ``second`` name the traits in the order offered. ``shown`` is the trait that the judge found
    in the reply, "" for neither, None where reply or judgement was lost.
    """

    message_id: str
    condition: str
    first: str
    second: str
    text: str = ""
    model: str = ""
    shown: str | None = None
    drops: tuple[Drop, ...] = ()
    usage: Usage = Usage()


class EffectFigure(Record):
    """An estimate with its 95 % interval; without bounds where there are too few messages to say."""

    estimate: float
    low: float | None = None
    high: float | None = None


class Shift(Record):
    """How much more of a trait shows under a condition than under its reference, in degrees (-4 … 4).

    The mean over messages of the difference between two responses to the same message. ``p`` is that of no
    difference (sign flips of messages), ``adjusted_p`` Holm's over the intended shifts, or the side effects,
    that answer the same question. ``is_intended`` where the trait is the one that the condition is about.
    ``kind`` names the only kind of message counted, "" for all.
    """

    contrast: Contrast
    trait: str
    kind: str = ""
    shift: EffectFigure
    p: float
    adjusted_p: float
    num_messages: int
    is_intended: bool


class MeasureShift(Record):
    """How much a measure differs between a condition and its reference: for ``characters`` as a ratio."""

    contrast: Contrast
    measure: str
    reference: float
    condition: float
    difference: EffectFigure
    p: float
    adjusted_p: float


class OverdoneShare(Record):
    """The share of responses to a trait's messages that overdo it under a condition; the count per degree."""

    trait: str
    condition: str
    overdone: EffectFigure
    num_messages: int
    degrees: dict[Degree, int] = Field(default_factory=dict)


class Moved(Record):
    """A message that a trait moved: the responses under the condition and its reference, and their degrees.

    Without a judge the degrees are None; ``odds`` says how much better the condition's response fits.
    """

    contrast: Contrast
    trait: str
    message: Message
    condition_text: str
    reference_text: str
    condition_degree: Degree | None = None
    reference_degree: Degree | None = None
    odds: float | None = None


class Survival(Record):
    """What is left of an intended shift under a pressure, on the same messages with and without it.

    ``share`` is the shift under pressure over the shift without; None where that is not surely above zero.
    """

    contrast: Contrast
    calm: EffectFigure
    pressed: EffectFigure
    share: EffectFigure | None
    num_messages: int


class Coherence(Record):
    """How much better replies are under a condition than its reference, whatever their character: -1 … 1.

    The mean of verdicts in both orders, so that a preference for a place in the list cancels out.
    ``agreement`` is the share of comparisons in which both orders gave the same verdict.
    """

    contrast: Contrast
    points: EffectFigure
    p: float
    adjusted_p: float
    agreement: float
    num_messages: int


class Rating(Record):
    """How much rather than another trait a model shows this one, in log-odds.

    0 is the mean of the traits that the character does not have (``is_other``). ``ratings``, ``shown`` and
    ``offered`` (how often the trait was shown, of the times that it was offered and one of the two was shown)
    are by condition. Of two models ``difference`` is the tuned one's rating less the base's, and ``p`` that
    of no difference; of one model ``p`` is that of choices by chance. ``adjusted_p`` is Holm's over the
    traits of the character; both are None for other traits.
    """

    trait: str
    is_other: bool
    ratings: dict[str, EffectFigure]
    shown: dict[str, int]
    offered: dict[str, int]
    difference: EffectFigure | None = None
    p: float | None = None
    adjusted_p: float | None = None


class Revealed(Record):
    """What a model shows where it may choose: ratings of traits, and by condition how it chose.

    That is the number of choices, the share of replies that showed neither trait, and the share of the others
    that showed the trait offered first.
    """

    ratings: tuple[Rating, ...]
    num_choices: dict[str, int]
    neither: dict[str, EffectFigure]
    first_shown: dict[str, EffectFigure]


class OpinionShift(Record):
    """How much better a response fits a trait under a condition than its reference, by a preference model.

    ``odds`` is the mean difference of scores in log-odds, ``preferred`` the mean probability, in 0..1, that
    the condition's response is the better one. ``judge`` is the judge's shift on the same messages, in
    degrees nearer to the trait's target (negative: further away), since too much fits as badly as too little;
    ``agreement`` the share of the ``num_compared`` messages on which the judge prefers one response where the
    model prefers the same. Both are None where the judge said nothing.
    """

    contrast: Contrast
    trait: str
    is_intended: bool
    odds: EffectFigure
    preferred: EffectFigure
    p: float
    adjusted_p: float
    judge: EffectFigure | None
    agreement: EffectFigure | None
    num_messages: int
    num_compared: int


class Opinion(Record):
    """What a preference model finds, beside the judge or in its place.

    ``agreement`` with the judge is on the intended effects, alone or of a tuned model, whole messages
    resampled. ``not_fitted`` are the traits that the model was not fitted on, ``num_seen`` of
    ``num_messages`` the messages that it was fitted on.
    """

    model: str
    not_fitted: tuple[str, ...]
    num_seen: int
    num_messages: int
    shifts: tuple[OpinionShift, ...]
    agreement: EffectFigure | None
    num_compared: int


class Veto(Record):
    """What a reviewer vetoed, and why. ``text`` is the vetoed text where it is one, "" for a whole trait."""

    what: Literal["message", "candidate", "trait"]
    reviewer: str
    note: str = ""
    text: str = ""


class SignOff(Record):
    """A reviewer's last word on a trait: signed off, or refused, with a note. ``at`` is UTC, ISO 8601."""

    reviewer: str
    at: str
    is_signed: bool
    note: str = ""


class TraitReview(Record):
    """What the reviewers of an evaluation say of one trait; answers that stand now, undone ones left out.

    ``right`` is the share of right guesses which of two responses was meant to show the trait, of those that
    were made; ``num_untold`` answers could not tell. ``overdone`` is the share of right guesses in which the
    trait was found overdone. Intervals resample items, and are missing for fewer than five. ``alpha`` is
    Krippendorff's on the ``num_shared`` items of two or more.
    """

    trait: str
    reviewers: tuple[str, ...] = ()
    num_answers: int = 0
    num_items: int = 0
    num_untold: int = 0
    right: EffectFigure | None = None
    overdone: EffectFigure | None = None
    alpha: float | None = None
    num_shared: int = 0
    vetoes: tuple[Veto, ...] = ()
    sign_offs: tuple[SignOff, ...] = ()


class EffectReport(Record):
    """What the traits of a constitution do, and how surely. ``level`` is that of the tests and intervals.

    ``worded`` has the fingerprint of each trait as prompts show it, ``judged_as`` of each as the judge was
    told of it. ``judged`` is False where a preference model stood in for the judge: then there are no
    degrees, and what rests on them is empty.
    """

    constitution: str
    fingerprint: str
    design: EffectDesign
    traits: tuple[str, ...]
    language: str
    seed: int
    version: str
    models: dict[str, tuple[str, ...]]
    num_messages: dict[str, int]
    shifts: tuple[Shift, ...]
    kinds: tuple[Shift, ...]
    measures: tuple[MeasureShift, ...]
    overdone: tuple[OverdoneShare, ...]
    robustness: tuple[Survival, ...]
    coherence: tuple[Coherence, ...]
    moved: tuple[Moved, ...]
    dropped: dict[str, int]
    usage: Usage
    rehearsal: bool
    revealed: Revealed | None = None
    opinion: Opinion | None = None
    judged: bool = True
    reviews: tuple[TraitReview, ...] = ()
    worded: dict[str, str] = Field(default_factory=dict)
    judged_as: dict[str, str] = Field(default_factory=dict)
    level: float = 0.95

    def _repr_html_(self) -> str:
        about = {
            "traits": ", ".join(self.traits),
            "messages": sum(self.num_messages.values()),
            "models": ", ".join(sorted({name for names in self.models.values() for name in names})),
            "calls": self.usage.calls,
        }
        rows = [
            (each.trait, each.contrast.condition, each.contrast.reference, *_certainty(each))
            for each in sorted(self.shifts, key=lambda shift: (not shift.is_intended, shift.adjusted_p))
        ]
        header = ("trait", "condition", "reference", "shift", "95 % interval", "adjusted p")
        rehearsed = html.note("made by the rehearsal model: for trying and testing" if self.rehearsal else "")
        name = html.heading(self.constitution)
        return html.panel(name, html.figures(about), rehearsed, html.table(header, rows))


def _certainty(shift: Shift) -> tuple[str, str, str]:
    figure = shift.shift
    bounds = "" if figure.low is None or figure.high is None else f"{figure.low:+.2f} … {figure.high:+.2f}"
    return f"{figure.estimate:+.2f}", bounds, f"{shift.adjusted_p:.3f}"
