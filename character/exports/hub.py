"""Publishing an export on the Hugging Face hub, which refuses what is not fit to train on."""

from __future__ import annotations

import os
from pathlib import Path

from character.errors import BackendUnavailableError, MissingExtraError
from character.exports.files import listed_files, read_metadata
from character.files import problem

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
    rehearsal, names = metadata.get("rehearsal"), listed_files(metadata)
    if rehearsal is not False and not allow_rehearsal:
        raise problem(__file__, "rehearsal" if rehearsal is True else "unknown_origin", path=path)
    missing = [name for name in names if not (path / name).is_file()]
    if missing or not names:
        reason = ", ".join(missing) or "its metadata lists no files"
        raise problem(__file__, "incomplete", path=path, reason=reason)
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise MissingExtraError("push_to_hub", "hub") from error

    api = HfApi(token=_token())
    try:
        api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
        if private and not api.repo_info(repo_id, repo_type="dataset").private:
            raise problem(__file__, "public", repo_id=repo_id)
        commit = api.upload_folder(
            repo_id=repo_id,
            repo_type="dataset",
            folder_path=path,
            allow_patterns=names,
            commit_message=f"Add the {metadata.get('format')} export",
        )
    except HFValidationError as error:
        raise problem(__file__, "repo_id", repo_id=repo_id, error=str(error)) from error
    except HfHubHTTPError.__bases__ as error:
        # Its HTTP client's errors (httpx, from 2.0 on httpx2) and OSError.
        values = {"repo_id": repo_id, "error": error}
        raise problem(__file__, "hub_refused", BackendUnavailableError, **values) from error
    return str(commit.commit_url)


def _token() -> str:
    for name in TOKEN_VARIABLES:
        if token := os.environ.get(name):
            return token
    raise problem(__file__, "no_token")
