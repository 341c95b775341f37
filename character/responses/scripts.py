"""Whether a text is written in the script of a language, told by its letters alone."""

from __future__ import annotations

import re

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_SCRIPTS = {
    "zh": _HAN,
    "ja": _HAN + "\u3040-\u30ff",
    "ko": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "ru": "\u0400-\u052f",
    "uk": "\u0400-\u052f",
    "bg": "\u0400-\u052f",
    "el": "\u0370-\u03ff",
    "ar": "\u0600-\u06ff",
    "fa": "\u0600-\u06ff",
    "he": "\u0590-\u05ff",
    "hi": "\u0900-\u097f",
    "th": "\u0e00-\u0e7f",
}
_LATIN = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
_LATIN_TAGS = (
    "en", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "nb", "no", "fi", "pl", "cs", "ro", "hu", "tr",
    "id", "ms", "vi", "ca",
)  # fmt: skip
_LETTERS = {tag: re.compile(f"[{letters}]+") for tag, letters in _SCRIPTS.items()} | dict.fromkeys(
    _LATIN_TAGS, re.compile(f"[{_LATIN}]+")
)
_LETTER_RUN = re.compile(r"[^\W\d_]+")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|^[^\n]*[;{}]\s*?$", re.DOTALL | re.MULTILINE)
LEAST_LETTERS = 24
"""A text with fewer letters is not judged."""
LEAST_SHARE = 0.05
"""A text with this share of letters in the language's script is in it: terms of another are welcome."""


def is_in_script(text: str, language: str, *, least_letters: int = LEAST_LETTERS) -> bool:
    """Whether a text is in the script of a language (a BCP 47 tag), or too short or without a rule to tell.

    Counts letters outside code (in backticks, or lines that end in a brace or a semicolon) and addresses, and
    says yes where there are fewer than ``least_letters``. A Chinese, Japanese or Korean character weighs as
    three letters.
    """
    letters = _LETTERS.get(language.casefold().split("-")[0])
    if letters is None:
        return True
    plain = _CODE.sub("", text)
    total = sum(map(len, _LETTER_RUN.findall(plain)))
    own = sum(map(len, letters.findall(plain)))
    weight = 3 * own if language.casefold().startswith(("zh", "ja", "ko")) else own
    others = total - own
    return weight + others < least_letters or weight >= LEAST_SHARE * (weight + others)
