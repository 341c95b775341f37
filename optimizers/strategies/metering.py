"""Counting model calls: every one of an optimization passes here, none is made twice or beyond the cap."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import dspy
from dspy.clients.backend_selection import CLIENT_KEYS
from dspy.utils.exceptions import LMError, LMInvalidRequestError

RANKING, REFLECTION = "ranking", "reflection"
"""The two roles of a model here: judging candidates, and proposing instructions."""


class CallsSpentError(LMInvalidRequestError):
    """The call was not made: it would have passed the cap on calls."""


class Ledger:
    """What an optimization has spent, and the cap it keeps; safe to share between threads.

    ``calls`` counts the calls made by role, ``tokens`` those of prompts and replies. After an error that is
    the server's own (not one message's) nothing more is sent, and ``check`` raises it.
    """

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.calls: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()
        self.refused = 0
        self.error: Exception | None = None
        self.on_call: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    @property
    def spent(self) -> int:
        """The calls made so far, over both roles."""
        return self.calls.total()

    @property
    def left(self) -> int:
        """The calls that may still be made."""
        return max(0, self.cap - self.spent)

    @property
    def is_spent(self) -> bool:
        """Whether no further call can be made."""
        return self.error is not None or self.spent >= self.cap

    @contextmanager
    def allowance(self, calls: int) -> Iterator[None]:
        """Make no more than this many calls inside; what is not used is left for later."""
        with self._lock:
            outer, self.cap = self.cap, min(self.cap, self.calls.total() + max(0, calls))
        try:
            yield
        finally:
            self.cap = outer

    def reserve(self, role: str, model: str) -> None:
        """Count a call that is about to be made; raises CallsSpentError where there is none left."""
        with self._lock:
            if self.error is not None or self.calls.total() >= self.cap:
                self.refused += 1
                raise CallsSpentError("the calls of this optimization are spent", model=model)
            self.calls[role] += 1

    def settle(self, response: Any) -> None:
        """Count what a call took."""
        with self._lock:
            self.tokens["prompt_tokens"] += response.usage.input_tokens or 0
            self.tokens["completion_tokens"] += response.usage.output_tokens or 0
        self.on_call()

    def fail(self, error: Exception) -> None:
        """Send nothing more after this error."""
        with self._lock:
            self.error = self.error or error

    def check(self) -> None:
        """Raise the error that stopped the calls, where there was one."""
        if self.error is not None:
            raise self.error


class MeteredEngine:
    """A DSPy engine in front of a model: counts its calls, and answers an identical one from memory.

    With ``fresh`` an identical call is a new sample instead (what a proposer that asks for several wants):
    the n-th gets another seed. A seed is passed on only to models that take one.
    """

    def __init__(self, lm: Any, ledger: Ledger, role: str, *, fresh: bool) -> None:
        self.lm, self.ledger, self.role, self.fresh = lm, ledger, role, fresh
        self.judge = None if fresh else lm  # questions are put to a judge in the form that suits its model
        self.supports_function_calling = False
        self.supports_reasoning = False
        self.supports_response_schema = bool(lm.supports_response_schema)
        self.supported_params = frozenset(lm.supported_params) | {"seed"}
        self._takes_seed = "seed" in lm.supported_params
        self._lock = threading.Lock()
        self._memory: dict[str, Future[Any]] = {}
        self._asked: Counter[str] = Counter()

    def __deepcopy__(self, memo: dict[int, Any]) -> MeteredEngine:
        return self  # the memory and the ledger are shared by the copies that optimizers make

    def complete(self, request: Any) -> Any:
        """Return the reply to a request: remembered, or from the model; one in flight is waited for."""
        request = self._renewed(request)
        key = _key(request)
        with self._lock:
            asked_before = self._memory.get(key)
            future = asked_before or self._memory.setdefault(key, Future())
        if asked_before is None:
            try:
                future.set_result(self._send(request))
            except BaseException as error:
                with self._lock:
                    del self._memory[key]  # a failure is not remembered
                future.set_exception(error)
                raise
        return future.result()

    def stream(self, request: Any) -> Iterator[Any]:
        """Raise: nothing here reads replies piecemeal."""
        raise dspy.lm15.UnsupportedFeatureError("A metered model does not stream.", feature="stream")

    def _send(self, request: Any) -> Any:
        self.ledger.reserve(self.role, self.lm.model)
        if not self._takes_seed:
            request = replace(request, config=replace(request.config, seed=None))
        try:
            response = self.lm(request)
        except LMError as error:
            if not _is_of_the_request(error):
                self.ledger.fail(error)
            raise
        self.ledger.settle(response)
        return response

    def _renewed(self, request: Any) -> Any:
        if not self.fresh:
            return request
        key = _key(request)
        with self._lock:
            number = self._asked[key]
            self._asked[key] += 1
        seed = (request.config.seed or 0) + number
        return replace(request, config=replace(request.config, seed=seed)) if number else request


class MeteredLM(dspy.LM):
    """A model whose calls are counted. A copy with another ``rollout_id`` gets another seed."""

    def copy(self, **kwargs: Any) -> Any:
        """Return a copy with these settings changed, as ``dspy.LM.copy`` does."""
        if kwargs.get("rollout_id") is not None:
            kwargs.setdefault("seed", kwargs["rollout_id"])
        return super().copy(**kwargs)


def metered(lm: Any, ledger: Ledger, role: str) -> MeteredLM:
    """Return the model with its calls counted under a role; samples of the reflection role are fresh."""
    settings = {name: value for name, value in lm.kwargs.items() if name not in CLIENT_KEYS}
    settings.pop("rollout_id", None)
    if "max_completion_tokens" in settings:  # what DSPy calls it for reasoning models
        settings["max_tokens"] = settings.pop("max_completion_tokens")
    return MeteredLM(
        lm.model,
        model_type=lm.model_type,
        cache=False,  # the engine's own memory, so that no other optimization answers for this one
        num_retries=0,  # the model behind retries
        engine=MeteredEngine(lm, ledger, role, fresh=role == REFLECTION),
        **settings,
    )


def _is_of_the_request(error: LMError) -> bool:
    """Whether an error concerns one request (too long, refused) and others can still be answered."""
    wrong_place = getattr(error, "status", None) in (401, 403, 404, 405)
    return isinstance(error, LMInvalidRequestError) and not wrong_place


def _key(request: Any) -> str:
    text = json.dumps(asdict(request), sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
