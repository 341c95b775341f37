"""A page as one HTML file that holds its own styles and scripts and may ask nothing of any network."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from character.files import write_whole
from character.locale import wording
from character.report.elements import section_html
from character.report.escaping import encodable, escape
from character.report.parts import Chart, Page


def render(page: Page) -> str:
    """Return the whole HTML document; raises UnknownNameError for a language that reports do not speak.

    The Content-Security-Policy allows this page's own scripts and styles by their SHA-256 and nothing else: no
    network, no frames, no forms, no code made from text. The scripts are there only where the page has charts.
    """
    style, scripts = _asset("assets", "report.css"), _scripts(page)
    fixed = wording("report.page", page.language)
    no_script = f'<noscript><p class="quiet">{escape(fixed["no_script"])}</p></noscript>' if scripts else ""
    sections = "".join(section_html(section, i, page.language) for i, section in enumerate(page.sections, 1))
    footer = "".join(f"<p>{escape(text)}</p>" for text in (page.footer, fixed["offline"]) if text)
    return encodable(
        f'<!doctype html>\n<html lang="{_LANGUAGE_TAGS[page.language]}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, scripts)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(page.title)}</title>\n<style>{style}</style>\n</head>\n<body>\n'
        f'<header><h1>{escape(page.title)}</h1><p class="subtitle">{escape(page.subtitle)}</p>{_contents(page)}{no_script}</header>\n'
        f"<main>\n{sections}</main>\n<footer>{footer}</footer>\n"
        f"{''.join(f'<script>{script}</script>{chr(10)}' for script in scripts)}</body>\n</html>\n"
    )


def write(page: Page, path: Path | str) -> None:
    """Write a page to a file, whole or not at all: a reader never sees half of it. Raises OSError."""
    write_whole(render(page), path)


_LANGUAGE_TAGS = {"en": "en", "zh": "zh-Hans"}


def _contents(page: Page) -> str:
    if len(page.sections) < 2:
        return ""
    links = "".join(
        f'<li><a href="#s{i}">{escape(section.heading)}</a></li>'
        for i, section in enumerate(page.sections, 1)
    )
    label = wording("report.page", page.language)["contents"]
    return f'<nav aria-label="{escape(label)}"><ul>{links}</ul></nav>'


def _scripts(page: Page) -> list[str]:
    if not any(isinstance(part, Chart) for section in page.sections for part in section.parts):
        return []
    return [_asset("vendor", "vega.js"), _asset("assets", "report.js")]


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
