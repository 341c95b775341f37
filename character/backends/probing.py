"""What a model can do, asked of it before a run: fields, a list, a schema, a long prompt, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import dspy
from dspy import lm15
from dspy.utils.exceptions import AdapterParseError, LMError

from character.backends.adapter import CharacterAdapter, SchemaAdapter, schema_of
from character.backends.backend import Backend
from character.backends.engines import SOURCES
from character.backends.gate import failure_kind
from character.backends.observe import observing, taken_by
from character.backends.plain_errors import no_such_model, plain_error, remedy_of, told
from character.backends.reading.reasoning import split_reasoning
from character.backends.seam import SeamEngine, spoken
from character.backends.secrets import first_line, redact
from character.backends.server_errors import understood
from character.backends.server_words import parsed
from character.config import BackendConfig
from character.errors import CharacterError, ConfigError, UnknownNameError
from character.files import toml_beside
from character.records import Record, Usage

_ADAPTER, _BY_SCHEMA = CharacterAdapter(), SchemaAdapter()
_FAILURES = (lm15.LM15Error, LMError, ConfigError)
_DATA = toml_beside(__file__, "probing")
_LONG_WORD = "copper"


class ProbeCheck(Record):
    """One thing that a model was asked for, and whether it gave it.

    ``name`` is ``text``, ``fields`` (under our headers), ``list``, ``json_schema``, ``long_prompt``,
    ``seed``, ``stop`` or ``logprobs``. ``fault`` is "" where it did, else ``refused`` (no reply came),
    ``empty``, ``reasoning`` (nothing else came), ``cut_off`` (at max_tokens), ``unreadable``, ``few`` (not
    three words in the list), ``no_schema``, ``not_found`` (the start of the long prompt), ``goes_on`` (after
    the stop), ``none`` (no log probabilities), ``not_sent`` (the seed: ``seed`` is false) or ``unknown``
    (the reply was another text, which tells nothing of the stop). ``said`` has the server's words, what was
    wrong with the reply, or in which other form it came.
    """

    name: str
    fault: str
    said: str


class Probe(Record):
    """What a backend's model can do, what it took to find out, and what to set accordingly.

    ``answers`` says whether the model replied to anything: not where the server is down, or refuses the key,
    the account or the model's name; then nothing else was asked, and ``settings`` say what to do about that.
    ``refused`` are parameters of the backend's section that its server refuses, and was asked without.
    ``settings`` are for people to read; ``usage`` is what the calls that got a reply took.
    """

    model: str
    answers: bool
    checks: tuple[ProbeCheck, ...]
    settings: tuple[str, ...]
    usage: Usage
    refused: tuple[ProbeCheck, ...] = ()

    def can(self, name: str) -> bool:
        """Whether the model gave what it is asked for under this name; UnknownNameError for none of those."""
        if name not in _DATA["asked"]:
            raise UnknownNameError("probe", name, _DATA["asked"])
        return any(not check.fault for check in self.checks if check.name == name)

    @property
    def is_readable(self) -> bool:
        """Whether lists and scores can be read in one form or another."""
        return self.can("fields") or self.can("json_schema")


def probe(config: BackendConfig) -> Probe:
    """Ask a backend for all that a run may ask for, in eight calls, one of them of some 6,000 tokens.

    It blocks until all are made, one after the other, each once; again only without a parameter that the
    server refuses, and for no seed where ``seed`` is false. Temperature, max_tokens and options are the
    backend's. What fails is in the checks; ConfigError is raised only for what is no BackendConfig, or one
    of a model that a program brought.
    """
    if not isinstance(config, BackendConfig) or config.kind not in SOURCES:
        expected = f"a BackendConfig of the kind {', '.join(SOURCES)}"
        raise ConfigError(f"a {type(config).__name__} cannot be probed as it is.", expected=expected)
    model, usage, advice = config.model_name, Usage(), list[str]()
    checks, refused = list[ProbeCheck](), dict[str, str]()
    try:
        backend = Backend(config)
        sampling = {"temperature": config.temperature, "max_tokens": config.max_tokens}
        dspy.LM(config.model_name, engine=SeamEngine(backend), **sampling)  # where a run would begin
        with closing(backend.source.sync()) as engine:
            for name in _DATA["asked"]:
                if name == "seed" and not config.seed:
                    checks.append(_check(name, "not_sent"))
                    continue
                try:
                    response = _reply(name, backend, engine, refused)
                except _FAILURES as error:
                    said, fix = _refusal(error, backend)
                    checks.append(_check(name, "refused", said))
                    advice += [fix] if fix else []
                    status = {getattr(each, "status", None) for each in (error, error.__context__)}
                    if usage.calls or (type(error) is lm15.InvalidRequestError and status & {400, 422}):
                        continue
                    break
                took = backend.finished(response)
                model, usage = took.model, usage + taken_by(took)
                checks.append(_check(name, *_fault_of(name, spoken(response))))
        learnt = backend.wire.learn(frozenset(each for each in refused if " as " not in each))
        advice += [f"{name}: {what}" for name, what in learnt]
    except _FAILURES as error:
        said, fix = _refusal(error)
        checks.append(_check("text", "refused", said))
        advice.append(fix)
    if usage.calls and config.kind != "rehearsal":
        advice = [*_settings(checks, config), *advice]
    return Probe(
        model=model,
        answers=usage.calls > 0,
        checks=tuple(checks),
        settings=tuple(dict.fromkeys(filter(None, advice))),
        usage=usage,
        refused=tuple(_check(name.partition(" as ")[0], "refused", said) for name, said in refused.items()),
    )


def request_of(config: BackendConfig, name: str = "fields", *, by_schema: bool = False) -> lm15.Request:
    """Return the request of a probe, as the backend is to be asked; its fields also by a schema."""
    asked = _DATA["asked"][name]
    messages, sent = [{"role": "user", "content": asked.get("ask")}], asked.get("sent", {})
    if "form" in asked:
        signature, more = dspy.Signature(asked["form"]), asked.get("more", "") * asked.get("times", 0)
        inputs = {"text": asked["text"] + more, "question": asked["question"]}
        messages = (_BY_SCHEMA if by_schema else _ADAPTER).format(signature, [], inputs)
        sent = {"response_format": schema_of(signature)} if by_schema else sent
    own = {"temperature": config.temperature, "max_tokens": config.max_tokens}
    body = {"model": config.model_name, "messages": messages, **sent}
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
    habits = ", ".join(dict.fromkeys(scope.habits))
    return fields, "", habits and _DATA["notes"]["otherwise"].format(habits=habits)


def _refusal(error: Exception, backend: Backend | None = None) -> tuple[str, str]:
    """Return what is wrong where a call was refused, and what to do; the latter "" where nothing is known.

    A run would be stopped by some of them: with the same words.
    """
    if isinstance(error, lm15.LM15Error):
        kind = failure_kind(error)
        if isinstance(error, lm15.BillingError):
            return told(error), remedy_of("refuses the account")
        if kind in _DATA["stops"]:
            return told(error), remedy_of(_DATA["stops"][kind])
        if backend and (isinstance(error, lm15.UnsupportedModelError) or error.status in (404, 405)):
            error = no_such_model(backend.config.model_name, told(error), backend.source.models())
    if isinstance(error, CharacterError):
        return told(type(error)(error.found, expected=error.expected)), error.fix
    plain = plain_error(redact(str(error)))
    return " Expected: ".join(filter(None, (plain.found, plain.expected))), plain.fix


def _reply(name: str, backend: Backend, engine: Any, refused: dict[str, str]) -> lm15.Response:
    """Return the reply to a probe, asked as a run would without what is ``refused``, where more goes."""
    request, probed = request_of(backend.config, name), _DATA["asked"][name].get("sent", {})
    while True:
        without = frozenset(refused).difference(probed)
        try:
            return engine.complete(backend.wire.dressed(request, without))
        except lm15.LM15Error as raised:
            error = understood(raised)
            more = backend.wire.refusal(error, request, without)
            if not more or more in probed:
                raise error from None
            refused[more] = told(error)


def _check(name: str, fault: str, said: str = "") -> ProbeCheck:
    return ProbeCheck(name=name, fault=fault, said=said or _DATA["faults"].get(fault, ""))


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
        return "goes_on" if "5" in text else "" if "4" in text else "unknown", ""
    if name == "json_schema":
        return "" if _keeps_to_schema(text) else "no_schema", ""
    if name == "text":
        thinks = thoughts or any(isinstance(part, lm15.ThinkingPart) for part in response.message.parts)
        return "", _DATA["notes"]["thinks"] if thinks else ""
    fields, fault, said = read_fields(reply, name)
    if name == "list" and not fault and len(fields["words"]) != 3:
        return "few", ""
    if name == "long_prompt" and not fault and _LONG_WORD not in str(fields).casefold():
        return "not_found", ""
    return fault, said


def _keeps_to_schema(text: str) -> bool:
    value = parsed(text)
    return isinstance(value, dict) and type(value.get("score")) is int and type(value.get("words")) is list


def _settings(checks: Sequence[ProbeCheck], config: BackendConfig) -> tuple[str, ...]:
    """Return what to set by what a model can do, and is not set yet.

    Of a reply that did not come, or ended early, nothing is known of the form that it keeps to.
    """
    faults = {check.name: check.fault for check in checks}
    by_schema, under_headers = not faults["json_schema"], not faults["fields"]
    form = ("unreadable", "fields", "json_schema", "auto")[2 * by_schema + under_headers]
    amiss = {faults[name] for name in ("text", "fields", "json_schema")}
    causes = [fault for fault in ("reasoning", "cut_off") if fault in amiss]
    is_known = faults["fields"] not in (*causes, "refused") and faults["json_schema"] not in causes
    named = [form] * (is_known and form != config.structured) + causes
    named += ["thinks"] * any(check.said == _DATA["notes"]["thinks"] for check in checks)
    named += ["seed"] * (faults["seed"] not in ("", "not_sent"))
    named += ["long_prompt"] * (faults["long_prompt"] in ("refused", "not_found"))
    return tuple(_DATA["set"][name] for name in named)
