"""A request as it is sent: with the options of its backend's section, without what its server refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from dspy import lm15

from character.backends.secrets import first_line
from character.config import BackendConfig
from character.errors import ConfigError
from character.files import toml_beside

_WORDS = toml_beside(__file__, "refused")
_SAYS, _NOT_WHEN, _OF_CONTENT, _OF_ROUTING, _ABOUT_MODEL, _OF_SCHEMAS = (
    re.compile("|".join(_WORDS.get(key) or _WORDS["names"][key]), re.IGNORECASE)
    for key in ("says", "not_when", "of_content", "of_routing", "about_model", "response_format")
)
_NO_LOGPROBS, _FEWER = "logprobs", 5
_WITHIN = r"\W+(?:\w+\W+){0,5}?"
_NAMES_LOGPROBS = re.compile("|".join(_WORDS["names"]["logprobs"]), re.IGNORECASE)
_REFUSES = (lm15.InvalidRequestError, lm15.UnsupportedFeatureError)
_OF_THE_CALL = (lm15.ContextLengthError, lm15.UnsupportedModelError)


class Wire:
    """What is sent of a backend's requests; ``refused`` are the parameters that its server has refused."""

    def __init__(self, config: BackendConfig) -> None:
        self.config = config
        self.refused: frozenset[str] = frozenset()
        effort = config.reasoning_effort and lm15.Reasoning(config.reasoning_effort)
        named = ("top_p", config.top_p), ("stop", config.stop), ("reasoning", effort)
        self._options: dict[str, Any] = {name: value for name, value in named if value}
        if config.extra_body:
            self._options["extensions"] = config.extra_body

    def dressed(self, request: lm15.Request, refused: frozenset[str]) -> lm15.Request:
        """Return a request with the options that it does not set itself, without what is refused."""
        if not (self._options or refused) and self.config.seed:
            return request
        asked = request.config
        changes = {name: value for name, value in self._options.items() if not getattr(asked, name)}
        if asked.extensions and "extensions" in self._options:
            changes["extensions"] = {**self._options["extensions"], **asked.extensions}
        for name in refused if self.config.seed else {*refused, "seed"}:
            parameter, _, other = name.partition(" as ")
            changes[parameter] = () if parameter == "stop" else None
            if parameter == "logprobs":
                fewer = int(other) if other and _NO_LOGPROBS not in refused else None
                changes[parameter] = fewer if asked.logprobs is not None else None
            elif other and asked.max_tokens:
                given = changes.get("extensions") or asked.extensions or {}
                changes["extensions"] = {**given, other: asked.max_tokens}
        return replace(request, config=replace(asked, **changes))

    def refusal(
        self, error: Exception, request: lm15.Request, refused: frozenset[str], tries_schema: bool = False
    ) -> str:
        """Return the parameter that an error says the server does not take, to be asked without; "" for none.

        ``max_tokens`` is sent under its other name, once, ``logprobs`` with fewer alternatives.
        ``tries_schema`` says that no schema was kept yet: then it may be at fault whatever the error says.
        Raises ConfigError for what only whoever set it can take out: a field of ``extra_body``, and the
        schema that ``structured`` insists on.
        """
        text, sent = _ABOUT_MODEL.sub("model", str(error)), self.dressed(request, refused).config
        by_router = _OF_ROUTING.search(text)
        may_lack_schema = bool(sent.response_format) and self.config.structured == "auto"
        if (isinstance(error, _OF_THE_CALL) and not by_router) or _OF_CONTENT.search(text):
            return ""
        if not isinstance(error, _REFUSES):
            return "response_format" if tries_schema and may_lack_schema else ""
        if getattr(error, "status", None) in (404, 405) and not by_router:
            return ""
        if (sent.logprobs or 0) > _FEWER and _NAMES_LOGPROBS.search(text):
            return (
                f"{_NO_LOGPROBS} as {_FEWER}"  # some give fewer alternatives, or none of their probabilities
            )
        if sent.logprobs is not None and _NAMES_LOGPROBS.search(text):
            return _NO_LOGPROBS
        found = [] if _NOT_WHEN.search(text) or not _SAYS.search(text) else sorted(self._found(text, sent))
        if by_router and not found:
            either = [name for name in ("response_format", "seed") if getattr(sent, name) is not None]
            found = [(0, True, name, "") for name in (either if may_lack_schema else reversed(either))]
        if not found:
            at_fault = may_lack_schema and (tries_schema or _OF_SCHEMAS.search(text))
            return "response_format" if at_fault else ""
        _, is_option, name, spelled = found[0]
        insists = name == "response_format" and self.config.structured == "json_schema"
        if insists or not is_option:
            setting = 'structured = "json_schema" ("auto" would do without)' if insists else "extra_body"
            raise ConfigError(
                f"the server of {self.config.model_name} refuses {name}: {first_line(str(error))}",
                fix=f"it comes of {setting} in the backend's section: take that out, or change it.",
            )
        if name != "max_tokens":
            return name
        if any(each.startswith("max_tokens as ") for each in refused):
            return ""
        return f"max_tokens as {'max_tokens' if 'completion' in spelled.lower() else 'max_completion_tokens'}"

    def _found(self, text: str, sent: lm15.Config) -> Iterator[tuple[int, bool, str, str]]:
        """Yield what a text may refuse: how far from the words, whether an option of ours, name, spelling."""
        for name, spelled, is_option in self._names(sent):
            for expression in _near(spelled):
                for match in re.finditer(expression, text, re.IGNORECASE | re.ASCII):
                    yield len(match.group()), is_option, name, match["name"]

    def _names(self, sent: lm15.Config) -> Iterator[tuple[str, str, bool]]:
        """Yield the parameters that were sent, each with an expression for how servers call it."""
        for name, names in _WORDS["names"].items():
            if getattr(sent, name) not in (None, ()) or name in (sent.extensions or {}):
                yield name, "|".join(names), name not in self.config.extra_body
        yield from ((place, spelled, False) for place, spelled in _fields(self.config.extra_body))

    def learn(self, refused: frozenset[str]) -> Iterator[tuple[str, str]]:
        """Leave these out from now on; yield those that are new, each with what to do about it."""
        new, self.refused = refused - self.refused, self.refused | refused
        for name in sorted(new):
            yield name, _WORDS["advice"][name.partition(" as ")[0]]


def _fields(value: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """Yield each field in a value by its place, with an expression for its name; a plain word is quoted."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        is_plain = above and key.isalpha() and key.islower()
        yield f"{above}{key}", rf"(?<=[\"'`.]){re.escape(key)}" if is_plain else re.escape(key)
        for each in inner if isinstance(inner, list) else [inner]:
            yield from _fields(each, f"{above}{key}.")


def _near(name: str) -> tuple[str, str]:
    says, name = "|".join(_WORDS["says"]), rf"(?<![\w-])(?:(?<!\w/)|(?<=body/))(?P<name>{name})(?![\w-])"
    return rf"(?:{says}){_WITHIN}{name}", rf"{name}{_WITHIN}(?:{says})"
