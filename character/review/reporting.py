"""An evaluation's report and cards written anew with what reviewers said since."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

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
    from character.evaluation.reading import EffectResult, read_report

    result = EffectResult.in_folder(reviewed(read_report(folder), folder), folder)
    result.write_report(language)
    return result
