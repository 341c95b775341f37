"""Publishing an export on the Hugging Face hub, which refuses what is not fit to train on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from character.errors import BackendUnavailableError, InputError, MissingExtraError
from character.exports.files import listed_files, read_metadata

TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def push_to_hub(path: Path, repo_id: str, *, allow_rehearsal: bool = False, private: bool = True) -> str:
    """Upload an export's folder as the dataset ``repo_id`` (``"owner/name"``); return the commit's address.

    Only the files that the export wrote are uploaded. The token is taken from the environment alone
    (``HF_TOKEN``), never from a login on this machine. Data that the rehearsal backend made, or of which that
    is not known, is refused unless ``allow_rehearsal``. A dataset that is already there and public is refused
    unless ``private`` is false. Raises InputError for all these, MissingExtraError without huggingface-hub,
    and BackendUnavailableError where the hub cannot be reached or refuses.
    """
    path = Path(path)
    metadata = read_metadata(path)
    _refuse_rehearsal(path, metadata, allow_rehearsal=allow_rehearsal)
    names = listed_files(metadata)
    _refuse_missing_files(path, names)
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise MissingExtraError("push_to_hub", "hub") from error

    api = HfApi(token=_token())
    try:
        api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
        if private and not api.repo_info(repo_id, repo_type="dataset").private:
            raise InputError(
                f"The dataset {repo_id} is already on the hub and public.",
                expected="a private dataset, since private=True",
                fix="make it private on the hub, name another one, or say private=False.",
            )
        commit = api.upload_folder(
            repo_id=repo_id,
            repo_type="dataset",
            folder_path=path,
            allow_patterns=names,
            commit_message=f"Add the {metadata.get('format')} export",
        )
    except HFValidationError as error:
        raise InputError(
            f"{repo_id!r} is not a dataset name of the hub.", expected="owner/name", fix=str(error)
        ) from error
    except (
        HfHubHTTPError.__bases__
    ) as error:  # its HTTP client's errors (httpx, from 2.0 on httpx2) and OSError
        raise BackendUnavailableError(
            f"The hub did not take {repo_id}: {error}",
            expected="a hub that answers and a token that may write there",
            fix="check HF_TOKEN, its rights and the network, then push again; nothing local was changed.",
        ) from error
    return str(commit.commit_url)


def _refuse_rehearsal(path: Path, metadata: dict[str, Any], *, allow_rehearsal: bool) -> None:
    rehearsal = metadata.get("rehearsal")
    if rehearsal is False or allow_rehearsal:
        return
    origin = (
        "was made by the rehearsal backend" if rehearsal is True else "does not say which backend made it"
    )
    raise InputError(
        f"The data in {path} {origin}.",
        expected="data made by real models, with a manifest that says so",
        fix="run with a real model; to publish it all the same, for a test, say allow_rehearsal=True "
        "(--allow-rehearsal).",
    )


def _refuse_missing_files(path: Path, names: list[str]) -> None:
    missing = [name for name in names if not (path / name).is_file()]
    if missing or not names:
        raise InputError(
            f"The export in {path} is not complete: {', '.join(missing) or 'its metadata lists no files'}.",
            expected="every file that its metadata lists",
            fix="export again into a new folder.",
        )


def _token() -> str:
    for name in TOKEN_VARIABLES:
        if token := os.environ.get(name):
            return token
    raise InputError(
        "No token for the hub is set.",
        expected="a token with the right to write, in the environment variable HF_TOKEN",
        fix="export HF_TOKEN=hf_… and push again.",
    )
