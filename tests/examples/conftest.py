"""The fixtures of training, for the card of the model that the closed loop trains."""

from __future__ import annotations

from training.conftest import model, write_rows

__all__ = ["model", "write_rows"]
