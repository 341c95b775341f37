"""What tuning a ranker may take, before anything is sent: its items judged by a meter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import Any

from character.backends.drivers import ModuleCall, Steps
from character.backends.measuring import (
    RANKING_TOKENS,
    Estimate,
    Meter,
    UnsentLM,
    prompt_tokens,
    usage_of,
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


def estimate_tuning(labelled: LabelledSet, config: Config) -> Estimate:
    """Return what tuning to a labelled set will take: ``once``, judging every item, and ``all``, at most.

    Prompts are rendered and measured. ``once`` is with the ranker as it is. In all it is the ``budget`` of
    ``[optimize]`` in calls (fewer where the configuration caps them), each with the longest prompt that may
    be tried (with examples, where the strategy tries any) and at the price of the dearest model asked; what a
    model proposes as an instruction, and how long replies are, is assumed. An unknown price is None. Raises
    OptimizerError for labels that cannot be tuned to.
    """
    wanted = config.optimize
    items = usable(labelled, wanted.metric)
    plan_parts(labelled, items, config.seed)
    spread = items[:: -(-len(items) // MOST_MEASURED)]
    all_passes = with_all_passes(config, [len(item.candidates) for item in spread])
    ranker, meter = build_ranker(all_passes.ranking, {}), Meter()
    judges = config.ranking.backends or ("ranking",)
    meter.drive(_judging(ranker, spread, UnsentLM(judges[0], config.backend(judges[0])), config.seed))
    (judged,) = meter.usages.values()
    taken = (judged.calls, judged.prompt_tokens, judged.completion_tokens)
    once = [round(number * len(items) / len(spread)) for number in taken]
    longest = meter.longest
    if wanted.strategy in _WITH_DEMOS:
        demos, signature = _demos(ranker, spread, config.seed), ranker.rank.signature
        more = prompt_tokens(signature, {}, demos) - prompt_tokens(signature, {}, ranker.rank.demos)
        longest += more + len(demos) * RANKING_TOKENS
    budget, cap = wanted.budget or 0, config.budget.max_calls
    most = budget if cap is None else min(budget, cap)
    at_most = [most, most * longest, most * RANKING_TOKENS]
    roles = (*judges, "reflection") if wanted.strategy in _PROPOSING else judges
    return Estimate(
        {"once": _at_the_dearest(config, judges, once), "all": _at_the_dearest(config, roles, at_most)}
    )


def _judging(ranker: Ranker, items: Sequence[LabelledItem], judge: UnsentLM, seed: int) -> Steps[None]:
    """Have items judged in all the passes that may be needed."""
    for item in items:
        arguments = {"message": item.message, "candidates": item.candidates, "trait": item.trait}
        yield [ModuleCall(ranker, {**arguments, "seed": seed}, judge)]


def _demos(ranker: Ranker, items: Sequence[LabelledItem], seed: int) -> list[Any]:
    """Return as many examples as a prompt may hold; the reasoning that each may have is not in them."""
    made = [
        ranker.examples(item.message, item.candidates, item.trait, item.consensus(), seed=seed)[0]
        for item in items[: SIZES[-1]]
    ]
    lengths = accumulate(sum(len(str(value)) for value in demo.values()) for demo in made)
    number = sum(1 for _ in takewhile(lambda length: length <= MOST_CHARACTERS, lengths))
    return made[: max(1, number)]


def _at_the_dearest(config: Config, roles: Sequence[str], taken: Sequence[int]) -> Usage:
    """Return what they take of the dearest of the models; the price of one unknown, it is unknown."""
    calls, prompt, completion = taken
    usages = [usage_of(config.backend(role), calls, prompt, completion) for role in roles]
    costs = [usage.cost_usd for usage in usages if usage.cost_usd is not None]
    return usages[0].model_copy(update={"cost_usd": max(costs) if len(costs) == len(usages) else None})
