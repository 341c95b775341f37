"""Serving a folder's reviews on loopback, until it is stopped."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

from character.errors import InputError, MissingExtraError
from character.locale import Language, report_language
from character.review.answers import reviewer_name

HOST = "127.0.0.1"
_SWITCH_S = 0.0005
"""How long one thread keeps the interpreter while another waits: at Python's 5 ms the making of the queue would slow each page."""


def serve(
    folder: Path,
    *,
    port: int = 0,
    reviewer: str = "",
    language: Language | None = None,
    preference: Path | None = None,
    on_ready: Callable[[str], None],
) -> None:
    """Serve the review app of a run or an effect on loopback until the process is told to stop.

    ``port`` 0 takes any free one; ``on_ready`` gets the address with its token once requests are taken. ``reviewer`` is who
    answers where a window names nobody; where both do not, the page asks. ``language`` is that of the
    interface, by default the constitution's. ``preference`` is the folder of a preference model: what it and the ranker
    disagree on comes first. Raises MissingExtraError without the extra ``review``, StoreError where
    the folder holds nothing or is being reviewed, InputError for the port or the name.
    """
    try:
        import jinja2  # noqa: F401 - the app needs it, and an error now is clearer than one on the first page
        import starlette  # noqa: F401
        import uvicorn
    except ImportError:
        raise MissingExtraError("the review app", "review") from None
    from character.review.app import App, Settings, build_app
    from character.review.guard import TOKEN_FIELD, Guard, Secrets
    from character.review.index import Index
    from character.review.second import second_of
    from character.review.sources import open_subject
    from character.review.store import ReviewStore

    name = reviewer_name(reviewer) if reviewer else ""
    subject = open_subject(folder)
    try:
        traits = subject.constitution.traits if subject.constitution else ()
        second = second_of(preference, traits) if preference else None
        with _listening(port) as listening, ReviewStore(folder) as reviews:
            index = Index(reviews, subject.run, subject.effects, subject.report, second)
            known, bound = Secrets(), _port_of(listening)
            chosen = language or report_language(subject.language)
            app = App(subject, reviews, index, known, Settings(name, chosen))
            config = uvicorn.Config(
                Guard(build_app(app), known, bound),
                log_level="warning",
                access_log=False,  # it would hold the token
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=2,
            )
            sys.setswitchinterval(_SWITCH_S)
            index.start()
            try:
                on_ready(f"http://{HOST}:{bound}/?{TOKEN_FIELD}={known.token}")
                uvicorn.Server(config).run(sockets=[listening])
            finally:
                index.stop()
    finally:
        subject.close()


def _port_of(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def _listening(port: int) -> socket.socket:
    """Return a socket that takes connections on loopback alone."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise InputError(
            f"the port {port} cannot be used ({error.strerror}).",
            expected="a free port",
            fix="name another with --port, or leave it out to get one that is free.",
        ) from None
    return listening
