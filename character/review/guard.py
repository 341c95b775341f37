"""Who may ask: loopback and a secret token, whatever pages elsewhere try; and what replies tell the browser.

A page of another site can make a browser send requests here. It cannot read the token, so it has no cookie
that opens anything (and ``SameSite=Strict`` keeps ours from being sent along). It cannot pass as this host: a
name that was rebound to 127.0.0.1 stands in the Host header. It cannot post: Origin is checked, and a second
secret has to be in a header that another site may not set.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSRF_HEADER = "x-csrf-token"
TOKEN_FIELD = "token"  # noqa: S105 - the name of a field
MOST_BODY = 2**20
"""How many bytes a form may have: a screen full of notes, and no more."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
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
    """Lets requests through to an app, or refuses them.

    It says 421 for another host, 403 without the token, the origin or the CSRF token.
    """

    def __init__(self, app: ASGIApp, own_secrets: Secrets, port: int) -> None:
        self._app, self._secrets = app, own_secrets
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self._cookie = f"character_review_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            return
        app = self._app
        asked = HTTPConnection(scope)
        status, refusal = self._refusal(asked)
        if status:
            app = PlainTextResponse(f"{refusal}\n", status)
        elif _given_token(asked):  # it becomes a cookie, so that it stands in no address afterwards
            cookie = f"{self._cookie}={self._secrets.token}; Path=/; HttpOnly; SameSite=Strict"
            app = RedirectResponse("/", 303, {"set-cookie": cookie})
        await app(scope, receive, _with_headers(send))

    def _refusal(self, asked: HTTPConnection) -> tuple[int, str]:
        headers, method = asked.headers, asked.scope["method"]
        if len(headers.getlist("host")) != 1 or headers["host"].lower() not in self._hosts:
            return 421, "This server answers to 127.0.0.1 and localhost alone."
        if method not in ("GET", "HEAD", "POST"):
            return 405, "GET and POST alone."
        token, cookie = _given_token(asked), asked.cookies.get(self._cookie, "")
        if not _same(token or cookie, self._secrets.token):
            return (
                403,
                "Open the address that `character review` printed: it holds the token that this page needs.",
            )
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not token:
            return 403, "Another site may not ask here."
        if method != "POST":
            return 0, ""
        if headers.get("origin", "").lower() != f"http://{headers['host'].lower()}":
            return 403, "The request came from another page."
        if not _same(headers.get(CSRF_HEADER, ""), self._secrets.csrf):
            return 403, "The request lacks the CSRF token of this page."
        return 0, ""


def _given_token(asked: HTTPConnection) -> str:
    is_start = asked.scope["path"] == "/" and asked.scope["method"] == "GET"
    return asked.query_params.get(TOKEN_FIELD, "") if is_start else ""


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS:
                headers.setdefault(name, value)
        await send(message)

    return sending
