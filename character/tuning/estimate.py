"""What tuning a ranker may take, before anything is sent: its labelled items judged by a meter, and the calls it may make."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import Any

from character.backends.measuring import (
    RANKING_TOKENS,
    Estimate,
    Meter,
    Tokens,
    UnsentLM,
    with_all_passes,
)
from character.config import Config
from character.ranking.ranker import Ranker
from character.ranking.saved import build_ranker
from character.records import Usage
from optimizers.labelled import LabelledItem, LabelledSet
from optimizers.strategies.few_shot import MOST_CHARACTERS, SIZES
from optimizers.validation.evaluation import usable
from optimizers.validation.held_out import plan_parts

MOST_MEASURED = 200
"""Items that are measured; of a larger set so many, evenly spread."""
_WITH_DEMOS = frozenset({"auto", "few_shot", "mipro", "simba"})
"""Strategies that try prompts with examples in them."""
_PROPOSING = frozenset({"auto", "copro", "mipro", "gepa", "simba"})
"""Strategies that ask the model for ``reflection`` too."""


def estimate_tuning(
    labelled: LabelledSet, config: Config, *, strategy: str, budget: int, metric: str = "pairwise_accuracy"
) -> Estimate:
    """Return what tuning to a labelled set will take: ``once``, judging every item as the ranker is, and ``all``, at most.

    Prompts are rendered and measured. In all it is ``budget`` calls (fewer where the configuration caps them), each
    with the longest prompt that may be tried (with examples, where the strategy tries any) and at the price of the
    dearest model asked; what a model proposes as an instruction, and how long replies are, is assumed. An unknown
    price is None. Raises OptimizerError for labels that cannot be tuned to.
    """
    items = usable(labelled, metric)
    plan_parts(labelled, items, config.seed)
    ranker = build_ranker(with_all_passes(config).ranking, {})
    spread = items[:: -(-len(items) // MOST_MEASURED)]
    judges = config.ranking.backends or ("ranking",)
    judge = UnsentLM(judges[0], config.backend(judges[0]))
    taken = [_judged(ranker, item, judge, config.seed) for item in spread]
    share = len(items) / len(spread)
    sums = (sum(column) for column in zip(*taken, strict=True))
    once = Tokens(*(round(share * number) for number in sums))
    longest = max(range(len(spread)), key=lambda place: taken[place].longest)
    prompt = taken[longest].longest
    if strategy in _WITH_DEMOS:
        ranker.rank.demos = _demos(ranker, spread, config.seed)
        with_demos = _judged(ranker, spread[longest], judge, config.seed).longest
        prompt = max(prompt, with_demos + len(ranker.rank.demos) * RANKING_TOKENS)
    most = budget if config.budget.max_calls is None else min(budget, config.budget.max_calls)
    roles = (*judges, "reflection") if strategy in _PROPOSING else judges
    return Estimate(
        {
            "once": _at_the_dearest(config, judges, once),
            "all": _at_the_dearest(config, roles, Tokens().plus(most, prompt, RANKING_TOKENS)),
        }
    )


def _judged(ranker: Ranker, item: LabelledItem, judge: UnsentLM, seed: int) -> Tokens:
    """Return what it takes to judge an item in all the passes that may be needed."""
    meter = Meter(judge)
    meter.drive(ranker.steps(item.message, item.candidates, item.trait, seed=seed))
    (tokens,) = meter.tokens.values()
    return tokens


def _demos(ranker: Ranker, items: Sequence[LabelledItem], seed: int) -> list[Any]:
    """Return as many examples as a prompt may hold; the reasoning that each may have is not in them."""
    made = [
        ranker.examples(item.message, item.candidates, item.trait, item.consensus(), seed=seed)[0]
        for item in items[: SIZES[-1]]
    ]
    lengths = accumulate(sum(len(str(value)) for value in demo.values()) for demo in made)
    number = sum(1 for _ in takewhile(lambda length: length <= MOST_CHARACTERS, lengths))
    return made[: max(1, number)]


def _at_the_dearest(config: Config, roles: Sequence[str], tokens: Tokens) -> Usage:
    """Return what the calls take of the dearest of the models; the price of one of them unknown, it is unknown."""
    usages = [tokens.usage(config.backend(role)) for role in roles]
    costs = [usage.cost_usd for usage in usages if usage.cost_usd is not None]
    return usages[0].model_copy(update={"cost_usd": max(costs) if len(costs) == len(usages) else None})
