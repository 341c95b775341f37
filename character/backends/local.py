"""Local models: llama.cpp's own server in this process, on loopback, with a token that nobody else has."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterable
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from character.backends.secrets import first_line, remember
from character.config import BackendConfig
from character.config.weights import SUFFIX, file_of, on_hub
from character.errors import BackendUnavailableError, ConfigError, MissingExtraError

_CONTEXT = 8192


class Served(NamedTuple):
    """A server that runs until the process ends: its address, its token, and the object that keeps it."""

    address: str
    token: str
    server: Any


_lock = threading.Lock()
_servers: dict[tuple[str, int], Served] = {}


def check(config: BackendConfig) -> None:
    """Raise MissingExtraError without the extra ``local``, ConfigError where the file is no GGUF file."""
    hub = on_hub(config.model)
    if not find_spec("xllamacpp") or (hub and not find_spec("huggingface_hub")):
        raise MissingExtraError('a backend of kind = "local"', "local")
    if not hub:
        file_of(config.model)


def serve(config: BackendConfig) -> Served:
    """Return the server of a model, started where none runs in this process yet; all who name it share one.

    Raises ConfigError where the model is not there or cannot be loaded, BackendUnavailableError where it is
    on a Hub that cannot be reached.
    """
    of = config.model if on_hub(config.model) else str(file_of(config.model).resolve())
    key = of, config.context or _CONTEXT
    with _lock:
        if key not in _servers:
            _servers[key] = _started(config)
        return _servers[key]


def _started(config: BackendConfig) -> Served:
    import xllamacpp

    hub, token = on_hub(config.model), secrets.token_urlsafe(32)
    path = fetched(*hub) if hub else file_of(config.model)
    size, memory = path.stat().st_size, sum(each["memory_total"] for each in xllamacpp.get_device_info())
    context, calls = config.context or _CONTEXT, config.max_in_flight
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = str(path), {config.model_name.removeprefix("local/")}
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], 0, [token]
    params.ui = params.endpoint_slots = False
    params.n_parallel, params.n_ctx = calls, context * calls
    if config.threads:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config.threads
    server = _loaded(xllamacpp.Server, params) if size < memory else None
    if server is None:
        raise ConfigError(
            f"llama.cpp cannot load {path} ({size / 1e9:,.1f} GB, and there are {memory / 1e9:,.1f} GB of "
            f"memory) for {calls} calls of {context:,} tokens at once.",
            expected="a whole file of a model that llama.cpp knows, and memory for it and for these calls",
            fix="read what llama.cpp says on stderr; where memory lacks, lower context or max_in_flight, or "
            "take a smaller model or quantization (such as Q4_K_M).",
        )
    address = server.listening_address
    remember(token)
    remember(address.partition("://")[2])
    return Served(f"{address}/v1", token, server)


def _loaded(server: Any, params: Any) -> Any:
    """Return the server, None where the model cannot be loaded; llama.cpp then says why on stderr."""
    for params.verbosity in (0, 1):  # errors are told to a second try alone: serving tells its own over HTTP
        with contextlib.suppress(RuntimeError):
            return server(params)
    return None


def fetched(repo: str, file: str) -> Path:
    """Return a file of the Hub, as it lies in the Hub's cache on this disk, or downloaded into it."""
    import huggingface_hub as hub
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    def matching(names: Iterable[str]) -> list[str]:
        return [name for name in names if fnmatchcase(name.lower(), file.lower())]

    try:
        with contextlib.suppress(LocalEntryNotFoundError):
            folder = Path(hub.snapshot_download(repo, local_files_only=True))
            kept = matching(each.relative_to(folder).as_posix() for each in folder.rglob("*"))
            if len(kept) == 1:
                return folder / kept[0]
        there = [each.rfilename for each in hub.model_info(repo).siblings or ()]
        names = [name for name in there if name.lower().endswith(SUFFIX)]
        found = matching(names)
        if len(found) == 1:
            return Path(hub.hf_hub_download(repo, found[0]))
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ConfigError(
            f"the Hugging Face Hub has no repository {repo}, or none for you: {first_line(str(error))}",
            fix="correct the name; for a repository with limited access set HF_TOKEN.",
        ) from None
    except HfHubHTTPError.__bases__ as error:  # its HTTP client's errors, and OSError
        raise BackendUnavailableError(
            f"{file} of {repo} cannot be had from the Hugging Face Hub: {first_line(str(error))}",
            fix="try again later, or set model to the path of a file.",
        ) from None
    raise ConfigError(
        f"{len(found) or 'no'} files are called {file} in {repo} on the Hugging Face Hub.",
        expected=f"one of {', '.join(found or names)}" if names else f"a repository with {SUFFIX} files",
        fix=f'model = "{repo}:{(found or names)[0]}"' if names else "take one whose name ends in -GGUF.",
    )
