"""llama.cpp's server in this process, for real: shared, shut to others, gone with its process, never in a record."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tiny_gguf import write_tiny_gguf

from character import BackendConfig, Config, Constitution, build_lm, probe, run
from character.backends import ping
from character.backends.local import serve
from character.errors import ConfigError

pytestmark = pytest.mark.local
SECTION: dict[str, Any] = {"kind": "local", "context": 4096, "max_in_flight": 2, "max_tokens": 100}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("weights") / "tiny.gguf")


def port_of(address: str) -> int:
    return int(address.partition("://")[2].partition("/")[0].partition(":")[2])


def test_the_first_call_starts_one_server_for_all_who_name_the_file(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
import json, sys
from character import BackendConfig, build_lm
from character.backends import local
fields = json.loads(sys.argv[1])
one, other = build_lm(**fields), build_lm(**{**fields, "model": fields["model"].replace("/tiny", "/./tiny")})
before = "xllamacpp" in sys.modules, len(local._servers)
one("Hello?"), other("Hello?")
print(json.dumps([before, len(local._servers)]))
"""
    environment = {**os.environ, "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps({**SECTION, "model": str(weights)})],
        env=environment,  # a proxy is not asked for what is in this process
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [[False, 0], 1]


def test_whoever_lacks_the_token_is_refused(weights: Path) -> None:
    config = BackendConfig(**SECTION, model=str(weights))
    assert ping(config)["model"] == "local/tiny.gguf"
    served = serve(config)
    assert served.address.startswith("http://127.0.0.1:")
    for path, token in (("/models", ""), ("/chat/completions", "another")):
        asked: dict[str, Any] = {
            "headers": {"Authorization": f"Bearer {token}"},
            "data": b"{}" if token else None,
        }
        request = urllib.request.Request(served.address + path, **asked)  # noqa: S310
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request)  # noqa: S310


def test_a_run_goes_on_with_the_file_in_another_folder_and_keeps_neither_token_nor_address(
    constitution: Constitution, weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "m.txt").write_text("How do I learn to cook rice?")

    def once(path: Path) -> Any:
        rehearsal = {"kind": "rehearsal", "model": ""}
        config = Config.model_validate(
            {"backends": {"default": {**SECTION, "model": str(path)}, "ranking": rehearsal}}
        )
        return run(constitution, tmp_path / "out", config, messages=tmp_path / "m.txt", traits=["patience"])

    first = once(weights)
    (tmp_path / "moved").mkdir()
    moved = tmp_path / "moved" / weights.name
    moved.write_bytes(weights.read_bytes())
    again = once(moved)
    assert first.usage["responses"].calls > 0
    assert again.usage["responses"].calls == first.usage["responses"].calls
    served = serve(BackendConfig(**SECTION, model=str(weights)))
    kept = b"".join(each.read_bytes() for each in (tmp_path / "out").rglob("*") if each.is_file())
    assert b"local/tiny.gguf" in kept
    for secret in (served.token, f"127.0.0.1:{port_of(served.address)}"):
        assert secret.encode() not in kept


def test_a_schema_is_kept_probabilities_are_given_and_nothing_is_paid(weights: Path) -> None:
    found = probe(BackendConfig(**SECTION, model=str(weights)))
    faults = {check.name: check.fault for check in found.checks}
    assert (faults["json_schema"], faults["seed"], faults["logprobs"]) == ("", "", "")
    assert found.usage.cost_usd == 0


def test_the_server_ends_with_its_process_however_that_ends(weights: Path) -> None:
    code = """
import json, sys
from character import BackendConfig
from character.backends.local import serve
print(serve(BackendConfig(**json.loads(sys.argv[1]))).address, flush=True)
sys.stdin.read()
"""
    for end in (subprocess.Popen.kill, lambda process: process.stdin.close()):
        arguments = [sys.executable, "-c", code, json.dumps({**SECTION, "model": str(weights)})]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            port = port_of(process.stdout.readline().strip())
            socket.create_connection(("127.0.0.1", port)).close()
            end(process)
            process.wait()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_a_file_that_cannot_be_loaded_is_named(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(weights.read_bytes()[:-50_000])
    config = BackendConfig(**SECTION, model=str(cut))
    with pytest.raises(ConfigError, match=r"cut\.gguf .*2 calls of 4,096 tokens(?s:.*)quantization"):
        serve(config)
    assert "not within the file bounds" in capfd.readouterr().err
    assert "cannot load" in ping(config)["error"]


def test_calls_in_threads_and_on_two_event_loops_share_the_server(weights: Path) -> None:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    lm = build_lm(**SECTION, model=str(weights))

    async def several() -> list[Any]:
        return await asyncio.gather(*(lm.acall(f"Hello {number}?") for number in range(4)))

    assert [len(asyncio.run(several())) for _ in range(2)] == [4, 4]
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(lm, ["Hello?"] * 4))) == 4
