"""One kind of verb: each works from paths, reads its section, estimates without sending, and writes its report."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from pathlib import Path
from unittest import mock

import pytest

import character
from character import Config, Constitution, load_config
from character.errors import InputError, StoreError, UnknownNameError
from character.runs.identity import prompts_of
from signatures.gauging import GaugeTrait

QUESTIONS = """
name = "patient"
language = "en"

[[traits]]
name = "patience"
description = "takes the time that an explanation needs"
questions = ["How do I tie a bowline?", "Why is the sky blue?"]
"""
EVALUATION = prompts_of("evaluation")
LABELS = Path(__file__).parent.parent / "examples" / "labelled" / "patience-and-humour.en.jsonl"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "patient.toml"
    path.write_text(QUESTIONS, encoding="utf-8")
    return path


def _calls(folder: Path) -> int:
    with sqlite3.connect(folder / "run.sqlite") as database:
        return int(database.execute("select count(*) from calls").fetchone()[0])


def test_a_run_asks_the_constitutions_own_questions_in_python_too(file: Path, tmp_path: Path) -> None:
    config = load_config(overrides={"messages": {"from_questions": True}})
    summary = character.run(file, tmp_path / "run", config)
    assert summary.messages["messages"] == 2
    texts = [message.text for message in character.RunStore(tmp_path / "run").messages("patience", before=9)]
    assert texts == ["How do I tie a bowline?", "Why is the sky blue?"]


@pytest.mark.parametrize("verb", [character.run, character.effect])
def test_a_dry_run_sends_nothing_and_writes_nothing(verb: object, file: Path, tmp_path: Path) -> None:
    estimate = verb(file, tmp_path / "out", dry_run=True)
    assert estimate["all"].calls > 0
    assert not (tmp_path / "out").exists()


def test_an_evaluation_in_python_writes_its_report_and_its_cards(file: Path, tmp_path: Path) -> None:
    config = load_config(overrides={"effect": {"messages_per_trait": 3, "neutral_messages": 0}})
    result = character.effect(file, tmp_path / "effect", config)
    assert result.num_messages == {"patience": 3}
    assert (tmp_path / "effect" / "effect.html").is_file()
    assert list((tmp_path / "effect" / "cards").glob("*.md"))
    assert "页" not in (tmp_path / "effect" / "effect.html").read_text(encoding="utf-8")[:200]
    assert (
        result.write_report("zh")
        .read_text(encoding="utf-8")
        .startswith('<!doctype html>\n<html lang="zh-Hans"')
    )


def test_a_fitted_preference_model_judges_beside_the_judge(
    constitution: Constitution, tmp_path: Path
) -> None:
    character.run(constitution, tmp_path / "run", load_config(overrides={"messages": {"per_trait": 9}}))
    model = character.preference_model("light").fit(character.read_pairs(tmp_path / "run").pairs)
    result = character.effect(
        constitution, tmp_path / "effect", messages_per_trait=2, neutral_messages=0, preference=model
    )
    assert result.opinion is not None
    assert result.opinion.model == "light"


def test_a_preference_model_that_knows_no_trait_is_refused_before_any_call(
    file: Path, tmp_path: Path
) -> None:
    other = Constitution(
        name="other", traits=(character.Trait(name="wit", description="is quick and funny"),)
    )
    character.run(other, tmp_path / "run", load_config(overrides={"messages": {"per_trait": 9}}))
    model = character.preference_model("light").fit(character.read_pairs(tmp_path / "run").pairs)
    with pytest.raises(InputError, match="fitted on none of the traits"):
        character.effect(file, tmp_path / "effect", preference=model)
    assert not (tmp_path / "effect").exists()


def test_given_batches_are_measured_as_they_are_run(file: Path, tmp_path: Path) -> None:
    message = character.Message.of("How do I juggle?", trait="patience")
    batches = {"patience": character.MessageBatch(messages=(message,))}
    result = character.effect(file, tmp_path / "effect", messages=batches, neutral_messages=0)
    assert result.num_messages == {"patience": 1}


def test_the_prompts_of_an_evaluation_stop_no_run(file: Path, tmp_path: Path) -> None:
    character.run(file, tmp_path / "run")
    calls = _calls(tmp_path / "run")
    with mock.patch.object(GaugeTrait, "__doc__", "Say how strongly the trait shows."):
        assert prompts_of("evaluation") != EVALUATION
        character.run(file, tmp_path / "run")
    assert _calls(tmp_path / "run") == calls


def test_another_judge_stops_no_run_and_another_ranker_does(file: Path, tmp_path: Path) -> None:
    character.run(file, tmp_path / "run")
    judge = {"backends": {"judge": {"model": "openai/judge", "api_base": "http://127.0.0.1:9/v1"}}}
    character.run(file, tmp_path / "run", load_config(overrides=judge))
    with pytest.raises(StoreError, match=r"ranking\.passes"):
        character.run(file, tmp_path / "run", load_config(overrides={"ranking": {"passes": 3}}))


def test_a_saved_ranker_is_read_once_and_its_copy_once(file: Path, tmp_path: Path) -> None:
    tuned = character.optimize(LABELS, tmp_path / "tuned", strategy="calibrate", budget=300)
    saved, opened = str(tuned.folder / "ranker.json"), []
    whole = io.open

    def counted(path: object, *args: object, **kwargs: object) -> object:
        opened.append(str(path))
        return whole(path, *args, **kwargs)  # type: ignore[call-overload]

    config = load_config(overrides={"ranking": {"ranker": saved}, "messages": {"per_trait": 1}})
    with mock.patch("io.open", counted):
        character.run(file, tmp_path / "run", config)
    assert sum(path == saved for path in opened) <= 1
    assert sum(path == str(tmp_path / "run" / "ranker.json") for path in opened) <= 1


def test_every_long_verb_has_an_asynchronous_twin(file: Path, tmp_path: Path) -> None:
    summary = asyncio.run(character.arun(file, tmp_path / "run", load_config()))
    assert summary.pairs == character.summarize(tmp_path / "run").pairs
    result = asyncio.run(
        character.aeffect(file, tmp_path / "effect", messages_per_trait=1, neutral_messages=0)
    )
    assert result.folder == tmp_path / "effect"


def test_an_audit_and_an_export_take_the_folder_of_a_run(file: Path, tmp_path: Path) -> None:
    character.run(file, tmp_path / "run")
    page = character.audit_run(tmp_path / "run").write_report()
    assert page == tmp_path / "run" / "audit.html"
    report = character.export(tmp_path / "run", "trl", tmp_path / "trl")
    assert report.files
    with pytest.raises(StoreError, match="holds a run, not an evaluation"):
        character.effect(file, tmp_path / "run", Config())


def test_a_training_heeds_every_setting_of_pairs_and_refuses_what_is_none(file: Path, tmp_path: Path) -> None:
    character.run(file, tmp_path / "run", {"messages": {"per_trait": 6}})
    strict = {"min_probability": 1.0}
    with pytest.raises(InputError, match="pairs"):
        character.train(tmp_path / "run", tmp_path / "a", "dpo", model="org/tiny", pairs=strict)
    with pytest.raises(UnknownNameError, match="min_probability"):
        character.train(tmp_path / "run", tmp_path / "b", "dpo", pairs={"min_probabilty": 0.9})
