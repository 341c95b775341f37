"""What a usable pair costs, in calls and tokens, by how candidates are ranked and paired.

    python benchmarks/economy.py [--quick] [--json]

Messages, candidates and judge are simulated with a known truth: how well a candidate fits depends on the level it was
asked for, with scatter; the judge has noise and likes the first places. Compared are our default (four levels, adaptive
passes), each of our designs, teacher against student (two calls a pair, nothing judged) and four candidates with one
judge call of which best and worst become a pair (distilabel's shape). Tokens are those of our rendered prompts with
replies of the lengths that `character run --dry-run` assumes.

Two tables: with the defaults (margin and probability), and at equal accuracy, where each way gets the lowest threshold
on its margin (probability, where it has one) at which a share of .95 of its pairs is the right way round.

Exits 1 where our default, at equal accuracy, needs more calls or more tokens per usable pair than one judge call with
best and worst.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from simulated_judge import Judge

from character.backends.adapter import CharacterAdapter
from character.backends.chat import ConversationAdapter
from character.backends.measuring import MESSAGE_TOKENS, RANKING_TOKENS, RESPONSE_TOKENS
from character.config import PAIR_DESIGNS, Config, PairDesign
from character.pairs.designs import build_pairs
from character.ranking.combine import Combined, combine
from character.ranking.orders import balanced_orders
from character.records import Candidate, Candidates, Level, Message, Ranking, RankingPass, order_by_score
from character.text import count_tokens
from signatures.chat import ReplyInCharacter
from signatures.ranking import RankResponses
from signatures.responses import EXPRESSIONS

FIT: dict[Level, tuple[float, float]] = {
    "natural": (0.75, 0.12),
    "subtle": (0.55, 0.13),
    "overdone": (0.38, 0.14),
    "absent": (0.28, 0.12),
    "opposite": (0.12, 0.1),
}
"""Mean and scatter of how well a candidate of each level truly fits, in 0..1."""
JUDGE = Judge(noise=0.12, slope=0.06, first=0.05)
TARGET = 0.95
DEFAULTS = Config()
FOUR: tuple[Level, ...] = ("natural", "absent", "overdone", "subtle")
MESSAGE = Message.of("How do I learn to juggle?", trait="patience")


@dataclass(frozen=True)
class Way:
    """One way to make pairs: the levels asked for, the passes, the design, and whether probabilities are used."""

    name: str
    levels: tuple[Level, ...] = FOUR
    passes: int = DEFAULTS.ranking.passes
    most: int = DEFAULTS.ranking.most_passes
    design: PairDesign = "best_rest"
    judged: bool = True
    uncertain: bool = True


@dataclass
class Made:
    """What a way made: calls, tokens, and per pair whether it is right, its margin and its probability."""

    calls: int = 0
    tokens: float = 0.0
    pairs: list[tuple[bool, float, float]] = field(default_factory=list)

    def usable(self, min_margin: float, min_probability: float) -> list[bool]:
        return [right for right, margin, p in self.pairs if margin >= min_margin and p >= min_probability]


def ways() -> list[Way]:
    """Return what is compared."""
    own = []
    for design in PAIR_DESIGNS:
        if design == "neutral":  # a control: its sides are not meant to differ
            continue
        levels = (*FOUR, "opposite") if design == "opposite" else FOUR
        own.append(Way(f"ours, {design}", levels=levels, design=design))  # type: ignore[arg-type]
    return [
        *own,
        Way("teacher against student", levels=("natural", "absent"), judged=False),
        Way("one judge call, best-worst", passes=1, most=1, design="best_worst", uncertain=False),
    ]


def make(way: Way, messages: int) -> Made:
    """Return what a way makes of some messages; every way meets the same messages."""
    made, cost = Made(), _tokens(len(way.levels))
    for number in range(messages):
        rng = np.random.default_rng([3, number])
        truth = np.array([np.clip(rng.normal(*FIT[level]), 0, 1) for level in way.levels])
        made.calls += len(way.levels)
        made.tokens += len(way.levels) * cost["response"]
        if not way.judged:
            made.pairs.append((bool(truth[0] > truth[1]), 1.0, 1.0))
            continue
        passes, combined = _judge(way, truth, number, rng)
        made.calls += len(passes)
        made.tokens += len(passes) * cost["judgement"]
        made.pairs += _pairs(way, truth, combined)
    return made


def _judge(
    way: Way, truth: np.ndarray, seed: int, rng: np.random.Generator
) -> tuple[list[RankingPass], Combined]:
    orders = balanced_orders(len(truth), seed)
    passes = [JUDGE.score(truth, order, rng) for order in islice(orders, way.passes)]
    combined = combine(passes, len(truth))
    while len(passes) < way.most and combined.gain >= DEFAULTS.ranking.min_gain:
        passes.append(JUDGE.score(truth, next(orders), rng))
        combined = combine(passes, len(truth))
    return passes, combined


def _pairs(way: Way, truth: np.ndarray, combined: Combined) -> list[tuple[bool, float, float]]:
    items = tuple(Candidate(text=f"reply {i}", level=level) for i, level in enumerate(way.levels))
    candidates = Candidates(message_id=MESSAGE.id, trait="patience", items=items)
    ranking = Ranking(
        message_id=MESSAGE.id,
        candidates_id=candidates.id,
        trait="patience",
        scores=combined.scores,
        order=order_by_score(combined.scores),
        probabilities=combined.probabilities,
    )
    pairs, _ = build_pairs(MESSAGE, candidates, ranking, design=way.design, min_margin=0.0)
    index = {item.text: i for i, item in enumerate(items)}
    return [
        (
            bool(truth[index[pair.chosen]] > truth[index[pair.rejected]]),
            pair.margin,
            (pair.probability or 0.5) if way.uncertain else 1.0,
        )
        for pair in pairs
    ]


def _tokens(num_candidates: int) -> dict[str, float]:
    """Return the tokens of one response and of one judgement, prompt and reply."""
    conversation = [{"role": "user", "content": "word " * MESSAGE_TOKENS}]
    trait: dict[str, Any] = {"name": "patience", "description": "Takes the time an explanation needs."}
    shared = {"language": "English (en)", "conversation": conversation}
    respond = {
        **shared,
        "assistant_name": "the assistant",
        "character": [trait],
        "focus_trait": "patience",
        "expression": EXPRESSIONS["natural"],
    }
    rank = {**shared, "trait": trait, "responses": ["word " * RESPONSE_TOKENS] * num_candidates}
    return {
        "response": _prompt(ConversationAdapter(), ReplyInCharacter, respond) + RESPONSE_TOKENS,
        "judgement": _prompt(CharacterAdapter(), RankResponses, rank) + RANKING_TOKENS,
    }


def _prompt(adapter: CharacterAdapter, signature: Any, inputs: dict[str, Any]) -> int:
    return sum(count_tokens(message["content"]) for message in adapter.format(signature, [], inputs))


def row(way: Way, made: Made, min_margin: float, min_probability: float) -> dict[str, Any]:
    """Return the price and accuracy of the pairs above the thresholds."""
    usable = made.usable(min_margin, min_probability)
    number = max(1, len(usable))
    return {
        "way": way.name,
        "usable": len(usable),
        "accuracy": float(np.mean(usable)) if usable else None,
        "calls_per_pair": made.calls / number,
        "tokens_per_pair": made.tokens / number,
    }


def at_equal_accuracy(way: Way, made: Made) -> dict[str, Any]:
    """Return the row at the lowest threshold that reaches the target accuracy; None where there is none."""
    for threshold in np.arange(0.0, 1.0, 0.01):
        limits = (0.0, threshold) if way.uncertain and way.judged else (threshold, 0.0)
        found = row(way, made, *limits)
        if found["accuracy"] is not None and found["accuracy"] >= TARGET:
            return {**found, "threshold": round(float(threshold), 2)}
    return {"way": way.name, "usable": 0, "accuracy": None, "calls_per_pair": None, "tokens_per_pair": None}


def main() -> int:
    """Run it and say what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    made = {way: make(way, 1000 if args.quick else 5000) for way in ways()}
    pairs = DEFAULTS.pairs
    plain = [
        row(way, each, pairs.min_margin, pairs.min_probability if way.uncertain else 0.0)
        for way, each in made.items()
    ]
    equal = [at_equal_accuracy(way, each) for way, each in made.items()]
    by_name = {found["way"]: found for found in equal}
    ours, theirs = by_name["ours, best_rest"], by_name["one judge call, best-worst"]
    met = ours["usable"] > 0 and (
        not theirs["usable"]
        or (
            ours["calls_per_pair"] <= theirs["calls_per_pair"]
            and ours["tokens_per_pair"] <= theirs["tokens_per_pair"]
        )
    )
    if args.json:
        print(json.dumps({"defaults": plain, "equal_accuracy": equal, "met": met}, indent=1))
        return 0 if met else 1
    _table(f"with the defaults (margin {pairs.min_margin}, probability {pairs.min_probability})", plain)
    _table(f"at an accuracy of {TARGET}", equal)
    print("met" if met else "NOT MET")
    return 0 if met else 1


def _table(title: str, rows: list[dict[str, Any]]) -> None:
    print(
        f"{title}\n  {'':<28}{'pairs':>8}{'accuracy':>10}{'calls a pair':>14}{'tokens a pair':>15}{'threshold':>11}"
    )
    for found in rows:
        if found["accuracy"] is None:
            print(f"  {found['way']:<28}   does not reach it")
            continue
        threshold = f"{found['threshold']:>11.2f}" if "threshold" in found else ""
        print(
            f"  {found['way']:<28}{found['usable']:>8}{found['accuracy']:>10.3f}{found['calls_per_pair']:>14.2f}"
            f"{found['tokens_per_pair']:>15.0f}{threshold}"
        )


if __name__ == "__main__":
    sys.exit(main())
