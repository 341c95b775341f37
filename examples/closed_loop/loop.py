"""The closed loop, driven: each step in a process of its own, two at once, nothing complete done again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from character._version import __version__
from character.errors import CharacterError, InputError, MissingExtraError
from character.files import write_text
from character.locale import Language
from character.report import write
from character.text import fingerprint
from character.training.card import write_card
from character.training.preparing import read_training
from closed_loop.measured import card_text
from closed_loop.page import loop_page
from closed_loop.plan import LoopConfig, Places, Step, read_config, steps_of
from closed_loop.results import LoopResults

State = Literal["waiting", "running", "done", "kept", "failed"]
_EXAMPLES = str(Path(__file__).resolve().parents[1])
_GRACE_S = 10.0
_LOOK_S = 0.1


class StepFailedError(CharacterError, RuntimeError):
    """A step of the loop ended with an error; its log says why."""


@dataclass
class Progress:
    """What each step is at, for whoever shows it: its state, and the seconds and CPU seconds it took."""

    states: dict[str, State] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    peak_mib: dict[str, float] = field(default_factory=dict)


OnProgress = Callable[[Progress], None]


def closed_loop(
    out: Path | str,
    config: LoopConfig | None = None,
    *,
    workers: int = 2,
    language: Language = "en",
    on_progress: OnProgress | None = None,
) -> LoopResults:
    """Run the closed loop in a folder, or go on with it, and return its results; the page is in ``language``.

    Steps whose outputs are complete are not done again. ``workers`` steps run at once, each on one thread.
    Ctrl-C ends those that run and raises KeyboardInterrupt. Raises MissingExtraError without TRL, InputError
    where the folder holds another loop, and StepFailedError where a step fails.
    """
    _refuse_without_trl()
    places = Places(Path(out))
    config = _begin(places, config or LoopConfig())
    driver = _Driver(places, config, workers, on_progress or (lambda _progress: None))
    driver.drive()
    return _finished(places, driver.progress, language)


def _finished(places: Places, progress: Progress, language: Language) -> LoopResults:
    """Write the page, and the cards of the tuned models, from what was measured."""
    found = LoopResults.model_validate_json(places.results.read_text(encoding="utf-8"))
    write(loop_page(found, list(seconds_of(progress)), language=language), places.page)
    for name, effect in found.effects.items():
        write_card(read_training(places.training(name)), card_text(effect))
    return found


def _refuse_without_trl() -> None:
    from importlib.util import find_spec

    if find_spec("trl") is None:
        raise MissingExtraError("the closed loop", "train")


def _begin(places: Places, config: LoopConfig) -> LoopConfig:
    places.out.mkdir(parents=True, exist_ok=True)
    if places.config.is_file():
        known = read_config(places.out)
        if known != config:
            raise InputError(
                f"{places.out} holds a closed loop of another size or seed.",
                expected=f"seed {known.seed} and the same size",
                fix="give another --out, or the same seed and size as before.",
            )
        return known
    others = [path.name for path in places.out.iterdir()]
    if others:
        raise InputError(
            f"{places.out} is not empty: it holds {others[0]}.", expected="a new or an empty folder"
        )
    write_text(places.config, config.model_dump_json(indent=2) + "\n")
    return config


class _Driver:
    """Starts what can be started, watches what runs, and notes what is complete."""

    def __init__(self, places: Places, config: LoopConfig, workers: int, on_progress: OnProgress) -> None:
        self.places, self.workers, self.tell = places, workers, on_progress
        self.steps = steps_of(config.size)
        self.identity = fingerprint([__version__, config.model_dump(mode="json")])
        self.progress = Progress({step.name: "waiting" for step in self.steps})
        self.running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}

    def drive(self) -> None:
        """Work until every step is complete."""
        places = self.places
        places.step("x", "log").parent.mkdir(parents=True, exist_ok=True)
        self._keep_complete()
        self.tell(self.progress)
        try:
            while any(state in ("waiting", "running") for state in self.progress.states.values()):
                for step in self._ready():
                    self._start(step)
                self._look()
                self.tell(self.progress)
        finally:
            self._end_all()

    def _keep_complete(self) -> None:
        """Keep the steps that are complete and whose needs were not done anew after them."""
        for step in self.steps:
            path = self.places.step(step.name, "json")
            if not path.is_file() or any(self.progress.states[name] != "kept" for name in step.needs):
                continue
            known = json.loads(path.read_text(encoding="utf-8"))
            if known["loop"] == self.identity:
                self._note(step.name, "kept", known["seconds"], known["cpu_seconds"], known["peak_mib"])

    def _ready(self) -> list[Step]:
        states = self.progress.states
        ready = [
            step
            for step in self.steps
            if states[step.name] == "waiting" and all(states[name] in ("done", "kept") for name in step.needs)
        ]
        return ready[: self.workers - len(self.running)]

    def _start(self, step: Step) -> None:
        command = [sys.executable, "-m", "closed_loop.steps", step.name, str(self.places.out)]
        with self.places.step(step.name, "log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,
            )
        self.running[step.name] = process, time.monotonic()
        self.progress.states[step.name] = "running"

    def _look(self) -> None:
        """Wait a moment, then note what has ended."""
        time.sleep(_LOOK_S)
        for name, (process, started) in list(self.running.items()):
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            self.progress.seconds[name] = time.monotonic() - started
            if not pid:
                continue
            process.returncode = os.waitstatus_to_exitcode(status)
            del self.running[name]
            if process.returncode:
                self.progress.states[name] = "failed"
                raise self._failed(name, process.returncode)
            cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
            self._note(name, "done", time.monotonic() - started, cpu, peak)
            known = {
                "loop": self.identity,
                "seconds": self.progress.seconds[name],
                "cpu_seconds": cpu,
                "peak_mib": peak,
            }
            write_text(self.places.step(name, "json"), json.dumps(known, indent=2) + "\n")

    def _note(self, name: str, state: State, seconds: float, cpu_seconds: float, peak_mib: float) -> None:
        self.progress.states[name] = state
        self.progress.seconds[name] = seconds
        self.progress.cpu_seconds[name] = cpu_seconds
        self.progress.peak_mib[name] = peak_mib

    def _failed(self, name: str, code: int) -> StepFailedError:
        log = self.places.step(name, "log")
        lines = [line.strip() for line in log.read_text("utf-8", "replace").split("\n") if line.strip()]
        last = lines[-1][:400] if lines else "it said nothing."
        return StepFailedError(
            f"the step {name} ended with exit code {code}: {last}",
            fix=f"look at {log}; the same command goes on with this step.",
        )

    def _end_all(self) -> None:
        """End what still runs: first as Ctrl-C does, then for good."""
        for number in (signal.SIGINT, signal.SIGKILL):
            for process, _ in self.running.values():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            for name, (process, _) in list(self.running.items()):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=_GRACE_S)
                    del self.running[name]


def _environment() -> dict[str, str]:
    # Models this small are fastest on one thread each, and two steps run at once.
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([_EXAMPLES, *filter(None, [os.environ.get("PYTHONPATH")])]),
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def seconds_of(progress: Progress) -> Iterator[tuple[str, float, float, float]]:
    """Yield each step with its seconds, its CPU seconds and its peak memory in MiB."""
    for name in progress.states:
        yield (
            name,
            progress.seconds.get(name, 0.0),
            progress.cpu_seconds.get(name, 0.0),
            progress.peak_mib.get(name, 0.0),
        )
