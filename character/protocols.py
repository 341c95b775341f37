"""What a part has to offer to stand in place of ours: any class that has it will do."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol


class LanguageModel(Protocol):
    """A language model that steps can call; every ``dspy.LM`` is one.

    ``model`` is its name with a provider prefix, ``kwargs`` what it sends with every call.
    """

    model: str
    kwargs: dict[str, Any]

    @property
    def supported_params(self) -> Collection[str]:
        """The names of the settings that reach the model."""
