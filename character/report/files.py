"""Reports as files: an HTML file where the user wants it, and the same as JSON beside it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from character.errors import InputError
from character.files import write_whole
from character.report.parts import Page
from character.report.rendering import write


def html_path(path: Path | str) -> Path:
    """Return the path of a report; raises InputError where it is not named as HTML, best before the work."""
    html = Path(path)
    if html.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out names {html}.", expected="a file that ends in .html")
    return html


def write_page(page: Page, record: BaseModel, html: Path) -> None:
    """Write a page, and its record as JSON beside it, with the folders they lie in.

    Raises InputError where it cannot be done.
    """
    try:
        html.parent.mkdir(parents=True, exist_ok=True)
        write(page, html)
        write_whole(record.model_dump_json(indent=2) + "\n", html.with_suffix(".json"))
    except OSError as error:
        raise InputError(
            f"{html} cannot be written: {error.strerror or error}.", fix="name another file with --out."
        ) from None
