"""The third step: candidates in, a ranking out of how well each fits the trait."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import dspy

from character.constitution import Trait
from character.modules.calls import Call, Reply
from character.modules.inputs import as_candidate_set, as_message, as_trait
from character.modules.steps import Steps, adrive, drive, usage_is_on_the_record
from character.records import Candidates, Drop, Message, Ranking, RankingPass, Usage, order_by_score
from character.text import language_name, stable_seed
from signatures.ranking import RankResponses


def presentation_orders(num_candidates: int, num_passes: int, seed: int) -> list[tuple[int, ...]]:
    """Return one order of the candidates per pass: shuffled, and every second one the reverse of the one before.

    So over each two passes a candidate that was shown first is also shown last.
    """
    rng = random.Random(seed)
    orders: list[tuple[int, ...]] = []
    while len(orders) < num_passes:
        order = rng.sample(range(num_candidates), num_candidates)
        orders += [tuple(order), tuple(reversed(order))]
    return orders[:num_passes]


class Ranker(dspy.Module):
    """Scores all candidates of a message at once, in several passes that each show them in another order.

    A candidate's score is its mean over the passes. A reply with the wrong number of scores, or with one
    that is no finite number in 0..1, is asked for again with the fault shown, at most ``max_reasks`` times
    per pass; then the whole ranking is unranked, because passes that are missing would leave the orders
    unbalanced. Where at least half of the passes find that no reply to the message can show the trait, the
    ranking is unsuitable.
    """

    def __init__(self, passes: int = 2, *, max_reasks: int = 2) -> None:
        super().__init__()
        if passes < 1:
            raise ValueError(f"expected at least 1 pass, got {passes}")
        self.rank = dspy.Predict(RankResponses)
        self.passes, self.max_reasks = passes, max_reasks

    _set_lm_usage = usage_is_on_the_record

    def forward(
        self,
        message: Message | str,
        candidates: Candidates | Sequence[str],
        trait: Trait | str,
        *,
        seed: int = 0,
    ) -> Ranking:
        """Return the ranking; the same seed shows the candidates in the same orders."""
        trait = as_trait(trait)
        message = as_message(message, trait)
        return drive(self._steps(message, as_candidate_set(candidates, message), trait, seed))

    async def aforward(
        self,
        message: Message | str,
        candidates: Candidates | Sequence[str],
        trait: Trait | str,
        *,
        seed: int = 0,
    ) -> Ranking:
        """Do as ``forward`` does, on the event loop."""
        trait = as_trait(trait)
        message = as_message(message, trait)
        return await adrive(self._steps(message, as_candidate_set(candidates, message), trait, seed))

    def _steps(self, message: Message, candidates: Candidates, trait: Trait, seed: int) -> Steps[Ranking]:
        seed = stable_seed(seed, candidates.id)
        orders = presentation_orders(len(candidates.items), self.passes, seed)
        state = _State(orders, dict.fromkeys(range(len(orders)), ""))
        for attempt in range(1 + self.max_reasks):
            if not state.pending:
                break
            asked = list(state.pending)
            calls = [
                self._call(
                    message, candidates, trait, orders[i], stable_seed(seed, i, attempt), state.pending[i]
                )
                for i in asked
            ]
            for i, reply in zip(asked, (yield calls), strict=True):
                state.take(i, reply)
        return state.ranking(message, candidates, trait)

    def _call(
        self,
        message: Message,
        candidates: Candidates,
        trait: Trait,
        order: tuple[int, ...],
        seed: int,
        fault: str,
    ) -> Call:
        inputs: dict[str, Any] = {
            "language": language_name(message.language),
            "trait": trait.brief(),
            "conversation": [turn.model_dump() for turn in message.turns],
            "responses": [candidates.items[i].text for i in order],
        }
        return Call(self.rank, inputs, "ranking", trait.name, seed, fault)


@dataclass
class _State:
    """What the passes gave so far: ``done`` by pass (None where unsuitable), ``pending`` with the last fault."""

    orders: list[tuple[int, ...]]
    pending: dict[int, str]
    done: dict[int, RankingPass | None] = field(default_factory=dict)
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    def take(self, number: int, reply: Reply) -> None:
        self.usage += reply.usage
        shown = self.orders[number]
        if not reply.fault and reply.outputs["suitable"] is False:
            self.done[number] = None
            del self.pending[number]
            return
        reason, detail = reply.fault, reply.detail
        if not reason:
            reason, detail = check_scores(reply.outputs["scores"], len(shown))
        if reason:
            self.pending[number] = detail or reason
            self.faults.append((number, reason, detail))
            return
        scores = [0.0] * len(shown)
        for position, index in enumerate(shown):
            scores[index] = float(reply.outputs["scores"][position])
        self.done[number] = RankingPass(
            shown=shown,
            scores=tuple(scores),
            reason=reply.text("reasoning"),
            seed=reply.seed,
            model=reply.model,
        )
        del self.pending[number]

    def ranking(self, message: Message, candidates: Candidates, trait: Trait) -> Ranking:
        known: dict[str, Any] = {
            "message_id": message.id,
            "candidates_id": candidates.id,
            "trait": trait.name,
            "passes": tuple(self.done[i] for i in sorted(self.done) if self.done[i] is not None),
            "drops": self._drops(message.id),
            "usage": self.usage,
        }
        if self.pending:
            fault = next(iter(self.pending.values()))
            return Ranking(status="unranked", reason=fault, **known)
        if 2 * sum(done is None for done in self.done.values()) >= len(self.orders):
            return Ranking(status="unsuitable", reason="no reply to this message can show the trait", **known)
        passes = [done for done in self.done.values() if done is not None]
        columns = zip(*(done.scores for done in passes), strict=True)
        means = tuple(round(math.fsum(column) / len(passes), 6) for column in columns)
        return Ranking(scores=means, order=order_by_score(means), reason=passes[0].reason, **known)

    def _drops(self, message_id: str) -> tuple[Drop, ...]:
        return tuple(
            Drop(
                stage="ranking",
                reason=reason,
                detail=detail,
                message_id=message_id,
                recovered=number in self.done,
            )
            for number, reason, detail in self.faults
        )


def check_scores(scores: list[float], num_candidates: int) -> tuple[str, str]:
    """Return (reason, what to tell the model) for scores that break the contract, ("", "") for good ones."""
    if len(scores) != num_candidates:
        return "wrong_count", f"expected {num_candidates} scores, one per response, got {len(scores)}"
    if not all(math.isfinite(score) for score in scores):
        return "not_finite", f"every score must be a finite number, got {scores}"
    if not all(0.0 <= score <= 1.0 for score in scores):
        return "out_of_range", f"every score must lie between 0.0 and 1.0, got {scores}"
    return "", ""
