"""Reads a prompt back into what it was made from: fields, instruction, labelled examples and input values."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

from character.backends.rehearsal.sense import Sense, sense_of

_FIELD_LINE = re.compile(r"^\d+\. `(\w+)` \((.+?)\):(?: |$)", re.M)
_HEADER = re.compile(r"^\[\[ ## (\w+) ## \]\][ \t]*$", re.M)
_NOTE = re.compile(r"\{(\w+)\} {8}# note: the value you produce (.*)")
_INPUTS, _OUTPUTS = "Your input fields are:\n", "\nYour output fields are:\n"
_STRUCTURE = "\nAll interactions will be structured in the following way"
_OBJECTIVE = "\nIn adhering to this structure, your objective is:"
_JSON_OUTPUTS = "\nOutputs will be a JSON object with the following fields.\n"
_REQUIREMENTS = re.compile(r"\n\nRespond with (?:the corresponding output fields|a JSON object)[^\n]*\Z")
_SHORT = re.compile(r"\n\nAnswer with one (figure|letter)\b[^\n]*\Z")
_DECODER = json.JSONDecoder()
_COMPLETED = "[[ ## completed ## ]]"
_NOT_SUPPLIED = "Not supplied for this particular example."


class Field(NamedTuple):
    """A field of the signature: its type as the prompt spells it, its allowed values and its JSON schema."""

    name: str
    type: str
    allowed: tuple[Any, ...] = ()
    schema: str = ""


class Layout(NamedTuple):
    """What a system message says: the fields in order, the instruction, and whether the answer is JSON.

    ``chat`` says that it is the next turn of a chat, ``is_short`` that it is to be a few figures or a letter
    and nothing else.
    """

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    instruction: str
    json: bool
    chat: bool = False
    is_short: bool = False


class Prompt(NamedTuple):
    """A prompt that was understood: its layout, the values to answer for, and the examples before them."""

    layout: Layout
    values: dict[str, Any]
    demos: tuple[dict[str, Any], ...]


def read_prompt(system: str, messages: list[dict[str, str]]) -> Prompt | None:
    """Return the prompt, or None where the system message does not describe fields."""
    last = messages[-1]["content"].rstrip()
    layout = read_layout(system) or _short_layout(system, last)
    if layout is None:
        return None
    demos = []
    for asked, answered in pairwise(messages):
        if (asked["role"], answered["role"]) == ("user", "assistant"):
            outputs = _read_outputs(answered["content"], layout)
            demos.append({**read_values(asked["content"], layout.inputs), **outputs})
    last = _SHORT.sub("", last) if layout.is_short else _REQUIREMENTS.sub("", last)
    return Prompt(layout, read_values(last, layout.inputs), tuple(demos))


@lru_cache(maxsize=512)
def read_layout(system: str) -> Layout | None:
    """Return what the system message of a DSPy adapter describes, None where it describes nothing."""
    start, middle, end = system.find(_INPUTS), system.find(_OUTPUTS), system.find(_STRUCTURE)
    if not 0 <= start < middle < end:
        return None
    objective = system.find(_OBJECTIVE, end)
    structure = system[end : objective if objective >= 0 else len(system)]
    instruction = system[objective + len(_OBJECTIVE) :] if objective >= 0 else ""
    as_json = _JSON_OUTPUTS in structure
    notes = _notes(structure, as_json)
    return Layout(
        inputs=_fields(system[start:middle], {}),
        outputs=_fields(system[middle:end], notes),
        instruction=textwrap.dedent(instruction.lstrip(" ")).strip(),
        json=as_json,
    )


def _short_layout(system: str, last: str) -> Layout | None:
    """Return what a prompt describes that asks for figures or a letter, without the fields of an answer."""
    instruction, found, inputs = system.partition(_INPUTS)
    closing = _SHORT.search(last)
    if not (found and closing):
        return None
    name = "better" if closing[1] == "letter" else "marks"
    return Layout(_fields(inputs, {}), (Field(name, "str"),), instruction.strip(), json=False, is_short=True)


def read_values(text: str, fields: tuple[Field, ...]) -> dict[str, Any]:
    """Return the values of the sections in ``text``.

    Sections are only taken in the order of the fields, and a JSON value ends where its JSON ends, so that a
    header inside a value is text.
    """
    names = [field.name for field in fields]
    values: dict[str, Any] = {}
    position, expected = 0, 0
    while expected < len(fields) and (header := _next_header(text, position, names, expected)):
        index, start, _ = header
        following = _next_header(text, start, names, index + 1)
        end = following[2] if following else len(text)
        values[names[index]], position = _value(text, start, end, fields[index].type)
        expected = index + 1
    return values


def _next_header(text: str, position: int, names: list[str], expected: int) -> tuple[int, int, int] | None:
    # Index of the field, where its value starts, where its header starts.
    # The field expected next wins over a later one, so that only a missing field is skipped.
    for name in names[expected:]:
        for match in _HEADER.finditer(text, position):
            if match[1] == name:
                return names.index(name), match.end(), match.start()
    return None


def _value(text: str, start: int, end: int, type_name: str) -> tuple[Any, int]:
    raw = text[start:end].strip()
    if type_name == "str":
        return raw, end
    try:
        value, stop = _DECODER.raw_decode(text, start + len(text[start:end]) - len(text[start:end].lstrip()))
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(raw, raw), end
    return value, stop


def _read_outputs(text: str, layout: Layout) -> dict[str, Any]:
    try:
        values = (
            json.loads(text) if layout.json else read_values(text.replace(_COMPLETED, ""), layout.outputs)
        )
    except ValueError:
        return {}
    if not isinstance(values, dict):
        return {}
    return {name: value for name, value in values.items() if str(value).strip() != _NOT_SUPPLIED}


def _fields(section: str, notes: dict[str, str]) -> tuple[Field, ...]:
    fields = []
    for name, type_name in _FIELD_LINE.findall(section):
        note = notes.get(name, "")
        fields.append(Field(name, type_name, _allowed(type_name, note), note.partition("JSON schema: ")[2]))
    return tuple(fields)


def _notes(structure: str, as_json: bool) -> dict[str, str]:
    if not as_json:
        return dict(_NOTE.findall(structure))
    try:
        block = json.loads(structure.partition(_JSON_OUTPUTS)[2])
    except ValueError:
        return {}
    return {name: note for text in block.values() for name, note in _NOTE.findall(str(text))}


def _allowed(type_name: str, note: str) -> tuple[Any, ...]:
    if type_name.startswith("Literal["):
        try:
            return tuple(ast.literal_eval(type_name.removeprefix("Literal")))
        except (ValueError, SyntaxError):
            pass  # the note lists the same values as text
    _, marker, values = note.partition("one of: ")
    return tuple(values.split("; ")) if marker else ()


class Assignment(NamedTuple):
    """The values of a prompt, the outputs that it wants, and all that an answer depends on besides.

    ``noise`` is the standard deviation of a score, ``position_bias`` what the response shown first gains and
    the last one loses, ``overdoing`` what excess costs: all as the instruction leaves them. ``leanings`` are
    the log-odds by concept of showing a trait rather than another one.
    """

    values: dict[str, Any]
    outputs: Mapping[str, Field]
    demos: tuple[dict[str, Any], ...]
    language: str
    rng: Random
    noise: float
    position_bias: float
    overdoing: float
    leanings: Mapping[str, float]

    def listed(self, name: str) -> list[Any]:
        """Return what an input lists, nothing where it is no list."""
        value = self.values.get(name)
        return value if isinstance(value, list) else []

    @property
    def sense(self) -> Sense:
        """What the trait of the prompt means."""
        return sense_of(self.values.get("trait"), self.language)

    @property
    def responses(self) -> list[str]:
        """The responses to judge, as text."""
        return [str(text) for text in self.listed("responses")]

    @property
    def pair(self) -> tuple[Any, Any]:
        """The two traits of which a reply is to show one."""
        return (*self.listed("traits"), "", "")[:2]

    @property
    def message(self) -> str:
        """What the last turn of the conversation says."""
        return last_content(self.values.get("conversation"))

    def slip(self) -> float:
        """Return the next error of a score."""
        return self.rng.gauss(0.0, self.noise)


def last_content(turns: Any) -> str:
    """Return what the last turn of a conversation says, "" for none."""
    if isinstance(turns, list) and turns:
        last = turns[-1]
        return str(last.get("content", "")) if isinstance(last, dict) else str(last)
    return str(turns or "")
