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
_SAYS, _NOT_WHEN = (re.compile("|".join(_WORDS[key]), re.IGNORECASE) for key in ("says", "not_when"))
_OF_SCHEMAS = re.compile("|".join(_WORDS["names"]["response_format"]), re.IGNORECASE)
_WITHIN = r"\W+(?:\w+\W+){0,5}?"
_REFUSES = (lm15.InvalidRequestError, lm15.UnsupportedFeatureError)


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
            if other and asked.max_tokens:
                given = changes.get("extensions") or asked.extensions or {}
                changes["extensions"] = {**given, other: asked.max_tokens}
        return replace(request, config=replace(asked, **changes))

    def refusal(self, error: Exception, request: lm15.Request, refused: frozenset[str]) -> str:
        """Return the parameter that an error says the server does not take, to be asked without; "" for none.

        ``max_tokens`` is sent under its other name, once. Raises ConfigError for what only whoever set it can
        take out: a field of ``extra_body``, and the schema that ``structured`` insists on.
        """
        text, sent = str(error), self.dressed(request, refused).config
        if not isinstance(error, _REFUSES) or isinstance(error, lm15.ContextLengthError):
            return ""
        if not _SAYS.search(text) or _NOT_WHEN.search(text):
            tried = sent.response_format and self.config.structured == "auto"
            return "response_format" if tried and _OF_SCHEMAS.search(text) else ""
        found = sorted(
            (len(match.group()), name, match["name"])
            for name, spelled in self._names(sent)
            for expression in _near(spelled)
            for match in re.finditer(expression, text, re.IGNORECASE | re.ASCII)
        )
        if not found:
            return ""
        _, name, spelled = found[0]
        insists = name == "response_format" and self.config.structured == "json_schema"
        if insists or name in self.config.extra_body:
            setting = 'structured = "json_schema" ("auto" would do without)' if insists else "extra_body"
            raise ConfigError(
                f"the server of {self.config.model_name} refuses {name}: {first_line(text)}",
                fix=f"it comes of {setting} in the backend's section: take that out, or change it.",
            )
        if name != "max_tokens":
            return name
        if any(each.startswith("max_tokens as ") for each in refused):
            return ""
        return f"max_tokens as {'max_tokens' if 'completion' in spelled.lower() else 'max_completion_tokens'}"

    def _names(self, sent: lm15.Config) -> Iterator[tuple[str, str]]:
        """Yield the parameters that were sent, each with an expression for how servers call it."""
        for name, names in _WORDS["names"].items():
            if getattr(sent, name) not in (None, ()) or name in (sent.extensions or {}):
                yield name, "|".join(names)
        yield from ((name, re.escape(name)) for name in self.config.extra_body)

    def learn(self, refused: frozenset[str]) -> Iterator[tuple[str, str]]:
        """Leave these out from now on; yield those that are new, each with what to do about it."""
        new, self.refused = refused - self.refused, self.refused | refused
        for name in sorted(new):
            yield name, _WORDS["advice"][name.partition(" as ")[0]]


def _near(name: str) -> tuple[str, str]:
    says, name = "|".join(_WORDS["says"]), rf"(?<![\w-])(?P<name>{name})(?![\w-])"
    return rf"(?:{says}){_WITHIN}{name}", rf"{name}{_WITHIN}(?:{says})"
