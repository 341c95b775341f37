"""Reports: one HTML file that opens offline, in both languages, with its charts inside.

``Page`` and its parts say what a report holds, ``charts`` draws figures as Vega-Lite specs, ``render`` gives
the HTML and ``write`` a file. A report asks nothing of any network: scripts and styles are inside it, and its
Content-Security-Policy allows those alone, by their hashes.
"""

from character.report.parts import Chart as Chart
from character.report.parts import Example as Example
from character.report.parts import Examples as Examples
from character.report.parts import Figure as Figure
from character.report.parts import Figures as Figures
from character.report.parts import Note as Note
from character.report.parts import Notes as Notes
from character.report.parts import Number as Number
from character.report.parts import Page as Page
from character.report.parts import Section as Section
from character.report.parts import Table as Table
from character.report.parts import Text as Text
from character.report.rendering import html_path as html_path
from character.report.rendering import render as render
from character.report.rendering import write as write
from character.report.rendering import write_page as write_page
