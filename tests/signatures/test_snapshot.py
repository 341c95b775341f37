"""The prompts are a file format: each is frozen here to the byte, so that a changed prompt is a visible diff.

To accept a change on purpose: ``python tests/signatures/test_snapshot.py`` writes the snapshot anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dspy
import pytest

from signatures.chat import WORDS, ReplyAsCharacter, ReplyInCharacter, ReplyPlainly, ReplyWithOneTrait
from signatures.choosing import ChooseTrait, TellTrait
from signatures.gauging import GaugeTrait
from signatures.judging import CompareCoherence, CompareResponses, PickResponse
from signatures.messages import KIND_DESCRIPTIONS, CheckMessages, GenerateMessages
from signatures.ranking import MarkResponse, MarkResponses, RankResponses
from signatures.responses import (
    EXPRESSIONS,
    RespondAsCharacter,
    RespondAtEachExpression,
    RespondInCharacter,
    RespondPlainly,
)

SNAPSHOT = Path(__file__).with_name("snapshot.json")
SIGNATURES: list[Any] = [
    GenerateMessages,
    CheckMessages,
    RespondInCharacter,
    RespondAtEachExpression,
    RespondPlainly,
    RespondAsCharacter,
    GaugeTrait,
    RankResponses,
    CompareResponses,
    CompareCoherence,
    ChooseTrait,
    TellTrait,
    ReplyInCharacter,
    ReplyAsCharacter,
    ReplyPlainly,
    ReplyWithOneTrait,
    MarkResponses,
    MarkResponse,
    PickResponse,
]


def frozen() -> dict[str, object]:
    """Return everything of the prompts that models and saved programs see."""
    prompts: dict[str, object] = {
        signature.__name__: {
            "fields": list(signature.fields),
            "system": dspy.ChatAdapter().format_system_message(signature).split("\n"),
        }
        for signature in SIGNATURES
    }
    words = {"EXPRESSIONS": EXPRESSIONS, "KIND_DESCRIPTIONS": KIND_DESCRIPTIONS, "WORDS": WORDS}
    return {**prompts, **words}


@pytest.mark.parametrize(
    "name", [*(signature.__name__ for signature in SIGNATURES), "EXPRESSIONS", "KIND_DESCRIPTIONS", "WORDS"]
)
def test_prompts_are_as_they_were(name: str) -> None:
    assert frozen()[name] == json.loads(SNAPSHOT.read_text(encoding="utf-8"))[name]


@pytest.mark.parametrize("signature", SIGNATURES)
def test_inputs_that_many_calls_share_come_first(signature: type[dspy.Signature]) -> None:
    shared_first = [
        "language",
        "assistant_name",
        "trait",
        "character",
        "focus_trait",
        "kind",
        "turns",
        "expression",
        "expressions",
    ]
    varying = ["existing_messages", "briefs", "messages", "traits", "conversation", "responses", "response"]
    ranks = [(shared_first + varying).index(name) for name in signature.input_fields]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("signature", [RankResponses, CompareResponses, CheckMessages, TellTrait])
def test_judges_reason_before_they_decide(signature: type[dspy.Signature]) -> None:
    assert next(iter(signature.output_fields)) == "reasoning"


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(frozen(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
