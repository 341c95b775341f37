"""Steps of one's own that block, beside our own that are awaited: one limit and one cap for the calls of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dspy
import pytest
from load_server import Load, LoadServer

from character import BudgetReachedError, Candidates, CharacterProgram, Constitution, Message, Responder, run


class Notes(dspy.Module):
    """Blocks in a thread for two calls."""

    def __init__(self) -> None:
        super().__init__()
        self.note = dspy.Predict("message, responses: list[str] -> response")
        self.score = dspy.Predict("message, notes, responses: list[str] -> scores: list[int]")

    def forward(self, message: Message, candidates: Candidates) -> dict[str, Any]:
        notes = self.note(message=message, responses=candidates).response
        scores = self.score(message=message, notes=notes, responses=candidates).scores
        return {"scores": [score / 10 for score in scores]}


def _run(url: str, out: Path, **budget: int) -> Any:
    constitution = Constitution.model_validate(
        {"name": "one", "traits": [{"name": "patience", "description": "Takes its time."}]}
    )
    texts = out.parent / "messages.txt"
    texts.write_text("\n".join(f"How do I mend thing number {number}?" for number in range(60)))
    backend = {"model": "openai/load", "api_base": url, "max_in_flight": 8}
    config = {"concurrency": 40, "backends": {"default": backend}, "budget": budget}
    program = CharacterProgram(responder=Responder(3), ranker=Notes())
    return run(constitution, out, config, program=program, messages=texts)


def test_a_cap_is_reached_and_never_waited_for_in_vain(tmp_path: Path) -> None:
    with LoadServer(Load(latency_s=0.02)) as server:
        for _ in range(2):
            with pytest.raises(BudgetReachedError):
                _run(server.url, tmp_path / "run", max_calls=151)
        assert server.stats()["requests"] == 151
        assert _run(server.url, tmp_path / "run").messages["messages"] == 60
        assert server.stats()["requests"] == 300


def test_calls_of_threads_and_of_tasks_share_the_limit_of_calls_in_flight(tmp_path: Path) -> None:
    with LoadServer(Load(latency_s=0.05)) as server:
        _run(server.url, tmp_path / "run")
        assert server.stats()["requests"] == 300
        assert server.stats()["peak_in_flight"] <= 8
