"""Reads the system message of an ordinary chat back into what it says: the traits and the degree."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from character.backends.rehearsal.prompt import Field, Layout, Prompt
from signatures.chat import WORDS

_TRAIT = re.compile(r"- ([^:：\n]+)[:：]\s*(.*)")
_REPLY, _MESSAGE = (Field("response", "str"),), (Field("messages", "list[str]"),)


def read_chat(system: str, messages: list[dict[str, str]]) -> Prompt | None:
    """Return the prompt, None where the system message tells of no trait and no message is asked for."""
    told = _told(system)
    if told is None:
        return _read_request(system, messages[-1]["content"])
    instruction = system.partition("\n\n")[0]
    return Prompt(
        Layout((), _REPLY, instruction, json=False, chat=True), {**told, "conversation": messages}, ()
    )


def _read_request(system: str, asked: str) -> Prompt | None:
    """Return the prompt for one message of a person, None where that is not what is asked for."""
    sentence, _, aim = asked.partition("\n\n")
    for language, words in WORDS.items():
        found, aims = _pattern(words["message"]["ask"]).fullmatch(sentence), words["message"]
        if found is None:
            continue
        brief = found.groupdict()
        kind = {said: name for name, said in aims["kinds"].items()}.get(brief.pop("kind"), "question")
        told = next(
            (each[1] for name in ("reveals", "reflects") if (each := _pattern(aims[name]).fullmatch(aim))), ""
        )
        name, _, description = told.partition(words["other"].partition("{name}")[2].partition("{value}")[0])
        named = re.search(r"\n\n" + aims["language"].format(value="(.+)"), system)
        values = {
            "language": named[1] if named else language,
            "kind": kind,
            "briefs": [brief],
            "trait": {"name": name, "description": description},
        }
        layout = Layout((), _MESSAGE, system.partition("\n\n")[0], json=False, chat=True)
        return Prompt(layout, values, ())
    return None


@lru_cache(maxsize=32)
def _pattern(form: str) -> re.Pattern[str]:
    """Return a pattern that reads back what a form was filled with, by name."""
    parts = re.split(r"\{(\w+)\}", form)
    return re.compile(
        "".join(f"(?P<{part}>.*?)" if at % 2 else re.escape(part) for at, part in enumerate(parts)), re.DOTALL
    )


@lru_cache(maxsize=512)
def _told(system: str) -> dict[str, Any] | None:
    for language, words in WORDS.items():
        for name in ("character", "traits"):
            _, heading, rest = f"\n\n{system}".partition(f"\n\n{words[name]}\n")
            if heading:
                lines = rest.partition("\n\n")[0].split("\n")
                found = [match.groups() for line in lines if (match := _TRAIT.match(line))]
                traits = [{"name": trait, **_parts(said, words["of_trait"])} for trait, said in found]
                return {"language": language, name: traits, **_degree(system, words["expression"])}
    return None


def _parts(said: str, forms: dict[str, str]) -> dict[str, str]:
    """Return what is said of a trait by its fields: what describes it, then what begins in its own words."""
    begins = {form.partition("{value}")[0]: name for name, form in forms.items()}
    first, *rest = re.split(f"({'|'.join(map(re.escape, begins))})", said)
    parts = dict(zip((begins[each] for each in rest[::2]), rest[1::2], strict=True))
    parts.pop("target", None)  # it weighs with judges alone
    return {"description": first, **parts}


def _degree(system: str, expressions: dict[str, str]) -> dict[str, str]:
    for level, form in expressions.items():
        before, _, after = form.partition("{trait}")
        match = re.search(rf"(?m)^{re.escape(before)}(.+?){re.escape(after)}$", system)
        if match:
            return {"expression": level, "focus_trait": match.group(1)}
    return {}
