"""Reading one field of a trait or of a constitution: its type, its text, its list of texts."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from character.constitution.nodes import Node, check_characters, describe, problem, quote

Members = dict[str, Node]


def check_keys(members: Members, known: Iterable[str], source: str, where: str) -> None:
    """Raise ConstitutionError on the first key that is not known, with the near one where there is one."""
    names = list(known)
    for key, node in members.items():
        if key not in names:
            near = get_close_matches(key.lower(), names, n=1)
            raise problem(
                source,
                node.line,
                f"{where}: the key {quote(key)} is not known.",
                expected=f"one of {', '.join(names)}",
                fix=f"did you mean {near[0]!r}?" if near else "rename or remove it.",
            )


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
        raise wrong_type(node, source, place, "a list of strings", 'put it in brackets: ["…"].')
    return tuple(string_of(item, source, f"{place}, item {i}") for i, item in enumerate(node.value, start=1))


def string_of(node: Node, source: str, where: str) -> str:
    """Return a text that is neither blank nor unusable; raises ConstitutionError otherwise."""
    if node.kind != "string":
        fix = "put it in quotes." if node.kind in ("number", "boolean", "date") else "write it as text."
        raise wrong_type(node, source, where, "a string", fix)
    text = str(node.value)
    if not text.strip():
        raise problem(
            source, node.line, f"{where}: an empty text.", expected="text", fix="fill or remove it."
        )
    check_characters(text, node.line or 1, source, where)
    return text


def wrong_type(node: Node, source: str, where: str, expected: str, fix: str) -> Exception:
    """Return the error for a value of another type than expected."""
    return problem(source, node.line, f"{where}: found {describe(node)}.", expected=expected, fix=fix)
