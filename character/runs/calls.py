"""The model calls of a kept folder, to be looked at: what was asked, what came, what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from character.backends.reading.reasoning import split_reasoning
from character.records import Record, Usage
from character.store.calls import facts_of_calls
from character.store.run_store import RunStore


class StoredCall(Record):
    """One call of a model. ``fault`` is empty where it could be used, else a word, with ``detail``.

    ``habits`` are the forms other than the one asked for in which it was read. ``messages`` are those sent,
    each with its ``role`` and ``content``, the system message first; none in folders of earlier versions.
    ``reply`` is what came, None where nothing did, without the thoughts before it, which are ``reasoning``.
    ``reused`` calls were taken over from another run, and took nothing. ``finished_at`` is UTC.
    """

    id: str
    step: str
    trait: str
    backend: str
    model: str
    finished_at: str
    fault: str
    detail: str
    habits: tuple[str, ...]
    usage: Usage | None
    reused: bool
    finish_reason: str
    messages: tuple[dict[str, str], ...]
    reasoning: str
    reply: str | None


def read_calls(
    store: RunStore, *, step: str = "", starts_with: str = "", text: str = "", failed: bool = False
) -> Iterator[StoredCall]:
    """Yield the calls of a kept folder, the first ones first, a few at a time from the disk.

    Of a ``step``, those whose id ``starts_with`` something, those whose prompt has a ``text``, those that
    ``failed``: that were not answered, or whose reply could not be used.
    """
    known = store.keeps_prompts
    chosen = facts_of_calls(
        store.stream, keeps_prompts=known, step=step, starts_with=starts_with, text=text, failed=failed
    )
    yield from map(_call, chosen)


def _call(facts: Mapping[str, Any]) -> StoredCall:
    response = facts["response"] or {}
    parts = response.get("message", {}).get("parts", ())
    thoughts = [part["text"] for part in parts if part["type"] == "thinking"]
    said = "".join(_text_of(part) for part in parts if part["type"] != "thinking")
    reply, before = split_reasoning(said)
    figures = {name: facts[name] for name in ("prompt_tokens", "completion_tokens", "cost_usd")}
    same = ("trait", "backend", "model", "finished_at", "fault", "detail")
    return StoredCall(
        id=facts["key"],
        step=facts["stage"],
        **{name: facts[name] for name in same},
        habits=tuple(filter(None, facts["habits"].split("\n"))),
        usage=Usage(calls=1, **figures) if response else None,
        reused=bool(facts["reused"]),
        finish_reason=response.get("finish_reason", ""),
        messages=tuple(_messages(facts["prompt"])),
        reasoning="\n\n".join([*thoughts, *([before] if before else [])]),
        reply=reply if response else None,
    )


def _messages(prompt: Mapping[str, str] | None) -> Iterator[dict[str, str]]:
    if prompt is None:
        return
    system = json.loads(prompt["system"])
    if system:
        said = system if isinstance(system, str) else "".join(map(_text_of, system))
        yield {"role": "system", "content": said}
    for message in json.loads(prompt["messages"]):
        yield {"role": message["role"], "content": "".join(map(_text_of, message["parts"]))}


def _text_of(part: Mapping[str, Any]) -> str:
    """Return the text of a part; of any other part, such as an image, its JSON."""
    return str(part["text"]) if "text" in part else json.dumps(part, ensure_ascii=False)
