"""What a check on a constitution's wording has to say."""

from __future__ import annotations

from typing import Literal

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
