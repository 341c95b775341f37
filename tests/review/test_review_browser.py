"""The app in a real browser: by keyboard and by drag, through a reload and a kill, in two windows, by two people."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from review_helpers import ReviewServer, some_rollouts, write_run
from review_window import Window

from optimizers.labelled import Label, read_labelled

pytestmark = pytest.mark.browser
NAMES = "PQRS"
ORDERS = [["P", "Q", "R", "S"], ["S", "Q", "PR"], ["QS", "PR"], ["R", "S", "P", "Q"], ["Q", "P", "S", "R"]]


def test_label_by_keyboard_and_drag_through_undo_reload_kill_and_a_second_reviewer(
    tmp_path: Path, window: Callable[..., Window]
) -> None:
    folder = write_run(tmp_path / "run", some_rollouts(18))
    clicked: dict[str, dict[str, list[str]]] = {"Ann": {}, "Bo": {}}
    with ReviewServer(folder, "--reviewer", "Ann") as server:
        ann = window(server.url)
        assert "token" not in ann.tab.url

        def keyboard(each: Window, name: str, number: int) -> None:
            groups = ORDERS[number % len(ORDERS)]
            clicked[name][each.item] = groups
            each.rank_by_keys(groups)
            each.submit()

        for number in range(5):
            keyboard(ann, "Ann", number)

        # z takes back a rank, then the answer before; a reload keeps what was entered
        taken_back = ann.item
        ann.tab.keyboard.press("1")
        ann.tab.keyboard.press("2")
        ann.tab.keyboard.press("z")
        assert ann.tab.locator("#work .chip").count() == 1
        ann.tab.reload()
        assert ann.item == taken_back
        assert ann.tab.locator("#work .chip").count() == 1, "the draft survives a reload"
        ann.tab.keyboard.press("z")
        assert ann.tab.locator("#work .chip").count() == 0
        ann.tab.keyboard.press("z")
        ann.tab.locator("#work .notice", has_text="taken back").wait_for()
        assert ann.item == list(clicked["Ann"])[-1]
        keyboard(ann, "Ann", 3)
        ann.tab.reload()
        assert ann.item == taken_back

        for number in range(5, 8):
            keyboard(ann, "Ann", number)
        assert ann.complaints == []
        server.kill()
        lost = ann.item
        ann.rank_by_keys(["PQRS"])
        ann.tab.keyboard.press("Enter")
        ann.tab.locator("#alert", has_text="cannot be reached").wait_for()
        assert ann.tab.locator("#work .chip").count() == 4, "what was entered stays on the page"

        server.start()
        ann.tab.goto(server.url)
        ann.complaints.clear()  # of a server that could not be reached
        ann.requests.clear()
        assert ann.item == lost, "an answer that was not confirmed is not there"
        for number in range(8, 12):
            keyboard(ann, "Ann", number)
        for number in range(3):
            clicked["Ann"][ann.item] = ORDERS[number]
            ann.rank_by_drag(ORDERS[number])
            assert ann.tab.locator("#work .chip").count() == 4
            ann.submit()
        ann.tab.locator("#count", has_text="15 of 18 answered").wait_for()

        bo = window(f"{server.url}")
        bo.tab.goto(f"{server.base}/rank?as=Bo")
        for number in range(2):
            keyboard(bo, "Bo", number)
        bo.tab.locator("#panel", has_text="over 2 shared items").wait_for()
        assert ann.complaints == bo.complaints == []
        assert all(url.startswith(server.base) for url in ann.requests + bo.requests)

    assert len(clicked["Ann"]) == 15
    _export(folder, tmp_path / "labelled.jsonl")
    found = {item.id: item.labels for item in read_labelled(tmp_path / "labelled.jsonl").items}
    expected: dict[str, list[Label]] = {}
    for name, items in clicked.items():
        for item, groups in items.items():
            order = tuple(tuple(sorted(NAMES.index(each) for each in group)) for group in groups)
            expected.setdefault(item, []).append(Label(rater=name, order=order))
    assert {item: set(labels) for item, labels in found.items()} == {
        item: set(labels) for item, labels in expected.items()
    }
    tuned = [
        sys.executable,
        "-m",
        "character",
        "optimize",
        tmp_path / "labelled.jsonl",
        "--strategy",
        "calibrate",
        "--budget",
        "300",
        "--json",
    ]
    done = subprocess.run([str(part) for part in tuned], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["strategy"] == "calibrate"


def _export(folder: Path, out: Path) -> None:
    command = [sys.executable, "-m", "character", "review", str(folder), "--export", str(out)]
    subprocess.run(command, check=True, capture_output=True)


def test_a_second_window_of_one_reviewer_is_told_while_it_is_open(
    tmp_path: Path, window: Callable[..., Window]
) -> None:
    folder = write_run(tmp_path / "run", some_rollouts(6))
    with ReviewServer(folder, "--reviewer", "Ann") as server:
        first = window(server.url)
        second = window(f"{server.base}/rank", context=first.tab.context)
        item = first.item
        assert second.item == item
        first.rank_by_keys(["P", "Q", "R", "S"])
        first.submit()
        second.tab.locator("#meanwhile", has_text="answered in another window").wait_for(timeout=15_000)
        second.rank_by_keys(["S", "R", "Q", "P"])
        second.tab.keyboard.press("Enter")
        second.tab.locator("#work .notice", has_text="the other one is kept").wait_for()
        second.tab.keyboard.press("z")
        second.tab.locator("#work .notice", has_text="taken back").wait_for()
        assert second.item == item
        server.stop(signal.SIGTERM)
    _export(folder, tmp_path / "labelled.jsonl")
    (labelled,) = read_labelled(tmp_path / "labelled.jsonl").items
    assert labelled.labels == (Label(rater="Ann", order=((0,), (1,), (2,), (3,))),)


def test_the_other_tasks_go_by_keyboard_alone(tmp_path: Path, window: Callable[..., Window]) -> None:
    folder = write_run(tmp_path / "run", some_rollouts(4))
    items = [
        {"id": f"e{i}", "trait": "patience", "turns": [{"role": "user", "content": "How?"}], "with_trait": "Slowly, together.", "without_trait": "Read it up."}
        for i in range(2)
    ]  # fmt: skip
    (folder / "effect_items.json").write_text(json.dumps({"items": items}), encoding="utf-8")
    with ReviewServer(folder, "--reviewer", "Ann") as server:
        tab = window(server.url).tab
        for task, keys in (
            ("compare", ["ArrowLeft"]),
            ("effect", ["ArrowRight", "n", "Enter"]),
            ("check", ["a", "j", "v", "Enter"]),
        ):
            tab.goto(f"{server.base}/{task}")
            tab.locator("#count", has_text="0 of").wait_for()
            for key in keys:
                tab.keyboard.press(key)
            tab.locator("#count", has_text="1 of").wait_for()
        tab.goto(f"{server.base}/effect")
        tab.keyboard.press("Enter")
        tab.locator("#alert", has_text="which one has the trait").wait_for()
        tab.goto(f"{server.base}/check")
        tab.locator("#work details.noted summary").nth(1).focus()
        tab.keyboard.press("Enter")
        tab.keyboard.press("Tab")
        tab.keyboard.type("as a joke, s and z are letters here")
        assert tab.locator("#work textarea").nth(1).input_value() == "as a joke, s and z are letters here"
        tab.keyboard.press("Escape")
        tab.keyboard.press("Enter")
        tab.locator("#count", has_text="2 of").wait_for()
        server.stop(signal.SIGTERM)
