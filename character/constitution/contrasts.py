"""Traits given as pairs of a positive and a negative instruction, with questions and a judge's prompt."""

from __future__ import annotations

import re

from character.constitution.fields import Members, check_keys, read_string, string_of, wrong_type
from character.constitution.problems import problem
from character.text import detect_language

_DEFINITION = re.compile(r"\*\*[^*\n]+\*\*[.:。：]?\s*(.+)", re.DOTALL)


def read_contrasts(members: Members, source: str, where: str) -> dict[str, str]:
    """Return description, clarification and opposite, as far as the pairs and the judge's prompt give them.

    The positive instructions become the clarification, the negative ones the opposite. The description is
    the definition that follows the trait's name in bold in ``eval_prompt``, else the first positive
    instruction; the rest of that prompt is about scoring and is not kept.
    """
    positive, negative = _read_pairs(members, source, where)
    prompt = read_string(members, "eval_prompt", source, where)
    match = _DEFINITION.search(prompt.split("\n\n")[0])
    description = match[1].strip() if match else ""
    if not description and positive:
        description, *positive = positive
    return {"description": description, "clarification": _join(positive), "opposite": _join(negative)}


def _read_pairs(members: Members, source: str, where: str) -> tuple[list[str], list[str]]:
    node = members.get("instruction")
    if node is None or node.kind == "null":
        return [], []
    place = f"{where}, field 'instruction'"
    if node.kind != "list":
        raise wrong_type("not_contrasts", node, source, place)
    positive: list[str] = []
    negative: list[str] = []
    for number, item in enumerate(node.value, start=1):
        spot = f"{place}, item {number}"
        if item.kind != "mapping":
            raise wrong_type("not_contrast", item, source, spot)
        check_keys(item.value, ("pos", "neg"), source, spot)
        for key, texts in (("pos", positive), ("neg", negative)):
            if key not in item.value:
                raise problem(source, item.line, "half_contrast", where=spot, key=key)
            texts.append(string_of(item.value[key], source, f"{spot}, field {key!r}"))
    return positive, negative


def _join(texts: list[str]) -> str:
    return ("" if detect_language("".join(texts)) == "zh" else " ").join(texts)
