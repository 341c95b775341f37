"""What is tuned of a ranker (instruction, demos, calibration), how, and putting it into another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypedDict

import dspy

from character.text import fingerprint
from optimizers.artifact.artifact import instruct
from optimizers.errors import problem

Demo = Mapping[str, Any]


class TuningKeywords(TypedDict, total=False):
    """The options of ``optimize_ranker`` besides its labels and the strategy, see ``TuningOptions``."""

    budget: int | None
    metric: str
    seed: int
    level: float
    controls: int
    wordings: Sequence[str]
    temperatures: Sequence[float]
    uses_length: bool
    num_threads: int


@dataclass(frozen=True)
class TuningOptions:
    """How a ranker is tuned, and how its gain is measured.

    ``budget`` is the most model calls over everything, None the usual number; ``level`` that of the
    intervals, and ``controls`` the number of runs on permuted labels. ``wordings`` (instructions) and
    ``temperatures`` are further ones for ``select`` to choose from. With ``uses_length`` False no calibration
    looks at the length of candidates.
    """

    strategy: str = "auto"
    budget: int | None = None
    metric: str = "pairwise_accuracy"
    seed: int = 0
    level: float = 0.95
    controls: int = 0
    wordings: Sequence[str] = ()
    temperatures: Sequence[float] = ()
    uses_length: bool = True
    num_threads: int = 8


class TunableRanker(Protocol):
    """A ranker as this package sees it: a predictor that judges candidates, a calibration of its scores."""

    rank: Any
    calibration: Any

    def examples(
        self,
        message: Any,
        candidates: Sequence[str],
        trait: Any,
        scores: Sequence[float | None] | None = None,
        *,
        seed: int = 0,
        passes: int = 1,
    ) -> list[Any]:
        """Return what the predictor is asked, as examples with ``shown``, and the right outputs for
        ``scores``."""

    def read(self, outputs: Mapping[str, Any], shown: Sequence[int]) -> tuple[list[float | None] | None, str]:
        """Return (scores in 0..1 in the candidates' order, fault) of a reply."""

    def __call__(self, message: Any, candidates: Any, trait: Any, *, seed: int = 0) -> Any:
        """Return the ranking: ``status``, ``scores``, ``passes``."""


@dataclass(frozen=True)
class Tuning:
    """A ranker's instruction, demos (JSON-native fields of the predictor), calibration and temperature.

    ``temperature`` None leaves the sampling to the model's own settings.
    """

    instructions: str
    demos: tuple[Demo, ...] = ()
    calibration: Any = None
    temperature: float | None = None

    def with_demos(self, demos: Sequence[Demo]) -> Tuning:
        """Return it with other demos."""
        return replace(self, demos=tuple(demos))

    @property
    def prompt_key(self) -> str:
        """What tells apart the prompts of two tunings; the calibration is no part of a prompt."""
        return fingerprint([self.instructions, list(self.demos), self.temperature], size=16)


def tuning_of(ranker: TunableRanker) -> Tuning:
    """Return the tuning that a ranker has now."""
    predict = ranker.rank
    temperature = predict.config.get("temperature")
    return Tuning(predict.signature.instructions, demos_of(predict), ranker.calibration, temperature)


def demos_of(predict: Any) -> tuple[Demo, ...]:
    """Return a predictor's demos with the fields of its signature alone, as far as they have them."""
    names = list(predict.signature.fields)
    return tuple({name: dict(demo)[name] for name in names if name in dict(demo)} for demo in predict.demos)


def tune(ranker: TunableRanker, tuning: Tuning) -> None:
    """Put a tuning into a ranker, in place; nothing else of it changes."""
    instruct(ranker.rank, tuning.instructions, tuning.demos, tuning.temperature)
    ranker.calibration = tuning.calibration


def find_ranker(program: Any) -> TunableRanker:
    """Return the ranker of a program: itself, its attribute ``ranker``, or the one ranker somewhere inside.

    Raises OptimizerError where there is none, or several.
    """
    if _is_ranker(program):
        rankers: list[Any] = [program]
    elif _is_ranker(getattr(program, "ranker", None)):
        rankers = [program.ranker]
    else:
        inside = program.named_sub_modules() if isinstance(program, dspy.Module) else ()
        rankers = list({id(each): each for _, each in inside if _is_ranker(each)}.values())
    if len(rankers) != 1:
        raise problem("rankers", program=type(program).__name__, number=len(rankers))
    ranker: TunableRanker = rankers[0]
    return ranker


def _is_ranker(module: Any) -> bool:
    return all(callable(getattr(module, name, None)) for name in ("examples", "read", "rank"))
