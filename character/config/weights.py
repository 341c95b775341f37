"""The weights of a local model: a GGUF file, on this disk or on the Hugging Face Hub."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from character.errors import ConfigError

SUFFIX = ".gguf"
_ON_HUB = re.compile(r"(\w[\w.-]*/\w[\w.-]*):([^:]+)")
_MAGIC, _SAMPLES, _SAMPLE_BYTES = b"GGUF", 64, 4096


def on_hub(model: str) -> tuple[str, str] | None:
    """Return the repository and the file, or pattern of one, of ``OWNER/REPO:FILE``; None for a path."""
    match = _ON_HUB.fullmatch(model)
    return (match[1], match[2]) if match else None


def called(model: str) -> str:
    """Return what a model is called in records: its name on the Hub, or its file's, without the folder."""
    return model if on_hub(model) else Path(model).name


def file_of(model: str) -> Path:
    """Return the path of a model that lies here; raises ConfigError where that is no GGUF file."""
    path, fault = Path(model).expanduser(), ""
    try:
        with path.open("rb") as file:
            begins = file.read(len(_MAGIC))
        fault = (
            "" if begins == _MAGIC else f"it is no GGUF file, which begins with {_MAGIC!r}, not {begins!r}"
        )
    except OSError as error:
        fault = (error.strerror or str(error)).lower()
    if fault:
        raise ConfigError(
            f"the model {path} cannot be read: {fault}.",
            expected=f"the path of a {SUFFIX} file, or OWNER/REPO:FILE for one on the Hugging Face Hub",
        )
    return path


def mark_of(model: str) -> str:
    """Return what tells a file from another of its name: a digest of its size and of samples of its bytes.

    It is "" for a model on the Hub. Raises ConfigError where there is no GGUF file.
    """
    if on_hub(model):
        return ""
    path = file_of(model)
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=8)
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(max(0, size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
