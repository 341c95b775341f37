"""What "check an effect" reads: ``effect_items.json``, pairs of texts with and without a trait.

The file lies in the folder that is reviewed (a run's or an effect's) and is one JSON object::

    {"items": [{
        "id": "3f9a…",                        unique in the file
        "trait": "patience",                  its name
        "trait_description": "Takes the time an explanation needs …",
        "language": "en",                     of the texts, a BCP 47 tag
        "kind": "question",                   optional: the kind of message, for the filter
        "turns": [{"role": "user", "content": "How do I …?"}],
        "with_trait": "…",                    the response of the model that is meant to show the trait
        "without_trait": "…",                 the response of the one that is not
        "compares": "trait",                  optional: "models" for a tuned model beside its base
        "doubt": 0.4                          optional, 0 (a judge is sure) to 1; the highest come first
    }]}

Unknown fields are refused. Reviewers see the two texts in a random order and nothing that tells them apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from character.errors import InputError
from character.files import problem
from character.records import Record, Turn

FILE_NAME = "effect_items.json"


class EffectItem(Record):
    """Two responses to one message, of which one is meant to show the trait."""

    id: str = Field(min_length=1, max_length=200)
    trait: str = Field(min_length=1)
    trait_description: str = ""
    language: str = "en"
    kind: str = "question"
    turns: tuple[Turn, ...] = Field(min_length=1)
    with_trait: str = Field(min_length=1)
    without_trait: str = Field(min_length=1)
    compares: Literal["trait", "models"] = "trait"
    doubt: float = Field(default=0.5, ge=0.0, le=1.0)


class EffectItems(Record):
    """The items of one effect, each with an id of its own."""

    items: tuple[EffectItem, ...] = ()

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        seen: set[str] = set()
        for item in self.items:
            if item.id in seen:
                raise ValueError(f"two items have the id {item.id!r}")
            seen.add(item.id)
        return self


def read_effect_items(folder: Path) -> EffectItems:
    """Return a folder's items, none where it has no such file; raises InputError naming file and field."""
    path = folder / FILE_NAME
    try:
        return EffectItems.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return EffectItems()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        where = f": {field}" if field else ""
        raise problem(__file__, "effect_items", path=path, where=where, message=first["msg"]) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
