"""Messages from files: the recipe's shape, JSON Lines, plain text, conversations; every mistake names its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from character import Constitution, Trait, load_messages
from character.errors import MessagesError
from character.messages.files import messages_from_questions

PAIR = Constitution(
    name="两个特质",
    language="zh",
    traits=(
        Trait(name="耐心", description="不急躁", questions=("再讲一遍好吗？",)),
        Trait(name="幽默感", description="说点轻松的"),
    ),
)


def _load(tmp_path: Path, content: str | bytes) -> dict[str, Any]:
    path = tmp_path / "messages"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_messages(path, PAIR)


def test_the_recipes_shape_is_read_as_it_stands(tmp_path: Path) -> None:
    rows = [
        {"type": "问题型", "prompt": "我不理解这个数学问题, 你能解释一下吗?"},
        {"type": "情境型", "prompt": "有人问你为什么迟到, 你怎么回答?"},
        {"type": "自我反思型", "prompt": "你觉得自己是个幽默的人吗?"},
    ]
    batches = _load(tmp_path, json.dumps(rows, ensure_ascii=False))
    for name in ("耐心", "幽默感"):
        assert [(m.text, m.trait) for m in batches[name].messages] == [(row["prompt"], name) for row in rows]
        assert [m.kind for m in batches[name].messages] == ["question", "situation", "self_reflection"]
    assert {m.language for m in batches["耐心"].messages} == {"zh"}


@pytest.mark.parametrize(
    "content",
    [
        '{"prompt": "一"}\n{"prompt": "Two words"}\n',
        '[{"prompt": "一"}, {"prompt": "Two words"}]',
        b'\xef\xbb\xbf{"prompt": "\xe4\xb8\x80"}\r\n{"prompt": "Two words"}',
        "一\n\nTwo words",
    ],
)
def test_json_json_lines_and_plain_text_are_told_apart_by_content(
    tmp_path: Path, content: str | bytes
) -> None:
    batch = _load(tmp_path, content)["耐心"]
    assert [(m.text, m.language) for m in batch.messages] == [("一", "zh"), ("Two words", "en")]


def test_a_row_may_name_its_trait_and_be_a_conversation(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "怎么学游泳？"},
        {"role": "assistant", "content": "先学换气。"},
        {"role": "user", "content": "还是不会。"},
    ]
    batches = _load(tmp_path, json.dumps([{"prompt": turns, "trait": "耐心"}]))
    (message,) = batches["耐心"].messages
    assert [turn.model_dump() for turn in message.turns] == turns
    assert batches["幽默感"].messages == ()


def test_a_line_separator_inside_a_text_is_text(tmp_path: Path) -> None:
    (message,) = _load(tmp_path, '{"prompt": "a\u2028b"}')["耐心"].messages
    assert message.text == "a\u2028b"


def test_repeated_messages_are_kept_once_and_counted(tmp_path: Path) -> None:
    batch = _load(tmp_path, "same\nother\nsame\n")["耐心"]
    assert [m.text for m in batch.messages] == ["same", "other"]
    assert [(drop.reason, "line 3" in drop.detail) for drop in batch.drops] == [("duplicate", True)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "nothing in it"),
        ("[]", "line 1: the list is empty"),
        ('[{"prompt": "a"},\n {"prompt": 3}]', "line 2: prompt"),
        ('[{"prompt": "a"},\n {"prompt": ""}]', "line 2: prompt: found no text"),
        ('{"prompt": "a"}\n{"type": "谜语", "prompt": "b"}', "line 2: type: '谜语' is not known"),
        ('{"prompt": "a", "trait": "勇气"}', "line 1: trait: trait '勇气' is not known"),
        ('{"promt": "a"}', "the field 'promt' is not known"),
        ('["a"]', "found a str where a message should be"),
        ('{"prompt": [{"role": "assistant", "content": "a"}]}', "end with the user's turn"),
        ('{"prompt": [{"role": "system", "content": "a"}]}', "line 1: prompt"),
        ('{"prompt": "a"', "not valid JSON"),
        ('{"prompt": "half \\ud83d a pair"}', "half of a character"),
        ('{"prompt": "a\\u0000b"}', "NUL"),
        (b"\xff\xfea", "UTF-16"),
        (b"caf\xe9", "UTF-8"),
    ],
)
def test_mistakes_name_the_file_and_the_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(MessagesError) as caught:
        _load(tmp_path, content)
    assert said in str(caught.value)
    assert "messages" in str(caught.value)


@settings(max_examples=200)
@given(st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes_load_or_get_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "messages"
    path.write_bytes(content)
    assert _outcome(path)


def _outcome(path: Path) -> bool:
    """Return whether a file loads as messages that hold text, or is refused by name; other errors pass through."""
    try:
        batches = load_messages(path, PAIR)
    except MessagesError as error:
        return str(path) in str(error)
    return all(message.text for batch in batches.values() for message in batch.messages)


def test_a_constitutions_own_questions_serve_as_messages() -> None:
    batches = messages_from_questions(PAIR)
    assert [(m.text, m.source) for m in batches["耐心"].messages] == [("再讲一遍好吗？", "constitution")]
    assert batches["幽默感"].messages == ()
