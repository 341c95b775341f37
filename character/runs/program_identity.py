"""What makes a program of one's own this one: classes, parameters, prompts and models; no code and no key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import PurePath
from types import FunctionType, MethodType
from typing import Any

import dspy
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from character.backends.saved_models import ADDRESSES, is_secret_name, may_be_kept
from character.backends.secrets import redact
from character.runs.identity import CHANGES
from character.store.run_store import RunStore
from character.text import fingerprint, path_of

_NO_PART = frozenset({"history", "callbacks", "max_in_flight", "lms"})
"""Attributes that say nothing of what a program makes; its models are named by themselves."""
_NO_PART_OF_A_PREDICTOR = frozenset({"stage", "traces", "train", "demos", "signature", "lm"}) | _NO_PART


def program_identity(program: Any) -> dict[str, Any]:
    """Return what makes a program this one, by dotted name: what its public attributes hold, all the way."""
    return {"program": "as configured"} if program is None else dict(_parts(program, "program", set()))


@contextmanager
def noting_changes(program: Any, before: Mapping[str, Any], store: RunStore) -> Iterator[None]:
    """Note in the end which attributes changed while the program ran: a count or a cache is no setting."""
    try:
        yield
    finally:
        now, stored = program_identity(program), json.loads(store.meta("identity") or "{}")
        changed = sorted({name for name in (*before, *now) if before.get(name) != now.get(name)})
        for name in changed:
            holder, _, _ = name.rpartition(".")
            while holder and holder not in before:  # the attribute, not what lies in it
                name, (holder, _, _) = holder, holder.rpartition(".")
            stored = {key: each for key, each in stored.items() if not f"{key}.".startswith(f"{name}.")}
            stored[name] = CHANGES
        if changed:
            store.set_meta("identity", json.dumps(stored, ensure_ascii=False))


def _parts(value: Any, name: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    match value:
        case None | bool() | int() | float() | str() if not isinstance(value, Enum):
            yield name, redact(value) if isinstance(value, str) else value
        case list() | tuple() if all(isinstance(each, None | bool | int | float | str) for each in value):
            yield name, list(value)
        case list() | tuple():
            yield from _all(enumerate(value), name, seen)
        case set() | frozenset():
            yield from _parts(sorted(value, key=repr), name, seen)
        case Mapping():
            yield from _all(value.items(), name, seen)
        case BaseModel():
            yield name, fingerprint(value.model_dump(mode="json"))
        case dspy.BaseLM():
            yield name, f"{value.model} {value.kwargs.get('temperature') or ''}".strip()
            yield from _all(_settings(value), name, seen)
        case Enum() | PurePath() | bytes() | Decimal() | date() | timedelta() | re.Pattern() | range():
            yield name, str(value)
        case _:
            yield name, path_of(value)
            if id(value) not in seen:
                seen.add(id(value))
                yield from _inside(value, name, seen)


def _inside(value: Any, name: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    match value:
        case dspy.Predict():
            yield f"{name}.signature", _prompt(value.signature)
            yield f"{name}.demos", fingerprint([_whole(demo) for demo in value.demos])
            yield from _parts(value.lm, f"{name}.lm", seen)
            yield from _all(_attributes(value, _NO_PART_OF_A_PREDICTOR), name, seen)
        case dspy.Module():
            yield from _parts(getattr(value, "lms", None) or {}, f"{name}.lms", seen)
            yield from _all(_attributes(value, _NO_PART), name, seen)
        case partial():
            yield from _all([("func", value.func), ("args", value.args), *value.keywords.items()], name, seen)
        case MethodType():
            yield from _parts(value.__self__, f"{name}.self", seen)
        case FunctionType():
            cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
            yield from _all(((free, _held(cell)) for free, cell in cells), name, seen)
        case type():
            if issubclass(value, dspy.Signature):
                yield f"{name}.signature", _prompt(value)
        case _ if hasattr(value, "tolist"):  # an array, of whatever library
            yield f"{name}.values", fingerprint(repr(value.tolist()))
        case _ if callable(value) or is_dataclass(value):
            yield from _all(_attributes(value), name, seen)


def _all(named: Iterable[tuple[Any, Any]], name: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    for key, part in list(named):
        if not (is_secret_name(str(key)) and isinstance(part, str | bytes | Mapping | list | tuple)):
            yield from _parts(part, f"{name}.{key}", seen)


def _attributes(value: Any, but: frozenset[str] = frozenset()) -> list[tuple[str, Any]]:
    """Return the public attributes of an object, and the fields of a data class, in the order of names."""
    of_class = (
        {each.name: getattr(value, each.name, None) for each in fields(value)} if is_dataclass(value) else {}
    )
    held = {**of_class, **getattr(value, "__dict__", {})}
    return sorted((name, part) for name, part in held.items() if name not in but and name[0] != "_")


def _settings(lm: Any) -> list[tuple[str, Any]]:
    """Return the settings of a model that change its answers: no address, no key and no header."""
    given = {name: value for name, value in lm.kwargs.items() if value is not None and name not in ADDRESSES}
    return sorted((n, value) for n, value in given.items() if n != "temperature" and may_be_kept(n, value))


def _held(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is not filled yet
        return None


def _prompt(signature: Any) -> str:
    described = [
        [name, str(field.annotation), str((field.json_schema_extra or {}).get("desc"))]
        for name, field in signature.fields.items()
    ]
    return fingerprint([signature.instructions, *described])


def _whole(demo: Any) -> str:
    return repr(to_jsonable_python(dict(demo), fallback=repr))  # a record's own text is cut short
