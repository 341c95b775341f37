"""An evaluation's report and cards written anew with what reviewers said since."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from character.errors import StoreError
from character.review.sources import open_subject
from character.review.store import ReviewStore
from character.store.vetoes import FILE_NAME

if TYPE_CHECKING:
    from character.evaluation.records import EffectReport
    from character.locale import Language


def is_reviewed(folder: Path) -> bool:
    """Whether anybody reviewed what a folder holds."""
    return (folder / FILE_NAME).is_file()


def reviewed(report: EffectReport, folder: Path) -> EffectReport:
    """Return the report of a folder with what reviewers said there, as it is where nobody reviewed it."""
    if not is_reviewed(folder):
        return report
    from character.review.effect_reviews import with_reviews

    with closing(open_subject(folder)) as subject, ReviewStore(folder, write=False) as reviews:
        return with_reviews(report, subject, reviews)


def write_reviewed(folder: Path, language: Language | None = None) -> EffectReport:
    """Write an evaluation's ``effect.html`` and cards anew, with what reviewers said, and return its report.

    No model is called. Raises StoreError where the folder holds no finished evaluation or cannot be written.
    """
    from character.evaluation.page.cards import write_cards
    from character.evaluation.page.page import effect_page
    from character.evaluation.reading import read_report
    from character.report import write
    from character.runs.session import reading, stored_constitution

    report = reviewed(read_report(folder), folder)
    with reading(folder) as store:
        constitution = stored_constitution(store)
    try:
        write(effect_page(report, language), folder / "effect.html")
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}.") from None
    write_cards(report, constitution, folder / "cards", language)
    return report
