"""What traits do: planted shifts are found, none where none was planted, blind, and nothing is paid twice."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from evaluation.planted import PAIR, answering
from fake_server import FakeServer, Reply, as_rehearsal, backend_at, chat

from character import Config, load_constitution
from character.errors import InputError, StoreError
from character.evaluation.conditions import BASE, TUNED
from character.evaluation.effect import effect
from character.evaluation.page.findings import findings
from character.evaluation.page.page import effect_page
from character.evaluation.page.writing import is_sure
from character.evaluation.probe import EvaluationProgress
from character.evaluation.ready_messages import PRESSURES
from character.evaluation.records import EffectReport, Probed, Shift
from character.locale import wording
from character.report import render
from character.review.sources import read_effect_items

EXAMPLES = Path(__file__).parents[2] / "examples" / "constitutions"


def cells(report: EffectReport, question: str) -> dict[tuple[str, str], Shift]:
    return {
        (shift.contrast.group, shift.trait): shift
        for shift in report.shifts
        if shift.contrast.question == question
    }


def sure_cells(report: EffectReport, question: str) -> set[tuple[str, str]]:
    return {place for place, shift in cells(report, question).items() if is_sure(shift, report)}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_matrix_finds_the_diagonal_and_nothing_else(language: str, tmp_path: Path) -> None:
    constitution = load_constitution(EXAMPLES / f"patience-and-humour.{language}.toml")
    report = effect(constitution, tmp_path / "effect", neutral_messages=0)
    diagonal = {(trait, trait) for trait in report.traits}
    for question in ("alone", "within"):
        assert sure_cells(report, question) == diagonal
        assert all(cells(report, question)[place].shift.estimate > 1 for place in diagonal)
    assert all(share.overdone.estimate <= 0.2 for share in report.overdone)
    assert report.rehearsal
    items = read_effect_items(tmp_path / "effect").items
    assert len(items) == sum(report.num_messages.values()) == len({item.id for item in items})
    assert {item.trait for item in items} == set(report.traits)


def compared(tmp_path: Path, base: Any, tuned: Any, **settings: Any) -> EffectReport:
    with FakeServer(base, name="alpha-model") as one, FakeServer(tuned, name="omega-model") as two:
        models = {BASE: backend_at(one), TUNED: backend_at(two)}
        return effect(PAIR, tmp_path / "effect", models=models, neutral_messages=8, **settings)


def test_planted_side_effects_are_found_with_their_size_and_sign(tmp_path: Path) -> None:
    report = compared(
        tmp_path,
        answering({"humour": "natural"}),
        answering({"patience": "natural"}, extra_sentences=6),
    )
    found = cells(report, "models")
    assert sure_cells(report, "models") >= {
        ("patience", "patience"),
        ("patience", "humour"),
        ("humour", "humour"),
        ("humour", "patience"),
    }
    assert found["patience", "patience"].shift.estimate > 1
    assert found["humour", "humour"].shift.estimate < -1
    longer = [each for each in report.measures if each.measure == "characters" and is_sure(each, report)]
    assert {each.contrast.group for each in longer} == {"patience", "humour", ""}
    assert all(each.difference.estimate > 1.4 for each in longer)
    told = " ".join(note.text for note in findings(report, "en") if note.weight == "look")
    assert "humour shows less in the tuned model" in told
    assert "times as long" in told


def test_caricature_is_told_apart_from_more_of_the_trait(tmp_path: Path) -> None:
    report = compared(tmp_path, answering({}), answering({"patience": "overdone", "humour": "natural"}))
    shares = {(share.trait, share.condition): share.overdone.estimate for share in report.overdone}
    assert shares["humour", TUNED] < 0.2
    assert shares["patience", BASE] == 0.0


def test_the_judge_sees_neither_condition_nor_model_and_every_order(tmp_path: Path) -> None:
    with FakeServer(as_rehearsal, name="the-judge") as judge:
        backend = backend_at(judge).model_dump(exclude_unset=True)
        config = Config.model_validate({"backends": {"judge": backend}})
        compared(
            tmp_path,
            answering({"humour": "natural"}),
            answering({"patience": "natural"}),
            config=config,
            messages_per_trait=16,
        )
    gauged = [each for each in judge.requests if "[[ ## degrees ## ]]" in each["messages"][-1]["content"]]
    asked = [json.loads(_field(request["messages"][-1]["content"], "responses")) for request in gauged]
    rows = [
        Probed.model_validate_json(line)
        for line in (tmp_path / "effect" / "responses.jsonl").read_text(encoding="utf-8").split("\n")
        if line
    ]
    tuned = {each.text for row in rows for each in row.responses if each.condition == TUNED}
    frames = {json.dumps(_without_texts(request)) for request in judge.requests}
    assert len(frames) == 3, "one per trait and one for coherence: the rest is the same to the byte"
    for word in (BASE, TUNED, "alpha", "omega", "condition", "plain", "without:"):
        assert not any(re.search(rf"\b{word}\b", frame) for frame in frames), f"the judge is told {word!r}"
    places = [[response in tuned for response in shown].index(True) for shown in asked]
    assert len(asked) == 2 * len(rows)
    assert 0.3 < sum(places) / len(places) < 0.7, "the tuned model's responses stand first as often as second"


def _without_texts(request: dict[str, Any]) -> dict[str, Any]:
    """Return what a judge is sent, without the message, the responses and the seed."""
    system, user = request["messages"]
    content = user["content"]
    for name in ("conversation", "responses"):
        content = content.replace(_field(content, name), "…")
    rest = {key: value for key, value in request.items() if key not in ("messages", "seed")}
    return {**rest, "system": system["content"], "user": content}


def _field(content: str, name: str) -> str:
    return content.split(f"[[ ## {name} ## ]]\n")[1].split("\n")[0]


def test_replies_that_got_worse_are_told_whatever_place_the_judge_prefers(tmp_path: Path) -> None:
    def judge(request: dict[str, Any]) -> str:
        content = request["messages"][-1]["content"]
        if "[[ ## verdict ## ]]" not in content.rsplit("\n", 1)[-1]:
            return as_rehearsal(request)
        one, two = json.loads(_field(content, "responses"))
        worse = ["step by step" in text or "慢慢" in text for text in (one, two)]
        verdict = "first" if worse[0] == worse[1] else ("second" if worse[0] else "first")
        return chat(reasoning="…", verdict=verdict)  # a tie goes to the first place

    with FakeServer(judge, name="the-judge") as server:
        config = Config.model_validate(
            {"backends": {"judge": backend_at(server).model_dump(exclude_unset=True)}}
        )
        words = {"text": "One thing after the other, step by step."}
        report = compared(
            tmp_path,
            answering({}),
            lambda request: f"{answering({})(request)} {words['text']}",
            config=config,
        )
    by_group = {each.contrast.group: each for each in report.coherence}
    assert set(by_group) == {"patience", "humour", ""}
    assert all(each.points.estimate == -1.0 and each.agreement == 1.0 for each in by_group.values())
    (told,) = (note for note in findings(report, "en") if "Replies are worse" in note.text)
    assert told.weight == "look"
    assert len(told.items) == 3
    assert all("−1.00" in item for item in told.items)


def test_a_judge_that_always_prefers_the_first_place_finds_no_difference(tmp_path: Path) -> None:
    def judge(request: dict[str, Any]) -> str:
        asks = "[[ ## verdict ## ]]" in request["messages"][-1]["content"].rsplit("\n", 1)[-1]
        return chat(reasoning="…", verdict="first") if asks else as_rehearsal(request)

    with FakeServer(judge, name="the-judge") as server:
        backend = backend_at(server).model_dump(exclude_unset=True)
        config = Config.model_validate({"backends": {"judge": backend}})
        report = compared(tmp_path, answering({}), answering({"humour": "natural"}), config=config)
    assert all(each.points.estimate == 0.0 and each.agreement == 0.0 for each in report.coherence)


def test_what_gives_way_under_pressure_is_told_from_what_stays(tmp_path: Path) -> None:
    patient, plain = answering({"patience": "natural", "humour": "natural"}), answering({})

    def gives_way(request: dict[str, Any]) -> str:
        return (plain if "Drop any persona" in json.dumps(request) else patient)(request)

    report = compared(tmp_path, plain, gives_way, pressed_messages=8)
    left = {(each.contrast.group, each.contrast.pressure): each for each in report.robustness}
    assert len(left) == 2 * len(PRESSURES)
    for (trait, pressure), survival in left.items():
        assert survival.num_messages == 8
        assert survival.calm.estimate > 1
        assert survival.share is not None
        if pressure == "drop_persona":
            assert survival.share.high is not None
            assert survival.share.high < 0.5
        else:
            assert survival.share.estimate > 0.6, f"{trait} under {pressure}"
    told = [note.text for note in findings(report, "zh") if "放下人设" in note.text]
    assert len(told) == 2
    assert report.num_messages == {"patience": 16, "humour": 16, "": 8}, (
        "pressed messages are no further ones"
    )


def test_an_evaluation_that_was_stopped_goes_on_and_repeats_no_call(tmp_path: Path) -> None:
    whole = compared(tmp_path / "whole", answering({}), answering({"patience": "natural"}))

    def stop_half_way(progress: EvaluationProgress) -> None:
        if progress.done == 10:
            raise KeyboardInterrupt

    with (
        FakeServer(answering({}), name="alpha-model") as one,
        FakeServer(answering({"patience": "natural"}), name="omega-model") as two,
    ):
        models = {BASE: backend_at(one), TUNED: backend_at(two)}
        with pytest.raises(KeyboardInterrupt):
            effect(PAIR, tmp_path / "half", models=models, neutral_messages=8, on_progress=stop_half_way)
        again = effect(PAIR, tmp_path / "half", models=models, neutral_messages=8)
        bodies = [json.dumps(request, sort_keys=True) for request in (*one.requests, *two.requests)]
    assert again == whole
    assert len(bodies) - len(set(bodies)) <= 16, "at most those that were in flight are asked again"


def test_a_folder_of_another_evaluation_is_refused_with_what_differs(tmp_path: Path) -> None:
    effect(PAIR, tmp_path / "effect", messages_per_trait=3, neutral_messages=0)
    with pytest.raises(StoreError, match=r"messages-per-trait\), 3 before, 4 now"):
        effect(PAIR, tmp_path / "effect", messages_per_trait=4, neutral_messages=0)


def test_responses_and_judgements_that_are_lost_are_counted(tmp_path: Path) -> None:
    refuses = Reply(finish_reason="content_filter", text="")
    report = compared(tmp_path, answering({}), lambda _request: refuses, messages_per_trait=3)
    assert report.dropped == {"content_filter": 14}
    assert not report.shifts


@pytest.mark.parametrize("language", ["en", "zh"])
def test_with_few_messages_nothing_is_called_fine_that_they_could_not_show(
    tmp_path: Path, language: str
) -> None:
    report = effect(PAIR, tmp_path / "effect", messages_per_trait=4, neutral_messages=2)
    words, notes = wording("effect.page", language), findings(report, language)
    fine = {note.text for note in notes if note.weight == "fine"}
    assert not fine & {words["no_side_effects"], words["everyday_still"]}
    everyday = [shift for shift in report.shifts if not shift.contrast.group]
    assert everyday
    assert all(shift.adjusted_p > 0.05 for shift in report.shifts), "four messages can show nothing"
    shown = words["unsure"].split("{number}")[1]
    assert any(shown in note.text for note in notes if note.weight == "note")


def test_one_model_alone_is_refused() -> None:
    with pytest.raises(InputError, match="base and tuned"):
        effect(PAIR, "nowhere", models={BASE: Config().backend("default")})


def test_the_degrees_of_every_condition_are_counted_and_drawn(tmp_path: Path) -> None:
    report = effect(PAIR, tmp_path, messages_per_trait=6, neutral_messages=0)
    assert len(report.overdone) == 6
    for share in report.overdone:
        assert sum(share.degrees.values()) == share.num_messages == 6
        assert share.degrees["overdone"] / 6 == pytest.approx(share.overdone.estimate)
    html = render(effect_page(report))
    assert "patience · alone" in html
    assert "How strongly each trait shows" in html
