"""What tuning a ranker may take, before anything is sent: its labelled items rendered as prompts, and the calls it may make."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import Any

from character.config import Config
from character.estimate import RANKING_TOKENS, prompt_tokens, usage_of
from character.records import Usage
from character.tuned_ranker import build_ranker
from optimizers.labelled import LabelledItem, LabelledSet
from optimizers.strategies.few_shot import MOST_CHARACTERS, SIZES
from optimizers.validation.evaluation import usable
from optimizers.validation.held_out import plan_parts

MOST_RENDERED = 200
"""Items whose prompts are measured; of a larger set so many, evenly spread."""
_WITH_DEMOS = frozenset({"auto", "few_shot", "mipro", "simba"})
"""Strategies that try prompts with examples in them."""
_PROPOSING = frozenset({"auto", "copro", "mipro", "gepa", "simba"})
"""Strategies that ask the model for ``reflection`` too."""


def estimate_tuning(
    labelled: LabelledSet, config: Config, *, strategy: str, budget: int, metric: str = "pairwise_accuracy"
) -> dict[str, Usage]:
    """Return what tuning to a labelled set will take: ``once``, judging every item as the ranker is, and ``all``, at most.

    Prompts are rendered and measured. In all it is ``budget`` calls (fewer where the configuration caps them), each with the
    longest prompt that may be tried (with examples, where the strategy tries any) and at the price of the dearest model
    asked; what a model proposes as an instruction, and how long replies are, is assumed. An unknown price is None. Raises
    OptimizerError for labels that cannot be tuned to.
    """
    items = usable(labelled, metric)
    plan_parts(labelled, items, config.seed)
    ranker = build_ranker(config.ranking, {})
    rank, spread = ranker.rank, items[:: -(-len(items) // MOST_RENDERED)]
    asked = [
        dict(example.inputs())
        for item in spread
        for example in ranker.examples(item.message, item.candidates, item.trait, seed=config.seed)
    ]
    prompts = [prompt_tokens(rank.signature, inputs, rank.demos) for inputs in asked]
    once = round(len(prompts) / len(spread) * len(items)) * config.ranking.most_passes
    longest = max(prompts)
    if strategy in _WITH_DEMOS:
        longest += _demo_tokens(ranker, spread, asked[0], config.seed)
    most = budget if config.budget.max_calls is None else min(budget, config.budget.max_calls)
    judges = config.ranking.backends or ("ranking",)
    roles = (*judges, "reflection") if strategy in _PROPOSING else judges
    mean = sum(prompts) / len(prompts)
    return {"once": _usage(config, judges, once, mean), "all": _usage(config, roles, most, longest)}


def _demo_tokens(ranker: Any, items: Sequence[LabelledItem], inputs: dict[str, Any], seed: int) -> int:
    """Return the tokens of as many examples as a prompt may hold, each with an assumed reasoning."""
    rank = ranker.rank
    made = [
        ranker.examples(item.message, item.candidates, item.trait, item.consensus(), seed=seed)[0]
        for item in items[: SIZES[-1]]
    ]
    lengths = accumulate(sum(len(str(value)) for value in demo.values()) for demo in made)
    number = max(1, sum(1 for _ in takewhile(lambda length: length <= MOST_CHARACTERS, lengths)))
    plain = prompt_tokens(rank.signature, inputs, rank.demos)
    return prompt_tokens(rank.signature, inputs, made[:number]) - plain + number * RANKING_TOKENS


def _usage(config: Config, roles: Sequence[str], calls: int, prompt: float) -> Usage:
    """Return what the calls take of the dearest of the models; the price of one of them unknown, it is unknown."""
    tokens = round(calls * prompt), calls * RANKING_TOKENS
    found = [usage_of(config.backend(role), calls, *tokens) for role in roles]
    costs = [usage.cost_usd for usage in found]
    return found[0].model_copy(
        update={"cost_usd": None if None in costs else max(cost or 0.0 for cost in costs)}
    )
