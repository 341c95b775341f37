"""Replies of a real model, as it sent them: what is read in each, and that a run on them keeps nothing foreign.

The replies lie in tests/recorded_replies, with a README that says where they come from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import cycle, product
from pathlib import Path
from typing import Any

import pytest
from dspy.utils.exceptions import AdapterParseError
from fake_server import FakeServer, Reply, backend_at

from character import open_run, run
from character.backends.adapter import CharacterAdapter
from signatures.messages import GenerateMessages
from signatures.ranking import RankResponses
from signatures.responses import RespondInCharacter

HERE = Path(__file__).parent.parent
EXAMPLES = HERE.parent / "examples" / "constitutions"
SIGNATURES = {"messages": GenerateMessages, "responses": RespondInCharacter, "ranking": RankResponses}
FOREIGN = re.compile(
    r"\[\[|\]\]|## |\{\{|<\|[a-z_]+\||</?think|^```|previous_fault|^\W*(?:response|回复)\W*[:：]", re.I
)
"""What no text that is kept may hold: headers, template tokens, thoughts, a fence round all of it, labels."""

Row = dict[str, Any]


def recorded(language: str) -> list[Row]:
    """Return the rows of a language: step, fields asked for, reply, and what is read in it."""
    lines = (HERE / "recorded_replies" / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


LANGUAGES = ("en", "zh")
ROWS = [row for language in LANGUAGES for row in recorded(language)]


def reading(row: Row) -> dict[str, Any] | None:
    """Return what is read in a recorded reply, None where nothing can be."""
    signature: Any = SIGNATURES[row["step"]]
    for name in signature.output_fields.keys() - set(row["fields"]):
        signature = signature.delete(name)
    try:
        return CharacterAdapter().parse(signature, row["reply"])
    except AdapterParseError:
        return None


def test_there_are_replies_of_all_steps() -> None:
    assert len(ROWS) >= 300
    assert {(row["language"], row["step"]) for row in ROWS} == set(product(LANGUAGES, SIGNATURES))


def test_every_reply_is_read_as_somebody_read_it() -> None:
    differ = [
        (row["reply"][:200], read, row["read"]) for row in ROWS if (read := reading(row)) != row["read"]
    ]
    assert not differ


def test_what_strict_reading_lost_is_read() -> None:
    lost = [row for row in ROWS if row["strictly"] != "read"]
    assert len(lost) == 87, "of 360: 27 lost, 60 with markers in them"
    assert sum(reading(row) is not None for row in lost) == 80


def replayed(language: str) -> Any:
    """Return a script that answers each step with the recorded replies to it, in their order, again and again.

    A ranking is answered by one of as many candidates.
    """
    queues: dict[tuple[str, int, bool], Iterator[Row]] = {}

    def answer(request: dict[str, Any]) -> Reply:
        prompt = request["messages"][-1]["content"]
        step = next(
            name for name, field in (("messages", "briefs"), ("ranking", "responses"), ("responses", "conversation"))
            if f"[[ ## {field} ## ]]" in prompt
        )  # fmt: skip
        shown = re.search(r"\[\[ ## responses ## \]\]\n(\[.*?\])\n\n", prompt, re.DOTALL)
        number, again = len(json.loads(shown[1])) if shown else 0, "[[ ## previous_fault ## ]]" in prompt
        rows = [
            row for row in recorded(language) if row["step"] == step and row.get("candidates", 0) == number
        ]
        fitting = [row for row in rows if row.get("asked_again", False) == again] or rows
        row = next(queues.setdefault((step, number, again), cycle(fitting or [{"reply": "?"}])))
        return Reply(row["reply"], row.get("finish_reason", "stop"))

    return answer


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_on_them_keeps_nothing_that_is_foreign(tmp_path: Path, language: str) -> None:
    with FakeServer(replayed(language)) as server:
        config = {
            "backends": {"default": backend_at(server).model_dump(exclude_unset=True)},
            "messages": {"per_trait": 4, "prompting": "fields"},
            "responses": {"prompting": "fields"},
            "concurrency": 1,
        }
        run(
            EXAMPLES / f"patience-and-humour.{language}.toml",
            tmp_path / "run",
            config=config,
            on_progress=False,
        )
    kept = open_run(tmp_path / "run")
    texts = [message.text for message in kept.messages]
    texts += [candidate.text for each in kept.candidates for candidate in each.items]
    assert len(texts) > 20
    assert not [text for text in texts if FOREIGN.search(text)]
    assert len(list(kept.pairs)) > 0
