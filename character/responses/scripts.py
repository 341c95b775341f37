"""Whether a text is written in the script of a language, told by its letters alone."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

_SCRIPTS = tomllib.loads(files(__package__).joinpath("scripts.toml").read_text("utf-8"))
_LATIN = _SCRIPTS.pop("latin")
_SCRIPTS |= dict.fromkeys(_LATIN["languages"], _LATIN["letters"])
_LETTERS = {tag: re.compile(f"[{letters}]+") for tag, letters in _SCRIPTS.items()}
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
