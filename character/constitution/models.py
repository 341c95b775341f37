"""The two nouns everything starts from: a trait, and a constitution of several traits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from character.records import Record
from character.text import fingerprint, split_named
from character.views import html

Target = Literal["subtle", "natural"]


Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Trait(Record):
    """A character trait: a nudge on behaviour, never a rule.

    ``statement`` is the trait in the first person; ``clarification`` says more where the description is
    short; ``not_`` (in files ``not``, which Python takes for no name) what the trait is *not*; ``opposite``
    its opposite pole; ``examples`` short examples of behaviour that shows it; ``questions`` messages that
    call for it.
    ``target`` is the expression that fits best: stronger than it is as wrong as weaker.
    """

    name: Line
    description: Line
    statement: str = ""
    clarification: str = ""
    not_: str = Field(default="", validation_alias="not", serialization_alias="not")
    opposite: str = ""
    examples: tuple[str, ...] = ()
    questions: tuple[Line, ...] = ()
    target: Target = "natural"

    @classmethod
    def of(cls, text: str) -> Trait:
        """Return the trait that a text says: ``patience: takes its time``, or a description alone."""
        name, description = split_named(text)
        return cls(name=name or text, description=description)

    def brief(self) -> dict[str, str | list[str]]:
        """Return the trait as prompts show it: JSON-native, without empty fields and its questions."""
        return {key: value for key, value in self.fields().items() if key != "questions"}

    def texts(self, *, questions: bool = True) -> tuple[str, ...]:
        """Return all that is written of the trait but its name, with its ``questions`` or without."""
        said = (self.description, self.statement, self.clarification, self.not_, self.opposite)
        return (*said, *self.examples, *(self.questions if questions else ()))

    def fields(self) -> dict[str, Any]:
        """Return the trait as files show it: JSON-native, without empty fields and the usual target."""
        data: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return {key: value for key, value in data.items() if value and (key, value) != ("target", "natural")}


class Constitution(Record):
    """The traits that make up one character.

    ``language`` is the language messages and responses are written in (a BCP 47 tag such as ``zh`` or
    ``en``), ``assistant_name`` what the model is called in prompts. Trait names are unique.
    """

    name: Line
    language: str = Field(default="en", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")
    assistant_name: str = "the assistant"
    traits: tuple[Trait, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        seen: set[str] = set()
        for trait in self.traits:
            if trait.name in seen:
                raise ValueError(f"two traits are named {trait.name!r}")
            seen.add(trait.name)
        return self

    @property
    def fingerprint(self) -> str:
        """The identity of the content (16 hex digits), independent of the file it came from."""
        return fingerprint(self.model_dump(mode="json", by_alias=True))

    def only(self, names: Iterable[str]) -> Constitution:
        """Return the constitution with these traits alone, in its own order; raises UnknownNameError."""
        wanted = {self.trait(name).name for name in names}
        return self.model_copy(
            update={"traits": tuple(trait for trait in self.traits if trait.name in wanted)}
        )

    def trait(self, name: str) -> Trait:
        """Return the trait of that name; raises UnknownNameError, which lists the known ones."""
        from character.errors import UnknownNameError

        for trait in self.traits:
            if trait.name == name:
                return trait
        raise UnknownNameError("trait", name, [trait.name for trait in self.traits])

    def _repr_html_(self) -> str:
        about = {"language": self.language, "assistant": self.assistant_name, "traits": len(self.traits)}
        rows = [(each.name, each.description, each.not_, each.opposite) for each in self.traits]
        traits = html.table(("trait", "description", "not", "opposite"), rows)
        return html.panel(html.heading(self.name), html.figures(about), traits)
