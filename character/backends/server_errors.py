"""Errors of servers in their own words, and of the class that these mean."""

from __future__ import annotations

import json
import re

from dspy import lm15

from character.backends.dspy_compat import ReadTimeout
from character.backends.secrets import on_one_line
from character.backends.server_words import TABLE, meaning_of, words_of

_CLASSES: dict[str, type[lm15.ProviderError]] = {
    "account_empty": lm15.BillingError,
    "context_overflow": lm15.ContextLengthError,
    "no_such_model": lm15.UnsupportedModelError,
}
_LIBRARY = re.compile(r"^(?:(?:litellm\.)?\w+(?:Error|Exception)(?: - |: ))+(?:Error code: \d+ - )?")
_MOST_CAUSES = 4


def understood(error: lm15.LM15Error) -> lm15.LM15Error:
    """Return an error of a server's in the server's own words, and of the class that they mean.

    DSPy's client reads errors in the shape of OpenAI's alone, and knows few of the words. A wait that was
    longer than ``timeout_s`` is no failure of the connection.
    """
    if isinstance(error.__cause__, ReadTimeout):
        waited = re.search(r"\bno bytes for (\S+)s\b", error.message)
        return lm15.TimeoutError(TABLE["too_late"].format(waited=waited[1] if waited else "…"))
    if not isinstance(error, lm15.ProviderError):
        return error
    text, codes = words_of(_body_of(error))
    text = text or on_one_line(_LIBRARY.sub("", error.message.split("\n\n")[0]))
    said = " ".join([text, *(codes or [error.provider_code or ""])])
    meaning = meaning_of(said, error.status, told_when=error.retry_after is not None)
    target = _CLASSES.get(meaning, type(error))
    if not meaning and isinstance(error, lm15.ContextLengthError):
        # The client takes any word of tokens and limits for it, those of a limit on the rate too.
        target = lm15.RateLimitError if error.status == 429 else lm15.InvalidRequestError
    if target is not type(error):
        facts = ("provider", "provider_code", "status", "request_id", "retry_after", "rate_limit_headers")
        error = target(**{name: getattr(error, name) for name in facts})
    error.message, error.provider = text or f"HTTP {error.status}, without a word", None
    return error


def _body_of(error: BaseException | None) -> str:
    """Return the body that an error came of: the client keeps it, or what the error was made of does."""
    for _ in range(_MOST_CAUSES):
        body = getattr(getattr(error, "response", None), "text", None) or getattr(error, "body", None)
        if body is not None:
            return body if isinstance(body, str) else json.dumps(body, default=str)
        error = error and error.__cause__
    return ""
