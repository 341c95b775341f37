"""Reports as files: an HTML file where the user wants it, and the same as JSON beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel

    from character.report import Page


def check_html(html: Path) -> None:
    """Refuse a file that is not named as HTML; to be called before the work is done."""
    from character.errors import InputError

    if html.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out names {html}.", expected="a file that ends in .html")


def write_report(page: Page, found: BaseModel, html: Path) -> None:
    """Write both files, with the folders they lie in; raises InputError where that cannot be done."""
    from character.errors import InputError
    from character.files import write_whole
    from character.report import write

    try:
        html.parent.mkdir(parents=True, exist_ok=True)
        write(page, html)
        write_whole(found.model_dump_json(indent=2) + "\n", html.with_suffix(".json"))
    except OSError as error:
        raise InputError(
            f"{html} cannot be written: {error.strerror or error}.", fix="name another file with --out."
        ) from None
