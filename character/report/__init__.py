"""Reports: one HTML file that opens offline, in both languages, with its charts inside.

``Page`` and its parts say what a report holds, ``charts`` draws figures as Vega-Lite specs, ``render`` gives
the HTML and ``write`` a file. A report asks nothing of any network: scripts and styles are inside it, and its
Content-Security-Policy allows those alone, by their hashes.
"""

from __future__ import annotations

from character.report.files import html_path, write_page
from character.report.parts import (
    Chart,
    Example,
    Examples,
    Figure,
    Figures,
    Note,
    Notes,
    Number,
    Page,
    Section,
    Table,
    Text,
)
from character.report.rendering import render, write

__all__ = [
    "Chart",
    "Example",
    "Examples",
    "Figure",
    "Figures",
    "Note",
    "Notes",
    "Number",
    "Page",
    "Section",
    "Table",
    "Text",
    "html_path",
    "render",
    "write",
    "write_page",
]
