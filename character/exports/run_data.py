"""A run that lies on the disk, as the data of an export, and how its pairs are rebuilt for one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from character.config import PAIR_DESIGNS, Config, PairsConfig
from character.config.backend import ADDED_OPTIONS
from character.errors import ConfigError, UnknownNameError
from character.exports.card.audit_summary import read_summary
from character.exports.models import ExportData
from character.exports.source import StoredRollouts
from character.records import Usage
from character.runs.session import stored_config, stored_constitution
from character.runs.summary import summarize
from character.store.run_store import RunStore
from character.store.vetoes import read_vetoes
from character.text import fingerprint

_LATER = {"effect", "optimize", "audit", "train"}
"""The sections of a configuration that say what is done with a run, not how it is made."""


def run_data(store: RunStore) -> ExportData:
    """Return the data of an open run, rollouts read as they are needed, with its audit where there is one."""
    summary = summarize(store)
    manifest = {
        "models": summary.models,
        "seed": summary.seed,
        "config_fingerprint": _fingerprint_of(stored_config(store)),
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


def _fingerprint_of(config: Config) -> str:
    """Return the identity of a configuration, without the options that it leaves as they are by default."""
    settings = config.model_dump(mode="json", exclude=_LATER)
    for name, backend in config.backends.items():
        for unset in ADDED_OPTIONS - backend.model_dump(exclude_defaults=True).keys():
            del settings["backends"][name][unset]
    return fingerprint(settings)


def rebuilt_pairs(store: RunStore, given: Mapping[str, Any], *, always: bool = False) -> PairsConfig | None:
    """Return how to rebuild a run's pairs: as it made them, but for what is given and not None.

    Where nothing is given, nothing is to be rebuilt (None), unless ``always``. Raises UnknownNameError for
    a setting or the design, and ConfigError for a value out of its range.
    """
    given = {name: value for name, value in given.items() if value is not None}
    for name in given.keys() - PairsConfig.model_fields:
        raise UnknownNameError("setting of [pairs]", name, PairsConfig.model_fields)
    if given.get("design", PAIR_DESIGNS[0]) not in PAIR_DESIGNS:
        raise UnknownNameError("pair design", given["design"], PAIR_DESIGNS)
    if not given and not always:
        return None
    try:
        return PairsConfig.model_validate(stored_config(store).pairs.model_dump() | given)
    except ValidationError as error:
        raise ConfigError(f"pairs: {error.errors()[0]['msg']}.") from None
