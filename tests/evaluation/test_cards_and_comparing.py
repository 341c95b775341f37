"""Cards say what was measured and escape what models wrote; evaluations are compared message by message."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from evaluation.planted import PAIR, answering
from fake_server import FakeServer, backend_at, chat

from character import Config, Constitution, Message, MessageBatch, Trait
from character.errors import StoreError
from character.evaluation.compare import compare
from character.evaluation.conditions import BASE, TUNED
from character.evaluation.effect import effect
from character.evaluation.page.cards import effect_card, write_cards
from character.evaluation.page.page import effect_page
from character.evaluation.records import EffectReport
from character.locale import Language
from character.messages.files import GivenMessages
from character.report import render

CHARACTER = (sys.executable, "-m", "character")
FEW = ("--messages-per-trait", "8", "--neutral", "4")
HOSTILE = "# Heading\n<img src=x onerror=alert(1)> [link](javascript:alert(1)) | cell | `code`"


def tuned(folder: Path, levels: dict[str, str], **settings: Any) -> EffectReport:
    with FakeServer(answering({}), name="one") as one, FakeServer(answering(levels), name="two") as two:
        models = {BASE: backend_at(one), TUNED: backend_at(two)}
        return effect(PAIR, folder, models=models, neutral_messages=0, **settings)


def test_another_effect_on_the_same_messages_is_found_message_by_message(tmp_path: Path) -> None:
    tuned(tmp_path / "first", {"patience": "natural", "humour": "natural"})
    tuned(tmp_path / "second", {"humour": "natural"})
    found = compare(tmp_path / "first", tmp_path / "second")
    changes = found.changes
    sure = {(c.contrast.group, c.trait): c.change.estimate for c in changes if c.adjusted_p < 0.05}
    assert set(sure) == {("patience", "patience"), ("humour", "patience")}
    assert all(change < -1 for change in sure.values())
    assert all(change.is_paired for change in changes)
    assert found.before.traits == found.after.traits
    assert found.reworded == found.judged_apart == ()


def test_the_same_effect_on_other_messages_is_no_change(tmp_path: Path) -> None:
    for seed, name in enumerate(("first", "second")):
        tuned(tmp_path / name, {"patience": "natural"}, config=Config(seed=seed))
    changes = compare(tmp_path / "first", tmp_path / "second").changes
    assert not any(change.is_paired for change in changes)
    assert min(change.adjusted_p for change in changes) > 0.05


def test_a_folder_without_an_evaluation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="character effect"):
        compare(tmp_path, tmp_path)
    for name in ("effect.json", "responses.jsonl"):
        (tmp_path / name).write_text('{"traits": 3}')
    with pytest.raises(StoreError, match="cannot be read"):
        compare(tmp_path, tmp_path)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[EffectReport, Constitution]:
    trait = Trait(name="../../etc/<b>x</b>", description=HOSTILE)
    constitution = Constitution(name=HOSTILE, traits=(trait,))
    messages = {
        trait.name: MessageBatch(
            messages=tuple(Message.of(f"{HOSTILE} {i}", trait=trait.name) for i in range(6))
        )
    }
    script = lambda request: (  # noqa: E731
        chat(reasoning=HOSTILE, degrees='["natural", "absent"]')
        if "degrees" in request["messages"][-1]["content"]
        else f"{HOSTILE} {len(json.dumps(request))}"
    )
    with FakeServer(script) as server:
        backend = backend_at(server).model_dump(exclude_unset=True)
        config = Config.model_validate({"backends": {"default": backend}})
        folder = tmp_path_factory.mktemp("hostile")
        report = effect(
            constitution, folder, config=config, messages=GivenMessages(messages), neutral_messages=0
        )
    return report, constitution


@pytest.mark.parametrize("language", ["en", "zh"])
def test_texts_of_models_are_shown_and_are_no_markup(
    hostile: tuple[EffectReport, Constitution], language: Language, tmp_path: Path
) -> None:
    report, constitution = hostile
    assert report.moved, "there is something to show"
    card = effect_card(report, constitution.traits[0], language)
    assert "<img" not in card.replace("\\<img", "")
    assert "link\\](javascript" in card, "a bracket that is escaped makes no link"
    assert not re.search(r"(?<!\\)[\[\]]", card.split("## ")[-2])
    assert not any(line.startswith("# Heading") for line in card.split("\n"))
    html = render(effect_page(report, language))
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html
    paths = write_cards(report, constitution, tmp_path / "cards", language)
    assert [path.suffix for path in paths] == [".md", ".html"]
    assert {path.parent for path in paths} == {tmp_path / "cards"}
    assert "<img src=x" not in paths[1].read_text(encoding="utf-8")
    assert "&lt;img src=x" in paths[1].read_text(encoding="utf-8")
    assert [each.name for each in tmp_path.iterdir()] == ["cards"]


def test_the_command_writes_report_and_cards_and_compares(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "constitutions" / "patience-and-humour.zh.toml"
    for name, seed in (("one", "1"), ("two", "2")):
        done = subprocess.run(
            [
                *CHARACTER,
                "effect",
                str(example),
                "--out",
                str(tmp_path / name),
                "--seed",
                seed,
                *FEW,
                "--json",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        said = json.loads(done.stdout)
        assert said["num_messages"] == {"耐心": 8, "幽默感": 8, "": 4}
    assert sorted(path.name for path in (tmp_path / "one" / "cards").iterdir()) == [
        "幽默感.html",
        "幽默感.md",
        "耐心.html",
        "耐心.md",
    ]
    assert "哪个特质影响了什么" in (tmp_path / "one" / "effect.html").read_text(encoding="utf-8")
    compared = subprocess.run(
        [
            sys.executable,
            "-m",
            "character",
            "compare",
            str(tmp_path / "one"),
            str(tmp_path / "two"),
            "--json",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(json.loads(compared.stdout)["changes"]) == 14


def test_an_evaluation_gives_its_messages_to_another_one_and_every_effect_is_compared_message_by_message(
    tmp_path: Path,
) -> None:
    examples = Path(__file__).parents[2] / "examples" / "constitutions"
    reworded = tmp_path / "reworded.toml"
    text = (examples / "patience-and-humour.en.toml").read_text(encoding="utf-8")
    reworded.write_text(
        text.replace('description = "', 'description = "Always, and gladly: ', 1), encoding="utf-8"
    )

    def character(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*CHARACTER, *arguments], capture_output=True, text=True, check=False)

    first, second = tmp_path / "first", tmp_path / "second"
    made = character("effect", str(examples / "patience-and-humour.en.toml"), "--out", str(first), *FEW)
    assert made.returncode == 0, made.stderr
    made = character(
        "effect",
        str(reworded),
        "--out",
        str(second),
        "--messages",
        str(first),
        "--neutral",
        "4",
        "--seed",
        "9",
    )
    assert made.returncode == 0, made.stderr
    told = character("compare", str(first), str(second), "--all", "--language", "zh")
    assert "全部在同样的消息上测量" in told.stdout
    changes = compare(first, second).changes
    assert all(change.is_paired for change in changes)
    assert {change.num_messages for change in changes} == {(8, 8), (4, 4)}
    other = character(
        "effect",
        str(examples / "candid-companion.en.toml"),
        "--out",
        str(tmp_path / "x"),
        "--messages",
        str(first),
    )
    assert other.returncode == 2
    assert "holds no messages of many-sided" in other.stderr


def test_a_lost_message_leaves_the_others_to_be_compared_one_by_one(tmp_path: Path) -> None:
    for name in ("first", "second"):
        tuned(tmp_path / name, {"patience": "natural"})
    path = tmp_path / "second" / "responses.jsonl"
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    changes = compare(tmp_path / "first", tmp_path / "second").changes
    assert all(change.is_paired for change in changes)
    assert {change.num_messages for change in changes} == {(15, 15), (16, 16)}
