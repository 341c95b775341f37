"""A model in a folder: its tokenizer and chat template, read without loading a model or a library."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from character.errors import InputError
from character.files import problem
from character.text import fingerprint

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Turns = Sequence[Mapping[str, str]]
_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass(frozen=True)
class ModelFolder:
    """What a model's folder says about text.

    ``chat_template`` is Jinja source, empty where there is none; ``special`` are the special tokens by their
    names in ``tokenizer_config.json``; ``tokenizer`` is None where the folder has no ``tokenizer.json``.
    """

    path: Path
    chat_template: str
    special: dict[str, str]
    tokenizer: Tokenizer | None

    @cached_property
    def fingerprint(self) -> str:
        """The identity of configuration, tokenizer and chat template. Weights are no part of it."""
        files = ("config.json", "tokenizer.json", "tokenizer_config.json", "adapter_config.json")
        texts = {name: _text(self.path / name) for name in files if (self.path / name).is_file()}
        return fingerprint([texts, self.chat_template])

    @cached_property
    def _template(self) -> Any:
        return _environment().from_string(self.chat_template)

    def render(self, turns: Turns, *, add_generation_prompt: bool = False) -> str:
        """Return a conversation as the model reads it; raises InputError where the template refuses it."""
        from jinja2 import TemplateError

        try:
            text: str = self._template.render(
                messages=[dict(turn) for turn in turns],
                add_generation_prompt=add_generation_prompt,
                **self.special,
            )
            return text  # noqa: TRY300 - the try is about the template alone
        except TemplateError as error:
            raise problem(__file__, "chat_template", path=self.path, error=error) from None

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text is, special tokens counted where the text spells them out."""
        if self.tokenizer is None:
            raise InputError(f"{self.path} has no tokenizer.json, so tokens cannot be counted.")
        encodings: Iterable[Any] = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]


def read_model_folder(model: str | Path) -> ModelFolder | None:
    """Return what the folder of a model says, None where ``model`` is no folder here (a name on a hub).

    Raises InputError for a folder that is no model's, or whose files cannot be read.
    """
    folder = Path(model)
    if not folder.is_dir():
        if str(model).startswith((".", "/", "~")):
            raise problem(__file__, "no_folder", folder=folder)
        return None
    if not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        raise problem(__file__, "no_model", folder=folder)
    for name in ("config.json", "adapter_config.json"):
        _json(folder / name)  # what it says is for the trainer; here it must be readable
    config = _json(folder / "tokenizer_config.json")
    return ModelFolder(folder, _chat_template(folder, config), _special(config), _tokenizer(folder))


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    text = _text(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, error) from None
    if not isinstance(value, dict):
        raise _unreadable(path, f"it holds a {type(value).__name__}, not an object")
    return value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, why: object) -> InputError:
    return InputError(f"{path} cannot be read: {why}.", fix="save the model again.")


def _chat_template(folder: Path, config: dict[str, Any]) -> str:
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        return _text(beside)
    template = config.get("chat_template") or _json(folder / "chat_template.json").get("chat_template") or ""
    if isinstance(template, list):  # several by name
        named = {str(each.get("name")): str(each.get("template", "")) for each in template}
        return named.get("default", "")
    return str(template)


def _special(config: dict[str, Any]) -> dict[str, str]:
    tokens = {name: config.get(name) for name in _SPECIAL}
    texts = {name: each.get("content") if isinstance(each, dict) else each for name, each in tokens.items()}
    return {name: str(text) for name, text in texts.items() if text}


def _tokenizer(folder: Path) -> Tokenizer | None:
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:
        if type(error) is not Exception:  # the library raises the base class itself
            raise
        raise InputError(f"{path} cannot be read: {error}.", fix="save the model again.") from None


def _environment() -> Any:
    """Return the environment that chat templates are written for, sandboxed, with the few names they use."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """``{% generation %}`` marks what the model writes; for the text alone it changes nothing."""

        tags = {"generation"}  # noqa: RUF012 - the library's own way

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def as_json(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = as_json
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    return environment
