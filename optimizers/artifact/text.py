"""The text of a saved ranker: plain JSON within bounds, read strictly, written to be compared."""

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Iterator
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, NoReturn

from character.files import read_at_most
from optimizers.errors import ArtifactError, unusable

MOST_BYTES = 2_000_000
MOST_DEPTH = 20
MOST_CHARACTERS = 40_000
"""The longest single text of a file: an instruction, or one text of an example."""
LARGEST_NUMBER = 1e9

_ONE_LINE = ("fields[]", "demos[].")
_STRING = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL
)  # also one that never ends: linear time
_FIELD_HEADER = re.compile(r"\[\[\s*##.{0,200}?##\s*\]\]", re.DOTALL)
_CHAT_TEMPLATE = re.compile(r"<\|[A-Za-z_ ]{1,40}\|>|\[/?INST\]|<\uff5c[^\n]{1,40}\uff5c>")
_HIDDEN = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and halves of characters (Unicode's Cc and Cs), but for tab and line ends."""


def read_bounded(path: Path) -> bytes:
    """Return the bytes of a file of at most ``MOST_BYTES``; raises ArtifactError for anything else."""
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
        data = read_at_most(path, MOST_BYTES) if is_file else b""
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise unusable("unreadable_file", path=path, why=why) from None
    if not is_file:
        raise unusable("no_file", path=path)
    if data is None:
        raise unusable("large_file", path=path, most=MOST_BYTES)
    return data


def parse_plain(data: bytes, where: str) -> Any:
    """Return the JSON value of a file, or raise ArtifactError.

    Refused: what is not UTF-8, nesting beyond ``MOST_DEPTH``, a key that occurs twice, NaN and infinities,
    numbers beyond ``LARGEST_NUMBER``, and texts that are too long or hold what ``text_fault`` names.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise unusable("encoding", where=where, byte=error.start) from None
    if _depth(text) > MOST_DEPTH:
        raise unusable("nesting", where=where, most=MOST_DEPTH)
    hooks: dict[str, Any] = {
        "object_pairs_hook": partial(_unique, where),
        "parse_constant": partial(_no_constant, where),
    }
    try:
        value = json.loads(text, **hooks)
    except ArtifactError:
        raise
    except (ValueError, RecursionError) as error:
        raise unusable("not_plain", where=where, error=error) from None
    if fault := value_fault(value):
        raise unusable("fault", where=where, fault=fault)
    return value


def text_fault(text: str) -> str:
    """Return what makes a text unfit for a prompt that others will run, or nothing.

    A line such as ``[[ ## scores ## ]]`` could pass for a field of the prompt, a token such as
    ``<|im_start|>`` for a turn of its own; control and hidden characters deceive who reads the file.
    """
    if len(text) > MOST_CHARACTERS:
        return f"a text of {len(text):,} characters, more than {MOST_CHARACTERS:,}"
    if header := _FIELD_HEADER.search(text):
        return f"a text that forges a field of the prompt: {header[0][:40]!r}"
    if token := _CHAT_TEMPLATE.search(text):
        return f"a text that forges a turn of the conversation: {token[0]!r}"
    if hidden := _HIDDEN.search(text):
        return f"a hidden character, U+{ord(hidden[0]):04X}"
    odd = _ODD.search(text)
    return f"a control character or half a character, U+{ord(odd[0]):04X}" if odd else ""


def without_faults(text: str) -> str:
    """Return a text without what ``text_fault`` names: a field's header becomes its name, the rest goes.

    For instructions that a model proposed: it has seen prompts with such headers, and likes to quote them.
    """
    rest = text[:MOST_CHARACTERS]
    while text_fault(rest):  # what is taken out can bring together what forges the next
        rest = _FIELD_HEADER.sub(lambda match: match[0].strip("[]# \t\n") or " ", rest)
        rest = _ODD.sub("", _HIDDEN.sub("", _CHAT_TEMPLATE.sub("", rest)))
    return rest


def value_fault(value: Any) -> str:
    """Return the first fault of a JSON-native value, in texts and numbers, as ``place: fault``."""
    return next((f"{place or 'the whole'}: {fault}" for place, fault in _faults(value, "")), "")


def pretty(value: Any, *, indent: int = 0, place: str = "") -> str:
    """Return JSON for people and for ``diff``: keys sorted, one to a line; so are an example's fields.

    ``place`` is the key that the value stands under, with ``[]`` for an item of its list.
    """
    numbers = isinstance(value, list) and all(isinstance(item, int | float) for item in value)
    one_line = place in _ONE_LINE or (numbers and place and not place.endswith("[]"))
    if not isinstance(value, dict | list) or not value or one_line:
        # Keys stay in their order: a trait is shown to the judge as it stands.
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    if isinstance(value, list):
        lines = [pretty(item, indent=indent + 1, place=f"{place}[]") for item in value]
    else:
        within = "demos[]." if place == "demos[]" else ""
        texts = {key: pretty(value[key], indent=indent + 1, place=within or key) for key in sorted(value)}
        lines = [f"{json.dumps(key, ensure_ascii=False)}: {text}" for key, text in texts.items()]
    pad, brackets = "\n" + "  " * indent, "[]" if isinstance(value, list) else "{}"
    return f"{brackets[0]}{pad}  " + f",{pad}  ".join(lines) + f"{pad}{brackets[1]}"


def _depth(text: str) -> int:
    brackets = re.sub(r"[^\[\]{}]", "", _STRING.sub("", text))
    return max(accumulate((1 if char in "[{" else -1 for char in brackets), initial=0))


def _unique(where: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in pairs:
        if key in fields:
            raise unusable("repeated_key", where=where, key=key[:60])
        fields[key] = value
    return fields


def _no_constant(where: str, name: str) -> NoReturn:
    raise unusable("constant", where=where, name=name)


def _faults(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        fault = text_fault(value)
        if fault:
            yield place, fault
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int | float):
        if not math.isfinite(value) or abs(value) > LARGEST_NUMBER:
            yield place, "a number that is not finite, or larger than any that belongs here"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _faults(key, f"a key of {place or 'the whole'}")
            yield from _faults(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _faults(inner, f"{place}[{number}]")
    else:
        yield place, f"a {type(value).__name__}, which JSON does not have"
