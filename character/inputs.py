"""What a step may be given: our records, or the plain values a person would write, made into records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from character.constitution import Constitution, Trait, load_constitution
from character.errors import InputError, UnknownNameError
from character.records import KINDS, RECIPE_KINDS, Candidate, Candidates, Kind, Message, Turn
from character.text import detect_language


def as_trait(given: Trait | Mapping[str, Any] | str, constitution: Constitution | None = None) -> Trait:
    """Return a trait given as a record, as its fields, or as text: a name of the constitution's, or ``name: description``."""
    if isinstance(given, Trait):
        return given
    if isinstance(given, Mapping):
        return Trait.model_validate(dict(given))
    if isinstance(given, str) and given.strip():
        return constitution.trait(given) if constitution else Trait.of(given)
    raise _wrong(
        "a trait", given, "a Trait, its fields, or a text such as 'patience: takes the time it needs'"
    )


def as_constitution(given: Constitution | Path | str) -> Constitution:
    """Return a constitution given as a record or as the path of a file."""
    if isinstance(given, Constitution):
        return given
    if isinstance(given, str | Path):
        return load_constitution(given)
    raise _wrong("a constitution", given, "a Constitution, or the path of a file")


def as_message(given: Message | Sequence[Mapping[str, str]] | str, trait: Trait | None) -> Message:
    """Return a message given as a record, as a text of the user's, or as turns with ``role`` and ``content``."""
    name = trait.name if trait else ""
    if isinstance(given, Message):
        return given
    if isinstance(given, Sequence) and not isinstance(given, str) and given:
        turns = tuple(Turn.model_validate(dict(turn)) for turn in given)
        language = detect_language(turns[-1].content)
        return Message(trait=name, turns=turns, language=language)
    if isinstance(given, str) and given.strip():
        return Message.of(given, trait=name, language=detect_language(given))
    raise _wrong("a message", given, "a Message, a text, or turns with role and content")


def as_kind(given: str) -> Kind:
    """Return a kind given by our name or by the recipe's."""
    kinds: dict[str, Kind] = {**{kind: kind for kind in KINDS}, **RECIPE_KINDS}
    if not isinstance(given, str) or given not in kinds:
        raise UnknownNameError("kind of message", str(given), kinds)
    return kinds[given]


def as_candidate_set(given: Candidates | Sequence[str], message: Message) -> Candidates:
    """Return candidates given as a record or as texts."""
    if isinstance(given, Candidates):
        return given
    if (
        isinstance(given, Sequence)
        and not isinstance(given, str)
        and all(isinstance(item, str) for item in given)
    ):
        items = tuple(Candidate(text=item) for item in given)
        return Candidates(message_id=message.id, trait=message.trait, items=items)
    raise _wrong("candidates", given, "Candidates or a list of texts")


def _wrong(what: str, found: object, expected: str) -> InputError:
    return InputError(f"{what} was expected, found a {type(found).__name__}.", expected=expected)
