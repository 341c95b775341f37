"""The app over HTTP: the queue, what a reviewer sees and does not see, and what becomes of an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from review_helpers import Reply, ReviewServer, rollout_of, some_rollouts, write_run

from character.review.answers import CheckAnswer, CompareAnswer, RankAnswer
from character.review.store import ReviewStore
from character.store.run_store import RunStore


def ranks(page: Reply, best_first: str) -> dict[str, str]:
    """Return the form that ranks the answers P, Q, R, S in an order, whatever their letters on this page."""
    return {f"rank-{letter}": str(1 + best_first.index(name)) for letter, name in page.letters().items()}


def test_the_least_certain_item_comes_first_and_an_answer_brings_the_next(server: ReviewServer) -> None:
    made = some_rollouts(18)
    page = server.get("/rank?as=Ann")
    for number in range(3):
        assert page.field("item") == made[number].message.id
        page = server.answer(page, "/rank?as=Ann", **ranks(page, "QPRS"))
        assert page.status == 200
    with ReviewStore(server.folder, write=False) as reviews:
        assert [(s.item, s.answer) for s in reviews.answers("rank")] == [
            (each.message.id, RankAnswer(candidates_id=each.candidates.id, order=((1,), (0,), (2,), (3,))))
            for each in made[:3]
            if each.candidates
        ]


def test_nothing_on_a_page_tells_what_to_find_and_the_order_differs_by_reviewer(server: ReviewServer) -> None:
    orders = set()
    for name in ("Ann", "Bo", "Cy", "Di", "Ed"):
        page = server.get(f"/rank?as={name}")
        assert page.letters() == server.get(f"/rank?as={name}").letters(), "the same after a reload"
        orders.add("".join(page.letters().values()))
        for secret in ("natural", "subtle", "secret", "0.9", "the judge"):
            assert secret not in page.text
    assert len(orders) >= 3


def test_filters_narrow_the_queue_in_every_window_alike(server: ReviewServer) -> None:
    with RunStore(server.folder) as run:
        messages = {each.message.id: each.message for each in run.rollouts()}
    for query, holds in (
        ("trait=humour", lambda m: m.trait == "humour"),
        ("kind=situation&language=zh", lambda m: (m.kind, m.language) == ("situation", "zh")),
    ):
        address, seen = f"/rank?as=Ann&{query}", []
        page = server.get(address)
        while 'name="item"' in page.text:
            seen.append(page.field("item"))
            page = server.answer(page, address, action="skip")
        assert set(seen) == {i for i, message in messages.items() if holds(message)}
        assert "Nothing left here" in page.text
        server.post("/rank/undo?as=Ann", {})
    assert server.get("/rank?as=Ann&trait=nobody").text.count("There is nothing to review")


def test_an_incomplete_or_invented_answer_is_refused_and_not_kept(server: ReviewServer) -> None:
    page = server.get("/rank?as=Ann")
    missing = server.answer(page, "/rank?as=Ann", **{"rank-A": "1", "rank-C": "2"})
    assert (missing.status, missing.text) == (422, "These candidates have no rank yet: B, D.")
    for fields in (
        {"rank-A": "9"},
        {"rank-A": "-1"},
        {"rank-A": "9" * 5000},
        {"rank-A": "٣"},
        {"action": "win"},
    ):
        assert server.answer(page, "/rank?as=Ann", **fields).status == 422
    assert server.post("/rank?as=Ann", {"item": "no such", "seen": "0", "nonce": "n"}).status == 404
    assert server.answer(page, "/rank?as=", action="skip").status == 422
    with ReviewStore(server.folder, write=False) as reviews:
        assert reviews.events() == []


def test_ties_skips_and_unsuitable_messages_are_kept_as_such(server: ReviewServer) -> None:
    page = server.get("/rank?as=Ann")
    tied = {f"rank-{letter}": "1" if name in "PR" else "3" for letter, name in page.letters().items()}
    page = server.answer(page, "/rank?as=Ann", **tied)
    page = server.answer(page, "/rank?as=Ann", action="skip")
    server.answer(page, "/rank?as=Ann", action="unsuitable")
    with ReviewStore(server.folder, write=False) as reviews:
        kept = [each.answer for each in reviews.answers("rank")]
    assert isinstance(kept[0], RankAnswer)
    assert kept[0].order == ((0, 2), (1, 3))
    assert [each.skipped for each in kept] == [False, True, False]
    assert [each.unsuitable for each in kept if isinstance(each, RankAnswer)] == [False, False, True]


def test_a_second_window_is_told_and_loses_nothing(server: ReviewServer) -> None:
    first, second = server.get("/rank?as=Ann"), server.get("/rank?as=Ann")
    server.answer(first, "/rank?as=Ann", **ranks(first, "PQRS"))
    item, seen = second.field("item"), second.field("seen")
    panel = server.get(f"/rank/panel?as=Ann&item={item}&seen={seen}")
    assert "This item was answered in another window" in panel.text
    after = server.answer(second, "/rank?as=Ann", **ranks(second, "SRQP"))
    assert "had been answered in another window" in after.text
    with ReviewStore(server.folder, write=False) as reviews:
        (standing,) = reviews.answers("rank")
        assert len(reviews.events()) == 2
    assert isinstance(standing.answer, RankAnswer)
    assert standing.answer.order == ((3,), (2,), (1,), (0,))
    server.post("/rank/undo?as=Ann", {})
    with ReviewStore(server.folder, write=False) as reviews:
        assert [s.answer for s in reviews.answers("rank")] == [
            standing.answer.model_copy(update={"order": ((0,), (1,), (2,), (3,))})
        ]


def test_two_windows_of_two_reviewers_are_no_conflict(server: ReviewServer) -> None:
    first, second = server.get("/rank?as=Ann"), server.get("/rank?as=Bo")
    assert first.field("item") == second.field("item")
    server.answer(first, "/rank?as=Ann", **ranks(first, "PQRS"))
    after = server.answer(second, "/rank?as=Bo", **ranks(second, "SQRP"))
    assert "another window" not in after.text
    panel = server.get("/rank/panel?as=Bo").text
    assert "over 1 shared item" in panel
    assert "%" not in panel, "a single answer is not compared with the judge's"


def test_undo_shows_the_item_again_and_says_when_there_is_nothing(server: ReviewServer) -> None:
    page = server.get("/rank?as=Ann")
    server.answer(page, "/rank?as=Ann", **ranks(page, "PQRS"))
    again = server.post("/rank/undo?as=Ann", {})
    assert again.field("item") == page.field("item")
    assert "taken back" in again.text
    assert "nothing to take back" in server.post("/rank/undo?as=Ann", {}).text


def test_a_comparison_is_kept_by_what_was_shown_where(server: ReviewServer) -> None:
    for name, action, better in (("Ann", "left", 0), ("Bo", "right", 1), ("Cy", "tie", None)):
        page = server.get(f"/compare?as={name}")
        shown = list(page.letters().values())
        server.answer(page, f"/compare?as={name}", action=action)
        with ReviewStore(server.folder, write=False) as reviews:
            answer = next(s.answer for s in reviews.answers("compare") if s.reviewer == name)
        assert isinstance(answer, CompareAnswer)
        left, right = ("PQRS"[answer.left], "PQRS"[answer.right])
        assert {left, right} == set(shown)
        expected = 0.5 if better is None else float(shown[better] == left)
        assert answer.share == expected


def test_only_what_was_changed_on_the_page_becomes_a_verdict(server: ReviewServer) -> None:
    page = server.get("/check?as=Ann")
    stamps = {f"was-{i}": page.field(f"was-{i}") for i in range(page.text.count('name="was-'))}
    server.answer(page, "/check?as=Ann", **stamps | {"verdict-1": "veto", "note-1": " made up "})
    stale = server.answer(page, "/check?as=Ann", **stamps | {"verdict-2": "approve"})
    assert "had been answered in another window" in stale.text
    with ReviewStore(server.folder, write=False) as reviews:
        said = {
            each.item.partition(":")[0] + each.item[-2:]: each.answer for each in reviews.answers("check")
        }
    assert said["candidate/0"] == CheckAnswer(verdict="veto", note="made up"), (
        "the stale window left it alone"
    )
    assert said["candidate/1"] == CheckAnswer(verdict="approve")
    assert len(said) == 3, "the two candidates, and that the message was looked at"


def test_both_languages_say_everything_and_the_address_remembers(server: ReviewServer) -> None:
    page = server.get("/rank?as=Ann&lang=zh")
    assert '<html lang="zh-CN">' in page.text
    assert "您的排序" in page.text
    assert "lang=zh" in page.text.split("hx-post=")[1]
    refused = server.answer(page, "/rank?as=Ann&lang=zh", action="submit")
    assert refused.text.startswith("这些候选还没有名次")
    assert "Submit" in server.get("/rank?as=Ann&lang=xx").text


def test_a_window_without_a_name_is_asked_for_one(server: ReviewServer) -> None:
    assert "Who is reviewing?" in server.get("/rank").text
    assert "cannot be a reviewer" in server.get("/rank?as=%E2%80%8B%00").text
    page = server.get("/rank?as=%3Cb%3EAnn%3C%2Fb%3E").text
    assert "<b>Ann" not in page
    assert "&lt;b&gt;Ann" in page


@pytest.mark.parametrize("number", [1, 2, 3, 9, 10])
def test_what_cannot_be_ranked_is_compared_or_checked(tmp_path: Path, number: int) -> None:
    rollouts = [rollout_of("a message", [f"Answer {'PQRSTUVWXY'[i]} to it" for i in range(number)])]
    with ReviewServer(write_run(tmp_path / "run", rollouts), "--reviewer", "Ann") as server:
        offers = {
            task for task in ("rank", "compare", "check") if 'name="item"' in server.get(f"/{task}").text
        }
    expected = {"check"} | ({"compare"} if number > 1 else set()) | ({"rank"} if 3 <= number <= 9 else set())
    assert offers == expected


def test_a_run_that_grew_is_queued_on_the_next_start(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", some_rollouts(6))
    with ReviewServer(folder, "--reviewer", "Ann") as server:
        assert "0 of 6 answered" in server.get("/rank/panel").text
        server.answer(page := server.get("/rank"), "/rank", action="skip")
        assert page.status == 200
    write_run(folder, [*some_rollouts(6), rollout_of("one more", ["Answer P", "Answer Q", "Answer R"])])
    with ReviewServer(folder, "--reviewer", "Ann") as server:
        server.get("/rank")
        assert "1 of 7 answered" in server.get("/rank/panel").text


def test_a_run_that_was_made_anew_in_the_folder_shows_what_is_there_now(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", some_rollouts(3))
    with ReviewServer(folder, "--reviewer", "Ann") as server:
        server.get("/rank")
    for path in folder.glob("run.*"):
        path.unlink()
    first, second, _gone = some_rollouts(3)
    anew = [rollout_of(first.message.text, ["Answer X, new", "Answer Y, new", "Answer Z, new"]), second]
    write_run(folder, anew)
    with ReviewServer(folder, "--reviewer", "Ann", "--language", "en") as server:
        page, seen = server.get("/rank"), []
        while 'name="item"' in page.text:
            seen.append(page.field("item"))
            if seen[-1] == first.message.id:
                assert "Answer X, new" in page.text
            page = server.answer(page, "/rank", action="skip")
        assert sorted(seen) == sorted(each.message.id for each in anew)
        assert "2 of 2 answered" in server.get("/rank/panel").text


EFFECT = {
    "items": [
        {
            "id": f"e{i}",
            "trait": "patience",
            "trait_description": "Takes its time.",
            "turns": [{"role": "user", "content": "How?"}],
            "with_trait": "Answer W to it",
            "without_trait": "Answer O to it",
            "doubt": i / 10,
        }
        for i in range(6)
    ]
}


def test_an_effect_is_guessed_blind_and_kept_as_right_or_wrong(tmp_path: Path) -> None:
    (tmp_path / "effect_items.json").write_text(json.dumps(EFFECT), encoding="utf-8")
    places, kept = set(), []
    with ReviewServer(tmp_path, "--reviewer", "Ann") as server:
        page = server.get("/")
        assert page.field("item") == "e5", "the most doubtful first"
        for guessed in "WOWOWO":
            letters = {name: letter for letter, name in page.letters().items()}
            places.add(letters["W"])
            assert "with_trait" not in page.text
            assert server.answer(page, "/effect", guess=letters["W"]).status == 422, "overdone was left open"
            page = server.answer(page, "/effect", guess=letters[guessed], overdone="no")
        assert "60 %" in server.get("/effect/panel").text, "of the first five"
    assert places == {"A", "B"}
    with ReviewStore(tmp_path, write=False) as reviews:
        kept = [each.answer.model_dump()["is_right"] for each in reviews.answers("effect")]
    assert kept == [True, False] * 3


def test_an_effect_of_a_trait_that_nobody_described_can_be_reviewed(tmp_path: Path) -> None:
    items = [{name: v for name, v in item.items() if name != "trait_description"} for item in EFFECT["items"]]
    (tmp_path / "effect_items.json").write_text(json.dumps({"items": items}), encoding="utf-8")
    with ReviewServer(tmp_path, "--reviewer", "Ann") as server:
        assert server.get("/").field("item") == "e5"
        assert server.get("/effect").status == 200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ('{"items": [{"id": "a"}]}', "items.0.trait: Field required"),
        (json.dumps({"items": [EFFECT["items"][0]] * 2}), "two items have the id 'e0'"),
        (json.dumps({"items": [EFFECT["items"][0] | {"secret": 1}]}), "items.0.secret"),
    ],
)
def test_effect_items_that_cannot_be_read_are_refused_by_field(tmp_path: Path, text: str, said: str) -> None:
    from character.errors import InputError
    from character.review.sources import read_effect_items

    (tmp_path / "effect_items.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_effect_items(tmp_path)
    assert said in str(refused.value)
