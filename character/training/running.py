"""TRL in a process of its own, run from a recipe and watched: progress, log, Ctrl-C, exit code, going on."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from character.errors import CharacterError, InputError, MissingExtraError
from character.files import problem, write_text
from character.text import fingerprint
from character.training.preparing import read_training
from character.training.recipe import MODEL_FOLDER, RECIPE_FILE
from character.training.reports import TrainingReport

LOG_FILE, DONE_FILE = "train.log", "trained.json"
_TAIL_LINES = 12
_GRACE_S = 10.0
_FIGURES = re.compile(r"\{'.*'\}\s*$")


class TrainingFailedError(CharacterError, RuntimeError):
    """TRL ended with an error; its log says why."""


@dataclass
class TrainingState:
    """How far a training is: ``share`` of it in 0..1 and the figures TRL reported last, such as ``loss``."""

    share: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        loss = self.figures.get("loss")
        return f"{self.share:.0%}" + ("" if loss is None else f" · loss {loss:.3f}")


OnProgress = Callable[[TrainingState], None]


def train(folder: Path | str, *, on_progress: OnProgress | None = None) -> dict[str, float]:
    """Run the recipe in a folder to its end and return the figures that TRL reported last.

    Everything TRL prints goes to ``train.log``. Called again, it goes on from the last checkpoint; what is
    finished is not trained again. Ctrl-C stops TRL and raises KeyboardInterrupt. On a CPU the arithmetic has
    one thread, or OMP_NUM_THREADS. Raises MissingExtraError without TRL, InputError where a check speaks
    against starting, and TrainingFailedError where TRL ends with an error.
    """
    folder = Path(folder)
    report, recipe = read_training(folder), _read_recipe(folder)
    _refuse(report, recipe)
    identity = fingerprint([recipe, report.facts.data_fingerprint, report.facts.model_fingerprint])
    finished = _begin(folder, identity)
    if finished is not None:
        return finished
    state, epochs = TrainingState(), float(recipe.get("num_train_epochs") or 0.0)
    with (
        (folder / LOG_FILE).open("a", encoding="utf-8") as log,
        _process(_command(report, recipe), folder, _environment(recipe)) as process,
    ):
        for figures in _reported(process.stdout or (), log):
            state.figures |= figures
            if epochs and "epoch" in figures:
                state.share = min(1.0, figures["epoch"] / epochs)
            if on_progress:
                on_progress(state)
        code = process.wait()
    if code:
        log_path, words = folder / LOG_FILE, _last_words(folder / LOG_FILE)
        raise problem(
            __file__, "failed", TrainingFailedError, report=report, code=code, words=words, log=log_path
        )
    _note(folder, identity, state.figures)
    return state.figures


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint of a training, None where there is none."""
    checkpoints = [
        path
        for path in (folder / MODEL_FOLDER).glob("checkpoint-*")
        if path.name.rpartition("-")[2].isdecimal() and (path / "trainer_state.json").is_file()
    ]
    return max(checkpoints, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _read_recipe(folder: Path) -> dict[str, Any]:
    """Return the recipe as it stands now: people change it by hand."""
    import yaml

    path = folder / RECIPE_FILE
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {error}.", fix="write it again.") from None
    if not isinstance(recipe, dict):
        raise InputError(f"{path} holds no settings.", expected="one `name: value` on a line")
    return recipe


def _refuse(report: TrainingReport, recipe: dict[str, Any]) -> None:
    if importlib.util.find_spec("trl") is None:
        raise MissingExtraError(f"trl {report.method}", "train")
    if recipe.get("use_peft") and importlib.util.find_spec("peft") is None:
        raise MissingExtraError("LoRA (use_peft in the recipe)", "train")
    if report.stops:
        raise problem(__file__, "stopped_by_a_check", text=report.stops[0].text, report=report)


def _begin(folder: Path, identity: str) -> dict[str, float] | None:
    """Return the figures of this very training where it is finished; else note that it begins, or goes on."""
    path = folder / DONE_FILE
    note: dict[str, Any] = {"training": identity}
    if path.is_file():
        note = json.loads(path.read_text(encoding="utf-8"))
    if note["training"] != identity:
        raise problem(__file__, "another_training", model=folder / MODEL_FOLDER, folder=folder, path=path)
    if note.get("figures") is not None:
        return {str(name): float(value) for name, value in note["figures"].items()}
    _note(folder, identity, None)
    return None


def _note(folder: Path, identity: str, figures: dict[str, float] | None) -> None:
    note = {"training": identity, "figures": figures}
    write_text(folder / DONE_FILE, json.dumps(note, indent=2) + "\n")


def _command(report: TrainingReport, recipe: dict[str, Any]) -> list[str]:
    # With one process the launcher would only import everything a second time.
    start = ["-m", "trl.cli.main", report.method] if "accelerate_config" in recipe else []
    command = [sys.executable, *(start or ["-m", f"trl.scripts.{report.method}"]), "--config", RECIPE_FILE]
    checkpoint = last_checkpoint(report.folder)
    if checkpoint is not None:
        command += ["--resume_from_checkpoint", str(checkpoint.relative_to(report.folder))]
    return [*command, "--disable_tqdm", "true"]


def _environment(recipe: dict[str, Any]) -> dict[str, str]:
    env = dict(os.environ)
    # Numbers may not wait in a buffer, and tokenizers need not fork.
    env |= {"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false"}
    if recipe.get("use_cpu"):
        # glibc would give every large block back and take it anew: a fifth of a small model's step.
        blocks = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "2000000000"}
        env = {"OMP_NUM_THREADS": "1", **blocks, **env}
    return env


@contextlib.contextmanager
def _process(command: list[str], folder: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Give a process in a group of its own; whatever ends the block early ends the whole group too."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own arguments
        command,
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            _end(process)
        if process.stdout:
            process.stdout.close()


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            continue
        return


def _reported(lines: Iterable[str], log: IO[str]) -> Iterator[dict[str, float]]:
    """Write every line to the log and yield the figures of those that hold some, as TRL prints them."""
    for line in lines:
        log.write(line)
        log.flush()
        figures = _FIGURES.search(line)
        if figures is None:
            continue
        try:
            printed = ast.literal_eval(figures.group())
        except (ValueError, SyntaxError):
            continue  # a line that only looks like figures
        yield dict(_numbers(printed))


def _numbers(printed: Any) -> Iterator[tuple[str, float]]:
    for name, value in printed.items() if isinstance(printed, dict) else ():
        with contextlib.suppress(TypeError, ValueError):
            yield str(name), float(value)


def _last_words(log: Path) -> str:
    with log.open(encoding="utf-8", errors="replace") as file:
        lines = [line.strip() for line in deque(file, _TAIL_LINES) if line.strip()]
    faults = [line for line in lines if "Error" in line]
    return (faults or lines or ["it said nothing."])[-1][:400]
