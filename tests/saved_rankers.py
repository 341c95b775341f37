"""A saved ranker as tuning would leave it, for tests."""

from __future__ import annotations

from typing import Any

import dspy

from character import Ranker
from optimizers.artifact.artifact import RankerArtifact, artifact_of
from optimizers.artifact.records import LabelledFacts, MetricFigure, MetricRow

TRAIT = {"name": "patience", "description": "Takes the time an explanation needs."}
CANDIDATES = ("Hurry up, it is easy.", "Let us go through it step by step.", "No.", "Slowly, slowly, slowly.")
LABELS = (0.1, 0.9, 0.2, 0.4)
CREATED_AT = "2026-01-31T12:00:00Z"
ADVICE = "\n- Quote the words that show the trait before you give a number."


def tuned_ranker(**settings: Any) -> Ranker:
    """Return a ranker with other instructions and one example, as an optimizer leaves it."""
    ranker = Ranker(**{"max_passes": settings.get("passes", 2), **settings})
    examples = ranker.examples("How do I add fractions?", CANDIDATES, TRAIT, LABELS)
    ranker.rank.demos = [
        dspy.Example(**{**example, "augmented": True, "item_id": "a"}) for example in examples[:1]
    ]
    ranker.rank.signature = ranker.rank.signature.with_instructions(
        ranker.rank.signature.instructions + ADVICE
    )
    return ranker


def artifact(ranker: Ranker | None = None, **changed: Any) -> RankerArtifact:
    """Return the saved form of a tuned ranker."""
    facts: dict[str, Any] = {
        "strategy": "few_shot",
        "model": "openai/fake-model",
        "labelled": LabelledFacts(name="patience", fingerprint="ab" * 8, num_items=24),
        "adopted": True,
        "reason": "the held-out gain is above zero",
        "metrics": (
            MetricRow(
                metric="pairwise_accuracy",
                before=MetricFigure(estimate=0.6, low=0.5, high=0.7),
                after=MetricFigure(estimate=0.8, low=0.7, high=0.9),
                gain=MetricFigure(estimate=0.2, low=0.1, high=0.3),
                num_items=10,
            ),
        ),
        "created_at": CREATED_AT,
        "character_version": "0.0",
    }
    return artifact_of(ranker or tuned_ranker(), **{**facts, **changed})
