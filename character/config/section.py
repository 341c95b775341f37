"""The base of all sections of a configuration, and what is wrong with one in words."""

from __future__ import annotations

from difflib import get_close_matches

from pydantic import BaseModel, ConfigDict, ValidationError

from character.config.secrets import LOOKS_LIKE_A_KEY


class ConfigSection(BaseModel):
    """Base of all sections: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def describe_validation(error: ValidationError) -> str:
    """Return the first problem of a pydantic error as ``field: what is wrong (found …)``, and what more."""
    problems = error.errors(include_url=False)
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole"
    what = first["msg"].removeprefix("Value error, ")
    value = first["input"]
    if first["type"] in ("tuple_type", "list_type") and isinstance(value, str):
        what = 'a list is expected, such as ["…"]'
    plain = isinstance(value, str | int | float | bool) and first["type"] != "missing"
    secret = "@" in str(value) or LOOKS_LIKE_A_KEY.search(str(value))  # a URL may hold a password
    hint = f" (found {value!r})" if plain and not secret else ""
    if first["type"] == "extra_forbidden":
        near = get_close_matches(str(first["loc"][-1]), _field_names(), n=1)
        what, hint = "this field is not known", f"; did you mean {near[0]}?" if near else ""
    more = (
        f" (and {len(problems) - 1} more: {', '.join('.'.join(map(str, p['loc'])) for p in problems[1:4])})"
    )
    return f"{where}: {what}{hint}{more if len(problems) > 1 else ''}"


def _field_names() -> list[str]:
    return sorted({name for section in _sections(ConfigSection) for name in section.model_fields})


def _sections(base: type[ConfigSection]) -> list[type[ConfigSection]]:
    return [each for own in base.__subclasses__() for each in (own, *_sections(own))]
