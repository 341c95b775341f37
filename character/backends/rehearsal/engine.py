"""The rehearsal model as a pair of DSPy engines: one request in, one response out, no network."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from character.backends.rehearsal.reply import NOISE, POSITION_BIAS, rehearse, rehearsed_odds
from character.backends.rehearsal.words import count_tokens, cut_to_tokens
from character.errors import ConfigError
from character.text import stable_seed

if TYPE_CHECKING:
    from dspy import lm15

MODEL = "rehearsal/default"
PARAMS = frozenset({"temperature", "max_tokens", "seed", "response_format"})
PROVIDER = MODEL.split("/")[0]


class RehearsalReply(NamedTuple):
    """A reply with its estimated token counts, and whether it was cut at the token limit."""

    text: str
    is_cut: bool
    input_tokens: int
    output_tokens: int


class _Engine:
    """What DSPy is told of both engines. Copies share them: they hold settings only, and are copied often."""

    supports_function_calling = False
    supports_reasoning = False
    supports_response_schema = True
    supported_params = PARAMS

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class RehearsalEngine(_Engine):
    """A deterministic stand-in for a language model, for trying and testing programs.

    It reads the prompt and nothing else: what it knows about a trait is what the prompt says, joined with a
    bank of phrases. ``noise`` is the standard deviation of its scores, ``position_bias`` what the response
    shown first gains and the last one loses, both at least 0. The same request always gets the same reply;
    another seed, in the request or of the engine, gets another sample. Safe to share between threads.
    Raises ConfigError for values out of range.
    """

    def __init__(self, seed: int = 0, noise: float = NOISE, position_bias: float = POSITION_BIAS) -> None:
        for name, value in (("noise", noise), ("position_bias", position_bias)):
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(
                    f"the rehearsal engine cannot work with {name} = {value}.",
                    expected="a finite number, 0 or greater",
                    fix=f"leave {name} out to get the usual value.",
                )
        self.seed, self.noise, self.position_bias = seed, noise, position_bias

    def complete(self, request: lm15.Request) -> lm15.Response:
        """Return the reply to a request; it is cut where it would pass ``max_tokens``."""
        from dspy import lm15
        from dspy.clients.engines.base import validate_request

        validate_request(request)
        system, messages = _read(request)
        config = request.config
        answer = self.answer(
            system,
            messages,
            seed=config.seed,
            temperature=config.temperature,
            max_tokens=config.max_tokens,
            as_json=(config.response_format or {}).get("type") in ("json_schema", "json_object"),
        )
        asked, answered = answer.input_tokens, answer.output_tokens
        logprobs = None
        if config.logprobs is not None:
            odds = rehearsed_odds(system, messages, noise=self.noise, position_bias=self.position_bias)
            logprobs = _logprobs(answer.text.split(), odds, config.logprobs) if odds else None
            answered = max(answered, len(odds))
        return lm15.Response(
            id=None,
            model=request.model or MODEL,
            message=lm15.Message.assistant(answer.text),
            finish_reason="length" if answer.is_cut else "stop",
            usage=lm15.Usage(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered),
            logprobs=logprobs,
        )

    def answer(
        self,
        system: str,
        messages: list[dict[str, str]],
        *,
        seed: int | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        as_json: bool = False,
    ) -> RehearsalReply:
        """Return the reply to a prompt given as text, cut where it would pass ``max_tokens``."""
        whole = rehearse(
            system,
            messages,
            seed=self.seed if seed is None else stable_seed(self.seed, seed),
            temperature=temperature,
            as_json=as_json,
            noise=self.noise,
            position_bias=self.position_bias,
        )
        text = whole if max_tokens is None else cut_to_tokens(whole, max_tokens)
        asked = count_tokens(system) + sum(count_tokens(message["content"]) for message in messages)
        return RehearsalReply(text, len(text) < len(whole), asked, count_tokens(text))

    def stream(self, request: lm15.Request) -> Iterator[Any]:
        """Yield the reply as stream events, in one piece."""
        from dspy.lm15 import response_to_events

        yield from response_to_events(self.complete(request))

    def close(self) -> None:
        """Do nothing: there is no connection to close."""

    def dump_state(self) -> dict[str, Any]:
        """Return the settings, for saved programs."""
        return {"seed": self.seed, "noise": self.noise, "position_bias": self.position_bias}

    @classmethod
    def load_state(cls, state: dict[str, Any]) -> Self:
        """Return an engine with saved settings."""
        return cls(**state)


class AsyncRehearsalEngine(_Engine):
    """The asynchronous twin of an engine: the same replies, usable on any event loop."""

    def __init__(self, engine: RehearsalEngine) -> None:
        self.engine = engine

    async def complete(self, request: lm15.Request) -> lm15.Response:
        """Return the reply to a request."""
        return self.engine.complete(request)

    async def stream(self, request: lm15.Request) -> AsyncIterator[Any]:
        """Yield the reply as stream events, in one piece."""
        for event in self.engine.stream(request):
            yield event

    async def aclose(self) -> None:
        """Do nothing: there is no connection to close."""

    def dump_state(self) -> dict[str, Any]:
        """Return the settings, for saved programs."""
        return self.engine.dump_state()

    @classmethod
    def load_state(cls, state: dict[str, Any]) -> Self:
        """Return an engine with saved settings."""
        return cls(RehearsalEngine.load_state(state))


def _logprobs(words: list[str], odds: list[dict[str, float]], number: int) -> tuple[lm15.TokenLogprob, ...]:
    """Return what was drawn at each place, with so many of what might have been and their probabilities."""
    from dspy import lm15

    tokens = []
    for word, shares in zip(words, odds, strict=False):
        best = sorted((each for each in shares if shares[each] > 0), key=lambda each: -shares[each])[:number]
        top = tuple(lm15.TopLogprob(each, math.log(shares[each])) for each in best)
        tokens.append(lm15.TokenLogprob(word, math.log(shares[word]), top=top))
    return tuple(tokens)


def _read(request: lm15.Request) -> tuple[str, list[dict[str, str]]]:
    system = request.system or ""
    if not isinstance(system, str):
        system = "".join(part.text for part in system)
    contents = [{"role": message.role, "content": message.text or ""} for message in request.messages]
    developer = [message["content"] for message in contents if message["role"] == "developer"]
    messages = [message for message in contents if message["role"] != "developer"]
    return "\n".join(part for part in (system, *developer) if part), messages or contents


def register_with_litellm() -> None:
    """Make the model ``rehearsal/default`` reachable through LiteLLM in this process.

    A second call does nothing.
    """
    import litellm
    from litellm.utils import custom_llm_setup

    if any(entry["provider"] == PROVIDER for entry in litellm.custom_provider_map):
        return
    litellm.custom_provider_map.append({"provider": PROVIDER, "custom_handler": _handler()})
    custom_llm_setup()


def _handler() -> Any:
    """Return an instance of a subclass of LiteLLM's base, defined here because importing it takes seconds."""
    from litellm import CustomLLM, ModelResponse

    class RehearsalProvider(CustomLLM):
        def completion(self, model: str, messages: list[Any], *args: Any, **given: Any) -> ModelResponse:
            answer = _answer(messages, given.get("optional_params") or {})
            return ModelResponse(model=f"{PROVIDER}/{model.removeprefix(f'{PROVIDER}/')}", **answer)

        async def acompletion(self, *args: Any, **given: Any) -> ModelResponse:
            return self.completion(*args, **given)

    return RehearsalProvider()


def _answer(messages: list[Any], params: dict[str, Any]) -> dict[str, Any]:
    sections = [{"role": message["role"], "content": _text(message.get("content"))} for message in messages]
    turns = [section for section in sections if section["role"] not in ("system", "developer")]
    answer = RehearsalEngine().answer(
        "\n".join(section["content"] for section in sections if section not in turns),
        turns,
        as_json=params.get("response_format") not in (None, {"type": "text"}),
        **{name: params.get(name) for name in ("seed", "temperature", "max_tokens")},
    )
    asked, answered = answer.input_tokens, answer.output_tokens
    message = {"role": "assistant", "content": answer.text}
    reason = "length" if answer.is_cut else "stop"
    return {
        "choices": [{"index": 0, "finish_reason": reason, "message": message}],
        "usage": {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered},
    }


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")
