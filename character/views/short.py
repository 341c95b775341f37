"""Short text for a value of any size: what ``repr`` says of a record, and of the plain data made of one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any

MOST_CHARACTERS = 400
"""The length of a short text, of any value; the close of a bracket may come on top."""
_MOST_TEXT, _MOST_ITEMS, _MOST_DEPTH = 80, 6, 3


def short_repr(value: Any, most: int = MOST_CHARACTERS) -> str:
    """Return a value as text of about ``most`` characters at most, whatever its size.

    Long texts are cut, of a collection the first items are shown with their number, what lies deep is named
    by its kind alone. A small value reads as Python writes it, a record without the fields that are empty.
    """
    return _shown(value, _MOST_DEPTH, most)


class BriefList(list[Any]):
    """A list whose text is short, as the cell of a table wants it; it is written to JSON as any list is."""

    def __repr__(self) -> str:
        return short_repr(list(self), 300)


class BriefDict(dict[str, Any]):
    """A dictionary whose text is short, as the cell of a table wants it; to JSON it is as any other."""

    def __repr__(self) -> str:
        return short_repr(dict(self), 300)


def brief(value: Any) -> Any:
    """Return JSON-native data whose collections print short."""
    if isinstance(value, Mapping):
        return BriefDict({str(key): brief(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return BriefList([brief(item) for item in value])
    return value


def cut(text: str, most: int) -> str:
    """Return a text, or its beginning with how many characters follow."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def _shown(value: Any, depth: int, most: int) -> str:
    if isinstance(value, str):
        room = max(8, min(_MOST_TEXT, most))
        return repr(value if len(value) <= room else value[:room] + "…")
    parts = _parts_of(value)
    if parts is not None:
        name = type(value).__name__
        return f"{name}({_joined(parts, depth, most, {}) if depth else '…'})"
    if isinstance(value, Mapping):
        shown = [(f"{short_repr(key, 40)}: ", item) for key, item in islice(value.items(), _MOST_ITEMS)]
        return f"{{{_joined(shown, depth, most, value) if depth else f'… {len(value)}'}}}"
    if isinstance(value, list | tuple | set | frozenset):
        left, right = ("[", "]") if isinstance(value, list) else ("(", ")")
        if not isinstance(value, list | tuple):
            left, right = "{", "}"
        if len(value) > 1 and all(_is_record(item) for item in value):
            return f"{left}{len(value):,} × {type(next(iter(value))).__name__}{right}"
        if not depth and not all(isinstance(item, int | float) for item in value):
            return f"{left}… {len(value):,}{right}" if value else left + right
        items = [("", item) for item in islice(value, _MOST_ITEMS)]
        comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"{left}{_joined(items, depth, most, value)}{comma}{right}"
    text = repr(value)
    return text if len(text) <= most else f"{text[: max(8, most)]}…"


def _joined(parts: Iterable[tuple[str, Any]], depth: int, most: int, whole: Collection[Any]) -> str:
    """Return the parts with their labels, as many as there is room for, and how many are left."""
    parts = list(parts)
    number, texts, used = max(len(whole), len(parts)), [], 0
    for label, item in parts:
        text = label + _shown(item, depth - 1, min(most - used, most // 2))
        if used + len(text) > most:
            break
        texts.append(text)
        used += len(text) + 2
    if len(texts) < number:
        texts.append(f"… {number - len(texts):,} more")
    return ", ".join(texts)


def _says_nothing(name: str, value: Any, defaults: Mapping[str, Any]) -> bool:
    """Whether a field is empty, as it is where nobody sets it."""
    return name in defaults and value == defaults[name] and (not value or _is_record(value))


def _is_record(value: Any) -> bool:
    return hasattr(value, "__repr_args__")


def _parts_of(value: Any) -> list[tuple[str, Any]] | None:
    """Return the labelled parts of a record or a data class, None for any other value."""
    if _is_record(value):
        defaults = {
            name: field.get_default(call_default_factory=True)
            for name, field in type(value).model_fields.items()
            if not field.is_required()
        }
        args = [(name or "", item) for name, item in value.__repr_args__()]
        return [(f"{name}=", item) for name, item in args if not _says_nothing(name, item, defaults)]
    if is_dataclass(value) and not isinstance(value, type):
        return [(f"{each.name}=", getattr(value, each.name)) for each in fields(value) if each.repr]
    return None
