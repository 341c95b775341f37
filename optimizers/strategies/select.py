"""Selection: the best of several wordings of the instruction, chosen with few calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from character.files import toml_beside
from optimizers.labelled import LabelledItem
from optimizers.strategies.judge_cache import CachedJudge, TuningTask, as_paid_for
from optimizers.strategies.racing import select
from optimizers.strategies.tuning import Tuning

ADVICE: dict[str, str] = toml_beside(__file__, "advice")
"""Advice to a judge that wordings of our own add to the instruction, alone and together."""


def own_wordings(instructions: str) -> list[str]:
    """Return the instruction as it is, and with advice added: each piece alone, the first three, and all."""
    pieces = list(ADVICE.values())
    return [
        instructions,
        *(_with(instructions, [piece]) for piece in pieces),
        _with(instructions, pieces[:3]),
        _with(instructions, pieces),
    ]


def _with(instructions: str, pieces: Sequence[str]) -> str:
    return "\n".join([instructions, *(f"- {piece}" for piece in pieces)])


def select_wording(task: TuningTask, items: Sequence[LabelledItem], budget: int) -> Tuning:
    """Return the start with the wording (or temperature) that ``racing.select`` finds best.

    In the race are wordings of our own, those given to the judge, and the start at each temperature given.
    Every item is judged in two orders where a third of all such calls suffices. Of equals the start wins,
    then the shorter.
    """
    judge, start = task.judge, task.start
    wordings = [*own_wordings(start.instructions), *judge.options.wordings]
    runners = [replace(start, instructions=text) for text in dict.fromkeys(wordings)]
    runners += [replace(start, temperature=value) for value in judge.options.temperatures]
    per_item = judge.calls_per_item(items)
    passes = 2 if 3 * budget >= 2 * per_item * len(runners) * len(items) else 1
    with judge.ledger.allowance(budget):
        most = int(judge.ledger.left / (per_item * passes))
        if most < len(runners):
            return start
        selection = select(
            runners,
            partial(_verdict, judge, passes),
            items,
            most,
            costs=[len(each.instructions) for each in runners],
            seed=judge.options.seed,
            run=partial(
                as_paid_for,
                num_threads=judge.options.num_threads,
                ledger=judge.ledger,
                most_calls=max(len(judge.examples(item, passes)) for item in items),
            ),
        )
    judge.ledger.check()
    return runners[selection.best]


def _verdict(judge: CachedJudge, passes: int, tuning: Tuning, item: LabelledItem) -> list[float] | None:
    """Return how good the judgement of each order is; None where the calls ran out."""
    (made,) = judge.judgements(tuning, [item], passes=passes)
    size = len(made) // passes
    rounds = [made[i * size : (i + 1) * size] for i in range(passes)]
    grades = [judge.grade(item, tuning, each) for each in rounds]
    judged = [grade for grade in grades if grade is not None]
    return judged if len(judged) == passes else None
