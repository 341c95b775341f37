"""The report of an evaluation that lies in a folder, and how it is written there for people."""

from __future__ import annotations

from pathlib import Path

from character.errors import StoreError
from character.evaluation.page.cards import write_cards
from character.evaluation.page.page import effect_page
from character.evaluation.records import EffectReport
from character.locale import Language
from character.records import KeptRecord
from character.report import write
from character.runs.session import reading, stored_constitution

PAGE_NAME, CARDS_NAME = "effect.html", "cards"


class EffectResult(KeptRecord, EffectReport):
    """The report of an evaluation in a folder, which can be written there as a page with its cards."""

    def write_report(self, language: Language | None = None) -> Path:
        """Write ``effect.html`` and the cards in this language, the constitution's where none is given.

        Raises StoreError where they cannot be written.
        """
        path = self.folder / PAGE_NAME
        with reading(self.folder) as store:
            constitution = stored_constitution(store)
        try:
            write(effect_page(self, language), path)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from None
        write_cards(self, constitution, self.folder / CARDS_NAME, language)
        return path
