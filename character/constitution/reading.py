"""Reading a constitution from a file or a text, whatever its shape."""

from __future__ import annotations

import os
import re
from itertools import chain
from pathlib import PurePath

from character.constitution.decoding import normalize, printable, read_text
from character.constitution.formats import read_nodes
from character.constitution.models import Constitution
from character.constitution.problems import problem
from character.constitution.shapes import interpret
from character.text import detect_language

_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")


def load_constitution(
    path: str | os.PathLike[str], *, language: str | None = None, name: str | None = None
) -> Constitution:
    """Return the constitution in a file of JSON, JSON Lines, TOML, YAML or plain text.

    The content decides how the file is read, its extension only where the content leaves it open.
    ``language`` and ``name`` apply where the file does not say; failing these, the language is detected
    from the traits and the name is the file's, without its extension.

    Raises ConstitutionError, naming file, line and field, where the file cannot be read as traits.
    """
    return parse_constitution(
        read_text(path), source=printable(os.fspath(path)), language=language, name=name
    )


def parse_constitution(
    text: str, *, source: str, language: str | None = None, name: str | None = None
) -> Constitution:
    """Return the constitution in a text; like ``load_constitution`` for what is no file.

    ``source`` is what error messages call the text; an extension at its end counts like a file's.
    """
    header, traits = interpret(read_nodes(normalize(text, source), source), source)
    texts = ((each.description, each.statement, each.clarification, *each.questions) for each in traits)
    tag = header.get("language") or language or detect_language("\n".join(chain.from_iterable(texts)))
    if not _LANGUAGE_TAG.fullmatch(tag):
        raise problem(source, None, "language", tag=tag)
    return Constitution(
        name=printable(header.get("name") or name or PurePath(source).stem or "constitution"),
        language=tag,
        traits=traits,
        **({"assistant_name": header["assistant_name"]} if "assistant_name" in header else {}),
    )
