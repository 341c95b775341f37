"""What servers say of calls that they refuse reaches the user, and is taken for what it means and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dspy
import pytest
from dspy import lm15
from dspy.utils import exceptions as dspy_errors
from fake_server import FakeServer, Reply, backend_at

from character import Config, Constitution, build_lm, run
from character.backends import ping
from character.backends.engines import SOURCES
from character.backends.secrets import on_one_line
from character.backends.server_errors import understood
from character.backends.server_words import meaning_of
from character.config import BackendConfig
from character.errors import BackendUnavailableError, ConfigError

FLAT = {"object": "error", "type": "BadRequestError", "param": None, "code": 400}
PAGE = "<!DOCTYPE html><html><head><style>h1 {color: red}</style></head><body><h1>502 Plum</h1></body></html>"
LOC = {
    "type": "extra_forbidden",
    "loc": ["body", "seed"],
    "msg": "Plums are not permitted",
    "input": "x" * 9000,
}
RAW = json.dumps({"error": {"message": "Plum behind it"}})


def _refusing(status: int, body: Any, **headers: str) -> Any:
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return lambda _request: Reply(status=status, body=text, headers=headers)


@pytest.mark.parametrize("kind", ["native", "litellm"])
@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            400,
            {"error": {"message": "A plum of OpenAI's", "type": "invalid_request_error"}},
            "A plum of OpenAI's",
        ),
        (400, FLAT | {"message": "A plum\nof vLLM's"}, "A plum of vLLM's"),
        (422, {"error": "A plum of TGI's", "error_type": "validation"}, "A plum of TGI's"),
        (422, {"detail": "A plum of FastAPI's"}, "A plum of FastAPI's"),
        (422, {"detail": [LOC]}, "body.seed: Plums are not permitted"),
        (422, FLAT | {"message": {"detail": [LOC]}}, "body.seed: Plums are not permitted"),
        (
            400,
            {"type": "error", "error": {"type": "invalid", "message": "Anthropic's plum"}},
            "Anthropic's plum",
        ),
        (400, [{"error": {"code": 400, "message": "Gemini's plum", "status": "INVALID"}}], "Gemini's plum"),
        (
            400,
            {"error": {"message": "Provider error", "metadata": {"raw": RAW}}},
            "Provider error: Plum behind it",
        ),
        (400, {"status": 400, "error": "Bad Request", "message": "Plum"}, "Bad Request: Plum"),
        (400, "Plain plum: unknown field", "Plain plum: unknown field"),
        (400, {"fruit": {"plum": 1}}, '{"fruit": {"plum": 1}}'),
    ],
)
def test_the_words_of_an_error_are_shown_whatever_its_shape(
    server: FakeServer, kind: str, status: int, body: Any, words: str
) -> None:
    server.script = _refusing(status, body)
    with pytest.raises(dspy_errors.LMError) as caught:
        build_lm(backend_at(server, kind=kind))("Hello?")
    assert caught.value.message == words


@pytest.mark.parametrize(("body", "words"), [(PAGE, "502 Plum"), ("", "HTTP 502, without a word")])
def test_a_page_of_a_gateway_is_shown_without_its_markup(server: FakeServer, body: str, words: str) -> None:
    server.script = _refusing(502, body or "{}")
    with pytest.raises(dspy_errors.LMServerError) as caught:
        build_lm(backend_at(server))("Hello?")
    assert caught.value.message == words


def test_words_are_shown_short_on_one_line_and_without_secrets() -> None:
    text = on_one_line("No\x00 such\x1b[31m\n key sk-abcdefgh12345678 " + "and so on " * 90)
    assert text.startswith("No such [31m key [hidden] and so on")
    assert (len(text), text[-1]) == (500, "…")


TOO_LONG = [
    "This model's maximum context length is 4097 tokens. However, your messages resulted in 7575 tokens.",
    "This model's maximum context length is 4096 tokens. However, you requested 0 output tokens and your prompt "
    "contains at least 4097 input tokens. Please reduce the length of the input prompt.",
    "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context length is 4096 tokens "
    "and your request has 1000 input tokens (9000 > 4096 - 1000).",
    "The decoder prompt (length 9214) is longer than the maximum model length of 4096.",
    "The input (61709 tokens) is longer than the model's context length (40960 tokens).",
    "Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens).",
    "Requested token count exceeds the model's maximum context length of 202752 tokens.",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 9214 `inputs` tokens",
    "Input validation error: `inputs` must have less than 1024 tokens. Given: 1500",
    "the request exceeds the available context size. try increasing the context size or enable context shift",
    "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it",
    "Context size has been exceeded.",
    "input (2400 tokens) is too large to process. increase the physical batch size (current batch size: 2048)",
    "Requested tokens (2285) exceed context window of 2048",
    "the input length exceeds the context length",
    "prompt too long; exceeded max context length by 123 tokens",
    "prompt is too long: 213462 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length",
    "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
    "Unable to submit request because the input token count is 1100000 but model only supports up to 1048576.",
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000.",
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
    "Range of input length should be [1, 30720]",
    "Prompt 超长",
    "输入长度超过模型最大上下文限制",
    "Invalid request: Your request exceeded model token limit: 8192 (requested: 9000)",
    "invalid params, context window exceeds limit",
    "Input is too long for requested model.",
    "Trying to keep the first 5000 tokens when context the overflows.",
    "Prompt length (5000) exceeds maximum input length (4096).",
    "Context length 9000 is greater than max_seq_len 4096",
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "length of prompt_tokens (40000) must be less than max_seq_len (32768).",
    "Invalid 'messages[1].content': string too long. Expected a string with maximum length 1048576",
    "Request payload size exceeds the limit: 20971520 bytes.",
    "Too much. context_length_exceeded",
    "prompt length (9000) > max_input_len (4096)",
    "The input prompt length exceeds session_len",
    "The total number of tokens in the prompt (9000) is over the limit of 8192",
    "prompt has 9000 tokens but the model supports at most 8192",
    "Prompt too large: 9000 tokens, limit 8192",
    "the prompt does not fit in the context window (9000 > 8192)",
    "提示词长度超出模型上下文窗口",
]


@pytest.mark.parametrize("words", TOO_LONG)
@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_a_prompt_that_is_too_long_is_known_by_the_words_of_each_server(words: str, status: int) -> None:
    assert meaning_of(words, status) == "context_overflow"


def test_a_prompt_that_is_too_long_is_asked_once_and_counted_as_that(server: FakeServer) -> None:
    for status, body in (
        (400, FLAT | {"message": TOO_LONG[0]}),
        (422, {"error": TOO_LONG[7], "error_type": "validation"}),
        (500, {"error": {"code": 500, "message": TOO_LONG[11], "type": "server_error"}}),
        (413, "<html><body><h1>413 Content Too Large</h1><hr>nginx</body></html>"),
    ):
        server.script, before = _refusing(status, body), len(server.requests)
        with pytest.raises(dspy_errors.ContextWindowExceededError):
            build_lm(backend_at(server, num_retries=3))("Hello?")
        assert len(server.requests) == before + 1


LOOK_ALIKES = [
    (400, "max_tokens is too large: 100000. This model supports at most 16384 completion tokens."),
    (400, "Invalid 'user': string too long. Expected a string with maximum length 64. string_above_max_length"),
    (400, "context_length must be an integer"),
    (400, "Unknown parameter: 'context_length'"),
    (422, "Input validation error: `max_new_tokens` must be strictly positive"),
    (422, "Input validation error: `stop` supports up to 4 stop sequences. Given: 9"),
    (422, "Input validation error: `inputs` cannot be empty"),
    (400, "The tokenizer has no chat template; pass one with --chat-template x.jinja."),
    (400, "the model's chat template was not found"),
    (400, "Unsupported value: 'temperature' does not support 0.4 with this model."),
    (400, "This model does not support the parameter logprobs"),
    (400, "this model is not supported for batch"),
    (400, "image exceeds 5 MB maximum: 6000000 bytes > 5242880 bytes"),
    (400, "tool name is too long: maximum length is 64"),
    (400, "logit_bias exceeds the limit of 300 tokens"),
    (400, "The grammar is too large for this model"),
    (400, "request contains a JSON schema with nesting depth 12 greater than the maximum allowed size of 5"),
    (400, "The input temperature must be less than 2"),
    (400, "body.temperature: Input should be less than or equal to 2"),
    (400, "top_logprobs is greater than the model max of 20"),
    (400, "Too many messages: at most 100 are allowed"),
    (400, "Model output is too long"),
    (400, "Stream timed out because the request exceeded the maximum processing time"),
    (403, "You do not have access to this resource"),
    (404, "Not Found"),
    (413, "Request too large for model `llama` on tokens per minute (TPM): Limit 6000, Requested 7000"),
    (429, "Rate limit reached for gpt-4 on tokens per min (TPM): Limit 10000, Requested 20000. rate_limit_exceeded"),
    (429, "Rate limit reached on requests per min. Please try again in 20s. Please add a payment method to your "
          "account to increase your rate limit. Visit https://platform.openai.com/account/billing"),
    (429, "You exceeded your current quota, please check your plan and billing details. For more information on this "
          "error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. RESOURCE_EXHAUSTED"),
    (429, "Number of request tokens has exceeded your per-minute rate limit"),
    (429, "The engine is currently overloaded"),
    (429, "请求过于频繁，请稍后再试"),
    (429, "您的账户已达到速率限制，充值可提升限额"),
    (500, "CUDA out of memory. Tried to allocate 2.00 GiB"),
    (503, "Model is loading"),
    (503, "No capacity: too many tokens in flight, request exceeds the queue limit"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "words"), LOOK_ALIKES)
def test_what_only_looks_like_it_is_taken_for_nothing(status: int, words: str) -> None:
    assert meaning_of(words, status) == ""


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            429,
            "You exceeded your current quota, please check your plan and billing details. insufficient_quota",
        ),
        (429, "You exceeded your current quota, please check your plan and billing details."),
        (402, "Insufficient Balance"),
        (402, ""),
        (403, "You don't have enough credits"),
        (403, "余额已用完"),
        (429, "You have exceeded your monthly quota"),
        (429, "You have no credits left"),
        (403, "The free tier of the model has been exhausted."),
        (400, "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing"),
        (
            400,
            "You have reached your specified API usage limits. You will regain access on 2025-12-01 at 00:00 UTC.",
        ),
        (400, "Access denied, please make sure your account is in good standing. Arrearage"),
        (400, "Budget has been exceeded! Current cost: 10.0, Max budget: 10.0"),
        (403, "Your team has either used all available credits or reached its monthly spending limit."),
        (403, "用户额度不足, 剩余额度: ¥0.0 insufficient_user_quota"),
        (412, "Account x is suspended, possibly due to reaching the monthly spending limit."),
        (429, "Billing hard limit has been reached"),
        (429, "Insufficient balance or no resource package. Please recharge."),
        (429, "您的账户已欠费，请充值后重试。"),
    ],
)
def test_an_account_without_money_is_known_by_the_words_of_each_provider(status: int, words: str) -> None:
    assert meaning_of(words, status) == "account_empty"


def test_an_account_without_money_stops_as_a_refused_key_does(server: FakeServer) -> None:
    quota = {"message": "You exceeded your current quota.", "code": "insufficient_quota"}
    server.script = _refusing(429, {"error": quota}, **{"Retry-After": "600"})
    with pytest.raises(dspy_errors.LMError) as caught:
        build_lm(backend_at(server))("Hello?")
    stopped = caught.value.__cause__
    assert isinstance(stopped, BackendUnavailableError)
    assert "refuses the account" in stopped.found
    assert "exceeded your current quota" in stopped.found
    assert "billing" in stopped.fix
    assert len(server.requests) == 5


def test_a_limit_on_the_rate_is_waited_for_whatever_it_says_of_plans(server: FakeServer) -> None:
    answers = iter(
        [_refusing(429, {"error": "Check your plan and billing details."}, **{"Retry-After": "0"})(0)]
    )
    server.script = lambda _request: next(answers, "There you are.")
    assert build_lm(backend_at(server))("Hello?") == ["There you are."]


def test_a_limit_on_tokens_in_a_minute_is_no_prompt_that_is_too_long() -> None:
    """DSPy's client takes it for one, where it speaks to Anthropic or Gemini."""
    words = "Number of request tokens has exceeded your per-minute rate limit"
    error = understood(lm15.ContextLengthError(words, status=429, retry_after=7.0))
    assert isinstance(error, lm15.RateLimitError)
    assert (error.status, error.retry_after) == (429, 7.0)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "The model `x` does not exist."),
        (404, 'model "x" not found, try pulling it first'),
        (404, "model: claude-x"),
        (404, "Not found the model x or Permission denied"),
        (400, "Model Not Exist"),
        (400, "Invalid model: x"),
        (400, "x/y is not a valid model ID"),
        (
            400,
            "Invalid model name passed in model=x. Call `/v1/models` to view available models for your key.",
        ),
        (400, "模型不存在，请检查模型代码。"),
    ],
)
def test_a_model_that_is_not_there_is_known_by_the_words_of_each_server(status: int, words: str) -> None:
    assert meaning_of(words, status) == "no_such_model"


def _config(server: FakeServer, **fields: object) -> Config:
    backend = backend_at(server, **fields).model_dump(exclude_unset=True)
    return Config.model_validate({"messages": {"per_trait": 4}, "backends": {"default": backend}})


@pytest.mark.parametrize("status", [400, 404])
def test_a_model_that_is_not_there_stops_the_run_with_those_that_are(
    server: FakeServer,
    constitution: Constitution,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    monkeypatch.setenv("THE_KEY", "secret-of-mine")
    server.models = ["plum-7b", "fake-model-8b", *(f"pear-{number}" for number in range(30))]
    server.script = _refusing(status, FLAT | {"message": "The model `fake-model` does not exist."})
    with pytest.raises(ConfigError, match="does not have the model openai/fake-model: The model") as caught:
        run(constitution, tmp_path / "run", _config(server, api_key_env="THE_KEY"))
    assert caught.value.expected.startswith("a model that it has: fake-model-8b, ")
    assert "and 20 more" in caught.value.expected
    assert 'model = "openai/fake-model-8b"' in caught.value.fix
    asked = [headers for headers in server.headers if headers.get("X-Asked") == "models"]
    assert asked
    assert all(headers["Authorization"] == "Bearer secret-of-mine" for headers in asked)


@pytest.mark.parametrize("listed", [None, "<html>", "[" * 100_000, [], ["x" * 2_000_000]])
def test_where_the_server_does_not_list_its_models_the_error_is_as_clear_without(
    server: FakeServer, listed: Any
) -> None:
    server.models = listed
    server.script = _refusing(404, {"error": {"message": "model 'fake-model' not found"}})
    with pytest.raises(dspy_errors.LMError) as caught:
        dspy.Predict("question -> answer")(question="Hello?", lm=build_lm(backend_at(server)))
    stopped = caught.value.__cause__
    assert isinstance(stopped, ConfigError)
    assert "(model openai/fake-model): model 'fake-model' not found" in stopped.found
    assert stopped.exit_code == 2
    assert "api_base" in stopped.fix


def test_a_server_that_is_gone_lists_no_models() -> None:
    gone = BackendConfig(model="openai/plum-7b", api_base="http://127.0.0.1:9/v1")
    assert SOURCES["native"](gone).models() == []


def test_a_ping_names_the_models_that_there_are(server: FakeServer) -> None:
    server.models = ["plum-7b"]
    server.script = _refusing(404, {"error": {"message": "model 'fake-model' not found"}})
    assert "a model that it has: plum-7b" in ping(backend_at(server))["error"]
