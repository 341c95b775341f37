"""Who may ask: the real server refuses whatever does not come from its own page with its own token."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from review_helpers import ReviewServer, some_rollouts, write_run

PATHS = [
    "/",
    "/rank",
    "/rank/panel",
    "/rank/text?item=x&place=turn-0&from=0",
    "/static/review.js",
    "/no/such/page",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewServer]:
    """Return one app for all tests here: none of them may change anything."""
    folder = write_run(tmp_path_factory.mktemp("guarded") / "run", some_rollouts(4))
    with ReviewServer(folder, "--language", "en") as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_is_told(server: ReviewServer, path: str) -> None:
    for cookie in ("", "x=y", f"character_review_{server.port}=guess", f"other={server.token}"):
        refused = server.get(path, Cookie=cookie)
        assert refused.status == 403
        assert "Answer" not in refused.text
        assert server.token not in refused.text


def test_a_wrong_token_opens_nothing_and_the_right_one_leaves_the_address(server: ReviewServer) -> None:
    assert server.get(f"/?token={server.token[:-1]}", Cookie="").status == 403
    assert server.get("/?token=", Cookie="").status == 403
    opened = server.get(f"/?token={server.token}", Cookie="")
    assert (opened.status, opened.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(opened.headers["set-cookie"].split("; "))
    assert server.get(f"/rank?token={server.token}", Cookie="").status == 403, (
        "the cookie counts, but on the first page"
    )


def test_a_name_that_was_rebound_to_this_machine_is_refused(server: ReviewServer) -> None:
    for host in (
        "evil.example",
        f"evil.example:{server.port}",
        "127.0.0.1",
        "127.0.0.1:1",
        f"127.0.0.1.evil:{server.port}",
    ):
        assert server.get("/rank?as=Ann", Host=host).status == 421
    assert server.get("/rank?as=Ann", Host=f"localhost:{server.port}").status == 200


@pytest.mark.parametrize("path", ["/rank?as=Ann", "/rank/undo?as=Ann"])
@pytest.mark.parametrize(
    "change",
    [
        {"Origin": ""},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1"},
        {"X_CSRF_Token": ""},
        {"X_CSRF_Token": "guess"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Cookie": ""},
    ],
    ids=str,
)
def test_a_post_from_elsewhere_changes_nothing(
    server: ReviewServer, path: str, change: dict[str, str]
) -> None:
    page = server.get("/rank?as=Ann")
    fields = {name: page.field(name) for name in ("item", "seen", "nonce")} | {"action": "skip"}
    assert server.post(path, fields, **change).status == 403
    assert server.get("/rank?as=Ann").field("item") == page.field("item")


def test_another_site_may_not_even_read_with_the_cookie(server: ReviewServer) -> None:
    assert server.get("/rank?as=Ann", **{"Sec-Fetch-Site": "cross-site"}).status == 403
    assert server.get("/rank?as=Ann", **{"Sec-Fetch-Site": "same-origin"}).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(server: ReviewServer, method: str) -> None:
    assert server.send(method, "/rank?as=Ann").status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/run.sqlite",
        "/static/....//app.py",
        "/static//etc/passwd",
        "/static/review.js%00",
        "/static/page.html",
        "/../../etc/passwd",
        "/rank/text?as=Ann&item=..%2F..%2Fetc%2Fpasswd&place=option-A&from=0",
        "/run.sqlite",
        "/nothing?as=Ann",
    ],
)
def test_no_path_leads_out_of_the_app(server: ReviewServer, path: str) -> None:
    found = server.get(path)
    assert found.status == 404
    assert "root:" not in found.text
    assert "import" not in found.text


@pytest.mark.parametrize(
    "path", ["/rank?as=Ann", "/?who=1", "/static/review.css", "/static/nothing", "/nothing", "/?token=wrong"]
)
def test_every_reply_carries_the_headers(server: ReviewServer, path: str) -> None:
    headers = server.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_pages_hold_no_inline_script_or_style_and_name_no_other_place(server: ReviewServer) -> None:
    for task in ("rank", "compare", "check"):
        page = server.get(f"/{task}?as=Ann").text
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick" not in page
        assert "http" not in page.replace("htmx", "")
        assert all(tag.startswith((' src="/static/', " src='/static/")) for tag in page.split("<script")[1:])


def test_only_loopback_is_listened_on(server: ReviewServer) -> None:
    outside = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in sorted(outside - {"127.0.0.1"}):
        if address.startswith("127."):
            continue
        with socket.socket() as trying, pytest.raises(OSError, match="refused"):
            trying.connect((address, server.port))
    with socket.create_connection(("127.0.0.1", server.port)) as reached:
        assert reached.getpeername()[0] == "127.0.0.1"


def test_a_form_that_is_too_large_or_no_text_is_refused(server: ReviewServer) -> None:
    assert server.post("/rank?as=Ann", {"item": "x" * 2**21}).status == 422
    assert (
        server.post("/rank?as=Ann", {"item": "m", "seen": "1; DROP TABLE events", "nonce": "n"}).status == 404
    )
    assert server.post("/rank?as=Ann", dict.fromkeys(map(str, range(2_000)), "")).status == 422


def review(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "character", "review", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_what_cannot_be_served_is_said_in_words(server: ReviewServer, tmp_path: Path) -> None:
    for arguments, said in (
        ((str(server.folder),), "another process is reviewing"),
        ((str(tmp_path / "nothing"),), "holds no run"),
        ((str(server.folder), "--port", str(server.port)), "cannot be used"),
        ((str(server.folder), "--reviewer", "a\u200bb"), "cannot be a reviewer's name"),
        (
            (str(server.folder), "--export", str(tmp_path / "labelled.jsonl")),
            "holds no ranking or comparison",
        ),
    ):
        done = review(*arguments, "--json")
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert json.loads(done.stdout)["exit_code"] == 2


def test_the_token_is_in_no_file(server: ReviewServer) -> None:
    server.get("/rank?as=Ann")
    for path in server.folder.iterdir():
        assert server.token.encode() not in path.read_bytes()
