"""Optimizers of DSPy on prompts of a chat: they find what a model gains by, and what they found is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, backend_at

from character import Candidates, Message, Responder, Trait, build_lm
from signatures.responses import EXPRESSIONS

COUNTED = "One, two, three, and"
ASKED = ["How do I learn to juggle?", "How do I fold a map?", "How do I boil an egg?", "How do I whistle?"]


def reply(request: dict[str, Any]) -> str:
    """Answer as a model does that counts where it is told to, or has done so before."""
    said = [turn["content"] for turn in request["messages"] if turn["role"] != "user"]
    name = hashlib.blake2b(json.dumps(request, sort_keys=True).encode(), digest_size=4).hexdigest()
    counts = any("count to three" in text or text.startswith(COUNTED) for text in said)
    return f"{COUNTED if counts else 'Well,'} then begin with step {name} of it."


@pytest.fixture(name="model")
def a_model_that_counts(server: FakeServer) -> Iterator[dspy.LM]:
    server.script = reply
    with dspy.context(lm=build_lm(backend_at(server))):
        yield dspy.settings.lm


def examples(trait: Trait) -> list[dspy.Example]:
    return [
        dspy.Example(message=Message.of(text, trait=trait.name), trait=trait).with_inputs("message", "trait")
        for text in ASKED
    ]


def share(made: Candidates) -> float:
    """Return how many of the candidates count, in 0..1."""
    return sum(text.startswith(COUNTED) for text in made.texts) / len(made.texts)


def by_reflection(responder: Responder, trait: Trait, proposed: dspy.LM) -> Responder:
    def metric(gold: Any, made: Any, trace: Any = None, name: Any = None, inner: Any = None) -> Any:
        return dspy.Prediction(score=share(made), feedback="Who answers should count to three first.")

    optimizer = dspy.GEPA(
        metric=metric, max_metric_calls=30, reflection_lm=proposed, reflection_minibatch_size=2, num_threads=1
    )
    compiled = optimizer.compile(responder, trainset=examples(trait), valset=examples(trait)[:2])
    assert isinstance(compiled, Responder)
    return compiled


def by_examples(responder: Responder, trait: Trait) -> Responder:
    shown = [
        dspy.Example(
            focus_trait=trait.name,
            expression=EXPRESSIONS["natural"],
            conversation=[{"role": "user", "content": f"Where is the {thing}?"}],
            response=f"{COUNTED} there it is.",
        )
        for thing in ("key", "map")
    ]
    compiled = dspy.LabeledFewShot(k=2).compile(responder, trainset=shown, sample=False)
    assert isinstance(compiled, Responder)
    return compiled


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("way", ["reflection", "examples"])
def test_an_optimizer_finds_a_planted_gain_and_keeps_it(way: str, patience: Trait, tmp_path: Path) -> None:
    responder = Responder(levels=["natural", "natural"])
    asked = Message.of("How do I skim a stone?", trait="patience")
    assert share(responder(asked, patience)) == 0
    if way == "examples":
        compiled = by_examples(responder, patience)
    else:
        with FakeServer(
            lambda _request: json.dumps({"new_instruction": "Always count to three."})
        ) as thinker:
            compiled = by_reflection(responder, patience, build_lm(backend_at(thinker)))
    made = compiled(asked, patience)
    assert share(made) == 1
    compiled.save(str(tmp_path / "responder.json"))
    loaded = Responder(levels=["natural", "natural"])
    loaded.load(str(tmp_path / "responder.json"))
    assert loaded(asked, patience) == made
