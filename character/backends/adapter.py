"""The prompt adapter: DSPy's ChatAdapter with its static parts remembered, and replies read more strictly."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Container
from functools import lru_cache
from typing import Any, get_origin
from weakref import WeakKeyDictionary

import dspy
from dspy.adapters.utils import apply_output_field_defaults, format_field_value, parse_value
from dspy.utils.exceptions import AdapterParseError

_FENCED = re.compile(r"^```[A-Za-z]*\n(.*)\n```$", re.DOTALL)
_HEADER = re.compile(r"^\s*\[\[ ## (\w+) ## \]\]\s?")


class CharacterAdapter(dspy.ChatAdapter):
    """A ChatAdapter with byte-identical prompts and five differences.

    - The system message and the closing requirements depend on the signature alone and are built once.
    - Reading a reply, only the signature's own output fields and ``completed`` count as headers, so a
      response may contain a line such as ``[[ ## scores ## ]]`` without being cut there; a field that
      occurs twice makes the reply unreadable instead of silently losing the second.
    - Lists and objects are read as JSON or as Python literals, never repaired: what is not well formed
      is unreadable, because a repaired list of scores is a guess.
    - A record is shown as its text, without the level, seed, model and ids that are no judge's business.
    - There is no second call through JSONAdapter: modules re-ask with the fault shown, and count it.
    """

    def __init__(self) -> None:
        super().__init__(use_json_adapter_fallback=False)
        # Weak keys: optimizers and re-asks make signatures by the hundred and forget them.
        self._system: WeakKeyDictionary[type[Any], str] = WeakKeyDictionary()
        self._closing: WeakKeyDictionary[type[Any], str] = WeakKeyDictionary()

    def format_system_message(self, signature: type[dspy.Signature]) -> str:
        """Return the system message, the same for every call with this signature."""
        text = self._system.get(signature)
        if text is None:
            text = self._system[signature] = super().format_system_message(signature)
        return text

    def user_message_output_requirements(self, signature: type[dspy.Signature]) -> str:
        """Return the reminder of the output fields that closes the user message."""
        text = self._closing.get(signature)
        if text is None:
            text = self._closing[signature] = super().user_message_output_requirements(signature)
        return text

    def format_user_message_content(
        self,
        signature: type[dspy.Signature],
        inputs: dict[str, Any],
        prefix: str = "",
        suffix: str = "",
        main_request: bool = False,
    ) -> str:
        """Return the user message; plain strings skip the detour over a pydantic type adapter."""
        parts = [prefix]
        for name, field in signature.input_fields.items():
            if name in inputs:
                value = inputs[name]
                text = value if type(value) is str else _plain_json(field, value)
                if text is None:
                    text = format_field_value(field_info=field, value=value)
                parts.append(f"[[ ## {name} ## ]]\n{text}")
        if main_request:
            parts.append(self.user_message_output_requirements(signature))
        parts.append(suffix)
        return "\n\n".join(parts).strip()

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """Return the output fields; raises AdapterParseError on a missing, repeated or ill-typed field."""
        wanted = signature.output_fields  # made anew each time it is asked for
        sections = self._sections(signature, wanted, completion)
        fields: dict[str, Any] = {}
        for name, text in sections.items():
            try:
                fields[name] = read_value(text, wanted[name].annotation)
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
                raise _unreadable(
                    signature, completion, f"The field {name} cannot be read: {error}"
                ) from error
        fields = apply_output_field_defaults(signature, fields)
        missing = [name for name in wanted if name not in fields]
        if missing:
            raise _unreadable(signature, completion, f"The reply lacks the field {', '.join(missing)}.")
        return fields

    def _sections(
        self, signature: type[dspy.Signature], wanted: Container[str], completion: str
    ) -> dict[str, str]:
        lines = completion.split("\n")
        headers = [_HEADER.match(line) for line in lines]
        ends = [i for i, match in enumerate(headers) if match and match.group(1) == "completed"]
        sections: dict[str, list[str]] = {}
        current: list[str] = []
        for i, line in enumerate(lines[: ends[-1]] if ends else lines):
            match = headers[i]
            if match is None or match.group(1) not in wanted:
                current.append(line)
                continue
            if match.group(1) in sections:
                raise _unreadable(signature, completion, f"The field {match.group(1)} occurs twice.")
            current = sections[match.group(1)] = [line[match.end() :]]
        return {name: "\n".join(text).strip() for name, text in sections.items()}


def _plain_json(field: Any, value: Any) -> str | None:
    """Return what DSPy makes of a JSON-native list or object, without a pydantic type adapter for it."""
    if type(value) not in (list, dict) or field.annotation is str:
        return None
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return None


def _unreadable(signature: type[dspy.Signature], completion: str, message: str) -> AdapterParseError:
    return AdapterParseError(
        adapter_name="CharacterAdapter", signature=signature, lm_response=completion, message=message
    )


def read_value(text: str, annotation: Any) -> Any:
    """Return a field's text as a value of the annotated type; raises ValueError where it is not well formed.

    A code fence around the whole value is taken off. Scalars are read as DSPy reads them.
    """
    if annotation is str:
        return text
    fenced = _FENCED.match(text)
    body = fenced.group(1) if fenced else text
    if get_origin(annotation) not in (list, dict) and not body.startswith(("[", "{")):
        return parse_value(body, annotation)
    try:
        value = json.loads(body, strict=False)  # models put raw line breaks into strings
    except json.JSONDecodeError:
        value = ast.literal_eval(body)
    if not isinstance(value, list | dict):
        raise TypeError(f"found a {type(value).__name__}, expected a list or an object")
    return _type_adapter(annotation).validate_python(value)


@lru_cache(maxsize=256)
def _type_adapter(annotation: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(annotation)
