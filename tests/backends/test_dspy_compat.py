"""What is private in DSPy and used here: it is where we expect it, does what we rely on, is named once."""

from __future__ import annotations

import ast
import asyncio
import copy
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dspy
import pytest
from dspy import lm15
from dspy.clients.engines import LM15Engine
from fake_server import FakeServer, backend_at

from character import build_lm
from character.backends import dspy_compat

HERE = Path(__file__).parents[2]
PRIVATE = frozenset(
    {
        "_vendor",
        "_price_result",
        "_async_engine_spec",
        "_engine_spec",
        "_set_lm_usage",
        "_compiled",
        "_target",
        "_http_error",
        "_models_request",
        "_models_from_body",
    }
)
"""The names of DSPy's that only ``dspy_compat`` may use."""


def _private_uses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, name) wherever something private in DSPy or LiteLLM is imported, got, set or spelled."""
    node: Any
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module or ''}.{alias.name}" for alias in node.names]
        if names:
            for name in names:
                package, *rest = name.split(".")
                if package in ("dspy", "litellm") and any(part.startswith("_") for part in rest):
                    yield node.lineno, name
        elif isinstance(node, ast.Attribute) and node.attr in PRIVATE:
            yield node.lineno, node.attr
        elif isinstance(node, ast.Constant) and node.value in PRIVATE:
            yield node.lineno, node.value
        elif isinstance(node, ast.ClassDef):
            for each in ast.walk(node):
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store) and each.id in PRIVATE:
                    yield each.lineno, each.id


def test_nothing_but_one_file_names_what_is_private_in_dspy() -> None:
    uses = {
        f"{path.relative_to(HERE)}:{line}: {name}"
        for package in ("character", "optimizers", "signatures")
        for path in (HERE / package).rglob("*.py")
        if path.name != "dspy_compat.py"
        for line, name in _private_uses(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert uses == set()


@pytest.mark.parametrize(
    "text",
    [
        "from dspy._vendor.lm15.serde import request_to_dict",
        "from dspy.clients.execution import _price_result",
        "import litellm._logging",
        "lm._async_engine_spec.aclose()",
        "getattr(lm, '_async_engine_spec', None)",
        "class M:\n    _set_lm_usage = nothing",
        "module._compiled = True",
    ],
)
def test_every_way_of_naming_it_is_noticed(text: str) -> None:
    assert list(_private_uses(ast.parse(text)))


def test_a_request_becomes_the_same_dictionary_as_ever() -> None:
    """Every call's key is made of this: were it another, every stored run would pay for its calls again."""
    request = lm15.Request(
        model="openai/x",
        messages=(lm15.Message.user("Hello?"),),
        system="Be patient.",
        config=lm15.Config(seed=0, temperature=0.5, max_tokens=9),
    )
    assert dspy_compat.request_to_dict(request) == {
        "model": "openai/x",
        "messages": [{"role": "user", "parts": [{"type": "text", "text": "Hello?"}]}],
        "system": "Be patient.",
        "config": {"max_tokens": 9, "temperature": 0.5, "seed": 0},
    }


def test_a_stored_reply_is_read_as_it_was() -> None:
    """Every journal holds replies in this form: were it not read any more, no stored run could be resumed."""
    stored = {
        "model": "fake-model",
        "message": {"role": "assistant", "parts": [{"type": "text", "text": "Good day."}]},
        "finish_reason": "stop",
        "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
    }
    response = dspy_compat.response_from_dict(stored)
    assert (response.message.text, response.finish_reason, response.usage.input_tokens) == (
        "Good day.",
        "stop",
        3,
    )
    assert dspy_compat.response_from_dict(dspy_compat.response_to_dict(response)) == response


@pytest.mark.parametrize("transport", [dspy_compat.StdlibTransport, dspy_compat.StdlibAsyncTransport])
def test_a_transport_takes_the_limits_of_a_backend(transport: type[Any]) -> None:
    """Else there are as many connections as the library likes, and waits as long as it likes."""
    made = transport(read_timeout=1.5, write_timeout=1.5, max_connections=200, trust_env=False)
    assert "200" in repr(vars(made)), "the bound on connections is kept"
    assert "1.5" in repr(vars(made)), "and so is the wait"


def test_the_asynchronous_engine_of_a_model_and_of_its_copies_is_closed(server: FakeServer) -> None:
    """Else connections stay open after a run."""
    lm = build_lm(backend_at(server))
    closed: list[str] = []

    async def closes(name: str) -> None:
        closed.append(name)

    lm._async_engine_spec.aclose = partial(closes, "ours")
    asyncio.run(dspy_compat.close_async_engine(lm))
    asyncio.run(dspy_compat.close_async_engine(copy.deepcopy(lm)))
    asyncio.run(dspy_compat.close_async_engine(dspy.LM("openai/x")))
    assert closed == ["ours", "ours"]


def test_the_route_of_a_request_is_its_provider_and_the_model_there(server: FakeServer) -> None:
    """Else every call looks for its route in a thread, which costs as much as all the rest of a call."""
    engine = LM15Engine(lm15.RouterConfig(api_keys={"openai-chat": "none"}))
    request = lm15.Request(model="openai/some-model", messages=(lm15.Message.user("Hello?"),))
    provider, model = dspy_compat.find_route(engine, request)
    assert callable(provider.complete)
    assert model == "some-model"


def test_dspy_puts_exactly_two_things_of_a_call_into_threads() -> None:
    """Else calls start threads again, which costs more than a quarter of a call."""
    in_threads: list[Any] = []

    class Watching(asyncio.SelectorEventLoop):
        def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
            in_threads.append(func.args[0] if isinstance(func, partial) else func)
            return super().run_in_executor(executor, func, *args)

    with asyncio.Runner(loop_factory=Watching) as runner:
        runner.run(build_lm().acall("Hello?"))
    assert len(in_threads) == 2
    assert dspy_compat.is_preparation(in_threads[0])
    assert dspy_compat.is_pricing(in_threads[1])
    assert not dspy_compat.is_pricing(in_threads[0])


class _Pair(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = dspy.Predict("question -> answer"), dspy.ChainOfThought("question -> answer")


def test_a_frozen_part_is_hidden_from_optimizers_until_the_mark_is_taken_off() -> None:
    """Else ``compile_parts`` changes parts that it was not asked to change."""
    pair = _Pair()
    names = [name for name, _ in pair.named_predictors()]
    assert names == ["left", "right.predict"]
    assert not dspy_compat.is_frozen(pair.right)
    dspy_compat.set_frozen(pair.right, True)
    assert dspy_compat.is_frozen(pair.right)
    assert [name for name, _ in pair.named_predictors()] == ["left"]
    dspy_compat.set_frozen(pair.right, False)
    assert [name for name, _ in pair.named_predictors()] == names


class _Plain(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.predict = dspy.Predict("question -> answer")

    def forward(self, question: str) -> str:
        return str(self.predict(question=question).answer)


@dspy_compat.without_usage_note
class _Quiet(_Plain):
    pass


@pytest.mark.parametrize(("module", "warns"), [(_Plain, True), (_Quiet, False)])
def test_a_module_that_returns_records_is_not_warned_about(
    module: type[_Plain], warns: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every call under ``track_usage`` writes a warning; the plain module shows that DSPy still does."""
    monkeypatch.setattr(logging.getLogger("dspy"), "propagate", True)
    with dspy.context(lm=dspy.utils.DummyLM([{"answer": "4"}]), track_usage=True):
        module()(question="2 + 2?")
    assert ("Failed to set LM usage" in caplog.text) is warns


def _says(text: str) -> dspy.LM:
    return dspy.utils.DummyLM([{"answer": text}] * 4)


def test_every_call_of_a_model_goes_by_the_route_and_else_to_the_model_itself() -> None:
    """Else a run could not cap what a program's own models are asked."""
    theirs, ours = _says("theirs"), _says("ours")
    ask = dspy.Predict("question -> answer")
    with dspy.context(lm=theirs):
        assert ask(question="?").answer == "theirs"
        with dspy_compat.routing(lambda _lm: ours):
            assert ask(question="?").answer == "ours"
            assert asyncio.run(ask.acall(question="?")).answer == "ours"
            assert "ours" in theirs("?")[0]
            with dspy_compat.routing(None):
                assert ask(question="?").answer == "theirs"


def test_it_is_known_how_a_model_can_be_asked() -> None:
    """Else a model of somebody's own would be asked in a way that it does not have."""

    class Own(dspy.BaseLM):
        def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            return None

    class OwnAwaitable(Own):
        async def aforward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            return None

    class Overridden(dspy.LM):
        def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            return None

    plain = dspy.LM("openai/x")
    models = plain, Own("x"), OwnAwaitable("x"), Overridden("openai/x")
    assert list(map(dspy_compat.only_forwards, models)) == [False, True, True, True]
    assert list(map(dspy_compat.has_async_calls, models)) == [True, False, True, False]
    assert dspy_compat.engine_of(plain) == "auto"
    assert dspy_compat.engine_of(Own("x")) is None


def test_classes_of_models_are_routed_by_their_own_call_whenever_they_are_defined() -> None:
    """Else a model that answers a call itself would be asked past a run."""

    class Direct(dspy.BaseLM):
        def __call__(self, prompt: Any = None, *, messages: Any = None, **options: Any) -> Any:
            return ["theirs"]

    theirs = Direct("own/direct")
    assert dspy_compat.only_forwards(theirs)
    assert not dspy_compat.has_async_calls(theirs)
    assert theirs("?") == ["theirs"]
    with dspy_compat.routing(lambda _lm: _says("ours")):
        assert "ours" in theirs("?")[0]


def test_it_is_known_which_settings_a_request_can_carry() -> None:
    """Else such a setting would stop a run, or be left out of what is sent."""
    names = {"temperature": 0.5, "top_p": 0.9, "stop": ["x"], "n": 2, "seed": 1, "max_tokens": 9}
    assert all(dspy_compat.is_carried(name, value) for name, value in names.items())
    assert not dspy_compat.is_carried("extra_body", {"a": 1})
    assert not dspy_compat.is_carried("drop_params", True)


def test_what_dspy_notes_of_a_call_can_be_heard_in_the_place_of_its_histories() -> None:
    """Else the usage of a model that only has a ``forward`` would be unknown."""
    lm, heard = _says("4"), list[Any]()
    with dspy.context(**{dspy_compat.HEARD: heard}):
        lm("?")
    assert [entry["model"] for entry in heard] == [lm.model]
    assert not lm.history
