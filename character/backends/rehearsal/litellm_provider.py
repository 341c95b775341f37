"""The rehearsal model as a custom provider of LiteLLM, for programs that reach their models that way."""

from __future__ import annotations

from typing import Any

from character.backends.rehearsal.engine import MODEL, RehearsalEngine

PROVIDER = MODEL.split("/")[0]


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
