"""Folders of before there were chats go on with fields, and what is set stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from earlier_folders import tables, unpack

from character import Config, effect, estimate_effect, run
from character.errors import StoreError
from character.runs.session import reading, stored_config

CONSTITUTION = """name = "one"
[[traits]]
name = "patience"
description = "Takes the time an explanation needs."
"""


@pytest.fixture(name="earlier")
def the_folders_of_an_earlier_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpack(tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(name="given")
def a_constitution(tmp_path: Path) -> Path:
    (tmp_path / "one.toml").write_text(CONSTITUTION, encoding="utf-8")
    return tmp_path / "one.toml"


def prompting_in(folder: Path | str) -> str:
    with reading(folder) as store:
        return stored_config(store).responses.prompting


def begun(given: Path, folder: Path, **responses: str) -> Path:
    run(given, folder, {"messages": {"per_trait": 1}, "responses": responses}, on_progress=False)
    return folder


def test_a_run_asks_in_a_chat_where_nothing_is_said(given: Path, tmp_path: Path) -> None:
    folder = begun(given, tmp_path / "run")
    assert prompting_in(folder) == "chat"
    assert json.loads((folder / "run.json").read_text("utf-8"))["config"]["responses"]["prompting"] == "chat"


@pytest.mark.usefixtures("earlier")
def test_what_an_earlier_version_kept_is_told_as_fields() -> None:
    assert (
        "prompting" not in json.loads(dict(tables(Path("run-en/run.sqlite"))["meta"])["config"])["responses"]
    )
    assert prompting_in("run-en") == "fields"


@pytest.mark.usefixtures("earlier")
def test_another_prompting_than_that_of_an_earlier_folder_is_told() -> None:
    chat = {"responses": {"prompting": "chat"}}
    of_run = {"messages": {"per_trait": 3}, "ranking": {"ranker": "optimize/ranker.json"}, **chat}
    with pytest.raises(StoreError, match=r"otherwise: responses\.prompting: 'fields' before, 'chat' now\."):
        run("inputs/en.toml", "run-en", of_run, on_progress=False)
    of_effect = {"messages_per_trait": 6, "neutral_messages": 2, "pressed_messages": 1, "choices": 12}
    with pytest.raises(
        StoreError, match=r"how replies are asked for \(responses\.prompting\), fields before, chat now\."
    ):
        effect("inputs/en.toml", "effect", {"effect": of_effect, **chat}, on_progress=False)


def test_a_folder_goes_on_as_it_was_begun_where_nothing_is_said(given: Path, tmp_path: Path) -> None:
    folder = begun(given, tmp_path / "run", prompting="fields")
    assert prompting_in(begun(given, folder)) == "fields"
    with pytest.raises(StoreError, match=r"responses\.prompting"):
        begun(given, folder, prompting="chat")


def test_a_reused_folder_says_how_the_new_one_asks(given: Path, tmp_path: Path) -> None:
    fields = begun(given, tmp_path / "run", prompting="fields")
    config = {"messages": {"per_trait": 1}}
    again = run(given, tmp_path / "again", config, reuse=[fields], on_progress=False)
    assert sum(usage.calls for usage in again.usage.values()) == 0
    assert prompting_in(tmp_path / "again") == "fields"
    chat = {**config, "responses": {"prompting": "chat"}}
    asked = run(given, tmp_path / "chat", chat, reuse=[fields], on_progress=False)
    assert asked.usage["responses"].calls > 0


def test_all_in_one_call_says_nothing_of_candidates_apart(given: Path, tmp_path: Path) -> None:
    together = begun(given, tmp_path / "run", calls="per_message")
    with pytest.raises(StoreError, match=r"responses\.calls"):
        begun(given, together)
    run(given, tmp_path / "new", {"messages": {"per_trait": 1}}, reuse=[together], on_progress=False)
    assert prompting_in(tmp_path / "new") == "chat"


def test_a_folder_of_one_pass_goes_on_with_its_probability(given: Path, tmp_path: Path) -> None:
    once = {"messages": {"per_trait": 1}, "ranking": {"passes": 1}}
    for folder, pairs, held in (("before", {"min_probability": 0.7}, 0.7), ("now", {}, 0.0)):
        run(given, tmp_path / folder, {**once, "pairs": pairs}, on_progress=False)
        run(given, tmp_path / folder, once, on_progress=False)
        with reading(tmp_path / folder) as store:
            assert stored_config(store).pairs.min_probability == held
    with pytest.raises(StoreError, match=r"pairs\.min_probability: 0\.0 before, 0\.7 now"):
        run(given, tmp_path / "now", {**once, "pairs": {"min_probability": 0.7}}, on_progress=False)
    run(
        given,
        tmp_path / "twice",
        {**once, "ranking": {}, "pairs": {"min_probability": 0.9}},
        on_progress=False,
    )
    with pytest.raises(StoreError, match=r"pairs\.min_probability: 0\.9 before, 0\.7 now"):
        run(given, tmp_path / "twice", {**once, "ranking": {}}, on_progress=False)


def test_an_estimate_is_that_of_the_folder(given: Path, tmp_path: Path) -> None:
    folder, config = begun(given, tmp_path / "run", prompting="fields"), Config()
    chat, fields = (run(given, out, config, dry_run=True)["responses"] for out in (tmp_path / "new", folder))
    reused = run(given, tmp_path / "new", config, dry_run=True, reuse=[folder])["responses"]
    assert fields == reused
    assert chat.calls == fields.calls
    assert chat.prompt_tokens < fields.prompt_tokens / 2
    assert estimate_effect(given)["responses"].prompt_tokens > 0
