"""Properties: what is written is read back, and no bytes get past the loader but as a constitution or one error."""

from __future__ import annotations

import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from character.constitution import (
    Constitution,
    DumpFormat,
    Trait,
    dump_constitution,
    lint_constitution,
    load_constitution,
    parse_constitution,
)
from character.errors import ConstitutionError, UnknownNameError

_ODD = st.sampled_from(
    [
        "\u2028",
        "\x85",
        '"""',
        "'''",
        "\\",
        "# ",
        "- ",
        ": ",
        "\n",
        "\r\n",
        "\x7f",
        "\ufeff",
        "不",
        "🙂",
        "yes",
        "12",
    ]
)
texts = (
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8) | _ODD)
    .map("".join)
    .filter(lambda text: bool(text.strip()))
)
optional = texts | st.just("")
traits = st.builds(
    lambda denial, **fields: Trait.model_validate({**fields, "not": denial}),
    name=texts,
    description=texts,
    statement=optional,
    clarification=optional,
    denial=optional,
    opposite=optional,
    examples=st.lists(texts, max_size=2),
    questions=st.lists(texts, max_size=2),
    target=st.sampled_from(["subtle", "natural"]),
)
constitutions = st.builds(
    Constitution,
    name=texts,
    language=st.sampled_from(["zh", "en", "pt-BR"]),
    assistant_name=texts,
    traits=st.lists(traits, min_size=1, max_size=3, unique_by=lambda trait: trait.name).map(tuple),
)


@pytest.mark.parametrize("format", ["toml", "yaml", "json"])
@given(constitution=constitutions)
def test_a_whole_constitution_is_read_back_as_it_was(format: DumpFormat, constitution: Constitution) -> None:
    assert parse_constitution(dump_constitution(constitution, format), source="given") == constitution


@given(constitution=constitutions)
def test_json_lines_keep_the_traits(constitution: Constitution) -> None:
    text = dump_constitution(constitution, "jsonl")
    assert text.count("\n") == len(constitution.traits)
    assert parse_constitution(text, source="given").traits == constitution.traits


@given(constitution=constitutions)
def test_the_recipes_shape_keeps_names_and_descriptions(constitution: Constitution) -> None:
    read = parse_constitution(dump_constitution(constitution, "recipe"), source="given")
    kept = tuple(Trait(name=trait.name, description=trait.description) for trait in constitution.traits)
    assert read.traits == kept


@given(statements=st.lists(texts.map(lambda text: " ".join(text.split())), min_size=1, unique=True))
def test_lines_of_text_always_get_names_of_their_own(statements: list[str]) -> None:
    lines = [f"I like {statement}" for statement in statements]
    read = parse_constitution("\n".join(lines), source="given.txt")
    assert len({trait.name for trait in read.traits}) == len(lines)


_SYNTAX = ["[", "{", "]", "}", '"', ":", ",", "\n", "- ", "? ", "[[traits]]", "name", "trait", " = ", "description", "&a ", "*a", "!!", "'''", '"""', "\\u", "|", "\xff"]  # fmt: skip
SMALL = Constitution(
    name="小样",
    language="zh",
    traits=(Trait.model_validate({"name": "a", "description": "b", "not": "c", "questions": ("d", "e")}),),
)
documents = st.lists(st.sampled_from(_SYNTAX) | st.text(max_size=3)).map(lambda parts: "".join(parts))


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Draw a constitution in one of the formats with a piece of it replaced by something else."""
    text = dump_constitution(SMALL, draw(st.sampled_from(get_args(DumpFormat))))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 12)))
    return text[:start] + draw(documents) + text[end:]


@given(
    data=st.binary() | (documents | damaged()).map(lambda text: text.encode("utf-8", "surrogatepass")),
    extension=st.sampled_from(["json", "jsonl", "toml", "yaml", "txt"]),
)
@example(data=b"? {[a]: b}", extension="yaml")
@example(data=b"%YAML 1" + b"0" * 5000 + b".1\n---\na", extension="yaml")
@example(data=b'{"a": {"pos": 1}}', extension="json")
@example(data=b"a = 2001-99-99", extension="toml")
def test_any_bytes_load_and_lint_or_raise_a_constitution_error(data: bytes, extension: str) -> None:
    with TemporaryDirectory() as folder, contextlib.suppress(ConstitutionError):
        path = Path(folder) / f"given.{extension}"
        path.write_bytes(data)
        constitution = load_constitution(path)
        assert constitution.traits
        assert all(finding.message for finding in lint_constitution(constitution))


def test_an_unknown_dump_format_lists_the_known_ones() -> None:
    constitution = Constitution(name="a", traits=(Trait(name="b", description="c"),))
    with pytest.raises(UnknownNameError) as caught:
        dump_constitution(constitution, "tmol")  # type: ignore[arg-type]
    assert all(known in str(caught.value) for known in get_args(DumpFormat))
