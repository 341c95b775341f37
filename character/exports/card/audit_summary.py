"""The few figures of an audit that a dataset card shows, read back from a run's ``audit.json``."""

from __future__ import annotations

from pathlib import Path

from pydantic import AliasPath, BaseModel, Field, ValidationError

from character.errors import InputError
from character.records import Record
from character.statistics.intervals import Interval

AUDIT_JSON = "audit.json"
PAIR_CODES = frozenset(
    [
        "chosen_level",
        "longer",
        "more_of",
        "opener",
        "more_confounds",
        "surface",
        "unreached",
        "no_pairs",
        "too_few",
    ]
)
"""The findings about a run's own pairs, which say nothing about pairs rebuilt or balanced."""


class AuditSummary(Record):
    """What an audit found, in short. Intervals hold at 95 %; None is what could not be told.

    ``consistency`` is how far the judge agrees with itself (-1..1; ``measure`` as of ``RankingAudit``),
    ``intended`` the share of pairs of levels ranked as they were meant, ``surface_accuracy`` the held-out
    accuracy of surface features alone (0..1, 0.5 is chance), ``flagged`` what sets chosen apart, ``findings``
    those that ask for attention, ``pair_findings`` those of them that are about the run's own pairs.
    """

    num_messages: int
    num_pairs: int
    consistency: Interval | None = None
    intended: Interval | None = None
    surface_accuracy: Interval | None = None
    flagged: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    pair_findings: tuple[str, ...] = ()
    measure: str = "passes"


class _Finding(BaseModel):
    weight: str
    code: str
    text: str


class _Audit(BaseModel):
    """What is read of ``audit.json``; the audit's own records lie above this room, and say more."""

    states: dict[str, int]
    num_pairs: int
    consistency: Interval | None = Field(validation_alias=AliasPath("rankings", "consistency"))
    intended: Interval | None = Field(validation_alias=AliasPath("rankings", "intended"))
    measure: str = Field(validation_alias=AliasPath("rankings", "measure"))
    accuracy: float | None = Field(None, validation_alias=AliasPath("confounds", "classifier", "accuracy"))
    low: float | None = Field(None, validation_alias=AliasPath("confounds", "classifier", "low"))
    high: float | None = Field(None, validation_alias=AliasPath("confounds", "classifier", "high"))
    flagged: tuple[str, ...] = Field((), validation_alias=AliasPath("confounds", "flagged"))
    findings: tuple[_Finding, ...]


def read_summary(run_folder: Path | str) -> AuditSummary | None:
    """Return the summary of the audit that lies in a run folder, None where there is none.

    Raises InputError where the file cannot be read as an audit.
    """
    path = Path(run_folder) / AUDIT_JSON
    if not path.is_file():
        return None
    try:
        audit = _Audit.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError):
        raise InputError(
            f"{path} is no audit of this version.",
            expected="what `character audit` wrote",
            fix=f"run `character audit {run_folder}` again, or remove the file.",
        ) from None
    bounds = [number for number in (audit.accuracy, audit.low, audit.high) if number is not None]
    looks = [finding for finding in audit.findings if finding.weight == "look"]
    return AuditSummary(
        num_messages=audit.states.get("messages", 0),
        num_pairs=audit.num_pairs,
        consistency=audit.consistency,
        intended=audit.intended,
        surface_accuracy=Interval(*bounds) if len(bounds) == 3 else None,
        flagged=audit.flagged,
        findings=tuple(one.text for one in looks if one.code not in PAIR_CODES),
        pair_findings=tuple(one.text for one in looks if one.code in PAIR_CODES),
        measure=audit.measure,
    )
