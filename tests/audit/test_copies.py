"""The audit says first what was copied: what a run dropped for it, and what it finds in the data itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, asks_for, backend_at, chat
from own_parts import QUESTIONS, batches

from character import CharacterProgram, Config, Constitution, Message, MessageBatch, Trait, audit_run, run
from character.audit.page.page import audit_page
from character.messages.unfit import unfit
from character.report import render
from character.responses.filters import copied

PATIENCE = Trait(
    name="patience",
    description="Takes the time that an explanation needs and stays at ease when it has to be said once more.",
    questions=("You have told me twice how to fold the map, could we try it once more?",),
)
ASKED = Constitution(name="clerk", traits=(PATIENCE,))


def clean_replies(message: Message) -> list[str]:
    """Return three replies that repeat nothing."""
    return [f"Lay it flat, {message.id}.", f"{message.id} is a matter of taste.", "Ask me tomorrow, please."]


def _audit(folder: Path, responder: Any = clean_replies, **options: Any) -> Any:
    program = CharacterProgram(responder=responder, ranker=lambda candidates: [0.9, 0.5, 0.1])
    run(ASKED, folder, program=program, on_progress=False, **options)
    return audit_run(folder)


def test_copies_in_kept_data_are_found_counted_and_told_first(tmp_path: Path) -> None:
    texts = (*QUESTIONS[:3], "[The user frowns at the map and sighs.]", f"{PATIENCE.questions[0]} It rained.")
    messages = MessageBatch(messages=tuple(Message.of(text, trait="patience") for text in texts))

    def respond(message: Message) -> list[str]:
        return [
            f"Lay it flat first, then look for the north arrow on {message.id}.",
            f"As the clerk says: {PATIENCE.description}",
            message.text if message.text == QUESTIONS[0] else f"{message.id} is a matter of taste.",
        ]

    found = _audit(tmp_path / "run", respond, messages={"patience": messages})
    assert found.copied.kept == {"copies_trait": 5, "copies_message": 1}
    assert (found.copied.number, found.copied.dropped, found.copied.share) == (15, {}, 6 / 15)
    assert found.unfit.kept == {"stage_direction": 1, "copies_trait": 1}
    assert found.unfit.share == 2 / 5
    assert [(each.code, each.weight) for each in found.findings[:2]] == [
        ("copied", "look"),
        ("unfit", "look"),
    ]
    assert list(json.loads(found.model_dump_json()))[:2] == ["copied", "unfit"]
    for language, share, word in (("en", "40 % of 15", "copies_trait 5"), ("zh", "有 40%", "照抄特质 5")):
        told = audit_run(tmp_path / "run", {"audit": {"language": language}})
        assert share in told.findings[0].text
        assert word in told.findings[0].text
        page = render(audit_page(told))
        assert page.index("40 %" if language == "en" else "40%") < page.index(told.findings[0].text)


def test_a_message_that_is_unfit_and_repeats_another_one_counts_once(tmp_path: Path) -> None:
    directions = [f"[The user frowns at the large map and sighs again{end}]" for end in (".", "!", "...")]
    texts = (*directions, QUESTIONS[0], f"{QUESTIONS[0]}!")
    messages = MessageBatch(messages=tuple(Message.of(text, trait="patience") for text in texts))
    found = _audit(tmp_path / "run", messages={"patience": messages})
    assert found.unfit.kept == {"stage_direction": 3, "near_duplicate": 1}
    assert (found.unfit.number, found.unfit.share) == (5, 4 / 5)


def test_where_the_trait_is_not_known_only_the_message_is_looked_at() -> None:
    message = Message.of("Where is it?", trait="gone")
    assert copied("Its whereabouts are unknown: unknown, unknown.", message, None) == ("", "")
    assert copied("Where is it?", message, None)[0] == "copies_message"
    assert unfit("It is unknown, unknown and unknown, is it?", None) == ("", "")


def test_what_the_filters_dropped_counts_and_a_clean_run_has_no_copies(
    tmp_path: Path, server: FakeServer
) -> None:
    numbers = iter(range(10_000))

    def answer(request: dict[str, Any]) -> str:
        if asks_for(request) == "scores":
            return chat(reasoning="r", suitable="True", scores="[9, 5, 1]")
        number = next(numbers)
        text = f"Start with step {number * 7919 % 1000}, then look at part {number} of it."
        return PATIENCE.description if number % 4 == 0 else text

    server.script = answer
    backends = {"default": backend_at(server).model_dump(exclude_unset=True)}
    settings = {"responses": {"candidates": 3}, "ranking": {"passes": 1, "max_passes": 1}}
    config = Config.model_validate({**settings, "backends": backends})
    run(ASKED, tmp_path / "run", config, messages=batches(), on_progress=False)
    found = audit_run(tmp_path / "run")
    assert found.copied.kept == {}
    assert found.copied.dropped["copies_trait"] > 0
    assert found.copied.share == found.copied.dropped["copies_trait"] / found.copied.number
    clean = _audit(tmp_path / "clean", messages=batches())
    assert (clean.copied.share, clean.unfit.share) == (0.0, 0.0)
    assert not {"copied", "unfit"} & {each.code for each in clean.findings}


def test_the_traits_own_questions_are_meant_as_messages(tmp_path: Path) -> None:
    config = Config.model_validate({"messages": {"from_questions": True}})
    found = _audit(tmp_path / "run", config=config)
    assert (found.unfit.number, found.unfit.share) == (1, pytest.approx(0.0))
