"""What a model can do, asked of it before a run: fields, a list, a schema, a long prompt, parameters."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import dspy
from dspy import lm15
from dspy.utils.exceptions import AdapterParseError, LMError

from character.backends.adapter import CharacterAdapter
from character.backends.backend import Backend
from character.backends.observe import observing
from character.backends.plain_errors import plain_error
from character.backends.reading.reasoning import split_reasoning
from character.backends.seam import spoken
from character.backends.secrets import first_line
from character.config import BackendConfig
from character.errors import ConfigError
from character.files import toml_beside
from character.records import Record, Usage

_ADAPTER = CharacterAdapter()
_FAILURES = (lm15.LM15Error, LMError, ConfigError)
_DATA = toml_beside(__file__, "probing")
_TAKEN = ("prompt_tokens", "completion_tokens", "cost_usd")
_LONG_WORD = "copper"


class ProbeCheck(Record):
    """One thing that a model was asked for, and whether it gave it.

    ``name`` is ``text``, ``fields`` (under our headers), ``list``, ``json_schema``, ``long_prompt``,
    ``seed``, ``stop`` or ``logprobs``. ``fault`` is "" where it did, else a word; ``said`` has the server's
    words, what was wrong with the reply, or in which other form it came.
    """

    name: str
    fault: str
    said: str


class Probe(Record):
    """What a backend's model can do, what it took to find out, and what to set accordingly.

    Where the server does not answer at all, ``answers`` is false and nothing but a text was asked for.
    """

    model: str
    answers: bool
    checks: tuple[ProbeCheck, ...]
    settings: tuple[str, ...]
    usage: Usage

    def can(self, name: str) -> bool:
        """Whether the model gave what it was asked for under this name."""
        return any(not check.fault for check in self.checks if check.name == name)

    @property
    def is_readable(self) -> bool:
        """Whether lists and scores can be read in one form or another."""
        return self.can("fields") or self.can("json_schema")


def probe(config: BackendConfig) -> Probe:
    """Ask a backend for all that a run may ask for, in eight calls, one of them long, each made once.

    Temperature and max_tokens are the backend's. What fails is in the checks; nothing is raised.
    """
    model, usage = config.model_name, Usage()
    checks: list[ProbeCheck] = []
    try:
        backend = Backend(config)
        with closing(backend.source.sync()) as engine:
            for name in _DATA["asked"]:
                try:
                    request = backend.wire.dressed(request_of(config, name), frozenset())
                    response = engine.complete(request)
                except _FAILURES as error:
                    checks.append(_failed(name, error))
                    if not usage.calls:
                        break
                    continue
                took = backend.finished(response)
                taken = {name: getattr(took, name) for name in _TAKEN}
                model, usage = took.model, usage + Usage(calls=1, **taken)
                fault, said = _fault_of(name, spoken(response))
                said = said or _DATA["faults"].get(fault, "")
                checks.append(ProbeCheck(name=name, fault=fault, said=said))
    except _FAILURES as error:
        checks.append(_failed("text", error))
    advised = usage.calls > 0 and config.kind != "rehearsal"
    settings = _settings({check.name: check.fault for check in checks}) if advised else ()
    return Probe(model=model, answers=usage.calls > 0, checks=tuple(checks), settings=settings, usage=usage)


def request_of(config: BackendConfig, name: str = "fields") -> lm15.Request:
    """Return the request of a probe, as the backend is to be asked."""
    asked = _DATA["asked"][name]
    messages = [{"role": "user", "content": asked.get("ask")}]
    if "form" in asked:
        text = asked["text"] + asked.get("more", "") * asked.get("times", 0)
        inputs = {"text": text, "question": asked["question"]}
        messages = _ADAPTER.format(dspy.Signature(asked["form"]), [], inputs)
    own = {"temperature": config.temperature, "max_tokens": config.max_tokens}
    body = {"model": config.model_name, "messages": messages, **asked.get("sent", {})}
    return lm15.request_from_openai_chat(body | {key: own[key] for key in own if own[key] is not None})


def read_fields(text: str, name: str = "fields") -> tuple[dict[str, Any], str, str]:
    """Return the fields of a reply to a probe, a fault where they cannot be read, and what to say."""
    with observing() as scope:
        try:
            fields = _ADAPTER.parse(dspy.Signature(_DATA["asked"][name]["form"]), text)
        except AdapterParseError as error:
            said, thoughts = split_reasoning(text)
            fault = "unreadable" if said.strip() else "reasoning" if thoughts else "empty"
            return {}, fault, _DATA["faults"].get(fault) or first_line(error.message)
    return fields, "", ", ".join(dict.fromkeys(scope.habits))


def _failed(name: str, error: Exception) -> ProbeCheck:
    plain = plain_error(first_line(str(error)))
    said = " ".join(part for part in (plain.found, plain.fix) if part)
    return ProbeCheck(name=name, fault="refused", said=said)


def _fault_of(name: str, response: lm15.Response) -> tuple[str, str]:
    """Return what a reply lacks of what was asked for, and what to say; both "" where nothing is amiss."""
    reply = response.text or ""
    text, thoughts = split_reasoning(reply)
    if name in ("seed", "logprobs"):  # whatever came, it was taken
        unsent = next((each.reason for each in response.adaptations if each.action == "dropped"), "")
        none = "none" if name == "logprobs" and not response.logprobs else ""
        return ("refused", unsent) if unsent else (none, "")
    if response.finish_reason == "length" and name != "stop":
        return "cut_off", ""
    if not text.strip():
        return "reasoning" if thoughts else "empty", ""
    if name == "stop":
        return "" if "4" in text and "5" not in text else "goes_on", ""
    if name == "json_schema":
        return "" if _keeps_to_schema(text) else "no_schema", ""
    if name == "text":
        return "", ""
    fields, fault, said = read_fields(reply, name)
    if name == "list" and not fault and len(fields["words"]) != 3:
        return "few", ""
    if name == "long_prompt" and not fault and _LONG_WORD not in str(fields).casefold():
        return "not_found", ""
    return fault, said


def _keeps_to_schema(text: str) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and type(value.get("score")) is int and type(value.get("words")) is list


def _settings(faults: dict[str, str]) -> tuple[str, ...]:
    """Return what to set by what a model can do."""
    named = [next((form for form in ("fields", "json_schema") if not faults[form]), "unreadable")]
    amiss = {faults[name] for name in ("text", "fields", "json_schema")}
    named += [fault for fault in ("reasoning", "cut_off") if fault in amiss]
    named += [name for name in ("seed", "long_prompt") if faults[name]]
    return tuple(_DATA["set"][name] for name in named)
