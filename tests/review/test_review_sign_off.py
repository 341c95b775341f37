"""A trait is signed off or refused where its effect is shown, and what reviewers said stands on its card and in the report."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from evaluation.planted import PAIR
from review_helpers import Reply, ReviewServer

from character import Constitution
from character.evaluation.effect import effect
from character.evaluation.page.cards import effect_card
from character.review.effect_reviews import write_reviewed
from character.review.sources import EffectItem, read_effect_items
from character.review.store import ReviewStore

HOSTILE = "<img src=x onerror=alert(1)> [link](javascript:alert(1)) | `code`"


@pytest.fixture(params=["en", "zh"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    effect(PAIR.model_copy(update={"language": request.param}), tmp_path / "effect", messages_per_trait=6)
    return tmp_path / "effect"


def language_of(folder: Path) -> str:
    return str(json.loads((folder / "effect.json").read_text(encoding="utf-8"))["language"])


def guess(
    server: ReviewServer, items: dict[str, EffectItem], reviewer: str, *, right: bool, overdone: str
) -> str:
    """Answer the reviewer's next effect item, rightly or wrongly, and return the name of its trait."""
    path = f"/effect?as={reviewer}"
    page = server.get(path)
    item = items[page.field("item")]
    letters = options(page)
    wanted = item.with_trait if right else item.without_trait
    letter = next(letter for letter, text in letters.items() if wanted.startswith(text[:40]))
    assert server.answer(page, path, guess=letter, overdone=overdone).status == 200
    return item.trait


def options(page: Reply) -> dict[str, str]:
    found = re.findall(
        r'aria-label="\S+ ([A-I])">.*?<div class="text"[^>]*>(.*?)</div>', page.text, re.DOTALL
    )
    return {letter: html.unescape(text) for letter, text in found}


def sign(server: ReviewServer, reviewer: str, **fields: object) -> Reply:
    path = f"/sign?as={quote(reviewer)}"
    return server.answer(server.get(path), path, **fields)


def test_what_reviewers_say_is_on_the_cards_and_in_the_report_after_a_kill(folder: Path) -> None:
    items = {item.id: item for item in read_effect_items(folder).items}
    with ReviewServer(folder) as server:
        for number in range(6):
            guess(server, items, "Ann", right=number != 2, overdone="yes" if number == 0 else "no")
            guess(server, items, "Bo", right=True, overdone="no")
        check = server.get("/check?as=Ann")
        targets = re.findall(r'name="was-(\d+)" value="([^"]*)"', check.text)
        assert len(targets) == 4, "the message, two responses and the trait"
        said = {f"was-{number}": stamp for number, stamp in targets}
        said |= {"verdict-0": "veto", "note-0": f"no trait can show here {HOSTILE}"}
        assert server.answer(check, "/check?as=Ann", **said).status == 200
        assert sign(server, "Ann", sign="yes", note="as wanted").status == 200
        server.kill()
        server.start()
        page = server.get("/sign?as=Ann")
        assert "humour" in page.text
        assert sign(server, "Ann", sign="no", note=f"too loud {HOSTILE}").status == 200
        assert "humour" in sign(server, "Bo", sign="yes", note="").text
        told = server.get("/sign?as=Bo").text
        assert "<img src=x" not in told
        assert "&lt;img src=x" in told
    report = write_reviewed(folder)
    reviews = {review.trait: review for review in report.reviews}
    assert set(reviews) == {"patience", "humour"}
    answered = sum(review.num_answers for review in reviews.values())
    assert answered == 12
    assert {name for review in reviews.values() for name in review.reviewers} == {"Ann", "Bo"}
    right = sum(review.right.estimate * review.num_answers for review in reviews.values() if review.right)
    assert round(right) == 11
    assert [len(review.sign_offs) for review in reviews.values()] == [2, 1]
    assert [each.is_signed for each in reviews["patience"].sign_offs] == [True, True]
    assert not reviews["humour"].sign_offs[0].is_signed
    (veto,) = [veto for review in reviews.values() for veto in review.vetoes]
    assert (veto.what, veto.reviewer) == ("message", "Ann")
    assert veto.text in {item.turns[-1].content for item in items.values()}
    check_written(folder, veto.text)


def check_written(folder: Path, vetoed: str) -> None:
    """Look at the files that were written: what was said is there, in the report's language, and is no markup."""
    language = language_of(folder)
    day = re.search(r"\d{4}-\d\d-\d\d", (folder / "cards" / "patience.md").read_text(encoding="utf-8"))
    assert day
    signed, refused, heading = {
        "en": (f"signed off: by Ann on {day[0]}: as wanted", "refused: by Ann on", "What reviewers said"),
        "zh": (f"已签核：Ann，{day[0]}：as wanted", "拒绝签核：Ann，", "评审人怎么说"),
    }[language]
    patience = (folder / "cards" / "patience.md").read_text(encoding="utf-8")
    humour = (folder / "cards" / "humour.md").read_text(encoding="utf-8")
    assert signed in patience.replace("\\", "")
    assert refused in humour.replace("\\", "")
    report = (folder / "effect.html").read_text(encoding="utf-8")
    for text in (
        report,
        *((folder / "cards" / f"{name}.html").read_text(encoding="utf-8") for name in ("patience", "humour")),
    ):
        assert heading in text
        assert "<img src=x" not in text
    assert "&lt;img src=x" in report
    assert "<img" not in humour.replace("\\<img", "")
    assert html.escape(vetoed[:20], quote=False) in report or vetoed[:20] in html.unescape(report)


def test_the_page_shows_what_was_measured_and_keeps_no_answer_without_a_reason(folder: Path) -> None:
    language = language_of(folder)
    with ReviewServer(folder) as server:
        page = server.get("/sign?as=Ann")
        for text in {
            "en": ("Effect", "Side effects", "Not signed off."),
            "zh": ("效果", "副作用", "未签核。"),
        }[language]:
            assert text in page.text
        other = server.get(f"/sign?as=Ann&lang={'en' if language == 'zh' else 'zh'}")
        assert {"en": "副作用", "zh": "Side effects"}[language] in other.text
        assert sign(server, "Ann").status == 422
        assert sign(server, "Ann", sign="no", note="  ").status == 422
        assert sign(server, "Ann", sign="perhaps", note="x").status == 422
        assert sign(server, "Ann", sign="no", note="x" * 4001).status == 422
        assert sign(server, "Ann", action="skip").status == 200
        assert sign(server, "Ann", sign="no", note="because").status == 200
        assert server.post("/sign/undo?as=Ann", {}).status == 200
    with ReviewStore(folder, write=False) as reviews:
        ((item, answer),) = [(said.item, said.answer) for said in reviews.answers("sign")]
    assert (item, answer.skipped) == ("trait:patience", True)
    assert write_reviewed(folder).reviews == (), "a skipped trait is not reviewed"


def test_vetoes_of_an_effect_are_as_blind_as_its_guesses(folder: Path) -> None:
    items = {item.id: item for item in read_effect_items(folder).items}
    with ReviewServer(folder) as server:
        first = 0
        for _ in range(len(items)):
            page = server.get("/check?as=Ann")
            item = items[page.field("item").removeprefix("message:effect/")]
            texts = options(page)
            assert list(texts) == ["A", "B"]
            first += item.with_trait.startswith(texts["A"][:40])
            assert "with_trait" not in page.text
            assert server.answer(page, "/check?as=Ann", action="skip").status == 200
        assert 0 < first < len(items), "the response with the trait stands first here and second there"
        assert server.get("/check?as=Ann").text.count('class="done"') == 1


def said(*arguments: object) -> Any:
    command = [sys.executable, "-m", "character", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_same_evaluation_and_the_review_command_tell_what_was_said(tmp_path: Path) -> None:
    constitution = tmp_path / "pair.toml"
    traits = "".join(
        f'[[traits]]\nname = "{trait.name}"\ndescription = "{trait.description}"\n' for trait in PAIR.traits
    )
    constitution.write_text(f'name = "pair"\nlanguage = "en"\n{traits}', encoding="utf-8")
    asked = ("effect", constitution, "--out", tmp_path / "effect", "--messages-per-trait", 3, "--neutral", 0)
    first = said(*asked)
    assert first["reviews"] == []
    with ReviewServer(tmp_path / "effect") as server:
        assert sign(server, "小李", sign="yes", note="可以").status == 200
    again = said(*asked)
    assert again["usage"]["calls"] == first["usage"]["calls"], "no call is made again"
    (signed,) = again["reviews"][0]["sign_offs"]
    assert (signed["reviewer"], signed["is_signed"], signed["note"]) == ("小李", True, "可以")
    told = said("review", tmp_path / "effect", "--report")
    assert told["reviews"] == again["reviews"]
    card = (tmp_path / "effect" / "cards" / "patience.md").read_text(encoding="utf-8")
    assert "- signed off: by 小李 on " in card


def test_a_card_that_nobody_looked_at_says_so(tmp_path: Path) -> None:
    alone = Constitution(name="one", traits=PAIR.traits[:1])
    report = effect(alone, tmp_path / "effect", messages_per_trait=2, neutral_messages=0)
    card = effect_card(report, alone.traits[0])
    assert card.split("## Sign-off\n\n")[1].startswith("Not signed off.")
    assert "Nobody has checked its responses yet" in card
