"""What a program's result says of itself: how many of what, its pairs, and its content for DSPy's tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from character.views import html
from character.views.rows import Json, PairRows, record_rows
from character.views.short import brief

if TYPE_CHECKING:
    from character.records import CharacterResult, PreferencePair


class ResultViews(PairRows):
    """The views of a ``CharacterResult``; ``self`` is one, which lies on a higher floor than its views."""

    def toDict(self: Any) -> dict[str, Any]:  # noqa: N802 - DSPy's tools ask for it by this name
        """Return the messages' texts, the pairs as rows, the drops and the usage, all JSON-native."""
        return {
            "messages": brief([message.text for message in self.messages]),
            "pairs": brief(self.to_rows()),
            "drops": brief([drop.model_dump(mode="json") for drop in self.drops]),
            "usage": brief(self.usage.model_dump()),
        }

    def __repr_args__(self: Any) -> Any:
        return _figures(self).items()

    def _row_pairs(self: Any) -> Iterable[PreferencePair]:
        pairs: list[PreferencePair] = self.pairs
        return pairs

    def _rows_of(self: Any, of: str) -> Iterator[Json]:
        return record_rows(of, self.messages, self.rollouts, self.message_drops)

    def _repr_html_(self: Any) -> str:
        return html.panel(html.figures(_figures(self)), html.pairs_html(self.pairs))


def _figures(result: CharacterResult) -> dict[str, int]:
    return {
        "messages": len(result.rollouts),
        "candidates": sum(len(each.items) for each in result.candidates),
        "pairs": len(result.pairs),
        "drops": len(result.drops),
        "calls": result.usage.calls,
    }
