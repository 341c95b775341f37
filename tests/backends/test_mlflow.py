"""MLflow traces a run by its own DSPy integration, with the three lines of the README before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_server import FakeServer, backend_at

from character import Config, Constitution, Message, MessageBatch, Trait, run

pytestmark = pytest.mark.mlflow
KEY = "sk-a-secret-of-this-test"


def test_every_call_of_a_run_is_a_span_and_no_key_is_in_any(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.setenv("CHARACTER_TEST_KEY", KEY)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    mlflow.dspy.autolog()
    mlflow.set_experiment("character")
    backend = backend_at(server, api_key_env="CHARACTER_TEST_KEY").model_dump(exclude_unset=True)
    config = Config.model_validate({"backends": {"default": backend}, "ranking": {"passes": 1}})
    given = {"patience": MessageBatch(messages=(Message.of("How do I learn to juggle?", trait="patience"),))}
    trait = Trait(name="patience", description="Takes the time an explanation needs.")
    summary = run(Constitution(name="one", traits=(trait,)), tmp_path / "run", config=config, messages=given)
    mlflow.flush_trace_async_logging()
    mlflow.dspy.autolog(disable=True)

    traces = mlflow.search_traces(return_type="list")
    spans = [span for trace in traces for span in trace.data.spans]
    calls = [span for span in spans if span.span_type == "CHAT_MODEL"]
    assert summary.pairs > 0
    assert len(calls) == len(server.requests) == 5
    assert any("juggle" in str(span.inputs) for span in calls)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in str([trace.to_json() for trace in traces])
