"""Labelled sets as files: JSON, one item a line, in our shape or in the recipe's."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from character.files import write_whole
from character.records import RECIPE_KINDS
from character.text import detect_language
from optimizers.errors import LabelledError
from optimizers.labelled.records import Label, LabelledItem, LabelledSet

_SHAPE = (
    '{"message": "…", "trait": {"name": "…", "description": "…"}, "candidates": ["…", "…"], '
    '"labels": [{"rater": "…", "scores": [0.9, 0.2]}]}'
)
_KEYS = ("id", "message", *list(LabelledItem.model_fields)[1:])
_DROPPED_AS = {"": "empty", "skip": "skipped", "unsuitable": "unsuitable"}
_ALIASES = {"prompt": "message", "type": "kind", "responses": "candidates"}
_VISIBLE = re.compile(r"[^ \t\r\n]")


def read_labelled(path: Path | str, *, trait: Mapping[str, Any] | str | None = None) -> LabelledSet:
    """Return the labelled set of a file: JSON objects one after the other (one a line), or one list of them.

    An item has ``message`` (a text, or turns with role and content), ``trait`` (its fields, or a text such as
    ``patience: takes the time it needs``), ``candidates`` and ``labels``, see ``LabelledItem`` and ``Label``;
    a lone label's parts may stand in the item itself. The recipe's shapes are read as they stand: ``prompt``,
    ``trait``, ``candidates`` with ``scores`` beside them or in an object of their own after them, and
    ``prompt`` with ``preferred`` and ``less_preferred``. ``trait`` is that of items without one. Rows with
    one id are one item with all their labels; the same label twice counts once, in ``dropped`` as
    ``duplicate``. A label that puts no candidate before another is dropped as ``unsuitable`` or ``skipped``
    where the rater said so, else as ``empty``: what others said of the item stands.

    Raises LabelledError naming file, line and field.
    """
    items = [item_of(row, where, trait) for where, row in _with_scores(rows_of(path))]
    if not items:
        raise LabelledError(f"{path}: there is nothing in it.", expected=_SHAPE)
    return joined(items, Path(path).name.removesuffix(".jsonl").removesuffix(".json"))


def write_labelled(path: Path | str, labelled: LabelledSet) -> None:
    """Write a set as JSON, one item a line; what was there is replaced whole. Read back, it is the same."""
    lines = [json.dumps(dump_item(item), ensure_ascii=False, allow_nan=False) for item in labelled.items]
    try:
        write_whole("".join(f"{line}\n" for line in lines), path)
    except OSError as error:
        fault = f"{path}: cannot be written ({error.strerror})."
        raise LabelledError(fault, fix="choose another path.") from None


def dump_item(item: LabelledItem) -> dict[str, Any]:
    """Return an item as it stands in a file: JSON-native, without what is empty or follows from the rest."""
    data = item.model_dump(mode="json", exclude={"turns", "labels", "group"})
    row = {"id": item.id, "message": item.message, **{key: value for key, value in data.items() if value}}
    parts = [label.model_dump(mode="json") for label in item.labels]
    row["labels"] = [{key: value for key, value in part.items() if value} for part in parts]
    return row if item.group == item.message_key else {**row, "group": item.group}


def merge_labelled(sets: Iterable[LabelledSet], name: str = "") -> LabelledSet:
    """Return one set of all items; those with one id become one item with the labels of several people."""
    given = list(sets)
    merged = joined([item for each in given for item in each.items], name)
    dropped = sum((Counter(each.dropped) for each in given), Counter(merged.dropped))
    return merged.model_copy(update={"dropped": dict(dropped)})


def joined(items: Iterable[LabelledItem], name: str) -> LabelledSet:
    """Return the set of the items, those with one id joined; raises LabelledError where they differ."""
    by_id: dict[str, LabelledItem] = {}
    dropped: Counter[str] = Counter()
    for item in items:
        before = by_id.get(item.id)
        if before and before.content() != item.content():
            raise LabelledError(
                f"{name}: two different items have the id {item.id!r}.",
                expected="one id for the same message, trait and candidates in the same order",
                fix="give each item an id of its own, or leave the ids out.",
            )
        labels = list(before.labels) if before else []
        for label in item.labels:
            told_apart = "duplicate" if label in labels else ""
            reason = _DROPPED_AS[label.answer] if label.is_empty else told_apart
            if reason:
                dropped[reason] += 1
            else:
                labels.append(label)
        by_id[item.id] = (before or item).model_copy(update={"labels": tuple(labels)})
    return LabelledSet(items=tuple(by_id.values()), name=name, dropped=dict(dropped))


def rows_of(path: Path | str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (where, row) for each JSON object of a file, whether one after the other or in a list."""
    text = _text_of(path)
    decoder = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_without_repeats)
    at = 0
    while begun := _VISIBLE.search(text, at):
        where = f"{path}, line {text.count(chr(10), 0, begun.start()) + 1}"
        try:
            value, at = decoder.raw_decode(text, begun.start())
        except json.JSONDecodeError as error:
            fault = f"{path}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg})."
            raise LabelledError(fault, expected=_SHAPE, fix="correct that row.") from None
        except RecursionError:
            raise _problem(where, "the JSON nests too deeply.") from None
        except ValueError as error:
            raise _problem(where, f"{error}.") from None
        listed = isinstance(value, list)
        for number, row in enumerate(value if listed else [value], 1):
            place = f"{where}, item {number}" if listed else where
            if not isinstance(row, dict):
                raise _problem(place, f"found {type(row).__name__} where an item should be.")
            yield place, row


def item_of(row: Mapping[str, Any], where: str, trait: Mapping[str, Any] | str | None = None) -> LabelledItem:
    """Return the item of a row; raises LabelledError naming the field that is wrong."""
    fields = _preferred(row) if "preferred" in row else dict(row)
    for alias, key in _ALIASES.items():
        if alias in fields and key not in fields:
            fields[key] = fields.pop(alias)
    alone = {key: fields.pop(key) for key in Label.model_fields if key in fields}
    if unknown := [key for key in fields if key not in _KEYS]:
        raise _problem(where, f"the field {unknown[0]!r} is not known.", f"the fields {', '.join(_KEYS)}")
    if alone:
        fields["labels"] = [*(fields.get("labels") or []), alone]
    fields["trait"] = _trait(fields.get("trait"), trait, where)
    fields["turns"] = _turns(fields, where)
    if isinstance(fields.get("kind"), str):
        fields["kind"] = RECIPE_KINDS.get(fields["kind"], fields["kind"])
    try:
        item = LabelledItem.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]).replace("turns", "message")
        fault = first["msg"].removeprefix("Value error, ")
        raise _problem(where, f"{field}: {fault}." if field else f"{fault}.") from None
    if "language" in fields:
        return item
    return item.model_copy(update={"language": detect_language(item.turns[-1].content)})


def _with_scores(rows: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Put scores that stand alone, as the recipe shows them, to the candidates before them."""
    before: tuple[str, dict[str, Any]] | None = None
    for where, row in rows:
        if set(row) == {"scores"}:
            if before is None or "scores" in before[1]:
                raise _problem(where, "scores without candidates before them.")
            before = (before[0], {**before[1], **row})
            continue
        if before:
            yield before
        before = (where, row)
    if before:
        yield before


def _preferred(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe's pair shape as candidates with an order: one preferred, the others equal."""
    fields = {key: value for key, value in row.items() if key not in ("preferred", "less_preferred")}
    less = row.get("less_preferred") or []
    others = less if isinstance(less, list) else [less]
    order = [[0], list(range(1, 1 + len(others)))]
    return {**fields, "candidates": [row["preferred"], *others], "order": [group for group in order if group]}


def _trait(given: Any, default: Mapping[str, Any] | str | None, where: str) -> dict[str, Any]:
    trait = default if given is None else given
    if isinstance(trait, str) and trait.strip():
        name, _, description = re.sub(r"：", ":", trait, count=1).partition(":")
        if description.strip() and len(name) <= 40:
            return {"name": name.strip(), "description": description.strip()}
        return {"name": trait.strip()}
    if isinstance(trait, Mapping) and trait:
        return dict(trait)
    kind = "no trait" if trait is None else "a trait that is neither text nor fields"
    raise _problem(where, f"trait: found {kind}.", 'a trait such as {"name": "…", "description": "…"}')


def _turns(fields: dict[str, Any], where: str) -> Any:
    message = fields.pop("message", None)
    if (message is None) == ("turns" not in fields):
        raise _problem(where, "message: found none, or found turns as well.", "a text, or a list of turns")
    if isinstance(message, str):
        return [{"role": "user", "content": message}]
    return fields["turns"] if message is None else message


def _text_of(path: Path | str) -> str:
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        fix = "give the path of a labelled set, as seen from the current directory."
        raise LabelledError(f"{path}: cannot be read ({error.strerror}).", fix=fix) from None
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise LabelledError(f"{path}: the file is UTF-16.", expected="UTF-8 text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        fault = f"the byte 0x{raw[error.start]:02X} is not UTF-8."
        raise _problem(f"{path}, line {line}", fault, "UTF-8 text") from None


def _no_constant(name: str) -> float:
    raise ValueError(f"found {name}, which is no finite number")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        repeated = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the field {repeated!r} stands twice in one object")
    return fields


def _problem(where: str, fault: str, expected: str = _SHAPE) -> LabelledError:
    return LabelledError(f"{where}: {fault}", expected=expected, fix="correct that row.")
