"""The constitutions that come with the project load, agree across languages and need no remark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from character.constitution import lint_constitution, load_constitution

FOLDER = Path(__file__).parents[2] / "examples" / "constitutions"
PERSONAS = ["candid-companion", "careful-guide", "patience-and-humour", "quiet-craftsman"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.name)
def test_a_shipped_constitution_is_complete_and_lints_clean(path: Path) -> None:
    constitution = load_constitution(path)
    assert lint_constitution(constitution) == []
    assert all(trait.statement and trait.clarification and trait.examples for trait in constitution.traits)


@pytest.mark.parametrize("persona", PERSONAS)
def test_both_languages_of_a_persona_have_the_same_outline(persona: str) -> None:
    english = load_constitution(FOLDER / f"{persona}.en.toml")
    chinese = load_constitution(FOLDER / f"{persona}.zh.toml")
    assert (english.language, chinese.language) == ("en", "zh")
    assert english.name == chinese.name == persona
    outlines = [
        [(trait.target, len(trait.examples), len(trait.questions)) for trait in constitution.traits]
        for constitution in (english, chinese)
    ]
    assert outlines[0] == outlines[1]


def test_the_recipes_own_list_has_exactly_its_two_keys_and_only_notes() -> None:
    path = FOLDER / "patience-and-humour.zh.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert [sorted(row) for row in rows] == [["description", "trait"]] * 2
    constitution = load_constitution(path)
    assert constitution.language == "zh"
    assert {finding.severity for finding in lint_constitution(constitution)} == {"note"}
