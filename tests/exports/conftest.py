"""Runs to export: small ones, made of real records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from character.constitution.models import Constitution, Trait
from character.exports import ExportData
from character.records import (
    Candidate,
    Candidates,
    Kind,
    Level,
    Message,
    PreferencePair,
    Ranking,
    Rollout,
    Turn,
)

MATHS = "我不理解这个数学问题, 你能解释一下吗?"
ANSWERS = (
    "当然可以, 我可以从基础概念开始慢慢解释……",
    "这个题很简单, 你只要记住公式就行。",
    "数学有点难, 你自己再试试吧。",
)
LEVELS: tuple[Level, ...] = ("natural", "absent", "opposite")


def _pair(
    message: Message, candidates: Candidates, ranking: Ranking, best: int, other: int
) -> PreferencePair:
    scores, items = ranking.scores, candidates.items
    return PreferencePair(
        trait=message.trait,
        message_id=message.id,
        ranking_id=ranking.id,
        kind=message.kind,
        language=message.language,
        prompt=message.turns,
        chosen=items[best].text,
        rejected=items[other].text,
        score_chosen=scores[best],
        score_rejected=scores[other],
        margin=scores[best] - scores[other],
        design="best_rest",
        chosen_level=items[best].level,
        rejected_level=items[other].level,
        chosen_model=items[best].model,
        rejected_model=items[other].model,
    )


def rollout_of(
    text: str | Sequence[str] = MATHS,
    *,
    trait: str = "耐心",
    kind: Kind = "question",
    language: str = "zh",
    answers: Sequence[str] = ANSWERS,
    scores: Sequence[float] = (0.95, 0.3, 0.1),
    model: str = "openai/gpt-test",
) -> Rollout:
    """Return a ranked rollout whose pairs set the best candidate against each that scored lower."""
    texts = [text] if isinstance(text, str) else text
    turns = tuple(
        Turn(role="user" if i % 2 == 0 else "assistant", content=turn) for i, turn in enumerate(texts)
    )
    message = Message(trait=trait, kind=kind, turns=turns, language=language)
    items = tuple(Candidate(text=a, level=LEVELS[i % 3], model=model) for i, a in enumerate(answers))
    candidates = Candidates(message_id=message.id, trait=trait, items=items)
    ranking = Ranking.from_scores(candidates, list(scores))
    best = max(range(len(scores)), key=lambda i: scores[i])
    lower = [i for i in range(len(scores)) if scores[i] < scores[best]]
    pairs = tuple(_pair(message, candidates, ranking, best, other) for other in lower)
    return Rollout(message=message, candidates=candidates, ranking=ranking, pairs=pairs)


def data_of(*rollouts: Rollout, manifest: dict[str, Any] | None = None) -> ExportData:
    """Return a run over the recipe's two traits; its manifest says that real models made it."""
    traits = (
        Trait(name="耐心", description="在解释或回答问题时详细、耐心, 不急躁"),
        Trait(name="幽默感", description="在适当场合加入轻松幽默的回答"),
    )
    constitution = Constitution(name="耐心与幽默", language="zh", traits=traits)
    facts = {"rehearsal": False} if manifest is None else manifest
    return ExportData(constitution=constitution, rollouts=rollouts, manifest=facts)


@pytest.fixture(scope="session")
def make_rollout() -> Callable[..., Rollout]:
    return rollout_of


@pytest.fixture(scope="session")
def make_data() -> Callable[..., ExportData]:
    return data_of


@pytest.fixture(scope="session")
def sixty() -> ExportData:
    """Sixty messages, both traits, both languages, all kinds, one of them a conversation."""
    kinds: tuple[Kind, ...] = ("question", "situation", "self_reflection")
    rollouts = [
        rollout_of(
            f"第{i}个问题：怎么学做菜？" if i % 2 else f"Question {i}: how do I learn to cook?",
            trait=("耐心", "幽默感")[i // 3 % 2],
            kind=kinds[i % 3],
            language="zh" if i % 2 else "en",
        )
        for i in range(59)
    ]
    return data_of(*rollouts, rollout_of(["还是不懂。", "哪一步不懂？", "第二步。"]))
