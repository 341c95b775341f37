"""A page as one HTML file that holds its own styles and scripts and may ask nothing of any network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from character.errors import InputError
from character.files import write_whole
from character.locale import wording
from character.report.parts import Cell, Chart, Page, Table
from character.report.wording import cell_text
from character.views.templates import embedded_json, encodable, html_environment

if TYPE_CHECKING:
    from jinja2 import Template
    from pydantic import BaseModel

_LANGUAGE_TAGS = {"en": "en", "zh": "zh-Hans"}


def render(page: Page) -> str:
    """Return the whole HTML document; raises UnknownNameError for a language that reports do not speak.

    The Content-Security-Policy allows this page's own scripts and styles by their SHA-256 and nothing else:
    no network, no frames, no forms, no code made from text. The scripts are there only where the page has
    charts. Every text passes ``views.templates.escape``.
    """
    has_charts = any(isinstance(part, Chart) for section in page.sections for part in section.parts)
    style = _asset("assets", "report.css")
    scripts = [_asset(*path) for path in _SCRIPTS] if has_charts else []
    document = _template().render(
        page=page,
        fixed=wording("report.page", page.language),
        tag=_LANGUAGE_TAGS[page.language],
        style=style,
        scripts=scripts,
        policy=_policy(style, scripts),
        text=partial(cell_text, language=page.language),
    )
    return encodable(document)


def write(page: Page, path: Path | str) -> None:
    """Write a page to a file, whole or not at all: a reader never sees half of it. Raises OSError."""
    write_whole(render(page), path)


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


_SCRIPTS = (("vendor", "vega.js"), ("assets", "report.js"))


@cache
def _template() -> Template:
    environment = html_environment()
    environment.filters |= {
        "kind": lambda part: type(part).__name__,
        "numeric_columns": _numeric_columns,
        "parted": _parted,
        "spec": lambda chart, label: embedded_json({**chart.spec, "description": label}),
    }
    return environment.from_string(_asset("assets", "page.html.jinja"))


def _numeric_columns(table: Table) -> list[bool]:
    """Return which columns hold no text, so that their figures stand below one another."""
    return [not any(isinstance(cell, str) for cell in column) for column in zip(*table.rows, strict=True)]


def _parted(number: Cell, text: Any) -> tuple[str, str]:
    """Return a big number and, apart from it, its interval from after the bracket on, "" for none."""
    if isinstance(number, str):
        return number, ""
    value, _, interval = text(number).partition(" [")
    return value, interval


def _policy(style: str, scripts: list[str]) -> str:
    allowed = " ".join(_hash(script) for script in scripts) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode('utf-8')).digest()).decode('ascii')}'"


def _asset(folder: str, name: str) -> str:
    return (files("character.report") / folder / name).read_text(encoding="utf-8")
