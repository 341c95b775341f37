"""What tokens cost: the configured prices, else the price map that comes with DSPy, read once per model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dspy import lm15
from dspy.clients.model_metadata import model_info, rate

from character.config import BackendConfig, is_rehearsal_model


@dataclass(frozen=True, slots=True)
class Price:
    """USD per token. ``cached`` applies to prompt tokens that the server read from its cache."""

    prompt: float
    completion: float
    cached: float

    def of(self, usage: lm15.Usage) -> float | None:
        """Return the cost of a reply, None where the server did not report its tokens."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        cached = min(usage.cache_read_tokens or 0, usage.input_tokens)
        fresh = usage.input_tokens - cached
        return float(fresh * self.prompt + cached * self.cached + usage.output_tokens * self.completion)


def price_of(config: BackendConfig) -> Price | None:
    """Return the price of a backend's model, None where it is unknown. Models in this process are free."""
    if config.kind == "local" or is_rehearsal_model(config.model_name):
        return Price(0.0, 0.0, 0.0)
    if config.input_price is not None and config.output_price is not None:
        return Price(config.input_price / 1e6, config.output_price / 1e6, config.input_price / 1e6)
    if config.api_base:
        return None  # a server of the user's own is not the provider that the map knows under this name
    return _from_map(config.model)


@lru_cache(maxsize=256)
def _from_map(model: str) -> Price | None:
    provider, _, name = model.partition("/")
    info = model_info(provider, name)
    prompt, completion = rate(info, "input_cost_per_token"), rate(info, "output_cost_per_token")
    if prompt is None or completion is None:
        return None
    return Price(prompt, completion, rate(info, "cache_read_input_token_cost") or prompt)
