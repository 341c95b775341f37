"""A preference model beside the judge finds what it finds, alone it needs no call; differences are told."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from html import escape
from pathlib import Path
from random import Random
from typing import Any

import pytest
from evaluation.planted import PAIR, answering
from fake_server import FakeServer, backend_at
from review_helpers import rollout_of

from character import Config, load_constitution, run
from character.backends.rehearsal.responses import compose
from character.backends.rehearsal.sense import sense_of
from character.errors import InputError, StoreError
from character.evaluation.compare import compare
from character.evaluation.conditions import BASE, TUNED
from character.evaluation.effect import effect
from character.evaluation.page.cards import effect_card
from character.evaluation.page.findings import findings
from character.evaluation.page.page import effect_page
from character.evaluation.preference_judge import PreferenceJudge
from character.evaluation.reading import read_effect
from character.evaluation.records import EffectReport, OpinionShift
from character.locale import wording
from character.preference import preference_model
from character.preference.folds import text_key
from character.preference.protocol import Judged, PreferenceModel
from character.records import PreferencePair
from character.report import render

EXAMPLES = Path(__file__).parents[2] / "examples" / "constitutions"
CHARACTER = (sys.executable, "-m", "character")


def pairs(better: str, worse: str) -> list[PreferencePair]:
    """Return pairs of responses in the rehearsal model's words, of which those at one level are preferred."""
    rng = Random(5)
    found: list[PreferencePair] = []
    for trait in PAIR.traits:
        sense = sense_of(trait.brief(), "en")
        for number in range(60):
            message = f"Fitted on {number} for {trait.name}: how do I go about this?"
            texts = [compose(message, sense, level, "en", rng) for level in (better, worse)]
            found += rollout_of(message, texts, trait=trait.name, scores=[0.9, 0.1]).pairs
    return found


@cache
def fitted(better: str, worse: str) -> PreferenceModel:
    return preference_model("light").fit(pairs(better, worse))


def judge_of(model: PreferenceModel) -> PreferenceJudge:
    return PreferenceJudge(
        name=model.kind,
        traits=frozenset(model.traits),
        scores=lambda sides: model.scores([Judged(side.message, side.text, side.trait) for side in sides]),
        is_seen=lambda message: text_key(message.turns[-1].content) in model.seen_messages,
    )


def compared(folder: Path, levels: dict[str, str], *again: dict[str, Any], **settings: Any) -> EffectReport:
    """Return the report of two models; with ``again`` of the same ones once more, with other settings."""
    with (
        FakeServer(answering({}), name="alpha-model") as one,
        FakeServer(answering(levels), name="omega-model") as two,
    ):
        models = {BASE: backend_at(one), TUNED: backend_at(two)}
        report = effect(PAIR, folder, models=models, neutral_messages=8, **settings)
        for other in again:
            report = effect(PAIR, folder, models=models, neutral_messages=8, **{**settings, **other})
        return report


def judged_by(server: FakeServer) -> Config:
    return Config.model_validate({"backends": {"judge": backend_at(server).model_dump(exclude_unset=True)}})


def shift(report: EffectReport, group: str, trait: str) -> OpinionShift:
    assert report.opinion is not None
    return next(s for s in report.opinion.shifts if s.contrast.group == group and s.trait == trait)


def test_the_model_finds_the_planted_shift_beside_the_judge_and_agrees_with_it(tmp_path: Path) -> None:
    model = fitted("natural", "absent")
    report = compared(tmp_path / "effect", {"patience": "natural"}, preference=judge_of(model))
    patience, humour = shift(report, "patience", "patience"), shift(report, "humour", "humour")
    assert patience.adjusted_p < 0.01
    assert patience.odds.low is not None
    assert patience.odds.low > 0
    assert patience.preferred.estimate > 0.75
    assert patience.judge is not None
    assert patience.judge.estimate > 1
    assert humour.odds.estimate < 1 < 3 < patience.odds.estimate, (
        "one trait's words count a little for another"
    )
    assert report.opinion is not None
    assert report.opinion.agreement is not None
    assert report.opinion.agreement.low is not None
    assert report.opinion.agreement.low > 0.6
    assert report.opinion.num_seen == 0
    assert report.opinion.not_fitted == ()
    assert any(
        "prefers the same in" in note.text and note.weight == "fine" for note in findings(report, "en")
    )
    _, rows = read_effect(tmp_path / "effect")
    assert all(set(each.odds) == {"patience", "humour"} for row in rows for each in row.responses)
    card = effect_card(report, PAIR.traits[0], "zh")
    assert "## 偏好模型，与评判对照" in card
    assert "评判近了" in card


def test_a_model_that_learnt_the_contrary_is_told_to_be_of_another_mind(tmp_path: Path) -> None:
    contrary = judge_of(fitted("absent", "natural"))
    report = compared(tmp_path / "effect", {"patience": "natural", "humour": "natural"}, preference=contrary)
    assert shift(report, "patience", "patience").odds.estimate < 0
    assert report.opinion is not None
    assert report.opinion.agreement is not None
    assert report.opinion.agreement.estimate < 0.3
    told = {note.weight for note in findings(report, "zh") if "意见并不确定一致" in note.text}
    assert told == {"look"}


def test_a_model_in_the_judges_place_calls_no_judge(tmp_path: Path) -> None:
    model = judge_of(fitted("natural", "absent"))
    with FakeServer(name="the-judge") as judge:
        report = compared(
            tmp_path / "effect",
            {"patience": "natural"},
            preference=model,
            judged=False,
            config=judged_by(judge),
        )
        assert judge.requests == []
    assert not report.judged
    assert (report.shifts, report.coherence, report.overdone) == ((), (), ())
    assert shift(report, "patience", "patience").adjusted_p < 0.01
    assert shift(report, "patience", "patience").judge is None
    told = [note.text for note in findings(report, "en")]
    assert any("stood in for the judge" in text for text in told)
    assert any(text.startswith("patience, by the preference model, fits better") for text in told)
    assert [moved.trait for moved in report.moved] == ["patience"] * 3 + ["humour"] * 3
    for language in ("en", "zh"):
        card = effect_card(report, PAIR.traits[0], language)
        assert wording("effect.card", language)["no_effect"] not in card
        assert f"## {wording('effect.card', language)['side_effects']}" not in card, (
            "nobody looked for side effects"
        )
        html = render(effect_page(report, language))
        assert escape(wording("effect.opinion", language)["heading_alone"]) in html


def test_the_judge_may_come_later_and_no_response_is_paid_twice(tmp_path: Path) -> None:
    model = judge_of(fitted("natural", "absent"))
    with FakeServer(name="the-judge") as judge:
        settings = {"preference": model, "judged": False, "config": judged_by(judge), "messages_per_trait": 4}
        first = compared(tmp_path / "first", {"patience": "natural"}, **settings)
        both = compared(tmp_path / "both", {"patience": "natural"}, {"judged": True}, **settings)
        assert judge.requests != []
    assert both.judged
    assert both.shifts != ()
    assert both.opinion is not None
    assert first.opinion is not None
    assert [each.odds for each in both.opinion.shifts] == [each.odds for each in first.opinion.shifts]
    assert both.usage.calls == first.usage.calls + len(judge.requests)


def test_what_the_model_was_fitted_on_is_told(tmp_path: Path) -> None:
    model = judge_of(fitted("natural", "absent"))
    seen = PreferenceJudge(
        model.name, frozenset({"patience"}), model.scores, lambda message: message.trait == "humour"
    )
    report = compared(tmp_path / "effect", {}, preference=seen, messages_per_trait=4)
    told = " ".join(note.text for note in findings(report, "en") if note.weight == "look")
    assert "was fitted on 4 of the 16 messages" in told
    assert "was not fitted on humour" in told


def test_no_judge_and_nothing_in_its_place_is_refused() -> None:
    with pytest.raises(InputError, match="no preference model"):
        effect(PAIR, "nowhere", judged=False)
    with pytest.raises(InputError, match="5 choices"):
        effect(PAIR, "nowhere", judged=False, choices=5, preference=judge_of(fitted("natural", "absent")))


def said(*arguments: object, code: int = 0) -> str:
    done = subprocess.run([*CHARACTER, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_the_command_takes_a_folder_that_fitting_wrote(tmp_path: Path) -> None:
    constitution, model = EXAMPLES / "patience-and-humour.zh.toml", tmp_path / "model"
    drawn = ("--seed", 1)
    said("run", constitution, "--out", tmp_path / "run", "--messages-per-trait", 24, "--json", *drawn)
    said("preference", "fit", tmp_path / "run", "--out", model)
    options = ("--messages-per-trait", 12, "--neutral", 0, "--preference", model, "--no-judge", *drawn)
    found = json.loads(said("effect", constitution, "--out", tmp_path / "effect", *options, "--json"))
    assert not found["judged"]
    intended = [
        s for s in found["opinion"]["shifts"] if s["is_intended"] and s["contrast"]["question"] == "alone"
    ]
    assert [each["trait"] for each in intended] == ["耐心", "幽默感"]
    patience, humour = (each["preferred"]["estimate"] for each in intended)
    assert patience > 0.6
    assert humour < 0.5, "its target is subtle, and a model that learnt that finds natural humour too much"
    assert "偏好模型，代替评判" in (tmp_path / "effect" / "effect.html").read_text(encoding="utf-8")
    for wrong in (("--no-judge",), ("--no-judge", "--preference", model, "--judge", "openai/x")):
        assert "--no-judge" in said("effect", constitution, "--out", tmp_path / "other", *wrong, code=2)
    missing = said("effect", constitution, "--out", tmp_path / "other", "--preference", tmp_path, code=2)
    assert "preference" in missing


def test_evaluations_without_a_judge_are_compared_in_log_odds_and_not_with_judged_ones(
    tmp_path: Path,
) -> None:
    judge = judge_of(fitted("natural", "absent"))
    for name, levels in (("first", {"patience": "natural"}), ("second", {})):
        compared(tmp_path / name, levels, preference=judge, judged=False)
    compared(tmp_path / "judged", {})
    changes = compare(tmp_path / "first", tmp_path / "second").changes
    sure = {
        (each.contrast.group, each.trait): each.change.estimate for each in changes if each.adjusted_p < 0.05
    }
    assert sure[("patience", "patience")] < -1
    with pytest.raises(StoreError, match="second was measured without a judge"):
        compare(tmp_path / "judged", tmp_path / "second")


@pytest.mark.parametrize("command", ["effect", "review"])
def test_a_model_that_knows_none_of_the_traits_is_refused(tmp_path: Path, command: str) -> None:
    fitted("natural", "absent").save(tmp_path / "model")
    other = EXAMPLES / "quiet-craftsman.en.toml"
    if command == "effect":
        arguments = [str(other), "--out", str(tmp_path / "effect")]
    else:
        run(
            load_constitution(other),
            tmp_path / "run",
            config=Config.model_validate({"messages": {"per_trait": 1}}),
        )
        arguments = [str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-m", "character", command, *arguments, "--preference", str(tmp_path / "model")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "was fitted on none of the traits" in done.stderr
    assert "patience" in done.stderr
    assert not (tmp_path / "effect").exists()
