"""Reading one field of a trait or of a constitution: its type, its text, its list of texts."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from character.constitution.nodes import Node, check_characters, describe, quote
from character.constitution.problems import problem

Members = dict[str, Node]


def check_keys(members: Members, names: Sequence[str], source: str, where: str) -> None:
    """Raise ConstitutionError on the first key that is no such name, with the near one where there is one."""
    for key, node in members.items():
        if key not in names:
            near = get_close_matches(key.lower(), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "rename or remove it."
            given = {"where": where, "key": quote(key), "names": ", ".join(names), "hint": hint}
            raise problem(source, node.line, "unknown_key", **given)


def read_string(members: Members, key: str, source: str, where: str) -> str:
    """Return the text of a field, ``""`` where the field is missing or null."""
    node = members.get(key)
    return "" if node is None or node.kind == "null" else string_of(node, source, f"{where}, field {key!r}")


def read_strings(members: Members, key: str, source: str, where: str) -> tuple[str, ...]:
    """Return the texts of a field that is a list, none where the field is missing or null."""
    node = members.get(key)
    if node is None or node.kind == "null":
        return ()
    place = f"{where}, field {key!r}"
    if node.kind != "list":
        raise wrong_type("not_texts", node, source, place)
    return tuple(string_of(item, source, f"{place}, item {i}") for i, item in enumerate(node.value, start=1))


def string_of(node: Node, source: str, where: str) -> str:
    """Return a text that is neither blank nor unusable; raises ConstitutionError otherwise."""
    if node.kind != "string":
        is_scalar = node.kind in ("number", "boolean", "date")
        raise wrong_type("not_quoted" if is_scalar else "not_text", node, source, where)
    text = str(node.value)
    if not text.strip():
        raise problem(source, node.line, "empty_text", where=where)
    check_characters(text, node.line or 1, source, where)
    return text


def wrong_type(name: str, node: Node, source: str, where: str = "") -> Exception:
    """Return the error, by its name in ``problems.toml``, for a value of another type than expected."""
    return problem(source, node.line, name, where=where, what=describe(node))
