"""What is tuned of a ranker (instruction, demos, calibration), taken out of one and put into another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import dspy

from character.text import fingerprint
from optimizers.errors import problem

Demo = Mapping[str, Any]


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
    instruct(ranker.rank, tuning)
    ranker.calibration = tuning.calibration


def instruct(predict: Any, tuning: Tuning) -> None:
    """Put the instruction, the demos and the temperature of a tuning into a predictor, in place."""
    if predict.signature.instructions != tuning.instructions:
        predict.signature = predict.signature.with_instructions(tuning.instructions)
    inputs = list(predict.signature.input_fields)
    predict.demos = [dspy.Example(**demo).with_inputs(*inputs) for demo in tuning.demos]
    predict.config = {name: value for name, value in predict.config.items() if name != "temperature"}
    if tuning.temperature is not None:
        predict.config["temperature"] = tuning.temperature


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
