"""What can be wrong with a reply: the countable words, and which of them are whose doing."""

from __future__ import annotations

from typing import NamedTuple

from dspy.utils import exceptions as dspy_errors

KIND_OF_ERROR: dict[type[Exception], str] = {
    dspy_errors.LMTransportError: "unreachable",
    dspy_errors.LMTimeoutError: "timeout",
    dspy_errors.LMRateLimitError: "rate_limited",
    dspy_errors.LMAuthError: "key_refused",
    dspy_errors.LMBillingError: "account_empty",
}
SERVER_FAULTS = frozenset({"server_error", *KIND_OF_ERROR.values()})
"""Faults that are the server's, not the message's: trying again another time may help."""
OF_THE_PROMPT = frozenset({"context_overflow", "invalid_request"})


class Fault(NamedTuple):
    """What was wrong with a reply: one countable word, and the detail; both are empty where nothing was."""

    word: str = ""
    detail: str = ""


CUT_SHORT = {
    "length": Fault("cut_off", "the reply reached max_tokens"),
    "unsaid": Fault("cut_off", "the server did not say that the reply had ended, and its last field is open"),
    "content_filter": Fault("content_filter", "the server's content filter stopped the reply"),
}
UNSAID_IN_CHAT = (
    'the server did not say that the reply had ended, and a chat does not show it (prompting = "fields" does)'
)
OPEN = frozenset({"length", "unsaid"})
"""Ends of a reply that may come in the middle of a field."""
