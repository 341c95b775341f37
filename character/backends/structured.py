"""In which form a backend is asked for lists and scores, and how that is found out where it is left open."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from character.config import BackendConfig


@runtime_checkable
class Facts(Protocol):
    """Where what was found out is kept: a run's folder, so that the next sitting does not ask again."""

    def meta(self, key: str) -> str | None:
        """Return a fact, or None."""

    def set_meta(self, key: str, value: str) -> None:
        """Keep a fact; returns once it is on disk."""


class Form:
    """Whether a backend is asked by a JSON schema; ``auto`` is settled by the first reply, or refusal."""

    def __init__(self, config: BackendConfig, journal: Any, name: str) -> None:
        self._config, self._name = config, name
        self._facts = journal if isinstance(journal, Facts) else None
        self._is_open = config.structured == "auto" and config.kind != "rehearsal"
        self.by_schema = config.structured == "json_schema" or self._is_open
        if self._is_open and self._facts is not None:
            found = json.loads(self._facts.meta(self._key) or "{}")
            if found.get("backend") == config.identity:
                self._is_open, self.by_schema = False, bool(found["by_schema"])

    @property
    def _key(self) -> str:
        return f"structured/{self._name}"

    def settle(self, by_schema: bool, why: str, tell: Callable[[str], None]) -> None:
        """Keep to a form from now on, where none is settled yet, and tell why."""
        if not self._is_open:
            return
        self._is_open, self.by_schema = False, by_schema
        if self._facts is not None:
            found = {"backend": self._config.identity, "by_schema": by_schema}
            self._facts.set_meta(self._key, json.dumps(found))
        asked = "by a JSON schema" if by_schema else "under headers, by no schema"
        model = f"{self._name} ({self._config.model_name})"
        tell(f"the backend {model} is asked for lists and scores {asked}: {why}.")
