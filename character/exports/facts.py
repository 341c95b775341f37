"""The facts that a manifest may tell an export: a known few, read strictly; the rest stays where it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, ValidationError, field_validator

from character.config import is_rehearsal_model
from character.exports.card.audit_summary import AuditSummary
from character.exports.source import Census
from character.files import problem
from character.records import Record, Usage


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
