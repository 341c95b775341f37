"""The facts that a manifest and an audit may tell an export: a known few, read strictly; the rest stays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError, field_validator

from character.config import is_rehearsal_model
from character.exports.source import Census
from character.files import problem
from character.records import Record, Usage
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


class UsageFacts(Usage):
    """What the calls took; ``cost_usd`` is None where a price is unknown."""

    # hide_input_in_errors: a manifest may hold secrets, which must not reach a traceback.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    cost_usd: float | None = None


class RunFacts(Record):
    """How a run made its data: everything of a manifest that an export may publish.

    ``models`` maps a stage to the models that worked in it, ``drops`` a stage to counts by reason,
    ``run_fingerprint`` identifies the run (constitution, messages, prompts, settings) and is the same
    wherever it is made again, ``created_at`` is UTC, ``pending`` how many messages were not finished.
    ``rehearsal`` is None where the manifest does not say.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    models: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    seed: int | None = None
    config_fingerprint: str = ""
    run_fingerprint: str = ""
    created_at: str = ""
    rehearsal: bool | None = None
    usage: UsageFacts | None = None
    drops: dict[str, dict[str, int]] = Field(default_factory=dict)
    audit: AuditSummary | None = None
    pending: int = Field(default=0, ge=0)

    @field_validator("models", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {stage: (names,) if isinstance(names, str) else names for stage, names in value.items()}

    @field_validator("created_at", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return value.isoformat() if hasattr(value, "isoformat") else value


def read_facts(manifest: Mapping[str, Any]) -> RunFacts:
    """Return the known facts of a manifest; raises InputError, naming the field and never its value."""
    try:
        return RunFacts.model_validate(dict(manifest))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        )
        raise problem(__file__, "manifest", faults=faults) from None


def made_by_rehearsal(census: Census, facts: RunFacts) -> bool | None:
    """Return whether the rehearsal backend had a hand in the data, None where that cannot be told.

    A model name in a record outweighs the manifest's word: one rehearsed stage is enough.
    """
    named = [name for names in facts.models.values() for name in names]
    if facts.rehearsal or census.rehearsed or any(map(is_rehearsal_model, named)):
        return True
    return facts.rehearsal


def count_drops(census: Census, facts: RunFacts, *, pairs_rebuilt: bool = False) -> dict[str, dict[str, int]]:
    """Return what was dropped, by stage and reason: as the manifest counts it, else as the rollouts do.

    Where the pairs were rebuilt, what the run dropped in making its own is replaced by the rebuild's drops.
    """
    counted = {stage: dict(sorted(reasons.items())) for stage, reasons in census.drops.items()}
    if not facts.drops:
        return counted
    if not pairs_rebuilt:
        return facts.drops
    others = {stage: reasons for stage, reasons in facts.drops.items() if stage != "pairs"}
    return others | ({"pairs": counted["pairs"]} if "pairs" in counted else {})


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
        raise problem(__file__, "audit", path=path, run_folder=run_folder) from None
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
