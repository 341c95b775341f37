"""The log of a run: one JSON object per line and event, without secrets and without texts."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

from character.backends.secrets import redact
from character.errors import StoreError


class RunLog:
    """Appends events to a run's log file, until it is closed."""

    def __init__(self, path: Path) -> None:
        self._logger = logging.Logger(f"character.run.{path.parent.name}")  # two runs never mix
        try:
            self._handler = logging.FileHandler(path, encoding="utf-8", delay=False)
        except OSError as error:
            raise StoreError(
                f"{path} cannot be written ({error.strerror}).", fix="check the run folder's permissions."
            ) from None
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._logger.addHandler(self._handler)

    def write(self, event: str, **facts: object) -> None:
        """Append an event with its facts; the time is UTC."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "event": event, **facts}, ensure_ascii=False, default=str)
        self._logger.info("%s", redact(line))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
