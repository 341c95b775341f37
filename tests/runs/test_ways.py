"""Every way to bring a model with every way to bring a step, through the program and a run: the table in ``docs/ways.md``.

``python tests/runs/test_ways.py`` writes the table anew, where a change in it is meant.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

import dspy
import pytest
from dspy import lm15
from fake_server import as_rehearsal
from own_parts import QUESTIONS, AwaitableLM, OwnLM, marked

from character import (
    Candidates,
    CharacterProgram,
    Config,
    Constitution,
    Message,
    Ranker,
    Ranking,
    Responder,
    Trait,
    build_lm,
    run,
)

TABLE = Path(__file__).parent.parent.parent / "docs" / "ways.md"
MODES = ("program", "acall", "run", "resume")
PATIENCE = Trait(name="patience", description="Takes the time an explanation needs.", opposite="curt")
CONSTITUTION = Constitution(name="one", language="en", traits=(PATIENCE,))
CALLS: list[str] = []


def answer(request: dict[str, Any]) -> str:
    """Answer every prompt of these tests, and count it."""
    CALLS.append("asked")
    asked = "".join(turn["content"] for turn in request["messages"])
    if "answers" in asked:
        return marked(reasoning="By ear.", notes="Warm.", scores="[0.9, 0.1, 0.2]")
    return as_rehearsal(request)


class Engine:
    """An engine of somebody's own for ``dspy.LM``."""

    supports_function_calling = supports_reasoning = supports_response_schema = False
    supported_params = frozenset({"temperature", "max_tokens", "seed"})

    def complete(self, request: lm15.Request) -> lm15.Response:
        """Answer one request."""
        turns = [{"role": "system", "content": str(request.system or "")}]
        turns += [{"role": each.role, "content": each.text or ""} for each in request.messages]
        text = answer({"messages": turns, "seed": request.config.seed})
        body = {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
        return lm15.response_from_openai_chat(body, model=request.model)

    def __deepcopy__(self, memo: dict[int, Any]) -> Engine:
        return self


class AsyncEngine(Engine):
    """The same, awaited."""

    async def complete(self, request: lm15.Request) -> lm15.Response:
        """Answer one request."""
        return Engine().complete(request)


class ByForward(Ranker):
    """Overrides ``forward``."""

    def forward(self, message: Message, candidates: Candidates, trait: Trait, seed: int = 0) -> Ranking:  # type: ignore[override]
        return super().forward(message, candidates, trait, seed=seed)


class ByAforward(Ranker):
    """Overrides ``aforward``."""

    async def aforward(self, *given: Any, **more: Any) -> Ranking:
        return await super().aforward(*given, **more)


class TwoCalls(dspy.Module):
    """Asks twice."""

    def __init__(self) -> None:
        super().__init__()
        self.notes = dspy.Predict("question, answers: list[str] -> notes")
        self.judge = dspy.Predict("question, answers: list[str], notes -> scores: list[float]")

    def forward(self, message: Message, candidates: Candidates) -> Any:
        notes = self.notes(question=message.text, answers=candidates.texts).notes
        return self.judge(question=message.text, answers=candidates.texts, notes=notes)


class Anything(dspy.Module):
    """Passes on whatever it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Ranker()

    def forward(self, **arguments: Any) -> Any:
        return self.inner(**arguments)


def by_function(message: Message, candidates: Candidates) -> list[float]:
    """Rank by a call of DSPy's from a plain function."""
    judge = dspy.Predict("question, answers: list[str] -> scores: list[float]")
    return list(judge(question=message.text, answers=candidates.texts).scores)


STEPS: dict[str, Callable[[], Any]] = {
    "ours": Ranker,
    "subclass, forward": ByForward,
    "subclass, aforward": ByAforward,
    "function": lambda: by_function,
    "module, two calls": TwoCalls,
    "ChainOfThought": lambda: Ranker(predictor=dspy.ChainOfThought(Ranker().rank.signature)),
    "BestOfN": lambda: dspy.BestOfN(Ranker(), N=2, reward_fn=lambda _given, _made: 1.0, threshold=0.5),
    "wrapper, **arguments": Anything,
}
Built = tuple[CharacterProgram, Any]


def _program(ranker: Any, lms: dict[str, Any] | None = None, responder: Any = None) -> CharacterProgram:
    return CharacterProgram(responder=responder or Responder(3), ranker=ranker, lms=lms)


def _set_lm(ranker: Any) -> Built:
    program = _program(ranker)
    program.set_lm(OwnLM(answer))
    return program, dspy.context(lm=OwnLM(answer))


@contextmanager
def _configured() -> Iterator[None]:
    before = dspy.settings.lm
    dspy.configure(lm=OwnLM(answer))
    try:
        yield
    finally:
        dspy.configure(lm=before)


MODELS: dict[str, Callable[[Any], Built]] = {
    "lms, default": lambda ranker: (_program(ranker, {"default": OwnLM(answer)}), nullcontext()),
    "lms, roles": lambda ranker: (
        _program(ranker, {"responses": OwnLM(answer), "ranking": OwnLM(answer, "own/judge")}),
        nullcontext(),
    ),
    "set_lm": _set_lm,
    "dspy.configure": lambda ranker: (_program(ranker), _configured()),
    "dspy.context": lambda ranker: (_program(ranker), dspy.context(lm=OwnLM(answer))),
    "BaseLM, forward": lambda ranker: (_program(ranker, {"default": OwnLM(answer)}), nullcontext()),
    "BaseLM, aforward": lambda ranker: (_program(ranker, {"default": AwaitableLM(answer)}), nullcontext()),
    "engine": lambda ranker: (
        _program(
            ranker,
            {"default": dspy.LM("own/engine", engine=Engine(), async_engine=AsyncEngine(), cache=False)},
        ),
        nullcontext(),
    ),
    "engine, not async": lambda ranker: (
        _program(ranker, {"default": dspy.LM("own/engine", engine=Engine(), cache=False)}),
        nullcontext(),
    ),
    "responders": lambda ranker: (
        _program(ranker, {"default": OwnLM(answer)}, Responder(3, lms=[OwnLM(answer, "own/writer")])),
        nullcontext(),
    ),
    "build_lm": lambda ranker: (_program(ranker, {"default": build_lm()}), nullcontext()),
    "lm.copy": lambda ranker: (
        _program(ranker, {"default": OwnLM(answer).copy(temperature=0.9)}),
        nullcontext(),
    ),
}


def cells(model: str, step: str, folder: Path) -> dict[str, str]:
    """Return what each mode does with this model and this step: ``works``, or what is wrong."""
    program, around = MODELS[model](STEPS[step]())
    found: dict[str, str] = {}
    counts = model != "build_lm"
    with warnings.catch_warnings(), around:
        warnings.simplefilter("ignore")
        for mode in MODES:
            before = len(CALLS)
            try:
                if mode == "program":
                    result = program(trait=PATIENCE, messages=[QUESTIONS[0]])
                    told, good = result.usage.calls, bool(result.rankings and result.rankings[0].scores)
                elif mode == "acall":
                    result = asyncio.run(program.acall(trait=PATIENCE, messages=[QUESTIONS[0]]))
                    told, good = result.usage.calls, bool(result.rankings and result.rankings[0].scores)
                else:
                    out = folder / f"{model} {step}".replace("/", " ").replace("*", "")
                    messages = folder / "messages.txt"
                    messages.write_text(QUESTIONS[0], encoding="utf-8")
                    summary = run(CONSTITUTION, out, Config(), program=program, messages=messages)
                    told = sum(usage.calls for usage in summary.usage.values()) if mode == "run" else 0
                    good = summary.messages.get("failed", 0) == 0 == summary.messages.get("unranked", 0)
            except Exception as error:  # noqa: BLE001 - the table says what went wrong
                found[mode] = f"{type(error).__name__}: {str(error)[:60]}"
                continue
            made = len(CALLS) - before
            found[mode] = "works" if good and (not counts or told == made) else f"told {told} of {made} calls"
    return found


def row(model: str, folder: Path) -> str:
    """Return the row of a model in the table: a cell per step, with the modes that work in it."""
    texts = []
    for step in STEPS:
        found = cells(model, step, folder)
        wrong = [f"{mode}: {what}" for mode, what in found.items() if what != "works"]
        texts.append("; ".join(wrong) or "all four")
    return f"| {model} | " + " | ".join(texts) + " |"


def head() -> str:
    """Return what stands above the rows."""
    return (
        "# What can be brought\n\n"
        "Each row is a way to bring a model, each column a way to bring a step (here the ranker). A cell says in which of `program(…)`, "
        "`program.acall(…)`, `run(…)` and a second `run(…)` the two work together: the ranking is there, every call is counted "
        "(by the model's own count), and the second run makes none. This table is made by `tests/runs/test_ways.py`.\n\n"
        f"| model | {' | '.join(STEPS)} |\n|{' --- |' * (len(STEPS) + 1)}\n"
    )


@pytest.mark.parametrize("model", MODELS)
def test_every_step_works_with_this_model_as_the_table_says(model: str, tmp_path: Path) -> None:
    assert row(model, tmp_path) in TABLE.read_text(encoding="utf-8")


def test_the_table_has_these_rows_and_columns() -> None:
    text = TABLE.read_text(encoding="utf-8")
    assert text.startswith(head())
    assert text.count("\n") == head().count("\n") + len(MODELS)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        TABLE.write_text(
            head() + "".join(row(each, Path(scratch)) + "\n" for each in MODELS), encoding="utf-8"
        )
