"""The record of a saved ranker: a whitelist of plain values, and nothing that says where requests go."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from character.records import Record
from character.statistics.intervals import Interval
from character.text import fingerprint

MOST_DEMOS = 64

Name = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Digest = Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{8,64}$")]
Short = Annotated[str, Field(strict=True, max_length=200, pattern=r"^[^\n\r]*$")]
Line = Annotated[str, Field(strict=True, max_length=2000)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e6, le=1e6)]
Count = Annotated[int, Field(strict=True, ge=0, le=10_000_000)]
Yes = Annotated[bool, Field(strict=True)]


class RankerSettings(Record):
    """How the ranker asks: the arguments of ``Ranker`` that belong to what was measured, in their own ranges.

    ``temperature`` is the sampling temperature that was chosen with the instructions, None for the backend's
    own.
    """

    strategy: Literal["scores", "listwise", "pairwise", "pointwise"] = "scores"
    passes: Annotated[int, Field(strict=True, ge=1, le=16)] = 2
    max_passes: Annotated[int, Field(strict=True, ge=1, le=32)] = 2
    min_gain: Annotated[float, Field(strict=True, ge=0.0, le=0.5)] = 0.005
    tournament: Literal["round_robin", "swiss"] = "round_robin"
    method: Literal["model", "mean", "borda", "bradley_terry", "plackett_luce"] | None = None
    max_reasks: Annotated[int, Field(strict=True, ge=0, le=5)] = 2
    temperature: Annotated[float, Field(strict=True, ge=0.0, le=2.0)] | None = None
    reading: Literal["text", "probabilities", "auto"] = "text"

    @model_validator(mode="after")
    def _most(self) -> Self:
        if self.max_passes < self.passes:
            raise ValueError(f"max_passes is {self.max_passes}, fewer than {self.passes} passes")
        return self


class FieldFacts(Record):
    """One field of the signature: its name, whether it is an input or an output, its type and description."""

    name: Annotated[str, Field(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
    role: Literal["input", "output"]
    type: Short
    description: Line = ""


class SignatureFacts(Record):
    """The signature that was tuned: its name, its fields in order, and the digest of its own instructions."""

    name: Name
    fields: tuple[FieldFacts, ...] = Field(min_length=2, max_length=32)
    instructions: Digest

    @property
    def fingerprint(self) -> str:
        """The identity of the fields: names, order, roles, types and descriptions."""
        return fingerprint([field.model_dump(mode="json") for field in self.fields])


class LabelledFacts(Record):
    """The labelled set that was tuned on: its name, fingerprint, number of items, and its known languages."""

    name: Short = ""
    fingerprint: Digest
    num_items: Count
    languages: tuple[Short, ...] = Field(default=(), max_length=64)


class MetricFigure(Record):
    """An estimate with its interval; ``low`` and ``high`` are None where there is none."""

    estimate: Number
    low: Number | None = None
    high: Number | None = None

    @classmethod
    def of(cls, interval: Interval) -> Self:
        """Return the figure of an interval; an end that is infinite is none."""
        low, high = (None if math.isinf(end) else end for end in (interval.low, interval.high))
        return cls(estimate=interval.estimate, low=low, high=high)

    @property
    def interval(self) -> Interval:
        """The figure as an interval, infinitely wide where it has no ends."""
        low = -math.inf if self.low is None else self.low
        return Interval(self.estimate, low, math.inf if self.high is None else self.high)


class MetricRow(Record):
    """One metric before and after tuning, with the gain between them, on ``num_items`` items.

    ``data`` says which items: ``test`` (a locked part), ``folds`` (nested cross-validation) or ``recheck``.
    """

    metric: Name
    before: MetricFigure
    after: MetricFigure
    gain: MetricFigure | None = None
    data: Name = "test"
    num_items: Count


class Versions(Record):
    """The versions it was made with."""

    character: Short
    dspy: Short


class RankerArtifact(Record):
    """A tuned ranker as a file holds it. Nothing in it is code, names a server, or sets up a language model.

    ``strategy`` is the tuning strategy, ``model`` the judge's model string; ``adopted`` whether the held-out
    gain was above zero, ``reason`` why or why not. ``rehearsal`` says that a model which is there for trying
    and testing judged, or wrote candidates. ``calibration`` is that of
    ``optimizers.calibration.calibration``, as plain values. ``signature_fingerprint`` is checked against
    ``signature``.
    """

    format_version: Literal[1] = 1
    kind: Literal["character-ranker"] = "character-ranker"
    strategy: Name
    ranker: RankerSettings = RankerSettings()
    instructions: Annotated[str, Field(strict=True, min_length=1, max_length=40_000)]
    demos: tuple[dict[str, Any], ...] = Field(default=(), max_length=MOST_DEMOS)
    calibration: dict[str, Any] | None = None
    signature: SignatureFacts
    signature_fingerprint: str = ""
    model: Annotated[str, Field(strict=True, min_length=1, max_length=200, pattern=r"^[^\s\\]+$")]
    labelled: LabelledFacts
    metrics: tuple[MetricRow, ...] = Field(default=(), max_length=64)
    adopted: Yes
    reason: Line = ""
    rehearsal: Yes = False
    versions: Versions
    created_at: Annotated[
        str, Field(strict=True, pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)$")
    ]

    @field_validator("model")
    @classmethod
    def _no_address(cls, value: str) -> str:
        if "://" in value or "@" in value or ".." in value:
            raise ValueError("a model string names a model, no address and no path")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = {field.name for field in self.signature.fields}
        for number, demo in enumerate(self.demos):
            unknown = sorted(set(demo) - names)
            if unknown:
                raise ValueError(
                    f"demos[{number}] has the field {unknown[0]!r}, which the signature lacks "
                    f"(it has {', '.join(sorted(names))})"
                )
        stated = self.signature_fingerprint or self.signature.fingerprint
        if stated != self.signature.fingerprint:
            raise ValueError(
                f"signature_fingerprint is {stated!r}, the fields amount to {self.signature.fingerprint!r}"
            )
        object.__setattr__(self, "signature_fingerprint", stated)
        return self

    @property
    def fingerprint(self) -> str:
        """The identity of what judges: settings, prompt, calibration and fields; not how it was made."""
        data = self.model_dump(mode="json", include={"ranker", "instructions", "calibration", "signature"})
        if data["ranker"]["reading"] == "text":
            del data["ranker"]["reading"]  # the identities of files without it stay
        demos = [
            [[name, json.dumps(demo[name], ensure_ascii=False)] for name in sorted(demo)]
            for demo in self.demos
        ]
        return fingerprint([data, demos])
