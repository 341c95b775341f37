"""The prompt adapter: DSPy's ChatAdapter with its static parts remembered, and replies read more strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

import dspy
from dspy.adapters.utils import apply_output_field_defaults, format_field_value
from dspy.utils.exceptions import AdapterParseError
from pydantic import ConfigDict, create_model

from character.backends.observe import note_reading
from character.backends.reading.reasoning import split_reasoning, strip_template_tokens
from character.backends.reading.sections import HEADERS, ONE_OBJECT, Sections, find_fields, without_last
from character.backends.reading.values import TwiceError, read_loosely, read_value, shape_of
from character.text import storable

_FAULTS = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError)
_ANSWERS = {"response", "responses"}  # a schema would change what a model says in them


class CharacterAdapter(dspy.ChatAdapter):
    """A ChatAdapter with byte-identical prompts, whose reading differs.

    - The system message and the closing requirements depend on the signature alone and are built once.
    - Reading a reply, only the signature's own output fields and ``completed`` count as headers, so a
      response may contain a line such as ``[[ ## scores ## ]]`` without being cut there; a field that
      occurs twice makes the reply unreadable instead of silently losing the second.
    - Lists and objects are read as JSON or as Python literals, never repaired: what is not well formed
      is unreadable, because a repaired list of scores is a guess.
    - A record is shown as its text, without the level, seed, model and ids that are no judge's business.
    - There is no second call through JSONAdapter: modules re-ask with the fault shown, and count it.

    ``kept`` are output fields that need not be in a reply, by the values that they have without it.
    """

    kept: Mapping[str, Any] = MappingProxyType({})
    asks_for: str = HEADERS
    """The form that a reply is asked for in; another one is noted."""

    def __init__(self) -> None:
        dspy.ChatAdapter.__init__(self, use_json_adapter_fallback=False)
        # Weak keys: optimizers and re-asks make signatures by the hundred and forget them.
        self._system: WeakKeyDictionary[type[Any], str] = WeakKeyDictionary()
        self._closing: WeakKeyDictionary[type[Any], str] = WeakKeyDictionary()
        self._fields: WeakKeyDictionary[type[Any], tuple[Any, Any]] = WeakKeyDictionary()

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
        known = self._fields.get(signature)
        if known is None:  # DSPy makes them anew each time
            known = self._fields[signature] = (signature.output_fields, tuple(signature.input_fields))
        wanted, shown = known
        found, habits = self._found(signature, wanted, shown, completion)
        fields: dict[str, Any] = {}
        faults: list[str] = []
        for name, value in found.fields.items():
            try:
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                fields[name] = storable(self._read((name, wanted[name]), text, habits))
            except _FAULTS as error:
                faults.append(str(error))
        fields = {**self.kept, **fields}
        if len(fields) < len(wanted):
            fields = apply_output_field_defaults(signature, fields)
        missing = [name for name in wanted if name not in fields]
        if missing and not faults:
            says = " ".join(completion.split())[:160]
            faults.append(f"The reply lacks the field {', '.join(missing)}; it says {says!r}.")
        if faults:
            raise unreadable(signature, completion, faults[0], fields)
        note_reading(habits, closed=found.closed, as_asked=found.form == self.asks_for)
        return fields

    def _found(
        self, signature: type[dspy.Signature], wanted: Mapping[str, Any], shown: Any, completion: str
    ) -> tuple[Sections, list[str]]:
        """Return where the fields of a reply are, with what is no part of it set apart, and its habits."""
        said, thoughts = split_reasoning(completion)
        text = strip_template_tokens(said)
        habits = ["thoughts before the reply"] * bool(thoughts) + ["template tokens"] * (text != said)
        needed = {name for name, field in wanted.items() if field.is_required() and name not in self.kept}
        names = (tuple(wanted), needed, shown)
        try:
            found = find_fields(text, *names)
            if thoughts and not text.strip():
                inside = find_fields(thoughts, *names)
                at_end = inside.form == ONE_OBJECT or without_last(thoughts) != thoughts
                if inside.closed and at_end:  # else it is a draft that they speak of
                    found = inside
                    habits.append("the whole reply among the thoughts")
        except TwiceError as error:
            raise unreadable(signature, completion, f"The field {error} occurs twice.") from None
        return found, [*habits, *([found.form] if found.form != self.asks_for else [])]

    def _read(self, named: tuple[str, Any], text: str, habits: list[str]) -> Any:
        """Return the value of a field, and note where it was written in another way than asked for."""
        name, field = named
        if field.annotation is str:
            said, thoughts = split_reasoning(text)
            plain = strip_template_tokens(said).strip() if name != "reasoning" else text
            habits += ["thoughts before the reply"] * bool(thoughts)
            return plain
        try:
            return read_value(text, field.annotation)
        except _FAULTS:
            pass
        try:
            value = read_loosely(text, field.annotation)
        except _FAULTS:
            asked = (field.json_schema_extra or {}).get("desc", "")
            raise ValueError(
                f"The field {name} cannot be read: it says {text[:120]!r}, "
                f"expected {shape_of(field.annotation)}: {asked}."
            ) from None
        habits.append(f"{name} written otherwise")
        return value


class SchemaAdapter(CharacterAdapter, dspy.JSONAdapter):
    """Asks for one JSON object, as DSPy's JSONAdapter does, and reads it as all replies are read."""

    asks_for = ONE_OBJECT


@lru_cache(maxsize=256)
def schema_of(signature: type[dspy.Signature]) -> dict[str, Any] | None:
    """Return the JSON schema of a reply; None where all of its fields are texts, or one answers a message."""
    fields = signature.output_fields
    if fields.keys() & _ANSWERS or all(field.annotation is str for field in fields.values()):
        return None
    parts: Any = {name: (field.annotation, ...) for name, field in fields.items()}
    schema = create_model("Reply", __config__=ConfigDict(extra="forbid"), **parts).model_json_schema()
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}}


def _plain_json(field: Any, value: Any) -> str | None:
    """Return what DSPy makes of a JSON-native list or object, without a pydantic type adapter for it."""
    if type(value) not in (list, dict) or field.annotation is str:
        return None
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return None


def unreadable(
    signature: type[dspy.Signature], completion: str, message: str, read: Mapping[str, Any] | None = None
) -> AdapterParseError:
    """Return the error of a reply that cannot be read, with those of its fields that can."""
    return AdapterParseError("CharacterAdapter", signature, completion, message, read)
