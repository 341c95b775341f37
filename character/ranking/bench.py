"""What a judge has said so far of the candidates of one message, and the ranking that it comes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from character.backends.call import Fault, Reply
from character.constitution import Trait
from character.ranking.combine import Combined, Method, combine
from character.ranking.score_model import Habits
from character.ranking.strategies import Strategy
from character.records import Candidates, Drop, Message, Ranking, RankingPass, Usage, order_by_score
from character.text import language_name, stable_seed
from optimizers.calibration.calibration import Calibration, text_length

BY_HABITS = "habits"
"""The method of a ranking by what a run knew of its judge: its passes alone do not tell it anew."""
Shown = tuple[str, tuple[int, ...]]
"""A juror's name (empty for the only one) and the candidates it is shown, in order."""


def read_scores(
    strategy: Strategy, outputs: Mapping[str, Any], shown: Sequence[int], number: int
) -> tuple[list[float | None] | None, str, str]:
    """Return (scores of ``number`` candidates, fault, detail); an unsuitable message has none of these."""
    if outputs.get("suitable", True) is False:
        return None, "", ""
    scores, fault, detail = strategy.read(outputs, len(shown))
    if scores is None:
        return None, fault, detail
    return list(_in_order(scores, shown, number)), "", ""


def _in_order(values: Sequence[float], shown: Sequence[int], number: int) -> tuple[float | None, ...]:
    """Return values in the order shown in the candidates' own order; none where there are none."""
    by_index = dict(zip(shown, values, strict=bool(values)))
    return tuple(by_index.get(i) for i in range(number)) if values else ()


@dataclass
class Bench:
    """What the judge said so far.

    ``asked`` lists every question in order, ``pending`` those without a usable reply, with the last one,
    ``tried`` how often each was asked, ``ways`` how last, ``skipped`` what was not asked as the answer is
    known, ``done`` the replies (None where the message was found unsuitable).
    """

    strategy: Strategy
    method: Method
    calibration: Calibration | None
    max_reasks: int
    message: Message
    candidates: Candidates
    trait: Trait
    seed: int
    asked: list[Shown] = field(default_factory=list)
    pending: dict[int, Reply | None] = field(default_factory=dict)
    tried: dict[int, int] = field(default_factory=dict)
    skipped: list[Shown] = field(default_factory=list)
    ways: dict[int, Strategy] = field(default_factory=dict)
    done: dict[int, RankingPass | None] = field(default_factory=dict)
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    saved: int = 0
    combined: Combined = field(init=False)
    habits: Habits | None = None
    best_only: bool = False

    def __post_init__(self) -> None:
        self.seed = stable_seed(self.seed, self.candidates.id)
        self.number = len(self.candidates.items)

    def inputs(self, shown: Sequence[int]) -> dict[str, Any]:
        """Return what the judge is given where these candidates are shown."""
        return {
            "language": language_name(self.message.language),
            "trait": self.trait.brief(),
            "conversation": [turn.model_dump() for turn in self.message.turns],
            "responses": [self.candidates.items[i].text for i in shown],
        }

    def ask(self, juror: str, shown: Sequence[tuple[int, ...]], *, once: bool = False) -> None:
        """Have a juror asked about these; with ``once`` not twice, of two in the other order instead."""
        for order in shown:
            known = [seen for who, seen in self.asked if who == juror] if once else []
            if order in known and len(order) == 2 and order[::-1] not in known:
                order = order[::-1]
            if order in known:
                self.skipped.append((juror, order))
                continue
            self.pending[len(self.asked)] = None
            self.asked.append((juror, order))

    def open(self) -> list[int]:
        """Return the questions that are to be asked, or asked again."""
        most = self.max_reasks
        again = (number for number in self.pending if self.tried.get(number, 0) <= most)
        return [number for number in again if not ((lost := self.pending[number]) and lost.is_final)]

    def ask_anew(self, number: int, reply: Reply) -> None:
        """Have a question asked as if for the first time, in another way, and count the reply as lost."""
        self.usage += reply.usage
        self.faults.append((number, reply.fault, reply.detail))
        self.pending[number], self.tried[number] = None, 0
        juror = self.asked[number][0]
        again = [order for who, order in self.skipped if who == juror]  # in words it may be told otherwise
        self.skipped = [each for each in self.skipped if each[0] != juror]
        self.ask(juror, again)

    def take(self, number: int, reply: Reply) -> None:
        """Read a reply: a pass, an unsuitable message, or a fault that is asked about again."""
        self.usage += reply.usage
        self.tried[number] = self.tried.get(number, 0) + 1
        juror, shown = self.asked[number]
        way = self.ways[number]
        scores, fault, detail = None, reply.fault, reply.detail
        if not fault:
            scores, fault, detail = read_scores(way, reply.outputs, shown, self.number)
        elif fault == "unreadable" and reply.kept.get("suitable") is False:
            self.faults.append((number, fault, detail))
            fault = ""  # the scores do not matter then, as the prompt says
            reply.became()
        if fault:
            self.pending[number] = reply.refused(Fault(fault, detail))
            self.faults.append((number, fault, detail))
            return
        del self.pending[number]
        self.faults += [(number, habit, "") for habit in reply.habits]
        self.done[number] = None
        if scores is not None:
            if self.calibration is not None:
                lengths = [text_length(item.text) for item in self.candidates.items]
                scores = self.calibration.apply(scores, shown, lengths)
            self.done[number] = RankingPass(
                shown=shown,
                scores=tuple(scores),
                spreads=_in_order(way.spreads(reply.outputs), shown, self.number),
                reason=reply.text("reasoning"),
                seed=reply.seed,
                model=reply.model,
                juror=juror,
            )

    def passes(self) -> tuple[RankingPass, ...]:
        """Return the passes, in the order in which they were asked for."""
        return tuple(done for i in sorted(self.done) if (done := self.done[i]) is not None)

    def points(self) -> list[float]:
        """Return each candidate's points so far, which match a Swiss tournament."""
        sums = [0.0] * self.number
        for done in self.passes():
            for index in done.shown:
                sums[index] += done.scores[index] or 0.0
        return sums

    def is_unsuitable(self) -> bool:
        """Whether every reply found it unsuitable, or nobody judged some candidate."""
        judged = {index for done in self.passes() for index in done.shown}
        return len(judged) < self.number

    def combine(self) -> None:
        self.combined = combine(
            self.passes(), self.number, method=self.method, habits=self.habits, best_only=self.best_only
        )

    def ranking(self) -> Ranking:
        passes = self.passes()
        facts: dict[str, Any] = {
            "message_id": self.message.id,
            "candidates_id": self.candidates.id,
            "trait": self.trait.name,
            "strategy": self.strategy.name,
            "passes": passes,
            "drops": tuple(self._drops()),
            "usage": self.usage,
        }
        if last := next(filter(None, self.pending.values()), None):
            return Ranking(status="unranked", reason=last.detail or last.fault, **facts)
        if self.is_unsuitable():
            return Ranking(status="unsuitable", reason="no reply to this message can show the trait", **facts)
        return Ranking(
            scores=self.combined.scores,
            order=order_by_score(self.combined.scores),
            probabilities=self.combined.probabilities,
            consistency=self.combined.consistency,
            method=self.method if self.habits is None else BY_HABITS,
            saved_calls=self.saved,
            reason=passes[0].reason,
            **facts,
        )

    def _drops(self) -> Iterator[Drop]:
        facts: dict[str, Any] = {"stage": "ranking", "message_id": self.message.id}
        for number, fault, detail in self.faults:
            yield Drop(reason=fault, detail=detail, recovered=number in self.done, **facts)
        for done in self.done.values():
            if done is None and not self.is_unsuitable():
                yield Drop(reason="called_unsuitable", recovered=True, **facts)
