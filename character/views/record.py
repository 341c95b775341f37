"""The base of all records: how they are kept, and how they show themselves."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from character.views import html
from character.views.short import brief, short_repr


class Record(BaseModel):
    """Base of all records: frozen, no unknown fields, data only. Shows itself short, whatever its size."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def __repr__(self) -> str:
        return short_repr(self)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        name, shown = type(self).__name__, {key or "": value for key, value in self.__repr_args__()}
        return html.panel(html.heading(name), html.figures(shown))

    def toDict(self) -> dict[str, Any]:  # noqa: N802 - the name by which DSPy's tools ask for it
        """Return the record as JSON-native data whose lists and dictionaries print short."""
        return {name: brief(value) for name, value in self.model_dump(mode="json", by_alias=True).items()}
