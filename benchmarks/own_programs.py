"""What a crash costs a program of somebody's own: its own ranker with two calls a message, its own model, killed again and again.

    python benchmarks/own_programs.py [--quick] [--json]

The program answers with our responder and ranks with a module of its own, which asks for notes and then for scores; its
model is a plain ``dspy.LM`` that no configuration names. The run is killed with SIGKILL at random moments and started
again; then a second one is stopped by a cap on calls. Everything is counted by the server. Exits 1 where a bar is not met:
repeats at most what was in flight at the kills, records equal to those of an undisturbed run, and not one call above the cap.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from load_server import Load, LoadServer
from resume import kill_and_resume, write_inputs

CANDIDATES = 3
IN_FLIGHT = 32
"""The most calls in flight to a model that a program brings, unless it says otherwise."""


def command(folder: Path, out: Path, *options: object) -> list[str]:
    """Return the command line that runs the program, in this file, over the messages in ``folder``."""
    return [sys.executable, __file__, "--child", *map(str, [folder, out, *options])]


def child(folder: Path, out: Path, options: list[str]) -> None:
    """Run the program, and print the summary as ``character run --json`` does."""
    import dspy

    from character import CharacterProgram, Message, Responder, run
    from character.config import build_config

    given = dict(zip(options[::2], options[1::2], strict=True))

    class Notes(dspy.Module):
        """A ranker that thinks first, in a call of its own."""

        def __init__(self) -> None:
            super().__init__()
            self.note = dspy.Predict("message, responses: list[str] -> response")
            self.score = dspy.Predict("message, notes, responses: list[str] -> scores: list[int]")

        def forward(self, message: Message, candidates: Any) -> dspy.Prediction:
            notes = self.note(message=message.text, responses=candidates.texts).response
            judged = self.score(message=message.text, notes=notes, responses=candidates.texts)
            return dspy.Prediction(scores=[score / 10 for score in judged.scores])

    lm = dspy.LM("openai/load", api_base=given["--api-base"], api_key="none", cache=False)
    program = CharacterProgram(responder=Responder(CANDIDATES), ranker=Notes(), lms={"default": lm})
    overrides: dict[str, Any] = {"concurrency": int(given["--concurrency"])}
    if "--max-calls" in given:
        overrides["budget"] = {"max_calls": int(given["--max-calls"])}
    config = build_config(overrides)
    summary = run(folder / "c.json", out, config, program=program, messages=folder / "messages.txt")
    print(summary.model_dump_json())


def capped(folder: Path, num_messages: int, most: int) -> dict[str, int]:
    """Return how many calls the server saw of a run whose cap is ``most``, started twice."""
    write_inputs(folder, num_messages)
    with LoadServer(Load(latency_s=0.02)) as server:
        options = ("--api-base", server.url, "--concurrency", 32, "--max-calls", most)
        for _ in range(2):
            subprocess.run(command(folder, folder / "capped", *options), capture_output=True, check=False)
        return {"cap": most, "requests": server.stats()["requests"]}


def main() -> int:
    """Run the benchmark and return the exit code."""
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s on two cores")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    sizes = {"num_messages": 30, "kills": 3} if options.quick else {"num_messages": 200, "kills": 10}
    with tempfile.TemporaryDirectory() as folder:
        kill = kill_and_resume(
            Path(folder),
            **sizes,
            in_flight=IN_FLIGHT,
            latency_s=0.1,
            command=command,
            calls_per_message=CANDIDATES + 2,
        )
    with tempfile.TemporaryDirectory() as folder:
        cap = capped(Path(folder), sizes["num_messages"], 2 * sizes["num_messages"] + 1)
    bars = {
        "repeats at most those in flight at the kills": kill["repeats"] <= kill["repeats_allowed"],
        "no record lost, doubled or different": not kill["lost"]
        and not kill["different"]
        and kill["records"] == kill["messages"],
        "the store counts every distinct call": kill["calls_in_store"] == kill["requests"] - kill["repeats"],
        "the cap holds by the server's count": cap["requests"] <= cap["cap"],
    }
    result = {"kill": kill, "cap": cap, "bars": bars}
    text = "\n".join(f"{name}: {json.dumps(value)}" for name, value in result.items())
    print(json.dumps(result, indent=2) if options.json else text)
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
