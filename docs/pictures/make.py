"""The pictures of the README, made from the rehearsal model: python docs/pictures/make.py [--out DIR]

It needs the extra ``dev`` and Chromium (``apt-get install chromium fonts-noto-cjk``). Each picture is checked to be below 150 kB.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser_helpers import CHROMIUM_FLAGS  # noqa: E402
from review_helpers import ReviewServer  # noqa: E402

MOST_BYTES = 150_000
CONSTITUTIONS = ROOT / "examples" / "constitutions"


def character(*arguments: object) -> None:
    """Run a command of the project."""
    subprocess.run([sys.executable, "-m", "character", *map(str, arguments)], check=True, capture_output=True)  # noqa: S603


def page_of(browser: Any, width: int, height: int, scheme: str = "light") -> Any:
    """Return a new page of that size."""
    return browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)


def effects(browser: Any, work: Path, out: Path) -> None:
    """Take the matrix of an effect report in English, and what stands first in one in Chinese."""
    for language, name, height in (("en", "candid-companion", 600), ("zh", "patience-and-humour", 720)):
        folder = work / f"effect-{language}"
        constitution = CONSTITUTIONS / f"{name}.{language}.toml"
        character("effect", constitution, "--out", folder, "--choices", 150)
        page = page_of(browser, 900, height)
        page.goto((folder / "effect.html").as_uri())
        page.locator("canvas, svg").first.wait_for()
        if language == "en":
            page.locator("section").nth(1).evaluate("(section) => section.scrollIntoView()")
        page.screenshot(path=out / f"effect-{language}.png")


def audit(browser: Any, run: Path, out: Path) -> None:
    """Take the top of an audit."""
    character("audit", run)
    page = page_of(browser, 900, 640)
    page.goto((run / "audit.html").as_uri())
    page.screenshot(path=out / "audit.png")


def review(browser: Any, run: Path, effect: Path, out: Path) -> None:
    """Take the review app: ranking at a desk, and checking an effect on a phone, dark and in Chinese."""
    with ReviewServer(run, "--reviewer", "Ann", "--language", "en") as server:
        page = page_of(browser, 1000, 700)
        page.goto(server.url)
        for key in "213":
            page.keyboard.press(key)
        page.locator("#panel .panel").wait_for()
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=out / "review.png")
    with ReviewServer(effect, "--reviewer", "小李", "--language", "zh") as server:
        page = page_of(browser, 390, 800, "dark")
        page.goto(server.url)
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("n")
        page.locator("#panel .panel").wait_for()
        page.locator("#work .context").evaluate("(trait) => trait.scrollIntoView()")
        page.screenshot(path=out / "review-phone.png")


def main() -> int:
    """Make all pictures and say how large they are; returns 1 where one is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no chromium found: apt-get install chromium fonts-noto-cjk")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        work = Path(name)
        run = work / "first-run"
        character("run", CONSTITUTIONS / "candid-companion.en.toml", "--out", run, "--messages-per-trait", 16)
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        effects(browser, work, out)
        audit(browser, run, out)
        review(browser, run, work / "effect-zh", out)
        browser.close()
    sizes = {path.name: path.stat().st_size for path in sorted(out.glob("*.png"))}
    for file, size in sizes.items():
        print(f"{file}: {size / 1000:.0f} kB")  # noqa: T201
    return int(any(size > MOST_BYTES for size in sizes.values()))


if __name__ == "__main__":
    sys.exit(main())
