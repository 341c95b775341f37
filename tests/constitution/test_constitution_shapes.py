"""One file format or shape per test: what is read from it, with nothing said about which it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from character.constitution import Constitution, Trait, load_constitution, parse_constitution

RECIPE = '[\n  {"trait": "耐心", "description": "讲得细，不着急"},\n  {"trait": "幽默感", "description": "合适时开个玩笑"}\n]\n'
FULL_TOML = '''
name = "keeper"
language = "en"
assistant_name = "Ada"

[[traits]]
name = "tidiness"
description = """
Puts things back.
Even small ones."""
statement = "I like things in their place."
clarification = "Mostly on shared desks."
not = "Fussing."
opposite = "Leaves a trail."
examples = ["Closes the file."]
questions = ["Where do the scissors go?"]
target = "subtle"
'''
FULL = Trait.model_validate(
    {
        "name": "tidiness",
        "description": "Puts things back.\nEven small ones.",
        "statement": "I like things in their place.",
        "clarification": "Mostly on shared desks.",
        "not": "Fussing.",
        "opposite": "Leaves a trail.",
        "examples": ("Closes the file.",),
        "questions": ("Where do the scissors go?",),
        "target": "subtle",
    }
)


def parse(text: str, source: str = "given") -> Constitution:
    return parse_constitution(text, source=source)


def test_the_recipes_json_list_is_read_as_names_and_descriptions() -> None:
    constitution = parse(RECIPE)
    assert [(trait.name, trait.description) for trait in constitution.traits] == [
        ("耐心", "讲得细，不着急"),
        ("幽默感", "合适时开个玩笑"),
    ]
    assert constitution.language == "zh"


def test_toml_yaml_and_json_with_all_fields_give_the_same_constitution() -> None:
    fields = FULL.model_dump(mode="json", by_alias=True)
    data = {"name": "keeper", "language": "en", "assistant_name": "Ada", "traits": [fields]}
    yaml_text = (
        "name: keeper\nlanguage: en\nassistant_name: Ada\ntraits:\n  - "
        + "\n    ".join(f"{key}: {json.dumps(value)}" for key, value in fields.items())
        + "\n"
    )
    expected = Constitution(name="keeper", language="en", assistant_name="Ada", traits=(FULL,))
    assert parse(FULL_TOML) == parse(json.dumps(data)) == parse(yaml_text) == expected


@pytest.mark.parametrize("extension", [".json", ".jsonl", ".toml", ".yaml", ".txt"])
@pytest.mark.parametrize("text", [RECIPE, FULL_TOML, "- name: a\n  description: b c\n"])
def test_a_misleading_extension_changes_nothing(text: str, extension: str) -> None:
    assert parse(text, f"given{extension}") == parse(text)


def test_json_lines_and_one_array_in_a_jsonl_file_read_alike() -> None:
    rows = json.loads(RECIPE)
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    assert parse(lines, "a.jsonl") == parse(RECIPE, "a.jsonl")
    assert parse(lines.replace(", ", ",\n"), "a.jsonl") == parse(RECIPE, "a.jsonl")


@pytest.mark.parametrize("line", ["I = 0 on my own.", "[softly] I speak.", "耐心 = “慢慢来”"])
def test_a_line_that_only_resembles_another_format_is_a_statement(line: str) -> None:
    assert [trait.statement for trait in parse(line, "mine.txt").traits] == [line]


def test_each_line_of_plain_text_is_a_statement_with_a_name_made_from_it() -> None:
    text = "# my traits\n\nI take my time with people.\r\n- I enjoy a dry joke now and then.\n2. 我愿意慢慢讲，直到对方听懂"
    traits = parse(text, "mine.txt").traits
    assert [trait.statement for trait in traits] == [
        "I take my time with people.",
        "I enjoy a dry joke now and then.",
        "我愿意慢慢讲，直到对方听懂",
    ]
    assert all(trait.description == trait.statement for trait in traits)
    assert [trait.name for trait in traits] == ["take time people", "enjoy dry joke", "慢慢讲"]


def test_names_made_from_similar_sentences_grow_until_they_differ() -> None:
    text = (
        "I enjoy long walks by the sea.\nI enjoy long walks by the river.\nI enjoy long walks by the river!"
    )
    assert [trait.name for trait in parse(text).traits] == [
        "enjoy long walks",
        "enjoy long walks river",
        "enjoy long walks 2",
    ]


def test_first_person_sentences_with_questions_keep_both_lists_of_questions() -> None:
    row = {
        "trait": "I look at a plan from its weakest side first.",
        "clarification": "Kindly.",
        "questions": ["Will my raft float?"],
        "additional_questions": ["Is one bolt enough?"],
    }
    (trait,) = parse(json.dumps([row])).traits
    assert trait.name == "look plan weakest"
    assert trait.statement == trait.description == "I look at a plan from its weakest side first."
    assert trait.clarification == "Kindly."
    assert trait.questions == ("Will my raft float?", "Is one bolt enough?")


def test_an_object_of_names_and_definitions_is_read_in_json_toml_and_yaml() -> None:
    texts = ['{"calm": "Keeps level.", "wry": "Smiles."}', 'calm = "Keeps level."\nwry = "Smiles."']
    yaml_text = "calm: Keeps level.\nwry: Smiles."
    constitutions = [parse(text).traits for text in texts] + [parse(yaml_text, "given.yaml").traits]
    expected = (Trait(name="calm", description="Keeps level."), Trait(name="wry", description="Smiles."))
    assert constitutions == [expected] * 3


def test_contrasting_instructions_become_clarification_and_opposite() -> None:
    row = {
        "trait": "frugal",
        "instruction": [{"pos": "Save.", "neg": "Spend."}, {"pos": "Mend.", "neg": "Replace."}],
        "questions": ["New coat?"],
        "eval_prompt": "Rate the trait **frugal**. A frugal person wastes nothing.\n\nScore: {answer}",
    }
    (trait,) = parse(json.dumps(row), "a.jsonl").traits
    assert trait.description == "A frugal person wastes nothing."
    assert (trait.clarification, trait.opposite) == ("Save. Mend.", "Spend. Replace.")
    assert trait.questions == ("New coat?",)


def test_without_a_definition_the_first_positive_instruction_describes() -> None:
    row = {
        "trait": "节俭",
        "instruction": [{"pos": "能修就修。", "neg": "坏了就扔。"}, {"pos": "不浪费。", "neg": "随手丢。"}],
    }
    (trait,) = parse(json.dumps([row])).traits
    assert (trait.description, trait.clarification) == ("能修就修。", "不浪费。")
    assert trait.opposite == "坏了就扔。随手丢。"


def test_what_the_file_says_comes_before_the_arguments_and_those_before_guessing(tmp_path: Path) -> None:
    silent, speaking = tmp_path / "silent.json", tmp_path / "speaking.toml"
    silent.write_text(RECIPE, encoding="utf-8")
    speaking.write_text(FULL_TOML, encoding="utf-8")
    assert load_constitution(silent).name == "silent"
    given = load_constitution(silent, language="zh-Hans", name="two")
    assert (given.language, given.name) == ("zh-Hans", "two")
    kept = load_constitution(speaking, language="zh", name="two")
    assert (kept.language, kept.name) == ("en", "keeper")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marked_encodings_line_ends_and_a_missing_last_newline_change_nothing(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "given"
    path.write_bytes(RECIPE.rstrip().replace("\n", "\r\n").encode(encoding))
    assert load_constitution(path) == parse(RECIPE)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a.jsonl", '{"trait": "a", "description": "b\u2028c"}\n{"trait": "d", "description": "e"}'),
        ("a.txt", "a\u2028b\nc"),
        ("a.yaml", "- trait: a\n  description: b\u2028c d\n- trait: e\n  description: f"),
        (
            "a.toml",
            '[[traits]]\nname = "a"\ndescription = "b\u2028c"\n[[traits]]\nname = "d"\ndescription = "e"',
        ),
    ],
)
def test_a_line_separator_inside_text_ends_no_line(source: str, text: str) -> None:
    traits = parse(text, source).traits
    assert len(traits) == 2
    assert "\u2028" in traits[0].description
