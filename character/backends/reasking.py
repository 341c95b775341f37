"""Asking again: what was wrong, what stands, an example of what is expected, only for what lacks."""

from __future__ import annotations

import json
import random
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any, get_args, get_origin

import dspy

from character.backends.adapter import CharacterAdapter, unreadable
from character.backends.reading.sections import HEADERS, ONE_OBJECT
from character.backends.reading.values import shape_of
from character.text import stable_seed

if TYPE_CHECKING:
    from character.backends.call import Reply

_WORDS = tomllib.loads(files(__package__).joinpath("reasking.toml").read_text("utf-8"))
_MOST_FOUND = 160  # characters of a value that is shown


class AskingAgain(CharacterAdapter):
    """The prompt as it was, then what was wrong, and a request for the fields that lack.

    What cannot be read is asked for in the other form, as one JSON object or under headers. A reply that
    repeats the example is unreadable: a model that copies has judged nothing.
    """

    def __init__(self, usual: CharacterAdapter, failed: Reply, inputs: Mapping[str, Any], seed: int) -> None:
        super().__init__()
        self._system = usual._system
        self.kept, self._failed = failed.kept, failed
        self.as_json = failed.as_json != (failed.fault == "unreadable")
        counted = _WORDS["counted"].items()
        self._numbers = {name: len(inputs[by]) for name, by in counted if by in inputs}
        self._rng, self._examples = random.Random(stable_seed(seed, "example")), dict[str, list[int]]()

    def user_message_output_requirements(self, signature: type[dspy.Signature]) -> str:
        """Return what closes the user message: the fault, and how the fields asked for look."""
        wanted = {
            name: each.annotation for name, each in signature.output_fields.items() if name not in self.kept
        }
        self.as_json = self.as_json and any(kind is not str for kind in wanted.values())
        headers = {name: f"`[[ ## {name} ## ]]`" for name in wanted}
        forms = {name: self._form(name, kind) for name, kind in wanted.items()}
        self.asks_for = ONE_OBJECT if self.as_json else HEADERS
        if self.as_json:
            form = "{" + ", ".join(f'"{name}": {text}' for name, text in forms.items()) + "}"
        else:
            form = ", then ".join(f"{headers[name]} (such as {text})" for name, text in forms.items())
        closing = _WORDS["closing"]["json" if self.as_json else "headers"]
        closing = closing.format(headers=", ".join(headers.values()), form=form)
        return f"[[ ## previous_fault ## ]]\n{self._told(', '.join(wanted))}\n\n{closing}"

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """Return the output fields, those that stand included; raises AdapterParseError as ever."""
        fields = super().parse(signature, completion)
        if copied := [name for name, example in self._examples.items() if fields[name] == example]:
            self.as_json = not self.as_json  # the form was right, and is asked for once more
            own = shape_of(signature.output_fields[copied[0]].annotation)
            message = f"The field {copied[0]} repeats the example, expected {own} of your own."
            raise unreadable(signature, completion, message, fields)
        return fields

    def _form(self, name: str, annotation: Any) -> str:
        """Return what a field looks like: numbers as an example that no other call has, else in words."""
        inner = get_args(annotation)[0] if get_origin(annotation) is list else None
        number = self._numbers.get(name, 0)
        if inner in (int, float) and number > 1:
            self._examples[name] = [self._rng.randrange(11) for _ in range(number)]
            return str(self._examples[name])
        if inner is None or not number:
            return f"<{shape_of(annotation)}>"
        return f"[{', '.join([f'<{shape_of(inner)}>'] * number)}]"

    def _told(self, names: str) -> str:
        words, failed = _WORDS["told"], self._failed
        lines = [words["wrong"].format(detail=(failed.detail or failed.fault).rstrip(". "))]
        if failed.found:
            lines.append(words["wrote"].format(found=_shown(failed.found)[:_MOST_FOUND]))
        if failed.fault == "cut_off":
            lines.append(words["too_long"].format(names=names))
        elif failed.kept:
            lines.append(words["stands"].format(kept=_shown(failed.kept)))
        return "\n".join(lines)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
