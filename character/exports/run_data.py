"""A run that lies on the disk, as the data of an export."""

from __future__ import annotations

import json

from character.config import Config
from character.exports.card.audit_summary import read_summary
from character.exports.models import ExportData
from character.exports.source import StoredRollouts
from character.records import Usage
from character.store.run_store import RunStore
from character.store.vetoes import read_vetoes
from character.text import fingerprint


def run_data(store: RunStore) -> ExportData:
    """Return the data of an open run, its rollouts read as they are needed, with its audit where there is one."""
    from character.runs.session import stored_config, stored_constitution
    from character.runs.summary import summarize

    summary = summarize(store)
    manifest = {
        "models": summary.models,
        "seed": summary.seed,
        "config_fingerprint": _settings_fingerprint(stored_config(store)),
        "run_fingerprint": fingerprint(json.loads(store.meta("identity") or "{}")),
        "created_at": store.meta("created_at") or "",
        "rehearsal": summary.rehearsal,
        "usage": sum(summary.usage.values(), Usage()).model_dump(),
        "drops": summary.dropped,
        "audit": read_summary(store.folder),
        "pending": summary.messages.get("pending", 0) + summary.messages.get("failed", 0),
    }
    return ExportData(
        constitution=stored_constitution(store),
        rollouts=StoredRollouts(store),
        vetoes=read_vetoes(store.folder),
        manifest=manifest,
    )


def _settings_fingerprint(config: Config) -> str:
    """Return the fingerprint of the settings that made a run, without those of what is done with one."""
    later = {"effect", "optimize", "audit", "train"}
    return fingerprint(config.model_dump(mode="json", exclude=later))
