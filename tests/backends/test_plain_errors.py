"""What a client says of a model it cannot use is said for whoever configured it here, in every command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
INNER = ("lm15", "dspy.LM", "api_key=", "litellm model string", "Traceback")


def character(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line without any key."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    command = [sys.executable, "-m", "character", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize(
    ("model", "found", "fix"),
    [
        ("openai/gpt-4.1-mini", "the variable OPENAI_API_KEY is not set", "--api-key-env"),
        ("anthropic/claude", "the variable ANTHROPIC_API_KEY is not set", "--api-key-env"),
        ("xai/grok", "there is no key for it", "--api-key-env"),
        ("opnai/gpt-4.1-mini", "'opnai' is no provider that it can reach", "did you mean openai?"),
    ],
)
def test_a_missing_key_and_an_unknown_provider_are_said_in_our_words(
    model: str, found: str, fix: str, tmp_path: Path
) -> None:
    constitution = EXAMPLES / "constitutions" / "patience-and-humour.en.toml"
    labels = EXAMPLES / "labelled" / "patience-and-humour.en.jsonl"
    commands = (
        ("run", constitution, "--out", tmp_path / "run", "--messages-per-trait", 1),
        ("optimize", labels, "--out", tmp_path / "tuned"),
    )
    for command in commands:
        done = character(*command, "--lm", model)
        assert done.returncode == 2, done.stderr
        assert found in done.stderr
        assert fix in done.stderr
        assert not [word for word in INNER if word in done.stderr]
    pinged = character("backends", "--ping", "--lm", model)
    assert not [word for word in INNER if word in pinged.stdout + pinged.stderr]


def test_what_differs_is_named_without_its_fingerprint(tmp_path: Path) -> None:
    constitutions = EXAMPLES / "constitutions"
    options = ("--out", tmp_path / "run", "--messages-per-trait", 1)
    assert character("run", constitutions / "patience-and-humour.en.toml", *options).returncode == 0
    done = character("run", constitutions / "quiet-craftsman.en.toml", *options)
    assert done.returncode == 2
    assert "made otherwise: constitution: not the same as before." in done.stderr


@pytest.mark.parametrize(
    ("model", "fix"), [("mistrall/small", "did you mean mistral?"), ("nosuch/x", "before the slash")]
)
def test_a_provider_that_litellm_does_not_know_stops_a_run_before_it_begins(
    model: str, fix: str, tmp_path: Path
) -> None:
    constitution = EXAMPLES / "constitutions" / "patience-and-humour.en.toml"
    options = ("--out", tmp_path / "run", "--backend", "litellm", "--lm", model, "--json")
    done = character("run", constitution, *options)
    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout)["exit_code"] == 2
    assert f"LiteLLM has no provider {model.partition('/')[0]!r}" in done.stderr
    assert fix in done.stderr
    assert "Traceback" not in done.stderr
