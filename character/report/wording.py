"""The fixed words of every report, one table per language, and how numbers are written in them."""

from __future__ import annotations

import math

from character.errors import UnknownNameError
from character.report.parts import Cell, Language, Number

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "contents": "Contents",
        "numbers": "The numbers behind this chart",
        "not_drawn": "This chart could not be drawn here. Its numbers are in the table below.",
        "no_script": "Charts need JavaScript. Their numbers are in the tables below them.",
        "look": "Look at this",
        "note": "Note",
        "fine": "Fine",
        "said": "{}: {}",
        "nothing": "Nothing to show.",
        "value": "value",
        "low": "from",
        "high": "to",
        "group": "group",
        "count": "count",
        "empty": "(empty)",
        "percent": "{} %",
        "interval": "{} [{}, {}]",
        "offline": "This file holds everything it shows and asks nothing of any network.",
    },
    "zh": {
        "contents": "目录",
        "numbers": "图表数据",
        "not_drawn": "图表无法在此绘制，数据见下表。",
        "no_script": "图表需要 JavaScript，数据见各图下方的表格。",
        "look": "请留意",
        "note": "说明",
        "fine": "正常",
        "said": "{}：{}",
        "nothing": "没有可显示的内容。",
        "value": "数值",
        "low": "下限",
        "high": "上限",
        "group": "组别",
        "count": "数量",
        "empty": "（空）",
        "percent": "{}%",
        "interval": "{} [{}, {}]",
        "offline": "本文件包含全部内容，不会访问任何网络。",
    },
}
MINUS, NOTHING = "−", "–"


def words(language: str) -> dict[str, str]:
    """Return the fixed words of a language; raises UnknownNameError for one that reports do not speak."""
    if language not in WORDS:
        raise UnknownNameError("The report language", language, WORDS)
    return WORDS[language]


def cell_text(cell: Cell, language: str) -> str:
    """Return a table's cell as text: whole numbers with separators, others with two decimals, None as a dash."""
    if cell is None:
        return NOTHING
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Number):
        return number_text(cell, language)
    return number_text(Number(cell, style="count" if isinstance(cell, int) else "number"), language)


def number_text(number: Number, language: str) -> str:
    """Return a figure as text, with its interval in brackets; a share as per cent, an unknown value as a dash."""
    if number.value is None or not math.isfinite(number.value):
        return NOTHING
    fixed, share = words(language), number.style == "share"
    text = _plain(number.value, number)
    shown = fixed["percent"].format(text) if share else text
    if number.low is None or number.high is None:
        return shown
    return fixed["interval"].format(shown, _plain(number.low, number), _plain(number.high, number))


def _plain(value: float, number: Number) -> str:
    sign = "+" if number.style == "signed" else ""
    if number.style == "share":
        percent = 100 * value
        digits = 1 if 0 < abs(percent) < 9.95 and round(percent, 1) != round(percent) else 0
        text = f"{percent:{sign}.{digits}f}"
    else:
        text = f"{value:{sign},.{0 if number.style == 'count' else number.digits}f}"
    if text.strip("+-0.,") == "":
        text = text.lstrip("+-")  # neither zero has a sign
    return text.replace("-", MINUS)


JOIN = {"en": ", ", "zh": "、"}
"""What stands between the items of a list."""
KIND_WORDS = {
    "en": {"question": "question", "situation": "situation", "self_reflection": "self-reflection"},
    "zh": {"question": "问题型", "situation": "情境型", "self_reflection": "自我反思型"},
}
"""What kinds of messages are called."""


def report_language(tag: str) -> Language:
    """Return the language that reports are written in for what has this BCP 47 tag: Chinese for Chinese, else English."""
    return "zh" if tag.casefold().startswith("zh") else "en"
