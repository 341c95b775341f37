"""The app in a real browser: by keyboard and by drag, through a reload and a kill, in two windows, by two people."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from review_helpers import ReviewServer, some_rollouts, write_run
from review_window import Window

from optimizers.labelled import Label, read_labelled

pytestmark = pytest.mark.browser
EXAMPLES = Path(__file__).parents[2] / "examples" / "constitutions"
NAMES = "PQRS"
ORDERS = [["P", "Q", "R", "S"], ["S", "Q", "PR"], ["QS", "PR"], ["R", "S", "P", "Q"], ["Q", "P", "S", "R"]]


Clicked = dict[str, dict[str, list[str]]]
"""Per reviewer and item, the groups of candidates that were put on the ranks, best first."""


def test_label_by_keyboard_and_drag_through_undo_reload_kill_and_a_second_reviewer(
    tmp_path: Path, window: Callable[..., Window]
) -> None:
    folder = write_run(tmp_path / "run", some_rollouts(18))
    clicked: Clicked = {"Ann": {}, "Bo": {}}
    with ReviewServer(folder, "--reviewer", "Ann") as server:
        ann = window(server.url)
        assert "token" not in ann.tab.url
        by_keyboard(ann, "Ann", range(5), clicked)
        take_back_and_reload(ann, clicked)
        by_keyboard(ann, "Ann", range(5, 8), clicked)
        kill_between_two_answers(server, ann)
        by_keyboard(ann, "Ann", range(8, 12), clicked)
        for number in range(3):
            clicked["Ann"][ann.item] = ORDERS[number]
            ann.rank_by_drag(ORDERS[number])
            assert ann.tab.locator("#work .chip").count() == 4
            ann.submit()
        ann.tab.locator("#count", has_text="15 of 18 answered").wait_for()
        unsuitable, skipped = (press_and_go_on(ann, key) for key in "us")
        ann.tab.locator("#count", has_text="17 of 18 answered").wait_for()

        bo = window(server.url)
        bo.tab.goto(f"{server.base}/rank?as=Bo")
        by_keyboard(bo, "Bo", range(2), clicked)
        bo.tab.locator("#panel", has_text="over 2 shared items").wait_for()
        assert ann.complaints == bo.complaints == []
        assert all(url.startswith(server.base) for url in ann.requests + bo.requests)

    assert len(clicked["Ann"]) == 15
    export(folder, tmp_path / "labelled.jsonl")
    found = read_labelled(tmp_path / "labelled.jsonl")
    said = {item.id: set(item.labels) for item in found.items}
    assert said == {**labels_of(clicked), unsuitable: set(), skipped: set()}
    assert found.dropped == {"unsuitable": 1, "skipped": 1}
    report = calibrated(tmp_path / "labelled.jsonl")
    assert report["strategy"] == "calibrate"
    assert (report["num_labels"], report["num_items"], report["unusable"]) == (17, 15, 2)


def by_keyboard(window: Window, name: str, numbers: range, clicked: Clicked) -> None:
    """Rank one item after the other with the keyboard alone."""
    for number in numbers:
        groups = ORDERS[number % len(ORDERS)]
        clicked[name][window.item] = groups
        window.rank_by_keys(groups)
        window.submit()


def press_and_go_on(window: Window, key: str) -> str:
    """Press a key that answers the item on the page, and return its id once the next one is there."""
    item = window.item
    window.tab.keyboard.press(key)
    window.tab.locator(f"#work input[name=item]:not([value='{item}'])").wait_for(state="attached")
    return item


def take_back_and_reload(ann: Window, clicked: Clicked) -> None:
    """Take back ranks, then the answer before; what was entered survives a reload, and so does what was answered."""
    chips, item = ann.tab.locator("#work .chip"), ann.item
    for key in "12z":
        ann.tab.keyboard.press(key)
    assert chips.count() == 1
    ann.tab.reload()
    assert (ann.item, chips.count()) == (item, 1), "the draft survives a reload"
    ann.tab.keyboard.press("z")
    assert chips.count() == 0
    ann.tab.keyboard.press("z")
    ann.tab.locator("#work .notice", has_text="taken back").wait_for()
    assert ann.item == list(clicked["Ann"])[-1]
    by_keyboard(ann, "Ann", range(3, 4), clicked)
    ann.tab.reload()
    assert ann.item == item


def kill_between_two_answers(server: ReviewServer, ann: Window) -> None:
    """Kill the server, try to answer, and go on at the same item once it runs again."""
    item = ann.item
    assert ann.complaints == []
    server.kill()
    ann.rank_by_keys(["PQRS"])
    ann.tab.keyboard.press("Enter")
    ann.tab.locator("#alert", has_text="cannot be reached").wait_for()
    assert ann.tab.locator("#work .chip").count() == 4, "what was entered stays on the page"
    server.start()
    ann.tab.goto(server.url)
    ann.complaints.clear()  # of a server that could not be reached
    ann.requests.clear()
    assert ann.item == item, "an answer that was not confirmed is not there"


def labels_of(clicked: Clicked) -> dict[str, set[Label]]:
    """Return the labels that the clicks amount to, by item."""
    labels: dict[str, set[Label]] = {}
    for name, items in clicked.items():
        for item, groups in items.items():
            order = tuple(tuple(sorted(NAMES.index(each) for each in group)) for group in groups)
            labels.setdefault(item, set()).add(Label(rater=name, order=order))
    return labels


def calibrated(labelled: Path) -> dict[str, Any]:
    """Return the report of `character optimize` on a labelled set."""
    options = ["--strategy", "calibrate", "--budget", "300", "--json"]
    command = [sys.executable, "-m", "character", "optimize", str(labelled), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def export(folder: Path, out: Path) -> None:
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
    export(folder, tmp_path / "labelled.jsonl")
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


def test_a_trait_is_signed_off_by_keyboard_through_a_kill(
    tmp_path: Path, window: Callable[..., Window]
) -> None:
    folder, constitution = tmp_path / "effect", EXAMPLES / "patience-and-humour.zh.toml"
    options = ["--messages-per-trait", "4", "--neutral", "4", "--out", str(folder)]
    subprocess.run(
        [sys.executable, "-m", "character", "effect", str(constitution), *options],
        check=True,
        capture_output=True,
    )
    with ReviewServer(folder, "--reviewer", "Ann") as server:
        opened = window(server.url, width=400, dark=True)
        tab = opened.tab
        tab.goto(f"{server.base}/sign")
        tab.locator("h1", has_text="耐心").wait_for()
        assert tab.evaluate("() => document.documentElement.scrollWidth") <= 400
        assert opened.grave_faults() == []
        wide = window(f"{server.base}/sign?as=Ann&lang=en", context=tab.context)
        wide.tab.set_viewport_size({"width": 1200, "height": 900})
        wide.tab.emulate_media(color_scheme="light")
        wide.tab.keyboard.press("a")
        assert wide.grave_faults() == []
        wide.tab.close()
        tab.keyboard.press("v")
        tab.keyboard.press("Enter")
        tab.locator("#alert", has_text="写明原因").wait_for()
        tab.keyboard.press("Escape")
        tab.keyboard.press("e")
        tab.keyboard.type("太啰嗦 e s z v")
        tab.keyboard.press("Escape")
        tab.reload()
        assert tab.locator("#work textarea").input_value() == "太啰嗦 e s z v", "the draft survives a reload"
        assert tab.locator("#work input[name=sign][value=no]").is_checked()
        tab.keyboard.press("Enter")
        tab.locator("h1", has_text="幽默感").wait_for()
        server.kill()
        server.start()
        tab.goto(server.url)
        tab.goto(f"{server.base}/sign")
        tab.locator("h1", has_text="幽默感").wait_for()
        opened.complaints.clear()  # of a server that could not be reached
        tab.keyboard.press("a")
        tab.keyboard.press("Enter")
        tab.locator("#work .done").wait_for()
        tab.keyboard.press("z")
        tab.locator("h1", has_text="幽默感").wait_for()
        tab.keyboard.press("a")
        tab.keyboard.press("Enter")
        tab.locator("#count", has_text="2 / 2").wait_for()
        assert opened.complaints == []
    subprocess.run(
        [sys.executable, "-m", "character", "review", str(folder), "--report"],
        check=True,
        capture_output=True,
    )
    assert "拒绝签核：Ann，" in (folder / "cards" / "耐心.md").read_text(encoding="utf-8")
    assert "太啰嗦 e s z v" in (folder / "cards" / "耐心.html").read_text(encoding="utf-8")
    assert "已签核：Ann，" in (folder / "cards" / "幽默感.md").read_text(encoding="utf-8")
