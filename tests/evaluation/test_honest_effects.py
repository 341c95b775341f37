"""What would make an effect look surer or cleaner than it is: repeats, a moving yardstick, leaks mistold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from evaluation.planted import HUMOUR, PAIR, PATIENCE, answering
from fake_server import FakeServer, as_rehearsal, backend_at
from review_helpers import ReviewServer

from character import Config, Constitution, Message, MessageBatch, Trait
from character.errors import InputError, StoreError
from character.evaluation.choices.chooser import TraitChooser, other_traits
from character.evaluation.compare import compare
from character.evaluation.conditions import BASE, TUNED
from character.evaluation.effect import effect
from character.evaluation.figures import mean_figure, share_figure
from character.evaluation.judges.degrees import Gauge
from character.evaluation.page.cards import effect_card, write_cards
from character.evaluation.page.findings import findings
from character.evaluation.page.page import MOST_MEASURES, effect_page
from character.evaluation.reading import read_effect, read_report
from character.messages.files import GivenMessages, MessageFile
from character.report import render
from character.review.answers import CheckAnswer, SignAnswer
from character.review.effect_reviews import write_reviewed
from character.review.store import ReviewStore

EXAMPLES = Path(__file__).parents[2] / "examples" / "constitutions"


def test_a_message_that_is_given_many_times_is_measured_once(tmp_path: Path) -> None:
    path = tmp_path / "messages.txt"
    path.write_text("How do I learn to knit?\n" * 20 + "What is a good tea?\n", encoding="utf-8")
    report = effect(PAIR, tmp_path / "effect", messages=MessageFile(path, PAIR), neutral_messages=0)
    assert report.num_messages == {"patience": 2, "humour": 2}
    assert report.dropped["duplicate"] == 38
    assert not [shift for shift in report.shifts if shift.adjusted_p < 0.05]
    with ReviewServer(tmp_path / "effect") as server:
        assert server.get("/effect?as=Ann").status == 200


def test_a_reworded_trait_is_judged_in_its_own_words_or_by_the_yardstick(tmp_path: Path) -> None:
    curt = PATIENCE.model_copy(
        update={"description": "Answers in one line.", "opposite": "Long and winding."}
    )
    other = Constitution(name="pair", traits=(curt, HUMOUR))
    seen: list[str] = []

    def judge(request: dict[str, Any]) -> str:
        text = json.dumps(request, ensure_ascii=False)
        if "degrees" in text:
            seen.append(text)
        return as_rehearsal(request)

    folders = {name: tmp_path / name for name in ("first", "apart", "alike")}
    effect(PAIR, folders["first"], messages_per_trait=6, neutral_messages=0)
    with FakeServer(judge, name="the-judge") as server:
        config = Config.model_validate(
            {"backends": {"judge": backend_at(server).model_dump(exclude_unset=True)}}
        )
        for name, yardstick in (("apart", None), ("alike", PAIR)):
            seen.clear()
            effect(
                other,
                folders[name],
                config=config,
                messages_per_trait=6,
                neutral_messages=0,
                yardstick=yardstick,
            )
            of_patience = [text for text in seen if "patience" in text]
            assert of_patience
            told = ("Answers in one line.", "Takes the time an explanation needs")
            assert all((told[yardstick is not None] in text) for text in of_patience)
            assert not any(told[yardstick is None] in text for text in of_patience)
    apart, alike = (compare(folders["first"], folders[name]) for name in ("apart", "alike"))
    assert apart.reworded == alike.reworded == ("patience",)
    assert (apart.judged_apart, alike.judged_apart) == (("patience",), ())
    command = [sys.executable, "-m", "character", "compare", str(folders["first"]), str(folders["apart"])]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={"COLUMNS": "200"}).stdout
    assert "patience alone, against no trait" in said, "a reworded trait's own effect is always shown"
    assert "--yardstick" in said


def test_what_a_tuned_model_shows_elsewhere_stands_on_the_card_of_that_trait(tmp_path: Path) -> None:
    with (
        FakeServer(answering({}), name="one") as one,
        FakeServer(answering({"humour": "natural"}), name="two") as two,
    ):
        report = effect(
            PAIR, tmp_path, models={BASE: backend_at(one), TUNED: backend_at(two)}, neutral_messages=12
        )
    humour, patience = effect_card(report, HUMOUR), effect_card(report, PATIENCE)
    leaks = humour.split("## Side effects")[1].split("\n## ")[0]
    assert "messages of patience" in leaks
    assert "humour" not in patience.split("## Side effects")[1].split("\n## ")[0]
    assert "(p 0." in humour.split("## everyday messages")[1].split("\n## ")[0]
    told = " ".join(note.text for note in findings(report, "en"))
    assert "The tuned model shows humour otherwise on messages of patience" in told
    assert "also moves" not in told


def test_reviewers_are_told_that_two_models_are_compared(tmp_path: Path) -> None:
    with (
        FakeServer(answering({}), name="one") as one,
        FakeServer(answering({"humour": "natural"}), name="two") as two,
    ):
        models = {BASE: backend_at(one), TUNED: backend_at(two)}
        effect(PAIR, tmp_path / "models", models=models, messages_per_trait=3, neutral_messages=0)
    effect(PAIR, tmp_path / "traits", messages_per_trait=3, neutral_messages=0)
    for name, said, unsaid in (
        ("models", "by a tuned model, one by its base", "written with the trait"),
        ("traits", "written with the trait", "tuned"),
    ):
        with ReviewServer(tmp_path / name) as server:
            page = server.get("/effect?as=Ann").text
        assert said in page
        assert unsaid not in page


def test_every_sure_change_is_listed_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    report = effect(EXAMPLES / "candid-companion.en.toml", tmp_path, messages_per_trait=3, neutral_messages=2)
    assert len(report.measures) > MOST_MEASURES
    assert f"{MOST_MEASURES} of {len(report.measures)}: the others are not sure" in render(
        effect_page(report)
    )
    sure = tuple(each.model_copy(update={"adjusted_p": 0.01}) for each in report.measures)
    assert "the others are not sure" not in render(effect_page(report.model_copy(update={"measures": sure})))


def test_a_vetoed_trait_is_told_first_and_its_sign_off_does_not_hide_it(tmp_path: Path) -> None:
    effect(PAIR, tmp_path, messages_per_trait=3, neutral_messages=0)
    with ReviewStore(tmp_path) as reviews:
        veto, sign = CheckAnswer(verdict="veto", note="a mannerism"), SignAnswer(is_signed=True)
        reviews.record("Ann", "check", {"trait:patience": veto}, seen=0, nonce="one")
        reviews.record("Carl", "sign", {"trait:patience": sign}, seen=0, nonce="two")
    report = write_reviewed(tmp_path)
    html = (tmp_path / "effect.html").read_text(encoding="utf-8")
    assert html.index("patience was vetoed by Ann: a mannerism") < html.index(
        "Each trait alone, against none"
    )
    assert report.reviews[0].sign_offs[0].is_signed
    done = subprocess.run(
        [sys.executable, "-m", "character", "review", str(tmp_path), "--report"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("patience was vetoed by Ann: a mannerism")


def test_a_trait_without_messages_is_named_and_its_card_claims_nothing(tmp_path: Path) -> None:
    batch = MessageBatch(messages=tuple(Message.of(f"Question {i}?", trait="humour") for i in range(4)))
    given = GivenMessages({"humour": batch, "patience": MessageBatch(messages=())})
    report = effect(PAIR, tmp_path, messages=given, neutral_messages=0)
    assert any(
        "Not measured, for want of messages: patience." in note.text for note in findings(report, "en")
    )
    assert "Nothing was measured" in effect_card(report, PATIENCE)


def test_cards_of_names_that_differ_in_capitals_alone_are_kept_apart(tmp_path: Path) -> None:
    traits = tuple(Trait(name=name, description="Shows.") for name in ("Plain", "plain", "other"))
    report = effect(PAIR, tmp_path / "effect", messages_per_trait=1, neutral_messages=0)
    paths = write_cards(report, Constitution(name="three", traits=traits), tmp_path / "cards")
    assert len({path.name.casefold() for path in paths}) == len(paths) == 6
    assert (tmp_path / "cards" / "other.md").is_file()


@pytest.mark.parametrize(("own", "language"), [("好奇心", "zh"), ("curious", "en"), ("Calmness", "en")])
def test_no_common_trait_is_next_to_one_of_the_characters_own(own: str, language: str) -> None:
    constitution = Constitution(
        name="one", language=language, traits=(Trait(name=own, description="Shows."),)
    )
    others = {trait.name for trait in other_traits(constitution)}
    assert len(others) == 5
    assert not others & {"好奇", "curiosity" if own == "curious" else "calm"}


def test_a_text_in_place_of_responses_and_one_trait_twice_are_refused() -> None:
    with pytest.raises(InputError, match="a list of responses was expected"):
        Gauge()("Hello?", "fine", PATIENCE)
    with pytest.raises(InputError, match="'patience' twice"):
        TraitChooser()("Hello?", PATIENCE, PATIENCE)


def test_a_broken_report_or_response_is_named_with_its_line_and_what_to_do(tmp_path: Path) -> None:
    effect(PAIR, tmp_path, messages_per_trait=2, neutral_messages=0)
    path = tmp_path / "responses.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(lines[0] + lines[1].replace('"group"', '"gruop"') + "".join(lines[2:]), encoding="utf-8")
    with pytest.raises(StoreError, match=r"responses\.jsonl, line 2 cannot be read: group"):
        read_effect(tmp_path)
    (tmp_path / "effect.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StoreError, match=r"effect\.json cannot be read: constitution"):
        read_report(tmp_path)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--with-traits"], "found --with-traits without two models"),
        (["--base-api-base", "http://127.0.0.1:9/v1"], "found --base-api-base without --base"),
        (["--base", "openai/x"], "found only --base"),
        (["--messages", "m.txt", "--held-out-from", "run"], "found --held-out-from beside --messages"),
    ],
)
def test_flags_that_do_not_go_together_are_named(tmp_path: Path, flags: list[str], said: str) -> None:
    command = [sys.executable, "-m", "character", "effect", str(EXAMPLES / "patience-and-humour.en.toml")]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "x"), *flags], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr


def test_messages_that_all_came_out_alike_do_not_make_an_interval_of_no_width() -> None:
    figure, _ = mean_figure([2.0] * 15, seed=0)
    assert (figure.estimate, figure.low, figure.high) == (2.0, pytest.approx(1.8), pytest.approx(2.2))
    none = share_figure(0, 16)
    assert none.low == 0
    assert none.high == pytest.approx(0.194, abs=0.001), "Wilson's interval, as in his tables"
    half = share_figure(8, 16)
    assert (half.low, half.high) == (pytest.approx(0.28, abs=0.001), pytest.approx(0.72, abs=0.001))
    assert share_figure(0, 4).low is None


def test_few_messages_do_not_rule_caricature_out(tmp_path: Path) -> None:
    report = effect(PAIR, tmp_path, messages_per_trait=12, neutral_messages=0)
    plain = tuple(
        share.model_copy(update={"overdone": share_figure(0, 12), "num_messages": 12})
        for share in report.overdone
    )
    few = [note.text for note in findings(report.model_copy(update={"overdone": plain}), "en")]
    assert any("leave up to 24 % possible" in text for text in few)
    many = tuple(share.model_copy(update={"overdone": share_figure(0, 60)}) for share in plain)
    enough = [note.text for note in findings(report.model_copy(update={"overdone": many}), "en")]
    assert "No trait is overdone in more than 10 % of responses." in enough
