"""What an evaluation will take is known before: as many calls as it makes where nothing is asked again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dspy
import pytest
from evaluation.planted import PAIR, choosing
from fake_server import FakeServer, backend_at

from character import Config, Message, Trait, effect, estimate_effect
from character.errors import StepFailedError, StoreError
from character.evaluation.conditions import BASE, TUNED

EXAMPLES = Path(__file__).parents[2] / "examples" / "constitutions"
CHARACTER = (sys.executable, "-m", "character", "effect")


@pytest.mark.parametrize(
    ("design", "settings"),
    [
        ("traits", {"pressed_messages": 2, "choices": 7}),
        ("traits", {"neutral_messages": 0}),
        ("models", {"pressed_messages": 3, "choices": 5, "neutral_messages": 3}),
        ("both", {"choices": 4}),
    ],
)
def test_as_many_calls_are_estimated_as_are_made(
    tmp_path: Path, design: str, settings: dict[str, Any]
) -> None:
    with FakeServer(choosing({}), name="one") as one, FakeServer(choosing({}), name="two") as two:
        models = None if design == "traits" else {BASE: backend_at(one), TUNED: backend_at(two)}
        arguments = {"models": models, "design": design, "messages_per_trait": 6, **settings}
        guessed = estimate_effect(PAIR, **arguments)
        report = effect(PAIR, tmp_path, **arguments)
    assert not report.dropped
    assert guessed["all"].calls == report.usage.calls
    assert guessed["all"].calls == sum(usage.calls for name, usage in guessed.items() if name != "all")
    assert ("choices" in guessed) == bool(settings.get("choices"))
    assert (
        0.8 < guessed["all"].prompt_tokens / report.usage.prompt_tokens < 3
    )  # lengths of replies are assumed


def test_a_dry_run_knows_prices_sends_nothing_and_writes_nothing(tmp_path: Path) -> None:
    arguments = [*CHARACTER, str(EXAMPLES / "patience-and-humour.zh.toml"), "--out", str(tmp_path / "effect")]
    arguments += ["--lm", "openai/gpt-4.1-mini", "--messages-per-trait", "5", "--dry-run", "--json"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    stages = json.loads(done.stdout)
    assert list(stages) == ["messages", "responses", "judging", "all"]
    assert stages["responses"]["calls"] == 2 * 5 * 4 + 16 * 2
    assert stages["all"]["cost_usd"] > stages["judging"]["cost_usd"] > 0
    assert not (tmp_path / "effect").exists()


def test_a_cap_by_flag_stops_an_evaluation_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    arguments = [*CHARACTER, str(EXAMPLES / "patience-and-humour.en.toml"), "--out", str(tmp_path / "effect")]
    arguments += ["--messages-per-trait", "4", "--neutral", "0", "--json"]
    stopped = subprocess.run([*arguments, "--max-calls", "20"], capture_output=True, text=True, check=False)
    assert stopped.returncode != 0
    assert "20" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    done = subprocess.run([*arguments, "--max-calls", "500"], capture_output=True, text=True, check=True)
    again = effect(
        EXAMPLES / "patience-and-humour.en.toml",
        tmp_path / "whole",
        config=Config(),
        messages_per_trait=4,
        neutral_messages=0,
    )
    assert json.loads(done.stdout)["usage"]["calls"] == again.usage.calls


def test_two_models_are_compared_without_a_network_where_both_are_the_rehearsal_model(tmp_path: Path) -> None:
    arguments = [*CHARACTER, str(EXAMPLES / "patience-and-humour.en.toml"), "--out", str(tmp_path / "effect")]
    arguments += ["--base", "rehearsal", "--tuned", "rehearsal", "--choices", "20", "--json"]
    said = json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
    assert said["rehearsal"]
    assert {shift["contrast"]["question"] for shift in said["shifts"]} == {"models"}
    assert not [shift for shift in said["shifts"] if shift["adjusted_p"] < 0.05]
    assert set(said["revealed"]["num_choices"]) == {BASE, TUNED}


def test_a_responder_and_a_judge_of_ones_own_take_the_place_of_ours_blind(tmp_path: Path) -> None:
    shown: list[tuple[str, ...]] = []

    def answer(message: Message, traits: list[Trait]) -> str:
        return f"{message.text} {'So patient. ' * any(trait.name == 'patience' for trait in traits)}".strip()

    class Judge(dspy.Module):
        def forward(self, responses: list[str], trait: Trait) -> dspy.Prediction:
            shown.append(tuple(responses))
            found = [
                "natural" if trait.name in text.replace("patient", "patience") else "absent"
                for text in responses
            ]
            return dspy.Prediction(degrees=found)

    report = effect(PAIR, tmp_path, responder=answer, gauge=Judge(), messages_per_trait=8, neutral_messages=0)
    alone = {
        (each.contrast.group, each.trait): each.shift.estimate
        for each in report.shifts
        if each.contrast.question == "alone"
    }
    assert alone == {
        ("patience", "patience"): 2,
        ("patience", "humour"): 0,
        ("humour", "patience"): 0,
        ("humour", "humour"): 0,
    }
    firsts = {
        "patient" in responses[0] for responses in shown if any("patient" in text for text in responses)
    }
    assert firsts == {True, False}, "the order tells nothing"
    with pytest.raises(StoreError, match="Changed: the responder"):
        effect(PAIR, tmp_path, gauge=Judge(), messages_per_trait=8, neutral_messages=0)


@pytest.mark.parametrize("degrees", [["natural"], ["strong"] * 4, "natural", None])
def test_a_judge_that_cannot_be_read_from_the_start_stops_the_evaluation_with_what_was_expected(
    tmp_path: Path, degrees: Any
) -> None:
    def judge(responses: list[str]) -> dspy.Prediction:
        return dspy.Prediction(degrees=degrees)

    with pytest.raises(StepFailedError, match=r"for 4 responses[\s\S]*one of opposite, absent"):
        effect(PAIR, tmp_path, gauge=judge, messages_per_trait=3, neutral_messages=0)
