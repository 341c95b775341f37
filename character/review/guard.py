"""Who may ask: loopback and a secret token, whatever a page elsewhere tries; and what every reply tells the browser.

A page of another site can make a browser send requests here. It cannot read the token, so it has no cookie that
opens anything (and ``SameSite=Strict`` keeps ours from being sent along). It cannot pass as this host: a name that was
rebound to 127.0.0.1 stands in the Host header. It cannot post: Origin is checked, and a second secret has to be in a
header that another site may not set.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSRF_HEADER = "x-csrf-token"
TOKEN_FIELD = "token"  # noqa: S105 - the name of a field
MOST_BODY = 2**20
"""How many bytes a form may have: a screen full of notes, and no more."""

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = (
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("x-frame-options", "DENY"),
    ("cache-control", "no-store"),
)


@dataclass(frozen=True)
class Secrets:
    """What only the person at this machine knows: made anew at each start, and in no file."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class Guard:
    """Lets requests through to an app, or refuses them: 421 for another host, 403 without the token, the origin or the CSRF token."""

    def __init__(self, app: ASGIApp, known: Secrets, port: int) -> None:
        self._app, self._known = app, known
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self._cookie = f"character_review_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status, said = self._refusal(scope, headers)
        if status:
            await _say(status, said, send)
        elif _given_token(scope):
            await self._let_in(scope, send)
        else:
            await self._app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str]:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or headers["host"].lower() not in self._hosts:
            return 421, "This server answers to 127.0.0.1 and localhost alone."
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "GET and POST alone."
        token = _given_token(scope)
        if not _same(token if token else self._cookie_of(headers), self._known.token):
            return (
                403,
                "Open the address that `character review` printed: it holds the token that this page needs.",
            )
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not token:
            return 403, "Another site may not ask here."
        if scope["method"] != "POST":
            return 0, ""
        if headers.get("origin", "").lower() != f"http://{headers['host'].lower()}":
            return 403, "The request came from another page."
        if not _same(headers.get(CSRF_HEADER, ""), self._known.csrf):
            return 403, "The request lacks the CSRF token of this page."
        return 0, ""

    def _cookie_of(self, headers: dict[str, str]) -> str:
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._cookie:
                return value
        return ""

    async def _let_in(self, scope: Scope, send: Send) -> None:
        """Turn the token of the address into a cookie, so that it stands in no address afterwards."""
        cookie = f"{self._cookie}={self._known.token}; Path=/; HttpOnly; SameSite=Strict"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode())]
        await _start(303, headers, send)
        await send({"type": "http.response.body", "body": b""})


def _given_token(scope: Scope) -> str:
    if scope["path"] != "/" or scope["method"] != "GET":
        return ""
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get(TOKEN_FIELD, [""])[0]


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


async def _say(status: int, text: str, send: Send) -> None:
    await _start(status, [(b"content-type", b"text/plain; charset=utf-8")], send)
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})


async def _start(status: int, headers: list[tuple[bytes, bytes]], send: Send) -> None:
    await _with_headers(send)({"type": "http.response.start", "status": status, "headers": headers})


def _with_headers(send: Send) -> Any:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            known = [(name.encode(), value.encode()) for name, value in HEADERS]
            given = {name.lower() for name, _value in message["headers"]}
            added = [pair for pair in known if pair[0] not in given]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sending
