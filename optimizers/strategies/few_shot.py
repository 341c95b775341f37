"""Few-shot demos: the raters' scores shown as examples, with the judge's own reasoning where it agreed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from random import Random
from statistics import fmean, stdev

from optimizers.artifact.checks import check_demo
from optimizers.artifact.text import without_faults
from optimizers.labelled import LabelledItem
from optimizers.strategies.judge_cache import CachedJudge, TuningTask
from optimizers.strategies.tuning import Demo, Tuning

SIZES = (4, 8, 12, 16)
"""How many demos a set may hold."""
GOOD = 0.8
"""A judgement at least so good (see ``metrics.goodness``) lends its reasoning to the demo of its item."""
MOST_CHARACTERS = 48_000
"""The most text that a set of demos may hold, about 12,000 English tokens: every judgement pays for it."""
LONG = MOST_CHARACTERS // SIZES[2]
"""A demo with more text can also be shown with excerpts of its responses, so that a set holds twelve."""
LEAST_EXCERPT = 300
MOST_DEV = 24
MOST_SETS = 12


def few_shot(task: TuningTask, items: Sequence[LabelledItem], budget: int) -> Tuning:
    """Return the start with the best of several random sets of demos, or itself where none is better.

    Each set is tried on items that are not in it (at most ``MOST_DEV``), against the start on the same items.
    The best is the one whose mean gain less half its standard error is highest: many sets on few items must
    not make a winner of luck. Where responses are long, sets of excerpts compete with fewer demos in full.
    Where the calls pay for no such trial, it is one set, unsearched.
    """
    judge, start = task.judge, task.start
    rng = Random(judge.options.seed)
    with judge.ledger.allowance(budget):
        if _affordable(judge, start, items) < 1:
            return start.with_demos(_unsearched(judge, items, rng))
        before = judge.goodness(start, items)
        best, best_bound = start, 0.0
        for demos in _sets(judge, start, items, _affordable(judge, start, items), rng):
            rest = [item for item in items if item.id not in demos and before[item.id] is not None]
            dev = sorted(rng.sample(rest, min(MOST_DEV, len(rest))), key=lambda item: item.id)
            tried = start.with_demos(list(demos.values()))
            after = judge.goodness(tried, dev)
            gains = [good - (before[each] or 0.0) for each, good in after.items() if good is not None]
            bound = lower_bound(gains) if len(gains) == len(dev) else -math.inf
            if bound > best_bound:
                best, best_bound = tried, bound
    return best


def lower_bound(gains: Sequence[float]) -> float:
    """Return the mean gain less half its standard error; minus infinity for fewer than three gains."""
    if len(gains) < 3:
        return -math.inf
    return fmean(gains) - 0.5 * stdev(gains) / math.sqrt(len(gains))


def _demos(judge: CachedJudge, items: Sequence[LabelledItem], start: Tuning | None = None) -> dict[str, Demo]:
    """Return one demo per item whose labels say what the outputs should be, by item id.

    Where a start judged the item well, its reasoning stands in the demo too; the scores are the raters'. One
    at fault is left out: it could not be saved.
    """
    signature, demos = judge.ranker.rank.signature, dict[str, Demo]()
    made = judge.judgements(start, items) if start else [[] for _ in items]
    for item, judgements in zip(items, made, strict=True):
        right = dict(judge.answered(item)[0].items())
        if not any(name in right for name in signature.output_fields):
            continue
        reasoning = judgements[0].outputs.get("reasoning") if judgements else None
        if start and reasoning and (judge.grade(item, start, judgements) or 0.0) >= GOOD:
            right["reasoning"] = without_faults(str(reasoning))
        demo = {name: right[name] for name in signature.fields if name in right}
        if not check_demo(demo, judge.ranker):
            demos[item.id] = demo
    return demos


def _affordable(judge: CachedJudge, start: Tuning, items: Sequence[LabelledItem]) -> int:
    """Return how many sets the calls left pay for; each is tried on items not in it, the start on all."""
    calls = judge.calls_per_item(items)
    baseline = judge.calls_missing(start, items)
    per_set = calls * min(MOST_DEV, max(1, len(items) - SIZES[0]))
    return min(MOST_SETS, int((judge.ledger.left - baseline) / per_set))


def _unsearched(judge: CachedJudge, items: Sequence[LabelledItem], rng: Random) -> list[Demo]:
    """Return demos of as many items as a set may hold, the traits taking turns, without any reasoning."""
    demos = {each: excerpted(demo) for each, demo in _demos(judge, items).items()}
    usable = [item for item in items if item.id in demos]
    return [demos[each] for each in _spread(usable, min(SIZES[-1], _most(demos.values())), rng)]


def _most(demos: Iterable[Demo]) -> int:
    """Return how many demos of the usual length a set may hold, at least one."""
    lengths = [len(json.dumps(demo, ensure_ascii=False)) for demo in demos]
    return max(1, int(MOST_CHARACTERS * len(lengths) / sum(lengths))) if lengths else 1


def _sets(
    judge: CachedJudge, start: Tuning, items: Sequence[LabelledItem], number: int, rng: Random
) -> list[dict[str, Demo]]:
    """Return the sets of demos to try, each by the ids of the items it shows."""
    demos = _demos(judge, items, start) if number else {}
    short = {each: excerpted(demo) for each, demo in demos.items()}
    forms = [short] if short == demos else [short, demos]
    usable = [item for item in items if item.id in demos]
    sets: dict[tuple[int, frozenset[str]], dict[str, Demo]] = {}
    for turn in range(number if usable else 0):
        place = turn % len(forms)
        sizes = _sizes(len(usable), forms[place].values())
        ids = _spread(usable, sizes[-1 - turn // len(forms) % len(sizes)], rng)
        sets.setdefault((place, frozenset(ids)), {each: forms[place][each] for each in ids})
    return list(sets.values())


def _sizes(number: int, demos: Iterable[Demo]) -> list[int]:
    """Return the sizes of sets to try of ``number`` demos: at most two thirds, and what a prompt may hold."""
    most = min(number * 2 // 3, _most(demos))
    return [size for size in SIZES if size <= most] or [max(1, min(most, number // 2))]


def excerpted(demo: Demo) -> Demo:
    """Return a demo of more than ``LONG`` characters with excerpts of its responses; a shorter one as it is.

    An excerpt is the first two thirds and the last third of what there is room for, with an ellipsis where
    text is left out; no less than ``LEAST_EXCERPT`` characters, so that a response can still be told from the
    others.
    """
    over = len(json.dumps(demo, ensure_ascii=False)) - LONG
    if over <= 0:
        return demo
    texts = [str(text) for text in demo["responses"]]
    room = max(LEAST_EXCERPT, (sum(map(len, texts)) - over) // len(texts))
    return {**demo, "responses": [_excerpt(text, room) for text in texts]}


def _excerpt(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    return f"{text[: room * 2 // 3].rstrip()} … {text[-(room // 3) :].lstrip()}"


def _spread(items: Sequence[LabelledItem], size: int, rng: Random) -> list[str]:
    """Return the ids of a random set of items in which the traits take turns."""
    by_trait: dict[str, list[str]] = {}
    for item in rng.sample(list(items), len(items)):
        by_trait.setdefault(str(item.trait["name"]), []).append(item.id)
    queues = [by_trait[trait] for trait in sorted(by_trait)]
    rng.shuffle(queues)
    drawn: list[str] = []
    while len(drawn) < size and any(queues):
        drawn += [queue.pop() for queue in queues if queue]
    return drawn[:size]
