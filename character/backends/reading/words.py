"""The words of ``words.toml``, as the readers want them."""

from __future__ import annotations

import tomllib
from importlib.resources import files

_DATA = tomllib.loads(files(__package__).joinpath("words.toml").read_text("utf-8"))
FIELDS = {name: tuple(words) for name, words in _DATA["fields"].items()}
PLACES = tuple(_DATA["places"]["named"])
OPENING = tuple(_DATA["tokens"]["opening"])
ENDING, SPEAKERS = tuple(_DATA["tokens"]["ending"]), tuple(_DATA["tokens"]["speakers"])
THINKING = tuple((str(first), str(last)) for first, last in _DATA["tokens"]["thinking"])
YES, NO = frozenset(_DATA["truth"]["yes"]), frozenset(_DATA["truth"]["no"])
CHOICES = {word: choice for choice, words in _DATA["choices"].items() for word in (choice, *words)}
AGAINST, AGAINST_ZH = frozenset(_DATA["remarks"]["against"]), tuple(_DATA["remarks"]["against_zh"])
