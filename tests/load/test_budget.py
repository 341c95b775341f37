"""The cap is hard: with any prices, caps and concurrency it is never passed, and nothing finished is lost."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_helpers import PATIENCE, config, messages
from load_server import COMPLETION_TOKENS, PROMPT_TOKENS, Load, LoadServer

from character import Config, run
from character.backends.budget import Amount, Budget
from character.config import BudgetConfig
from character.errors import BudgetReachedError, ConfigError
from character.runs.summary import summarize
from character.store.run_store import RunStore


def _capped(settings: Config, **caps: Any) -> Config:
    return settings.model_copy(update={"budget": BudgetConfig(**caps)})


@pytest.mark.parametrize("seed", range(6))
def test_the_cap_is_never_passed_and_the_spend_is_the_servers_count(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    prices = {"input_price": rng.uniform(0.1, 20), "output_price": rng.uniform(0.1, 60)}
    whole = 100 * (PROMPT_TOKENS * prices["input_price"] + COMPLETION_TOKENS * prices["output_price"]) / 1e6
    kind = ("max_cost", "max_tokens", "max_calls")[seed % 3]
    cap: float = {
        "max_cost": whole,
        "max_tokens": 100 * (PROMPT_TOKENS + COMPLETION_TOKENS),
        "max_calls": 100,
    }[kind]
    cap = cap * rng.uniform(0.3, 0.9) if kind == "max_cost" else int(cap * rng.uniform(0.3, 0.9))
    with LoadServer(Load(latency_s=0.004, sigma=0.6)) as server:
        settings = config(server, max_tokens=100, max_in_flight=rng.choice([1, 4, 32]), **prices)
        with pytest.raises(BudgetReachedError) as caught:
            run(PATIENCE, tmp_path / "run", config=_capped(settings, **{kind: cap}), messages=messages(40))
        seen = server.stats()
        assert caught.value.exit_code == 3
        tokens = seen["prompt_tokens"] + seen["completion_tokens"]
        cost = (
            seen["prompt_tokens"] * prices["input_price"] + seen["completion_tokens"] * prices["output_price"]
        ) / 1e6
        taken = {"max_cost": cost, "max_tokens": tokens, "max_calls": seen["requests"]}[kind]
        assert taken <= cap + 1e-9
        with RunStore(tmp_path / "run") as store:
            spent = store.spent()
        assert (spent.calls, spent.prompt_tokens + spent.completion_tokens) == (seen["answered"], tokens)
        assert spent.cost_usd == pytest.approx(cost)
        summary = run(
            PATIENCE, tmp_path / "run", config=_capped(settings, max_calls=10_000), messages=messages(40)
        )
        assert summary.messages == {"paired": summary.messages["paired"], "messages": 40} or summary.pairs > 0
        assert server.stats()["repeats"] == 0, "what was paid for is not paid for again"


def test_money_is_told_per_stage_trait_backend_and_model(tmp_path: Path) -> None:
    with LoadServer(Load(latency_s=0.0)) as server:
        settings = config(server, input_price=1.0, output_price=2.0)
        judge = {"ranking": settings.backends["default"]}
        settings = settings.model_copy(update={"backends": {**settings.backends, **judge}})
        summary = run(PATIENCE, tmp_path / "run", config=settings, messages=messages(5))
    per_call = (PROMPT_TOKENS * 1.0 + COMPLETION_TOKENS * 2.0) / 1e6
    assert summary.usage["responses"].cost_usd == pytest.approx(20 * per_call)
    ranking = summary.usage["ranking"].calls
    assert 10 <= ranking <= 20, "two passes, and up to two more where they disagree"
    assert summary.usage_by_trait["patience"].cost_usd == pytest.approx((20 + ranking) * per_call)
    assert summary.usage_by_model["openai/load"].calls == 20 + ranking
    assert {name: usage.calls for name, usage in summary.usage_by_backend.items()} == {
        "default": 20,
        "ranking": ranking,
    }
    assert summary.usage_by_backend["default"].cost_usd == pytest.approx(20 * per_call)
    with RunStore(tmp_path / "run") as store:
        assert summarize(store) == summary


def test_a_cap_that_could_not_hold_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with LoadServer(Load(latency_s=0.0)) as server:
        for backend, caps, said in (
            ({"input_price": 1.0, "output_price": 1.0}, {"max_cost": 1.0}, "max_tokens"),
            ({"max_tokens": 100}, {"max_cost": 1.0}, "price"),
        ):
            with pytest.raises(ConfigError, match=said):
                run(
                    PATIENCE,
                    tmp_path / said,
                    config=_capped(config(server, **backend), **caps),
                    messages=messages(3),
                )
        assert server.stats()["requests"] == 0


_AMOUNTS = st.builds(Amount, tokens=st.integers(0, 500), cost_usd=st.floats(0, 5))


@given(
    caps=st.builds(
        BudgetConfig,
        max_cost=st.none() | st.floats(0, 20),
        max_tokens=st.none() | st.integers(0, 3000),
        max_calls=st.none() | st.integers(0, 12),
    ),
    needs=st.lists(
        st.tuples(_AMOUNTS, st.sampled_from(["settle", "release", "hold"]), st.floats(0, 1)), max_size=30
    ),
)
def test_spent_and_reserved_together_never_pass_a_cap(
    caps: BudgetConfig, needs: list[tuple[Amount, str, float]]
) -> None:
    budget = Budget(caps)
    calls = tokens = 0
    cost = 0.0
    for need, end, share in needs:
        try:
            if not budget.try_reserve(need):
                continue
        except BudgetReachedError:
            continue
        taken = Amount(int(need.tokens * share), need.cost_usd * share)
        if end == "settle":
            budget.settle(need, taken)
        elif end == "release":
            budget.release(need)
        if end != "release":
            counted = taken if end == "settle" else need
            calls, tokens, cost = calls + 1, tokens + counted.tokens, cost + counted.cost_usd
        assert caps.max_calls is None or calls <= caps.max_calls
        assert caps.max_tokens is None or tokens <= caps.max_tokens
        assert caps.max_cost is None or cost <= caps.max_cost + 1e-9
