"""Plausible answers for fields of any other signature, by the name and the type of the field."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, NamedTuple

from character.backends.rehearsal.phrases import read
from character.backends.rehearsal.prompt import Assignment, Field
from character.backends.rehearsal.responses import compose
from character.text import detect_language

_FENCE = re.compile(r"```[a-z]*\n(.+?)\n```", re.S)
_ATTEMPT = re.compile(
    r"Instruction #\d+: (.+?)(?=\n?(?:»|\[\d+\] «+|(?:Prefix|Resulting Score) #\d+:)|\Z)", re.S
)
_INSTRUCTION_INPUT = re.compile(r"instruction|prompt", re.I)
_MAX_DEPTH = 4
_ADVICE: dict[str, tuple[str, ...]] = {
    language: words["advice"] for language, words in read("judging").items()
}
_SIMPLE: dict[str, Callable[[Random], Any]] = {
    "bool": lambda rng: rng.random() < 0.5,
    "int": lambda rng: rng.randint(1, 5),
    "float": lambda rng: round(rng.random(), 2),
}


def fill(field: Field, asked: Assignment) -> Any:
    """Return a value for an output field: an instruction reworded, else something of the field's type."""
    rng = asked.rng
    if field.allowed:
        return rng.choice(field.allowed)
    if field.schema:
        schema = json.loads(field.schema)
        if schema.get("items", {}).get("type") in ("number", "integer", "boolean"):
            # A list of scores or marks has one for each of what is listed, if anything is.
            shown = max((len(asked.listed(name)) for name in asked.values), default=0)
            schema = {"minItems": max(1, shown), **schema}
        return _Maker(schema.get("$defs", {}), _keys(asked), partial(_text, field, asked), rng).make(schema)
    if field.type in _SIMPLE:
        return _SIMPLE[field.type](rng)
    if "instruction" in field.name and "prefix" not in field.name:
        return reword(_instruction_in(asked.values), rng)
    if "prefix" in field.name:
        return rng.choice(("Answer:", "Scores:", "My judgement:", "Result:"))
    return _text(field, asked)


def fenced(text: str) -> str | None:
    """Return what stands in the first code block of a text, None where there is none."""
    match = _FENCE.search(text)
    return match[1].strip() if match else None


def reword(instruction: str, rng: Random) -> str:
    """Return the instruction with one or two more lines of advice, or as it is when it has all of them."""
    base = instruction.strip() or "Do the task with care."
    fresh = [line for line in _ADVICE[detect_language(base)] if line not in base]
    added = rng.sample(fresh, min(len(fresh), rng.randint(1, 2)))
    return "\n".join([base, *(f"- {line}" for line in added)])


def _instruction_in(values: dict[str, Any]) -> str:
    """Return the instruction that the inputs show: the last attempt of several, else the text itself."""
    named = [name for name in values if _INSTRUCTION_INPUT.search(name)]
    for name in sorted(named, key=lambda name: ("attempt" not in name, "basic" not in name, name)):
        text = str(values[name]).strip()
        attempts = _ATTEMPT.findall(text)
        instruction = attempts[-1] if attempts else fenced(text) or text
        if instruction.strip():
            return "\n".join(line.strip() for line in instruction.strip().splitlines())
    return ""


def _text(field: Field, asked: Assignment) -> str:
    if "advice" in field.name:
        return asked.rng.choice(_ADVICE[asked.language])
    texts = [value for value in asked.values.values() if isinstance(value, str)]
    return compose(max(texts, key=len, default=""), None, "absent", asked.language, asked.rng)


class _Maker(NamedTuple):
    """What values for a JSON schema are made of: definitions, keys for open mappings, a source of text."""

    defs: dict[str, Any]
    keys: list[str]
    text: Callable[[], str]
    rng: Random

    def make(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """Return a value that satisfies a JSON schema as pydantic writes them."""
        if "$ref" in schema:
            return self.make(self.defs[schema["$ref"].rsplit("/", 1)[1]], depth + 1)
        if "const" in schema or "enum" in schema:
            return schema["const"] if "const" in schema else self.rng.choice(schema["enum"])
        options = schema.get("anyOf") or schema.get("allOf") or schema.get("oneOf")
        if options:
            return self.make(options[-1] if depth > _MAX_DEPTH else options[0], depth + 1)
        match schema.get("type"):
            case "object":
                return self._object(schema, depth + 1)
            case "array":
                count = max(schema.get("minItems", 1), 0 if depth > _MAX_DEPTH else 1)
                return [self.make(schema.get("items", {}), depth + 1) for _ in range(count)]
            case "integer":
                return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
            case "number":
                return _number(schema, self.rng)
            case "boolean":
                return self.rng.random() < 0.5
            case "null":
                return None
        return self.text()

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        if "properties" in schema:
            return {name: self.make(part, depth) for name, part in schema["properties"].items()}
        values = schema.get("additionalProperties")
        return {key: self.make(values if isinstance(values, dict) else {}, depth) for key in self.keys}


def _number(schema: dict[str, Any], rng: Random) -> float:
    low = float(schema.get("minimum", schema.get("exclusiveMinimum", 0.0)))
    high = float(schema.get("maximum", schema.get("exclusiveMaximum", low + 1.0)))
    return round(low + (high - low) * rng.uniform(0.1, 0.9), 2)


def _keys(asked: Assignment) -> list[str]:
    """Return the keys of an open mapping: a list of names among the inputs, where there is one."""
    for name in asked.values:
        names = asked.listed(name)
        if names and all(isinstance(item, str) and len(item) < 60 for item in names):
            return list(dict.fromkeys(names))
    return ["note"]
