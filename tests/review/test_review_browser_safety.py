"""The app in a real browser: hostile texts run nothing, a long one stays usable, and everybody can use the pages."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from review_helpers import ReviewServer, rollout_of, some_rollouts, write_run
from review_window import Window

from character.review.texts import part_of

pytestmark = pytest.mark.browser
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
    with ReviewServer(folder) as server:
        for width in (1200, 360):
            opened = window(server.url, width=width, dark=dark)
            tab = opened.tab
            for path in ("?who=1", "rank", "compare", "effect", "check", "rank?trait=nobody"):
                joined = "&" if "?" in path else "?"
                tab.goto(f"{server.base}/{path}{joined}lang={lang}" + ("" if "who" in path else "&as=Ann"))
                if "who" not in path:
                    tab.locator("#panel .panel").wait_for(state="attached")
                for key in "12av":
                    tab.keyboard.press(key)
                assert opened.grave_faults() == [], path
                assert tab.evaluate("() => document.documentElement.scrollWidth") <= width
        server.stop(signal.SIGTERM)
