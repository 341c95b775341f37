"""A browser window on the review app, as a person at a keyboard and a mouse has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

AXE = Path(__file__).parent / "review" / "vendor" / "axe.min.js"


class Window:
    """A browser window on the app: its page, what it asked for, and what its console said."""

    def __init__(self, context: Any) -> None:
        self.tab = context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None,
        )

    def names(self) -> dict[str, str]:
        """Return the letters on the page with the candidates behind them, told by their texts."""
        cards = self.tab.locator("#work .option")
        return {
            str(cards.nth(i).get_attribute("data-letter")): cards.nth(i)
            .locator(".text")
            .inner_text()
            .split()[1]
            for i in range(cards.count())
        }

    @property
    def item(self) -> str:
        """The id of the item on the page."""
        return str(self.tab.locator("#work input[name=item]").input_value())

    def rank_by_keys(self, groups: list[str]) -> None:
        """Give each candidate its rank with digits alone, in the order of the page."""
        ranks = _ranks(groups)
        for name in self.names().values():
            self.tab.keyboard.press(str(ranks[name]))

    def rank_by_drag(self, groups: list[str]) -> None:
        """Drag each letter onto its rank."""
        ranks = _ranks(groups)
        for letter, name in self.names().items():
            grip = self.tab.locator(f"#work .head .grip[data-letter={letter}]")
            grip.scroll_into_view_if_needed()
            slot = self.tab.locator(f"#work .slot[data-rank='{ranks[name]}']")
            start, end = grip.bounding_box(), slot.bounding_box()
            mouse = self.tab.mouse
            mouse.move(start["x"] + 8, start["y"] + 8)
            mouse.down()
            mouse.move(end["x"] + 20, end["y"] + 15, steps=6)
            mouse.up()

    def grave_faults(self) -> list[tuple[str, str, str]]:
        """Return what axe-core finds on the page that is serious or critical: rule, impact and element."""
        self.tab.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.tab.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            (each["id"], each["impact"], each["nodes"][0]["html"])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]

    def submit(self) -> None:
        """Press Enter and wait until another item is there."""
        before = self.item
        self.tab.keyboard.press("Enter")
        self.tab.locator(f"#work input[name=item]:not([value='{before}']), #work .done").first.wait_for(
            state="attached"
        )


def _ranks(groups: list[str]) -> dict[str, int]:
    return {name: rank for rank, group in enumerate(groups, 1) for name in group}
