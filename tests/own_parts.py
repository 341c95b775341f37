"""Parts that a user of DSPy would write: models with only ``forward``, steps of every shape, small programs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import dspy
from fake_server import as_rehearsal

from character import Candidates, Message, MessageBatch, Ranker, Ranking, Trait

QUESTIONS = (
    "Which way round do the jump leads go on a flat battery?",
    "My bread is dense again, what do I change first?",
    "How do I read the two numbers on a tyre?",
    "Why does my kettle click off before it boils?",
    "Can you say once more what a mortgage term is?",
    "What is the polite way to leave a video call early?",
)


def batches(number: int = 4, trait: str = "patience") -> dict[str, MessageBatch]:
    """Return given messages of one trait, so that nothing has to be generated."""
    messages = tuple(Message.of(text, trait=trait) for text in QUESTIONS[:number])
    return {trait: MessageBatch(messages=messages)}


def marked(**values: Any) -> str:
    """Return a reply in DSPy's marked form."""
    parts = [f"[[ ## {name} ## ]]\n{value}" for name, value in values.items()]
    return "\n\n".join([*parts, "[[ ## completed ## ]]"])


class OwnLM(dspy.BaseLM):
    """A model with only ``forward``, which is all that DSPy asks for; ``prompts`` is what it was asked."""

    def __init__(
        self, answer: Callable[[dict[str, Any]], str] = as_rehearsal, model: str = "own/one"
    ) -> None:
        super().__init__(model=model, temperature=0.7, max_tokens=400)
        self.prompts: list[str] = []
        self.answer, self.lock = answer, threading.Lock()

    def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        """Answer in the shape of OpenAI's client."""
        asked = messages or [{"role": "user", "content": str(prompt)}]
        with self.lock:
            self.prompts.append("\n".join(str(turn["content"]) for turn in asked))
        text = self.answer({"messages": asked, "seed": options.get("seed")})
        message = SimpleNamespace(content=text, tool_calls=None)
        choice = SimpleNamespace(message=message, finish_reason="stop")
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        return SimpleNamespace(choices=[choice], usage=usage, model=self.model)

    def __deepcopy__(self, memo: dict[int, Any]) -> OwnLM:
        return self


class AwaitableLM(OwnLM):
    """The same with ``aforward`` as well."""

    async def aforward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        """Answer as ``forward`` does."""
        return self.forward(prompt, messages, **options)


def three_replies(message: Message) -> dspy.Prediction:
    """Answer without a model."""
    return dspy.Prediction(responses=[f"Reply {i} to: {message.text}" for i in range(3)])


def fixed_scores(candidates: Any) -> dspy.Prediction:
    """Rank without a model."""
    return dspy.Prediction(scores=[0.9, 0.1, 0.2][: len(candidates.items)])


class TwoStageRanker(dspy.Module):
    """Asks a model twice about each message: for notes, then for scores."""

    def __init__(self) -> None:
        super().__init__()
        self.notes = dspy.Predict("question, answers: list[str] -> notes")
        self.judge = dspy.ChainOfThought("question, answers: list[str], notes -> scores: list[float]")

    def forward(self, message: Message, candidates: Any) -> dspy.Prediction:
        """Return one score per candidate."""
        notes = self.notes(question=message.text, answers=candidates.texts).notes
        judged: dspy.Prediction = self.judge(question=message.text, answers=candidates.texts, notes=notes)
        return judged


def two_stages(request: dict[str, Any]) -> str:
    """Answer both calls of ``TwoStageRanker``."""
    asked = "".join(turn["content"] for turn in request["messages"])
    if "[[ ## scores ## ]]" in asked:
        return marked(reasoning="By ear.", scores="[0.9, 0.1, 0.2]")
    return marked(notes="The first is warm.")


class FirstWins(Ranker):
    """Overrides ``forward`` alone."""

    def forward(self, message: Message, candidates: Candidates, trait: Trait) -> Ranking:  # type: ignore[override]
        return Ranking.from_scores(candidates, [0.9] + [0.1] * (len(candidates.items) - 1))


class Wrapped(dspy.Module):
    """Passes whatever it is given on to a ranker."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, **arguments: Any) -> Any:
        return self.inner(**arguments)
