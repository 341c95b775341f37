"""The record of an optimization: what was done, what it gained on held-out data, and what it took."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from character.records import Record
from character.statistics.intervals import is_real
from optimizers.artifact.records import MetricFigure
from optimizers.calibration.calibration import Calibration


class _Record(Record):
    model_config = ConfigDict(ser_json_inf_nan="null")


class MetricGain(_Record):
    """A metric before and after tuning on the same held-out items; more gain is better, of errors too.

    ``num_lost`` counts items that were ranked before alone: they are in no figure, and the gain ``is_sure``
    where it lies above zero even if they count as the worst after.
    """

    metric: str
    before: MetricFigure
    after: MetricFigure
    gain: MetricFigure
    num_items: int
    num_groups: int
    num_lost: int = 0
    is_sure: bool = True

    @property
    def is_real(self) -> bool:
        """Whether the gain is sure and above zero with its whole interval, on enough groups to say so."""
        return self.is_sure and is_real(self.gain.interval, self.num_groups)


class Contender(_Record):
    """A strategy that ``auto`` considered: its mean gain in cross-validation, with its standard error."""

    strategy: str
    gain: float
    standard_error: float
    num_items: int
    calls: int


class LearningCurvePoint(_Record):
    """The held-out gain after tuning on so many labelled items."""

    num_items: int
    gain: MetricFigure


class Calls(_Record):
    """What an optimization took: calls by role, tokens, and USD where the price is known."""

    ranking: int = 0
    reflection: int = 0
    budget: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None

    @property
    def total(self) -> int:
        """The calls made, over both roles."""
        return self.ranking + self.reflection


class Control(_Record):
    """The same optimization on permuted labels, where there is nothing to learn: what is adopted is false."""

    runs: int = 0
    adopted: int = 0
    gains: tuple[float, ...] = ()


Verdict = Literal["starved", "untuned", "unmeasured", "few_groups", "gain", "losses", "no_gain"]
"""How an optimization ended: the calls did not reach to try anything; nothing was changed; no held-out item
could tell; too few groups of items could; the held-out gain is above zero; it is so only without the items
that the tuned ranker no longer ranks; it is not."""


class Tuned(_Record):
    """What was tuned: the ranker's instruction, number of demos, temperature (None: the model's own).

    ``calibration`` is that of the tuned ranker, None without one; ``recalibrated`` whether it is a new one.
    """

    instructions_before: str
    instructions: str
    num_demos_before: int
    num_demos: int
    temperature_before: float | None = None
    temperature: float | None = None
    calibration: Calibration | None = None
    recalibrated: bool = False


class OptimizationReport(_Record):
    """What an optimization did and found.

    ``strategy`` is what was asked for, ``chosen`` what came of it (``untuned`` where nothing did). ``design``
    says on which data the gain was measured: ``locked``, a part of the items that nothing was chosen on, or
    ``nested``, cross-validation in which the whole strategy runs once per fold. ``metrics`` holds all
    metrics, the one that was optimized first. ``adopted`` with ``verdict`` and ``reason`` in words;
    ``num_starved`` counts the parts of the data in which the calls did not reach to try anything.
    ``languages`` are those of the labels, ``rehearsal`` says that a model for trying and testing judged,
    proposed, or wrote candidates. ``warning`` says in how far it is length that the tuned ranker measures,
    nothing where it is not. ``unmeasured`` counts held-out items that were left out because the calls ran
    out, ``unusable`` items whose labels tell nothing by the metric. ``not_ranked`` counts by reason the
    held-out items that could not be ranked ``before`` and ``after``; such an item is in no figure.
    """

    strategy: str
    chosen: str
    metric: str
    level: float
    seed: int
    model: str = ""
    labelled: str = ""
    labelled_fingerprint: str = ""
    num_items: int
    num_train: int
    num_test: int
    num_labels: int
    unusable: int = 0
    unmeasured: int = 0
    not_ranked: dict[str, dict[str, int]] = Field(default_factory=dict)
    design: Literal["locked", "nested"]
    folds: int = 0
    metrics: tuple[MetricGain, ...] = ()
    adopted: bool
    verdict: Verdict
    reason: str
    num_starved: int = 0
    warning: str = ""
    languages: tuple[str, ...] = ()
    rehearsal: bool = False
    tuned: Tuned
    contenders: tuple[Contender, ...] = ()
    curve: tuple[LearningCurvePoint, ...] = ()
    control: Control | None = None
    calls: Calls = Calls()

    @property
    def gain(self) -> MetricGain | None:
        """The optimized metric before and after, None where no held-out item could tell."""
        return self.metrics[0] if self.metrics else None
