"""YAML with line numbers, built from parser events: no tags, no aliases, nothing constructed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

import yaml

from character.constitution.nodes import Node, NodeKind, add_member, check_depth, problem
from character.errors import ConstitutionError

_KINDS: dict[str, NodeKind] = {
    "tag:yaml.org,2002:int": "number",
    "tag:yaml.org,2002:float": "number",
    "tag:yaml.org,2002:bool": "boolean",
    "tag:yaml.org,2002:null": "null",
    "tag:yaml.org,2002:timestamp": "date",
}
_resolve: Callable[..., Any] = yaml.SafeLoader("").resolve
_ODD_BREAKS = "\x85\u2028\u2029"
_PRIVATE_USE = range(0xE000, 0xF8FF)


def read_yaml(text: str, source: str) -> Node:
    """Return the one document in the text, a null where there is none.

    Raises ConstitutionError on bad syntax, a second document, a tag, an alias or a repeated key. Aliases
    are refused because a few of them can stand for gigabytes, and a constitution needs none.
    """
    stand_ins = _stand_ins(text)
    guarded = text.translate({ord(old): new for old, new in stand_ins.items()})
    events = yaml.parse(guarded, Loader=yaml.SafeLoader)
    try:
        return _Reader(events, source, {ord(new): old for old, new in stand_ins.items()}).document()
    except ConstitutionError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: escapes beyond Unicode
        raise _syntax_problem(error, source) from error


def _stand_ins(text: str) -> dict[str, str]:
    """Return characters that take the place of U+0085, U+2028 and U+2029 while the text is parsed.

    YAML 1.1 ends a line at each of them, which tears apart text that merely contains one; YAML 1.2 does not.
    """
    breaks = [char for char in _ODD_BREAKS if char in text]
    used = set(text) if breaks else set()
    free = (chr(code) for code in _PRIVATE_USE if chr(code) not in used)
    return dict(zip(breaks, free, strict=False))


def _syntax_problem(error: Exception, source: str) -> ConstitutionError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or error
    place = f"column {mark.column + 1}: " if mark else ""
    return problem(source, mark.line + 1 if mark else None, "yaml", place=place, reason=reason)


class _Reader:
    """Puts nodes together from parser events; ``check_depth`` bounds how deep they nest."""

    def __init__(self, events: Iterator[Any], source: str, restore: dict[int, str]) -> None:
        self._events, self._source, self._restore = events, source, restore

    def document(self) -> Node:
        root: Node | None = None
        for event in self._events:
            line = event.start_mark.line + 1
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise problem(self._source, line, "yaml_document")
                root = self._node(next(self._events), 1)
        return root or Node("null", "", 1)

    def _node(self, event: Any, depth: int, *, is_key: bool = False) -> Node:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise problem(self._source, line, "yaml_alias", anchor=event.anchor)
        if event.tag is not None:
            raise problem(self._source, line, "yaml_tag", tag=event.tag)
        kind = _kind(event)
        if isinstance(event, yaml.CollectionStartEvent):
            check_depth(depth, line, self._source)
        if is_key and kind != "string":
            raise problem(self._source, line, "yaml_key", kind=kind)
        if isinstance(event, yaml.ScalarEvent):
            return Node(kind, event.value.translate(self._restore), line)
        inner = takewhile(lambda event: not isinstance(event, yaml.CollectionEndEvent), self._events)
        if kind == "list":
            return Node(kind, [self._node(each, depth + 1) for each in inner], line)
        members: dict[str, Node] = {}
        for each in inner:
            key = self._node(each, depth + 1, is_key=True)
            add_member(members, key.value, key, self._source)  # holds the place until its value is read
            value = self._node(next(self._events), depth + 1)
            members[key.value] = Node(value.kind, value.value, key.line)
        return Node(kind, members, line)


def _kind(event: Any) -> NodeKind:
    if isinstance(event, yaml.CollectionStartEvent):
        return "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
    if not event.implicit[0]:
        return "string"
    return _KINDS.get(str(_resolve(yaml.ScalarNode, event.value, (True, False))), "string")
