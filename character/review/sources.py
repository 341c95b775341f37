"""What is under review: a run with its constitution, the items of an effect, or both in one folder.

What "check an effect" reads are pairs of texts with and without a trait, in ``effect_items.json``.
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

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from character.constitution import Constitution
from character.errors import InputError, StoreError
from character.files import problem
from character.records import Record, Rollout, Turn
from character.runs.session import reading, stored_constitution
from character.store.places import FILE_NAME as RUN_FILE
from character.store.places import POINTER

if TYPE_CHECKING:
    from character.evaluation.records import EffectReport
    from character.store.run_store import RunStore

FILE_NAME, _REPORT = "effect_items.json", "effect.json"


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


class Subject(NamedTuple):
    """A folder opened for review.

    ``run`` and ``constitution`` are None for effect items alone, ``report`` where no effect was measured.
    """

    folder: Path
    run: RunStore | None
    constitution: Constitution | None
    effects: EffectItems
    report: EffectReport | None = None

    def rollout(self, message_id: str) -> Rollout | None:
        """Return the rollout of a message, None where the run has none."""
        return next(self.run.rollouts(message_id), None) if self.run else None

    def trait(self, name: str) -> dict[str, Any]:
        """Return a trait as it is shown and exported: its fields; its name alone where there are none."""
        traits = self.constitution.traits if self.constitution else ()
        return next(
            (trait.brief() for trait in traits if trait.name == name), {"name": name, "description": ""}
        )

    def trait_names(self) -> list[str]:
        """Return the names of all traits, those of the constitution first, in its order."""
        names = [trait.name for trait in self.constitution.traits] if self.constitution else []
        return list(dict.fromkeys([*names, *sorted({item.trait for item in self.effects.items})]))

    @property
    def language(self) -> str:
        """The language of the constitution, else that of most effect items; English without either."""
        if self.constitution:
            return self.constitution.language
        languages = [item.language for item in self.effects.items]
        return max(languages, key=languages.count, default="en")

    def close(self) -> None:
        """Close the run."""
        if self.run:
            self.run.close()


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


def open_subject(folder: Path) -> Subject:
    """Return what a folder holds.

    Raises StoreError for neither a run nor a finished effect, InputError for items that cannot be read.
    """
    effects = read_effect_items(folder)
    if not any((folder / name).is_file() for name in (RUN_FILE, POINTER)):
        if not effects.items:
            files = {"run_file": RUN_FILE, "file_name": FILE_NAME}
            raise problem(__file__, "nothing_here", StoreError, folder=folder, **files)
        return Subject(folder, None, None, effects)
    has_report = (folder / _REPORT).is_file()
    with ExitStack() as opened:
        run = opened.enter_context(reading(folder))
        if run.meta("effect") is not None and not has_report:
            raise problem(__file__, "unfinished", StoreError, folder=folder, report=_REPORT)
        subject = Subject(folder, run, stored_constitution(run), effects)
        if has_report:
            from character.evaluation.reading import read_report  # dspy, which a run's review does without

            subject = subject._replace(report=read_report(folder))
        opened.pop_all()
    return subject
