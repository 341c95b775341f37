"""Local models: what their section takes, what tells two apart, and what is told where one cannot be had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tiny_gguf import write_tiny_gguf

from character import BackendConfig, Config, build_lm
from character.backends.prices import price_of
from character.backends.saved_models import not_restored
from character.errors import ConfigError, MissingExtraError
from character.runs.identity import run_identity

ROOT = Path(__file__).parent.parent.parent
HUB_NAME = "Qwen/Qwen2.5-1.5B-Instruct-GGUF:*q4_k_m.gguf"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_tiny_gguf(tmp_path / "tiny.gguf")


def test_a_gguf_file_is_a_local_model_unless_a_server_has_it() -> None:
    assert BackendConfig(model="weights/tiny.gguf").kind == "local"
    assert BackendConfig(model="openai/tiny.gguf", api_base="http://127.0.0.1:1/v1").kind == "native"
    assert BackendConfig(kind="local", model=HUB_NAME).model_name == f"local/{HUB_NAME}"
    with pytest.raises(ConfigError, match=r"kind = \"local\""):
        build_lm(kind="native", model="weights/tiny.gguf")


def test_a_local_model_has_few_slots_and_patience_unless_told_otherwise() -> None:
    config = BackendConfig(kind="local", model="tiny.gguf")
    assert (config.max_in_flight, config.timeout_s, config.max_tokens) == (4, 600, 2000)
    assert config.structured == "auto"
    told = BackendConfig(
        kind="local", model="tiny.gguf", max_in_flight=2, structured="fields", max_tokens=None
    )
    assert (told.max_in_flight, told.structured, told.max_tokens) == (2, "fields", None)
    price = price_of(config)
    assert price is not None
    assert (price.prompt, price.completion) == (0, 0)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "local"}, "needs a model, such as model.gguf"),
        ({"kind": "local", "model": "a.gguf", "api_base": "http://x/v1"}, "api_base needs another kind"),
        ({"kind": "local", "model": "a.gguf", "api_key_env": "KEY"}, "api_key_env needs another kind"),
        ({"kind": "local", "model": "a.gguf", "headers": {"X-A": "b"}}, "headers needs another kind"),
        ({"model": "openai/gpt-4.1-mini", "context": 4096}, "context is an option of kind"),
        ({"threads": 2}, "threads is an option of kind"),
    ],
)
def test_what_a_section_cannot_mean_is_refused(fields: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        build_lm(**fields)


@pytest.mark.parametrize("named", [{"kind": "local", "model": "a.gguf"}, {"model": "a.gguf"}])
def test_a_server_takes_over_no_limits_of_a_local_model_nor_the_reverse(named: dict[str, Any]) -> None:
    server = {"kind": "native", "model": "openai/x", "max_in_flight": 100, "max_tokens": 50}
    local = {**named, "context": 4096, "max_in_flight": 2}
    judged_elsewhere = Config.model_validate(
        {"backends": {"default": local, "ranking": {"kind": "native", "model": "openai/x"}}}
    )
    assert judged_elsewhere.backend("ranking").max_in_flight == 32
    judged_here = Config.model_validate(
        {"backends": {"default": server, "ranking": {"kind": "local", "model": "a.gguf"}}}
    )
    ranking = judged_here.backend("ranking")
    assert (ranking.max_in_flight, ranking.max_tokens) == (4, 2000)
    both = Config.model_validate({"backends": {"default": local, "ranking": {"temperature": 0.0}}})
    assert (both.backend("ranking").context, both.backend("ranking").max_in_flight) == (4096, 2)


def test_the_file_tells_two_models_apart_and_its_folder_does_not(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    moved, other = tmp_path / "elsewhere" / weights.name, tmp_path / "other" / weights.name
    moved.write_bytes(weights.read_bytes())
    other.parent.mkdir()
    other.write_bytes(weights.read_bytes()[:-1] + b"\1")

    def both(path: Path) -> tuple[str, dict[str, Any]]:
        backend = BackendConfig(kind="local", model=str(path))
        return backend.identity, run_identity(
            "c", Config.model_validate({"backends": {"default": backend}}), None
        )

    assert both(weights) == both(moved)
    assert both(weights)[0] != both(other)[0]
    assert both(weights)[1] != both(other)[1]
    assert str(tmp_path) not in str(both(weights))
    assert BackendConfig(kind="local", model=HUB_NAME).answering == f"local/{HUB_NAME}"


def test_limits_and_context_are_no_part_of_the_identity(weights: Path) -> None:
    plain = BackendConfig(kind="local", model=str(weights))
    tuned = BackendConfig(kind="local", model=str(weights), context=4096, threads=2, max_in_flight=1)
    assert plain.identity == tuned.identity


def test_a_file_that_is_not_there_or_holds_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "pointer.gguf").write_text("version https://git-lfs.github.com/spec/v1")
    for model, says in (
        ("none.gguf", "no such file"),
        (".", "is a directory"),
        ("pointer.gguf", "is no GGUF file.*b'vers'"),
    ):
        config = Config.model_validate(
            {"backends": {"default": {"kind": "local", "model": str(tmp_path / model)}}}
        )
        with pytest.raises(ConfigError, match=f"{says}(?s:.*)Hugging Face Hub"):
            run_identity("c", config, None)


@pytest.mark.skipif(find_spec("xllamacpp") is not None, reason="the extra is installed")
def test_without_the_extra_it_is_named_before_anything_is_asked(weights: Path) -> None:
    with pytest.raises(MissingExtraError, match=r"character-framework\[local\]"):
        build_lm(kind="local", model=str(weights))


def test_an_estimate_and_a_list_of_backends_need_neither_extra_nor_server(
    weights: Path, tmp_path: Path
) -> None:
    traits = ROOT / "examples" / "constitutions" / "patience-and-humour.en.toml"
    (tmp_path / "c.toml").write_text(f'[backends.default]\nkind = "local"\nmodel = "{weights}"\n')
    code = "import sys; from character.cli import main; sys.modules['xllamacpp'] = None; main()"
    run = [
        "run",
        str(traits),
        "--config",
        str(tmp_path / "c.toml"),
        "--out",
        str(tmp_path / "o"),
    ]
    for arguments in ([*run, "--dry-run"], ["backends", "--config", str(tmp_path / "c.toml")]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert "local/tiny.gguf" in done.stdout
    assert not (tmp_path / "o").exists()


def test_a_saved_program_makes_nobody_load_weights() -> None:
    state = {
        "_dspy_lm_class": "dspy.clients.lm.LM",
        "engine": {
            "class": "character.backends.seam:SeamEngine",
            "state": {"config": {"kind": "local", "model": "somebody/else-GGUF:large.gguf"}},
        },
    }
    assert "weights to load" in not_restored(state)
    state["engine"]["state"]["config"] = {"kind": "rehearsal"}  # type: ignore[index]
    assert not_restored(state) == ""


FILES = {"tiny-q4_k_m.gguf": b"GGUF four", "tiny-q8_0.gguf": b"GGUF eight", "README.md": b"# Tiny"}
FETCH = """
import json, sys
from character.backends.local import fetched
from character.errors import CharacterError
try:
    print(json.dumps({"path": str(fetched(*sys.argv[1:]))}))
except CharacterError as error:
    print(json.dumps({"text": str(error), "exit_code": error.exit_code}))
"""


class HubHandler(BaseHTTPRequestHandler):
    """As much of the Hub as a download needs: a repository of three files, and none beside it."""

    def log_message(self, *_: object) -> None:
        """Keep the test output quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        headers = {"X-Repo-Commit": "1" * 40, "ETag": f'"{name}"'}
        if not self.path.startswith(("/api/models/me/tiny", "/me/tiny/")):
            status, body, headers = (
                404,
                b'{"error": "Repository not found"}',
                {"X-Error-Code": "RepoNotFound"},
            )
        elif self.path.startswith("/api/"):
            files = [{"rfilename": each} for each in FILES]
            status, body = 200, json.dumps({"id": "me/tiny", "sha": "1" * 40, "siblings": files}).encode()
        else:
            status, body = (200, FILES[name]) if name in FILES else (404, b"")
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@contextmanager
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), HubHandler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def fetch(endpoint: str, cache: Path, repo: str, file: str) -> dict[str, Any]:
    """Fetch in a process of its own: the hub's library reads its address and folder when it is imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    env = {**kept, "HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", FETCH, repo, file], env=env, check=True, capture_output=True, text=True
    )
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def test_a_model_of_the_hub_is_downloaded_once_by_its_name_or_a_pattern(tmp_path: Path) -> None:
    with hub() as endpoint:
        found = fetch(endpoint, tmp_path, "me/tiny", "*Q4_K_M.gguf")
    assert Path(found["path"]).read_bytes() == FILES["tiny-q4_k_m.gguf"]
    for name in ("tiny-q4_k_m.gguf", "*q4_k_m.gguf"):
        assert fetch(endpoint, tmp_path, "me/tiny", name) == found  # the hub is gone


def test_what_the_hub_has_not_got_is_told_with_what_it_has(tmp_path: Path) -> None:
    with hub() as endpoint:
        none = fetch(endpoint, tmp_path, "me/tiny", "tiny-q5.gguf")
        several = fetch(endpoint, tmp_path, "me/tiny", "*.gguf")
        nobody = fetch(endpoint, tmp_path, "me/nothing", "tiny.gguf")
    gone = fetch(endpoint, tmp_path, "me/tiny", "tiny-q8_0.gguf")
    assert "no files are called tiny-q5.gguf" in none["text"]
    assert "one of tiny-q4_k_m.gguf, tiny-q8_0.gguf" in none["text"]
    assert "2 files are called *.gguf" in several["text"]
    assert "no repository me/nothing" in nobody["text"]
    assert "cannot be had from the Hugging Face Hub" in gone["text"]
    assert [each["exit_code"] for each in (none, several, nobody, gone)] == [2, 2, 2, 4]
