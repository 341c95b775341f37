"""The README's commands that need a server, a person or a fitted model, run as they stand: only addresses are those of a fake server."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_server import FakeServer

from character import RunStore
from character.review.answers import RankAnswer
from character.review.store import ReviewStore

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000/v1"
PREPARED = (
    "character init my-project",
    "character run my-project/constitution.toml --config my-project/config.toml --out my-project/run",
)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with FakeServer() as fake:
        yield fake


def _lines(marker: str) -> list[str]:
    """Return the commands of the console block that holds a text, without their comments."""
    blocks = re.findall(r"^```console\n(.*?)\n```$", TEXT, flags=re.DOTALL | re.MULTILINE)
    block = next(block for block in blocks if marker in block)
    return [line.split("  #")[0].strip() for line in block.split("\n")]


def _run(line: str, folder: Path) -> str:
    arguments = [sys.executable, "-m", *shlex.split(line)]
    environment = {**os.environ, "OPENAI_API_KEY": "sk-none"}
    done = subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, timeout=180, check=False, env=environment
    )
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout


def _rank_one(folder: Path) -> None:
    """Rank the candidates of a run's first message, as a reviewer does on the page."""
    with RunStore(folder) as run, ReviewStore(folder) as reviews:
        rollout = next(each for each in run.rollouts() if each.candidates)
        assert rollout.candidates is not None
        order = tuple((place,) for place in range(len(rollout.candidates.items)))
        answer = RankAnswer(candidates_id=rollout.candidates.id, order=order)
        reviews.record("Ann", "rank", {rollout.message.id: answer}, seen=0, nonce="one")


def test_the_commands_of_the_models_section_send_each_step_to_its_server(
    tmp_path: Path, server: FakeServer
) -> None:
    config = next(block for block in re.findall(r"```toml\n(.*?)\n```", TEXT, re.DOTALL) if ADDRESS in block)
    config = config.replace("api_key_env", f'api_base = "{server.url}"\napi_key_env').replace(
        ADDRESS, server.url
    )
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    example = ROOT / "examples" / "constitutions" / "patience-and-humour.en.toml"
    (tmp_path / "constitution.toml").write_bytes(example.read_bytes())
    run, *asking = _lines("--lm-ranking")
    server.requests.clear()
    _run(f"{run} --messages-per-trait 2", tmp_path)
    assert {request["model"] for request in server.requests} == {"gpt-4.1-mini", "gpt-4.1"}
    for line in asking:
        assert "gpt-4.1-mini" in _run(line, tmp_path)


def test_the_commands_of_the_effect_section_work_one_after_the_other(
    tmp_path: Path, server: FakeServer
) -> None:
    project = tmp_path / "my-project"
    fit = "character preference fit my-project/run --out my-project/preference"
    for line in (*PREPARED, fit, *_lines("character effect")):
        two = line.replace(ADDRESS, server.url).replace(" --base ", f" --base-api-base {server.url} --base ")
        said = _run(two, tmp_path)
        folder = re.search(r"--out (\S+effect\S*)", line)
        assert not folder or (tmp_path / folder[1] / "effect.html").is_file()
    assert "surely changed" in said
    assert len(list((project / "effect" / "cards").glob("*.html"))) > 0


def test_the_commands_of_the_review_section_work_one_after_the_other(tmp_path: Path) -> None:
    measure = "character effect my-project/constitution.toml --messages-per-trait 3 --neutral 2 --out my-project/effect"
    for line in (*PREPARED, measure):
        _run(line, tmp_path)
    serving: list[str] = []
    others: list[str] = []
    for line in _lines("character review"):
        (others if "--export" in line or "--report" in line else serving).append(line)
    assert len(serving) == len(others) == 2
    for line in serving:
        process = subprocess.Popen(
            [sys.executable, "-m", *shlex.split(line)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        assert any("http://127.0.0.1:" in said for said in process.stdout), line
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    _rank_one(tmp_path / "my-project" / "run")
    for line in others:
        _run(line, tmp_path)
    assert len((tmp_path / "my-project" / "labels.jsonl").read_text(encoding="utf-8").splitlines()) == 1
