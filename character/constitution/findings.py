"""What checks on a constitution's wording say: each remark by its code, its words in ``findings.toml``."""

from __future__ import annotations

from typing import Literal

from character.files import texts_beside
from character.records import Record


class Finding(Record):
    """One remark on the wording of a constitution.

    A ``"warning"`` is likely to harm what is trained, a ``"note"`` may be as it is meant to be. ``trait`` is
    empty where the remark is on the constitution as a whole, ``field`` where it is on no field in
    particular. ``message`` says what was found and what to do.
    """

    severity: Literal["warning", "note"]
    code: str
    trait: str = ""
    field: str = ""
    message: str


def finding(code: str, trait: str = "", **values: object) -> Finding:
    """Return the remark of that code on a trait, or on all of them; ``values`` fill in its words."""
    return Finding.model_validate(
        {"code": code, "trait": trait, **texts_beside(__file__, "findings", code, values)}
    )
