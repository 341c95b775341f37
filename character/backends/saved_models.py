"""Models as a saved program has them: described, with nothing secret; made again where that is safe."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Collection, Mapping
from typing import Any

import dspy
from dspy.utils.exceptions import DSPyError
from pydantic import ValidationError

from character.backends import build_lm
from character.backends.secrets import redact
from character.config import BackendConfig
from character.config.backend import OF_SERVERS
from character.errors import CharacterError
from character.text import path_of

NOT_COPIED = (TypeError, ValueError, AttributeError, NotImplementedError, RecursionError, pickle.PickleError)
"""What comes of copying or pickling an object that cannot be."""
_SECRET = re.compile(r"key|token|secret|passw|credential|auth|header|cookie", re.IGNORECASE)
_NO_SECRET = re.compile(r"(^|_)tokens(_|$)|^api_key_env$|^prompt_cache|^stop_token_ids$|^logprobs")
_CLASS = "_dspy_lm_class"
_DSPYS = "dspy.clients.lm.LM"
_OURS = "character.backends.seam:SeamEngine"
ADDRESSES = ("api_base", "base_url", "api_version", "model_list")
_HARMLESS = frozenset(
    f"{_CLASS} model model_type cache num_retries temperature max_tokens max_completion_tokens top_p top_k "
    "seed n stop frequency_penalty presence_penalty use_developer_role reasoning_effort".split()
)
"""What a description may say without choosing a server or code."""


def described(lm: Any, *, at: bool) -> tuple[dict[str, Any], list[str]]:
    """Return (DSPy's state of a model, what of it is left out): no key, no header, JSON alone.

    ``at`` is whether the server's address belongs to it.
    """
    try:
        state = dict(lm.dump_state())
    except NOT_COPIED:
        state = {_CLASS: path_of(type(lm)), "model": str(lm.model), "engine": {}}
    left_out = {name for name, value in state.items() if not may_be_kept(name, value)}
    left_out |= {name for name in ADDRESSES if state.get(name) and not at}
    config = _config(state)
    if config is not None and config.pop("api_base", None) and not at:
        left_out.add("api_base")
        state["engine"] = {"class": _OURS, "state": {"config": config}}
        state.pop("async_engine", None)
    kept = {name: value for name, value in state.items() if name not in left_out}
    return kept, sorted({*left_out, *(["api_key"] if lm.kwargs.get("api_key") else [])})


def is_secret_name(name: str) -> bool:
    """Whether what has this name may be a key, a header or a password."""
    return bool(_SECRET.search(name)) and not _NO_SECRET.search(name)


def may_be_kept(name: str, value: Any) -> bool:
    """Whether a setting of a model may be written down: it is JSON, and nothing in it looks secret."""
    if value and is_secret_name(name):
        return False
    match value:
        case str():
            return redact(value) == value and not re.search(
                r"://[^/]*@|[?&][^=]*(key|token|sig)[^=]*=", value
            )
        case Mapping():
            return all(isinstance(key, str) and may_be_kept(key, each) for key, each in value.items())
        case list() | tuple():
            return all(may_be_kept("", each) for each in value)
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def not_restored(state: Mapping[str, Any]) -> str:
    """Return why no model is made of a description in a file that nobody vouches for, "" where one may be.

    Such a file must not send a request, with a key of the environment, to a server of its own choice, nor
    load weights from wherever it says.
    """
    config = _config(state)
    if config is not None:
        named = [name for name in ("api_base", "api_key_env", *OF_SERVERS) if config.get(name)]
        named += ["weights to load"] if config.get("kind") == "local" else []
    else:
        named = [
            name for name, value in state.items() if name not in _HARMLESS and value and name != "engine"
        ]
        if state.get(_CLASS, _DSPYS) != _DSPYS:
            named.append(f"the class {state[_CLASS]}")
        if not isinstance(state.get("engine", "auto"), str):
            named.append("an engine")
    if "://" in str(state.get("model")):
        named.append("a server as its model")
    return f"the file names {', '.join(named)}" if named else ""


def restored(state: Mapping[str, Any], left_out: Collection[str]) -> tuple[Any, str]:
    """Return (the model of a description, "") or (None, why it cannot be made).

    One that had a key and a server of its own gets a placeholder for the key: that of the environment is not
    for that server.
    """
    if missing := [name for name in (*ADDRESSES, "model", "engine", "async_engine") if name in left_out]:
        return None, f"its {missing[0]} is not in the file"
    config = _config(state)
    keyed = "api_key" in left_out and any(state.get(name) for name in ADDRESSES)
    try:
        if config is None:
            given = {**state, "api_key": "not-needed"} if keyed else dict(state)
            return dspy.BaseLM.load_state(given, allow_custom_lm_class=True), ""
        lm = build_lm(BackendConfig.model_validate(config))
        sent = {name: state[name] for name in lm.kwargs if name in state and state[name] != lm.kwargs[name]}
        return lm.copy(**sent) if sent else lm, ""
    except ValidationError as error:
        return None, str(error.errors()[0]["msg"])
    except CharacterError as error:
        return None, error.found.rstrip(".")
    except (*NOT_COPIED, ImportError, LookupError, DSPyError) as error:
        return None, f"{type(error).__name__}: {error}".split("\n")[0]


def _config(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the configuration of a model that ``build_lm`` made, None for any other."""
    engine = state.get("engine")
    if not isinstance(engine, Mapping) or engine.get("class") != _OURS or state.get(_CLASS) != _DSPYS:
        return None
    config = engine.get("state", {}).get("config")
    return dict(config) if isinstance(config, Mapping) else None
