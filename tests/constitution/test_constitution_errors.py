"""Bad input gets one clear error: which file, which line, which field, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from character.constitution import load_constitution, parse_constitution
from character.errors import ConstitutionError

TRAIT = '{"trait": "a", "description": "b"}'

CASES = {
    "empty": ("a.json", "", ["a.json", "nothing in it"]),
    "white space": ("a.txt", " \n\u3000\t\n", ["a.txt", "nothing in it"]),
    "comments only": ("a.txt", "# one\n# two", ["a.txt", "nothing in it but comments"]),
    "no traits": ("a.json", "[]", ["a.json, line 1", "no traits"]),
    "repeated name": ("a.json", f"[{TRAIT},\n{TRAIT}]", ["line 2", "trait 2", "'a'", "on line 1"]),
    "repeated sentence": ("a.txt", "I am kind.\n\nI am kind.", ["line 3", "'I am kind.'", "on line 1"]),
    "repeated definition": ("a.json", '{"a": "x",\n"b": "y",\n"a": "z"}', ["line 3", "'a'", "on line 1"]),
    "repeated yaml key": ("a.yaml", "a: x\na: y", ["line 2", "'a'", "on line 1"]),
    "repeated toml key": ("a.toml", 'a = "x"\na = "y"', ["line 2", "TOML", "overwrite"]),
    "unknown key": ("a.json", '[{"trait": "a",\n"descripton": "b"}]', ["line 2", "'descripton'", "did you mean 'description'"]),
    "unknown header key": ("a.toml", 'nmae = "x"\n[[traits]]\nname = "a"', ["line 1", "'nmae'", "did you mean 'name'"]),
    "no description": ("a.json", f'[{TRAIT},\n{{"trait": "c"}}]', ["line 2", "trait 2 ('c')", "'description' is missing"]),
    "no name": ("a.toml", '[[traits]]\ndescription = "b"', ["line 2", "trait 1", "'name'"]),
    "no traits key": ("a.toml", 'name = "x"\nlanguage = "en"', ["'traits' is missing"]),
    "blank description": ("a.yaml", "- name: a\n  description: '  '", ["line 2", "'description'", "empty"]),
    "number for text": ("a.yaml", "- name: a\n  description: 2024", ["line 2", "'description'", "a number ('2024')"]),
    "boolean for text": ("a.toml", '[[traits]]\nname = "a"\ndescription = true', ["line 3", "a boolean"]),
    "text for a list": ("a.yaml", "- name: a\n  description: b\n  questions: c", ["line 3", "'questions'", "a string"]),
    "bad list item": ("a.json", '[{"trait": "a", "description": "b", "examples": ["c", null]}]', ["'examples', item 2", "null"]),
    "bad target": ("a.toml", '[[traits]]\nname = "a"\ndescription = "b"\ntarget = "overdone"', ["line 4", "'target'", "'subtle' or 'natural'"]),
    "bad contrast": ("a.json", '[{"trait": "a", "instruction": [{"pos": "b"}]}]', ["'instruction', item 1", "'neg' is missing"]),
    "language by name": ("a.toml", 'language = "Chinese"\n[[traits]]\nname = "a"\ndescription = "b"', ["'Chinese'", "BCP 47"]),
    "bare value": ("a.json", "5", ["line 1", "a number"]),
    "nested lists": ("a.json", "[[1]]", ["trait 1", "a list"]),
    "prose in a json file": ("a.json", "I am patient.", ["line 1", "column 1", "JSON"]),
    "json syntax": ("a.json", f'[{TRAIT},\n{{"trait": "c",}}]', ["line 2", "column 15", "JSON"]),
    "broken third line": ("a.jsonl", f'{TRAIT}\n{TRAIT[:-1]}, "not": "x"}}\n{{"trait": ', ["line 3", "JSON"]),
    "toml syntax": ("a.toml", '[[traits]]\nname = "a', ["line 2", "TOML"]),
    "yaml syntax": ("a.yaml", "name: x\n traits: [", ["line 2", "column", "YAML"]),
    "half a surrogate": ("a.json", '[{"trait": "a",\n"description": "\\ud800"}]', ["line 2", "'description'", "U+D800"]),
    "raw half surrogate": ("a.txt", "fine\nnot \udc00", ["line 2", "U+DC00"]),
    "nul": ("a.txt", "one\ntwo\x00", ["line 2", "NUL"]),
    "deep json": ("a.json", "[" * 100_000, ["line 1", "nested"]),
    "deep closed json": ("a.json", "[" * 50 + "]" * 50, ["line 1", "nested more than 32"]),
    "deep yaml": ("a.yaml", "- " * 50_000, ["line 1", "nested"]),
    "deep toml": ("a.toml", "a = " + "[" * 100_000, ["nested"]),
    "long dotted key": ("a.toml", "a." * 100_000 + "a = 1", ["line 1", "dots"]),
    "thousands of digits": ("a.json", "[1" + "0" * 9_000 + "]", ["line 1", "digits"]),
    "yaml alias": ("a.yaml", "a: &x [b]\nc: *x", ["line 2", "alias *x"]),
    "yaml tag": ("a.yaml", "- !!python/name:os.system x", ["line 1", "tag", "os.system"]),
    "yaml escape beyond unicode": ("a.yaml", '- "\\UFFFFFFFF"', ["YAML"]),
    "second yaml document": ("a.yaml", "---\na: b\n---\nc: d", ["line 3", "second"]),
    "too large": ("a.txt", "I am kind.\n" * 1_000_000, ["larger than 2 MiB"]),
}  # fmt: skip


@pytest.mark.parametrize(("source", "text", "parts"), CASES.values(), ids=CASES.keys())
def test_the_error_names_the_place_and_what_is_wrong(source: str, text: str, parts: list[str]) -> None:
    with pytest.raises(ConstitutionError) as caught:
        parse_constitution(text, source=source)
    message = str(caught.value)
    assert [part for part in parts if part not in message] == [], message


def test_lines_inside_a_toml_string_are_not_taken_for_tables() -> None:
    text = '[[traits]]\nname = "a"\ndescription = """\n[[traits]]\nname = 3\n"""\n\n[[traits]]\nname = "b"\ndescription = 4\n'
    with pytest.raises(ConstitutionError, match=r"line 10: trait 2 \('b'\)"):
        parse_constitution(text, source="a.toml")


def test_text_that_is_not_utf8_is_reported_with_offset_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"I am kind.\n" + "我很有耐心".encode("gb18030"))
    with pytest.raises(ConstitutionError, match=r"line 2: the byte 0xCE at offset 11 (?s:.*)GB18030"):
        load_constitution(path)


def test_a_cut_off_utf16_file_and_one_without_a_mark_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for data in ("I am kind.".encode("utf-16")[:-1], "I am kind.".encode("utf-16-le")):
        path.write_bytes(data)
        with pytest.raises(ConstitutionError, match="UTF-16"):
            load_constitution(path)


def test_a_directory_a_missing_file_and_an_impossible_path_are_told_apart(tmp_path: Path) -> None:
    cases = {str(tmp_path): "directory", str(tmp_path / "no"): "no such file", "a\x00b": "cannot be read"}
    for path, words in cases.items():
        with pytest.raises(ConstitutionError, match=words):
            load_constitution(path)


def test_a_large_file_is_refused_without_being_read_through() -> None:
    with pytest.raises(ConstitutionError, match="larger than 2 MiB"):
        load_constitution("/dev/zero")
