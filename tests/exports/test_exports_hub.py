"""Pushing to the hub: what is uploaded, what is refused, spoken over real HTTP with a hub on loopback."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from character.errors import InputError
from character.exports import export, push_to_hub


class Hub(ThreadingHTTPServer):
    """As much of the hub as an upload of small files needs; it remembers what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.private = True
        self.refuse = False
        self.tokens: set[str] = set()
        self.created: list[dict[str, object]] = []
        self.files: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        """Keep the test output quiet."""

    def _answer(self, body: dict[str, object], status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self._answer(
            {"id": "me/set", "sha": "0" * 40, "private": self.server.private, "tags": [], "siblings": []}
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tokens.add(self.headers["Authorization"])
        if self.server.refuse:
            self._answer({"error": "Forbidden"}, 403)
        elif self.path.endswith("/repos/create"):
            self.server.created.append(json.loads(body))
            self._answer({"url": f"{self.server.url}/datasets/me/set", "name": "me/set"})
        elif "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked]
            self._answer({"files": modes})
        elif self.path.endswith("/validate-yaml"):
            self._answer({"errors": [], "warnings": []})
        else:
            self._commit(body)

    def _commit(self, body: bytes) -> None:
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                self.server.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
        url = f"{self.server.url}/datasets/me/set/commit/1"
        self._answer({"commitUrl": url, "commitOid": "1" * 40, "success": True})


TOKEN = "hf_test"
PUSH = """
import json, sys
from character.errors import CharacterError
from character.exports import push_to_hub
path, repo_id, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
try:
    print(json.dumps({"url": push_to_hub(path, repo_id, **options)}))
except CharacterError as error:
    print(json.dumps({"error": type(error).__name__, "text": str(error), "exit_code": error.exit_code}))
"""


def push(
    endpoint: str, path: Path, repo_id: str = "me/set", *, token: str = TOKEN, **options: bool
) -> dict[str, Any]:
    """Push in a process of its own: the hub's library reads the hub's address when it is imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    env = {**kept, "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_TOKEN": token}
    arguments = [sys.executable, "-c", PUSH, str(path), repo_id, json.dumps(options)]
    run = subprocess.run(arguments, env=env, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def exported(sixty, tmp_path) -> Path:
    export(sixty, "llamafactory", tmp_path / "out")
    return tmp_path / "out"


def test_the_files_of_the_export_and_no_others_reach_the_hub_privately(hub, exported):
    (exported / "notes.txt").write_text("mine", encoding="utf-8")
    assert push(hub.url, exported) == {"url": f"{hub.url}/datasets/me/set/commit/1"}
    assert hub.files == {p.name: p.read_bytes() for p in exported.iterdir() if p.name != "notes.txt"}
    assert hub.created[0].get("visibility") == "private" or hub.created[0].get("private") is True
    assert hub.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("manifest", [{"rehearsal": True}, {}])
def test_rehearsed_data_and_data_of_unknown_origin_are_refused_unless_allowed(
    hub, sixty, make_data, tmp_path, manifest
):
    export(make_data(*sixty.rollouts, manifest=manifest), "trl", tmp_path / "out")
    with pytest.raises(InputError, match="--allow-rehearsal") as caught:
        push_to_hub(tmp_path / "out", "me/set")
    assert caught.value.exit_code == 2
    assert "url" in push(hub.url, tmp_path / "out", allow_rehearsal=True)
    assert "train.jsonl" in hub.files


@pytest.mark.parametrize("content", [None, "{", "[]", "\ufeff{}"])
def test_a_folder_without_readable_metadata_is_refused(tmp_path, content):
    (tmp_path / "train.jsonl").write_text("{}\n", encoding="utf-8")
    if content is not None:
        (tmp_path / "export.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"export\.json"):
        push_to_hub(tmp_path, "me/set")


def test_an_export_that_lost_a_file_is_refused(exported):
    (exported / "train.jsonl").unlink()
    with pytest.raises(InputError, match=r"not complete: train\.jsonl"):
        push_to_hub(exported, "me/set")


def test_a_public_dataset_does_not_get_what_was_meant_to_be_private(hub, exported):
    hub.private = False
    answer = push(hub.url, exported)
    assert answer["error"] == "InputError"
    assert "already on the hub and public" in answer["text"]
    assert hub.files == {}
    push(hub.url, exported, private=False)
    assert "train.jsonl" in hub.files


def test_without_a_token_in_the_environment_nothing_is_sent(hub, exported):
    answer = push(hub.url, exported, token="")
    assert (answer["error"], answer["exit_code"]) == ("InputError", 2)
    assert "HF_TOKEN" in answer["text"]
    assert hub.tokens == set()


def test_a_hub_that_refuses_is_a_backend_error_without_the_token_in_it(hub, exported):
    hub.refuse = True
    answer = push(hub.url, exported)
    assert (answer["error"], answer["exit_code"]) == ("BackendUnavailableError", 4)
    assert "me/set" in answer["text"]
    assert TOKEN not in answer["text"]


def test_a_hub_that_does_not_answer_is_a_backend_error(exported):
    assert push("http://127.0.0.1:9", exported)["error"] == "BackendUnavailableError"


def test_a_name_the_hub_cannot_have_is_an_input_error(hub, exported):
    answer = push(hub.url, exported, "me/set/too/deep")
    assert answer["error"] == "InputError"
    assert "owner/name" in answer["text"]
