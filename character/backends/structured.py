"""In which form a backend is asked for lists and scores, and how that is found out where it is left open."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from character.config import BackendConfig


class Form:
    """Whether a backend is asked by a JSON schema; ``auto`` is settled by the first reply, or refusal.

    What was found out is kept as a fact of the run's store, so that the next sitting does not ask again.
    """

    def __init__(self, config: BackendConfig, journal: Any, name: str) -> None:
        self._of, self._key, self._store = config, f"structured/{name}", journal
        self._empty = 0
        self.is_open = config.structured == "auto" and config.kind != "rehearsal"
        self.by_schema = self.is_open or config.structured == "json_schema"
        kept = getattr(journal, "meta", lambda _key: None)(self._key) if self.is_open else None
        found = json.loads(kept or "{}")
        if found.get("backend") == config.identity:
            self.is_open, self.by_schema = False, bool(found["by_schema"])

    @property
    def is_kept(self) -> bool:
        """Whether replies have kept to a schema, which is then not at fault for whatever a server says."""
        return self.by_schema and not self.is_open

    def gives_up_on_empty(self) -> bool:
        """Note an empty reply; return whether it is the fifth, so that the schema is at fault."""
        self._empty += 1
        return self._empty >= 5

    def settle(self, by_schema: bool, why: str, tell: Callable[[str], None], refused: bool = False) -> None:
        """Keep to a form from now on, where none is settled yet or the server refuses it, and tell why."""
        if not (self.is_open or (refused and self.by_schema)):
            return
        self.is_open, self.by_schema = False, by_schema
        if hasattr(self._store, "set_meta"):
            found = {"backend": self._of.identity, "by_schema": by_schema}
            self._store.set_meta(self._key, json.dumps(found))
        form = "by a JSON schema" if by_schema else "under headers"
        tell(f"{self._of.model_name} is asked for lists and scores {form}: {why}.")
