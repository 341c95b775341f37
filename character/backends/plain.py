"""Records as a model is to see them: texts and the fields of a trait; no level, seed, model or id."""

from __future__ import annotations

from typing import Any

from character.constitution import Constitution, Trait
from character.records import Candidate, Candidates, Message, Record


def plain(value: Any) -> Any:
    """Return what a prompt shows of a value: of records their texts, others as they are."""
    match value:
        case Message():
            return value.text if len(value.turns) == 1 else turns_of(value)
        case Candidates():
            return value.texts
        case Candidate():
            return value.text
        case Trait():
            return value.brief()
        case Constitution():
            return [trait.brief() for trait in value.traits]
        case list() | tuple() if any(isinstance(item, Record | Trait) for item in value):
            return [plain(item) for item in value]
    return value


def turns_of(message: Message) -> list[dict[str, str]]:
    """Return the turns of a message as a prompt shows them."""
    return [turn.model_dump() for turn in message.turns]
