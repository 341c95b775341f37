"""Asking again: what was wrong, what stands, an example of what is expected, only for what lacks."""

from __future__ import annotations

import json
import random
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import dspy

from character.backends.adapter import CharacterAdapter, unreadable
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
        counted = {name: inputs.get(by) for name, by in _WORDS["counted"].items()}
        self._numbers = {name: len(items) for name, items in counted.items() if isinstance(items, list)}
        self._rng, self._examples = random.Random(stable_seed(seed, "example")), dict[str, Any]()

    def user_message_output_requirements(self, signature: type[dspy.Signature]) -> str:
        """Return what closes the user message: the fault, and the fields asked for with examples."""
        wanted = {name: each for name, each in signature.output_fields.items() if name not in self.kept}
        self.as_json = self.as_json and any(each.annotation is not str for each in wanted.values())
        self._examples = {
            name: _example(each.annotation, self._numbers.get(name, 0), self._rng)
            for name, each in wanted.items()
        }
        shown = {
            name: _shown(example) if isinstance(example, list) else f"<{example}>"
            for name, example in self._examples.items()
        }
        headers = {name: f"`[[ ## {name} ## ]]`" for name in wanted}
        if self.as_json:
            form = "{" + ", ".join(f'"{name}": {text}' for name, text in shown.items()) + "}"
        else:
            form = ", then ".join(f"{headers[name]} (such as {text})" for name, text in shown.items())
        closing = _WORDS["closing"]["json" if self.as_json else "headers"]
        closing = closing.format(headers=", ".join(headers.values()), form=form)
        return f"[[ ## previous_fault ## ]]\n{self._told(', '.join(wanted))}\n\n{closing}"

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """Return the output fields, those that stand included; raises AdapterParseError as ever."""
        fields = super().parse(signature, completion)
        for name, example in self._examples.items():
            if isinstance(example, list) and len(example) > 1 and fields[name] == example:
                message = (
                    f"The field {name} repeats the example {_shown(example)} and says nothing of its own."
                )
                raise unreadable(signature, completion, message, fields)
        return fields

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


def _example(annotation: Any, number: int, rng: random.Random) -> Any:
    """Return a list of so many items as it might be, no list twice; for anything else what it looks like."""
    inner = get_args(annotation)[0] if get_origin(annotation) is list else None
    if inner is None or number < 2:
        return shape_of(annotation)
    if inner in (int, float):
        return [rng.randrange(11) for _ in range(number)]
    choices = [True, False] if inner is bool else list(get_args(inner))
    if inner is bool or get_origin(inner) is Literal:
        first = rng.randrange(len(choices))
        return [choices[(first + place) % len(choices)] for place in range(number)]
    return ["…"] * number


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
