"""What makes a kept folder this one and no other: its parts, the prompts by stage, in words what differs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from character.config import Config, Prompting
from character.text import fingerprint

Stage = Literal["messages", "responses", "ranking", "evaluation", "probabilities"]
_OTHERWISE = "this version of character asks the models otherwise"
_NOT_IDENTITY = {"concurrency", "budget", "store", "effect", "optimize", "train", "audit"}
_IDENTITY_OF_BACKEND = ("kind", "model", "api_base", "temperature", "max_tokens")
_AFTERWARDS = {"judge", "reflection", "base", "tuned"}
"""The backends of what is done with a run later: they may change while it goes on."""
CHANGES = "changes while it runs"
"""What stands in an identity for an attribute that is no setting: it and what lies in it may differ."""
_EARLIER_PARTS = re.compile(rf"backends\.({'|'.join(sorted(_AFTERWARDS))})\..*")
"""What earlier versions counted as a part of a run's identity besides."""
PROMPTS_OF = {
    "prompting": {"prompts.responses", "prompts.evaluation"},
    "responses.prompting": {"prompts.responses", "prompts.evaluation"},
    "messages_prompting": {"prompts.messages"},
    "messages.prompting": {"prompts.messages"},
}
"""How things are asked for, and the prompts that follow from it."""
_UNSAID = {**dict.fromkeys(PROMPTS_OF, "fields"), "ranking.read": "text"}
"""What holds where an identity does not say it, as there was nothing else before."""
_ALL_PROMPTS = {
    "597b7a5d5a5c5ef2": {
        "messages": "87a85ad8ff7063d7",
        "responses": "6fca41615a86529c",
        "ranking": "655f4fa4870f6221",
        "evaluation": "95ecef3f3046c999",
    }
}
"""What one fingerprint over the prompts of all stages, as versions up to 0.1 kept it, says of each stage."""


def run_identity(constitution: str, config: Config, messages: str | None) -> dict[str, Any]:
    """Return what makes a run this run and no other, as flat names and values, without limits and keys.

    ``constitution`` is the fingerprint of the constitution, ``messages`` that of given messages, None where
    they are generated. Of the prompts and models those count that make the run: what evaluates it later does
    not.
    """
    # It brings dspy, which readers of a run do without.
    from character.ranking.saved import ranker_fingerprint

    settings = config.model_dump(mode="json", exclude=_NOT_IDENTITY)
    for name in _AFTERWARDS.difference(config.responses.backends, config.ranking.backends):
        settings["backends"].pop(name, None)
    for name, backend in settings["backends"].items():
        parts = {part: backend[part] for part in _IDENTITY_OF_BACKEND}
        if backend["kind"] == "local":
            parts["model"] = config.backends[name].answering  # the file itself, not where it lies
        settings["backends"][name] = parts | config.backends[name].options
    settings["ranking"] = config.ranking.identity
    settings["ranking"]["ranker"] = ranker_fingerprint(config.ranking)  # what it says, not where it lies
    for section in ("messages", "responses"):
        if settings[section]["prompting"] == "fields":  # as it was before there was anything else
            del settings[section]["prompting"]
    stages: list[Stage] = ["messages", "responses", "ranking"]
    if config.ranking.read != "text":
        stages.append("probabilities")
    prompts = prompts_of(*stages, prompting=config.responses.prompting, messages=config.messages.prompting)
    return flat({"constitution": constitution, "given messages": messages, "prompts": prompts, **settings})


def prompts_of(
    *stages: Stage, prompting: Prompting = "fields", messages: Prompting = "fields"
) -> dict[str, str]:
    """Return the identity of the prompts that this version sends at each of these stages.

    ``prompting`` is how replies are asked for, ``messages`` how messages are.
    """
    from signatures import chat
    from signatures.gauging import GaugeTrait
    from signatures.judging import CompareCoherence, CompareResponses, PickResponse
    from signatures.messages import KIND_DESCRIPTIONS, CheckMessages, GenerateMessages
    from signatures.ranking import MarkResponse, MarkResponses, OrderResponses, RankResponses, ScoreResponse
    from signatures.responses import (
        EXPRESSIONS,
        RespondAsCharacter,
        RespondAtEachExpression,
        RespondInCharacter,
        RespondPlainly,
    )

    signatures: dict[Stage, tuple[Any, ...]] = {
        "messages": (GenerateMessages, CheckMessages),
        "responses": (RespondInCharacter, RespondAtEachExpression, RespondPlainly),
        "ranking": (RankResponses, OrderResponses, ScoreResponse, CompareResponses),
        "probabilities": (MarkResponses, MarkResponse, PickResponse),
        "evaluation": (RespondAsCharacter, RespondPlainly, GaugeTrait, CompareCoherence),
    }
    words: dict[Stage, Any] = {"messages": KIND_DESCRIPTIONS, "responses": EXPRESSIONS}
    if prompting == "chat":
        signatures["responses"] = (chat.ReplyInCharacter, chat.ReplyPlainly)
        signatures["evaluation"] = (chat.ReplyAsCharacter, chat.ReplyPlainly, GaugeTrait, CompareCoherence)
        said = {name: {key: of[key] for key in of if key != "message"} for name, of in chat.WORDS.items()}
        words |= dict.fromkeys(("responses", "evaluation"), said)
    if messages == "chat":
        signatures["messages"] = (chat.WriteMessage, CheckMessages)
        words["messages"] = {name: of["message"] for name, of in chat.WORDS.items()}
    return {
        stage: fingerprint(
            [[[each.instructions, list(each.fields)] for each in signatures[stage]], words.get(stage)]
        )
        for stage in stages
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the parts that differ between two identities, (before, now) by flat name.

    ``before`` may be that of an earlier version: its one fingerprint of all prompts is taken apart, and what
    is no longer a part of the identity is passed over.
    """
    stored = dict(before)
    if isinstance(stored.get("prompts"), str):
        stages = now.get("prompts") or {name[8:]: 0 for name in now if name.startswith("prompts.")}
        by_stage = _ALL_PROMPTS.get(stored["prompts"])
        stored["prompts"] = {stage: (by_stage or {}).get(stage, stored["prompts"]) for stage in stages}
    old, new = flat(stored), flat(dict(now))
    # Earlier versions did not tell programs apart.
    if not any(name.split(".")[0] == "program" for name in old):
        new = {name: value for name, value in new.items() if name.split(".")[0] != "program"}
    names = [name for name in sorted({*old, *new}) if name in new or not _EARLIER_PARTS.fullmatch(name)]
    changing = tuple(f"{name}." for name, value in old.items() if value == CHANGES)
    names = [name for name in names if not f"{name}.".startswith(changing)]
    old, new = ({name: _UNSAID.get(name) for name in names} | side for side in (old, new))
    changes = {name: (old[name], new[name]) for name in names if old[name] != new[name]}
    follows = set().union(*(PROMPTS_OF[name] for name in changes.keys() & PROMPTS_OF.keys()))
    if "ranking.passes" in changes:
        follows.add("pairs.min_probability")  # where none is said it goes by the passes
    return {name: values for name, values in changes.items() if name not in follows}


def described(changes: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """Return changes in words: values as they stand, of a fingerprint only that it is another."""
    return [_change(name, *values) for name, values in changes.items()]


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested names and values as one mapping of dotted names."""
    if not isinstance(value, dict):
        return {prefix: value}
    names: dict[str, Any] = {}
    for key, inner in value.items():
        names |= flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return names


def _change(name: str, before: Any, now: Any) -> str:
    if _is_fingerprint(before) and _is_fingerprint(now):
        return f"{name}: {_OTHERWISE if name.startswith('prompts') else 'not the same as before'}"
    old, new = ("another" if _is_fingerprint(value) else repr(value) for value in (before, now))
    return f"{name}: {old} before, {new} now"


def _is_fingerprint(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{16}", value) is not None
