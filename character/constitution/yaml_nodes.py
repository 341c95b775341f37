"""YAML with line numbers, built from parser events: no tags, no aliases, nothing constructed."""

from __future__ import annotations

from collections.abc import Callable
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
    builder = _Builder(source, {ord(new): old for old, new in stand_ins.items()})
    try:
        for event in yaml.parse(guarded, Loader=yaml.SafeLoader):
            builder.take(event)
    except ConstitutionError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: escapes beyond Unicode
        raise _syntax_problem(error, source) from error
    return builder.root or Node("null", "", 1)


def _stand_ins(text: str) -> dict[str, str]:
    """Return characters that take the place of U+0085, U+2028 and U+2029 while the text is parsed.

    YAML 1.1 ends a line at each of them, which tears apart text that merely contains one; YAML 1.2 does not.
    """
    found = [char for char in _ODD_BREAKS if char in text]
    used = set(text) if found else set()
    free = (chr(code) for code in _PRIVATE_USE if chr(code) not in used)
    return dict(zip(found, free, strict=False))


def _syntax_problem(error: Exception, source: str) -> ConstitutionError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or error
    place = f"column {mark.column + 1}: " if mark else ""
    return problem(
        source,
        mark.line + 1 if mark else None,
        f"{place}not valid YAML ({reason}).",
        expected="a list of traits, or keys and values",
        fix="check the indentation, and put text that holds ': ' or ' #' in quotes.",
    )


class _Builder:
    """Puts nodes together from parser events; a stack in place of recursion."""

    def __init__(self, source: str, restore: dict[int, str]) -> None:
        self.root: Node | None = None
        self._source, self._restore = source, restore
        self._open: list[Node] = []
        self._keys: list[tuple[str, int] | None] = []
        self._documents = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise problem(self._source, line, "a second YAML document starts.", expected="one document")
        elif isinstance(event, yaml.AliasEvent):
            raise problem(
                self._source,
                line,
                f"the alias *{event.anchor} is not read.",
                expected="plain text",
                fix="write out what it stands for.",
            )
        elif isinstance(event, yaml.ScalarEvent):
            self._check_tag(event, line)
            text = event.value.translate(self._restore)
            self._attach(Node(self._scalar_kind(event), text, line))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._check_tag(event, line)
            self._start(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._keys.pop()

    def _check_tag(self, event: Any, line: int) -> None:
        if event.tag is not None:
            raise problem(
                self._source,
                line,
                f"the tag {event.tag} is not read.",
                expected="plain text",
                fix="remove the tag.",
            )

    def _scalar_kind(self, event: Any) -> NodeKind:
        if not event.implicit[0]:
            return "string"
        tag = _resolve(yaml.ScalarNode, event.value, (True, False))
        return _KINDS.get(str(tag), "string")

    def _start(self, event: Any, line: int) -> None:
        check_depth(len(self._open) + 1, line, self._source)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        node = Node("mapping", {}, line) if is_mapping else Node("list", [], line)
        self._attach(node)
        self._open.append(node)
        self._keys.append(None)

    def _attach(self, node: Node) -> None:
        if not self._open:
            self.root = node
        elif self._open[-1].kind == "list":
            self._open[-1].value.append(node)
        elif (key := self._keys[-1]) is None:
            self._keys[-1] = self._key(node)
        else:
            # A member carries the line of its key; a container shares its value with the node on the stack.
            add_member(self._open[-1].value, key[0], Node(node.kind, node.value, key[1]), self._source)
            self._keys[-1] = None

    def _key(self, node: Node) -> tuple[str, int]:
        if node.kind != "string":
            raise problem(
                self._source,
                node.line,
                f"a key that is a {node.kind}.",
                expected="keys that are text",
                fix="put it in quotes.",
            )
        return node.value, node.line or 1
