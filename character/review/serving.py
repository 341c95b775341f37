"""Serving a folder's reviews on loopback, until it is stopped."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from character.errors import MissingExtraError
from character.files import problem
from character.locale import Language, report_language
from character.review.answers import reviewer_name

HOST = "127.0.0.1"
_SWITCH_S = 0.0005
"""How long a thread keeps the interpreter while another waits: at 5 ms the queue would slow each page."""


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

    ``port`` 0 takes any free one; ``on_ready`` gets the address with its token once requests are taken.
    ``reviewer`` is who answers where a window names nobody; where both do not, the page asks. ``language`` is
    that of the interface, by default the constitution's. ``preference`` is the folder of a preference model:
    what it and the ranker disagree on comes first. Raises MissingExtraError without the extra ``review``,
    StoreError where the folder holds nothing or is being reviewed, InputError for the port or the name.
    """
    try:
        import starlette  # noqa: F401 - the app imports it
        import uvicorn
    except ImportError:
        raise MissingExtraError("the review app", "review") from None
    from character.review.app import App, View, build_app
    from character.review.guard import TOKEN_FIELD, Guard, Secrets
    from character.review.index import Filters, Index, second_of
    from character.review.sources import open_subject
    from character.review.store import ReviewStore

    name = reviewer_name(reviewer) if reviewer else ""
    with closing(open_subject(folder)) as subject:
        traits = subject.constitution.traits if subject.constitution else ()
        second = second_of(preference, traits) if preference else None
        with _listening(port) as listening, ReviewStore(folder) as reviews:
            index = Index(reviews, subject.run, subject.effects, subject.report, second)
            own_secrets, bound = Secrets(), int(listening.getsockname()[1])
            start = View(name, language or report_language(subject.language), Filters())
            app = App(subject, reviews, index, own_secrets, start)
            config = uvicorn.Config(
                Guard(build_app(app), own_secrets, bound),
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
                on_ready(f"http://{HOST}:{bound}/?{TOKEN_FIELD}={own_secrets.token}")
                uvicorn.Server(config).run(sockets=[listening])
            finally:
                index.stop()


serve_review = serve  # its public name


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port), backlog=128)
    except OSError as error:
        raise problem(__file__, "port", port=port, reason=os.strerror(error.errno or 0)) from None
