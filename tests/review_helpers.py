"""Runs to review, made of real records, and the review app as the process that a user starts."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from character.config import Config
from character.constitution import Constitution, Trait
from character.pairs.designs import build_pairs
from character.records import KINDS, LEVELS, Candidate, Candidates, Message, Ranking, Rollout, Turn
from character.runs.identity import run_identity
from character.runs.run import RUN
from character.runs.session import write_down
from character.store.run_store import RunStore

TRAITS = (
    Trait(name="patience", description="Takes the time an explanation needs.", opposite="curt and hurried"),
    Trait(name="humour", description="Lets the light side of things show."),
)
CONSTITUTION = Constitution(name="pair", language="en", traits=TRAITS)


def rollout_of(
    text: str,
    answers: Sequence[str],
    *,
    trait: str = "patience",
    kind: Any = "question",
    language: str = "en",
    scores: Sequence[float] | None = None,
    sure: float | None = None,
) -> Rollout:
    """Return a ranked rollout; ``sure`` is the probability, 0.5..1, that each better candidate truly is better."""
    message = Message(
        trait=trait,
        kind=kind,
        turns=(Turn(role="user", content=text),),
        language=language,
        model="secret/writer",
    )
    items = tuple(
        Candidate(text=answer, level=LEVELS[i % 5], model="secret/model") for i, answer in enumerate(answers)
    )
    candidates = Candidates(message_id=message.id, trait=trait, items=items)
    values = list(scores or [round(0.9 - 0.8 * i / len(answers), 3) for i in range(len(answers))])
    ranking = Ranking.from_scores(candidates, values, "the judge's secret reason")
    if sure is not None:
        table = tuple(tuple(0.5 if a == b else sure if a > b else 1 - sure for b in values) for a in values)
        ranking = ranking.model_copy(update={"probabilities": table})
    pairs, drops = build_pairs(message, candidates, ranking)
    return Rollout(message=message, candidates=candidates, ranking=ranking, pairs=pairs, drops=drops)


def some_rollouts(number: int, *, candidates: int = 4) -> list[Rollout]:
    """Return rollouts of both traits, all kinds and both languages, the first the least certain."""
    return [
        rollout_of(
            f"第{i}个问题：怎么学？" if i % 2 else f"Question {i}: how do I learn this?",
            [f"Answer {letter} to message {i}, said at some length." for letter in "PQRSTUVW"[:candidates]],
            trait=TRAITS[i // 3 % 2].name,
            kind=KINDS[i % 3],
            language="zh" if i % 2 else "en",
            sure=0.5 + 0.45 * i / number,
        )
        for i in range(number)
    ]


def write_run(folder: Path, rollouts: Iterable[Rollout], constitution: Constitution = CONSTITUTION) -> Path:
    """Write a finished run into a folder, as `character run` does, and return the folder."""

    async def write(store: RunStore, made: list[Rollout]) -> None:
        for start in range(0, len(made), 500):
            part = made[start : start + 500]
            await asyncio.gather(
                *(store.add_rollout(each, "paired" if each.pairs else "unpaired") for each in part)
            )

    made = list(rollouts)
    with RunStore.create(folder) as store:
        write_down(store, RUN, run_identity(constitution.fingerprint, Config(), None), Config(), constitution)
        for place, each in enumerate(made):
            store.add_messages(each.message.trait, [each.message], place)
        with ThreadPoolExecutor(1) as pool:  # a thread of its own: a browser may keep a loop in this one
            pool.submit(asyncio.run, write(store, made)).result()
    return folder


@dataclass(frozen=True)
class Reply:
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    text: str

    def field(self, name: str) -> str:
        """Return the value of a hidden field of the item."""
        found = re.search(f'name="{name}" value="([^"]*)"', self.text)
        assert found, f"no field {name!r} in: {self.text[:500]}"
        return found[1]

    def letters(self, pattern: str = r"Answer (\w) to") -> dict[str, str]:
        """Return the letters of the options with what a pattern finds in their texts."""
        found = re.findall(
            r'aria-label="\S+ ([A-I])">.*?<div class="text"[^>]*>(.*?)</div>', self.text, re.DOTALL
        )
        return {letter: match[1] for letter, text in found if (match := re.search(pattern, text))}


class ReviewServer:
    """`character review FOLDER` in a process of its own. Use it as a context manager."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        self.url = self.base = self.token = self.cookie = self.csrf = ""
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop(signal.SIGTERM)

    def start(self) -> None:
        """Start the process and wait until it says its address."""
        command = [sys.executable, "-m", "character", "review", str(self.folder), "--json", *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = "".join(_document(self.process.stdout or ()))
        self.url = json.loads(said)["url"]
        parts = urlsplit(self.url)
        self.port = int(parts.port or 0)
        self.base = f"http://127.0.0.1:{self.port}"
        self.token = parts.query.removeprefix("token=")
        self.cookie = self.get(f"/?token={self.token}", Cookie="").headers["set-cookie"].split(";")[0]
        page = self.get("/?as=Nobody").text
        self.csrf = re.findall('"X-CSRF-Token": "([^"]+)"', page)[0]

    def stop(self, how: int) -> None:
        """End the process with a signal and wait for it."""
        if self.process.poll() is None:
            os.kill(self.process.pid, how)
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.stop(signal.SIGKILL)

    def get(self, path: str, **headers: str) -> Reply:
        """Return what a GET answers."""
        return self.send("GET", path, headers=headers)

    def post(self, path: str, fields: Mapping[str, object], **headers: str) -> Reply:
        """Return what a form sent by the page itself is answered with; ``headers`` replace what the page sends."""
        known = {
            "Origin": self.base,
            "X-CSRF-Token": self.csrf,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return self.send(
            "POST", path, urlencode(fields), known | {k.replace("_", "-"): v for k, v in headers.items()}
        )

    def send(self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None) -> Reply:
        """Return what a request is answered with; a header with an empty value is not sent."""
        known = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie} | dict(headers or {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in known.items():
                if value:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body.encode())))
            connection.endheaders(body.encode())
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, names, answer.read().decode())
        finally:
            connection.close()

    def answer(self, page: Reply, path: str, **fields: object) -> Reply:
        """Return what comes after an answer to the item of a page."""
        hidden = {name: page.field(name) for name in ("item", "seen", "nonce")}
        return self.post(path, hidden | fields)


def _document(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if line.rstrip() == "}":
            return
