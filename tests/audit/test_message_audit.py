"""The audit of messages: what is counted against what was planted, and diversity against its formulas."""

from __future__ import annotations

import math
from random import Random

import dspy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from character import MessageGenerator, Trait, build_lm
from character.audit.messages.audit import audit_messages
from character.audit.messages.records import MessageAudit
from character.errors import UnknownNameError
from character.messages.diversity import (
    TokenTable,
    compression_ratio,
    effective_number,
    embedding_diversity,
    ngram_similarities,
    sample_of,
    self_bleu,
    tokens_of,
    vendi_score,
)
from character.records import KINDS, Kind, Message, Turn

WORDS = [
    "".join(Random(f"word {i}").choices("aeiou", k=2) + Random(i).choices("bcdfglmnprstv", k=4))
    for i in range(900)
]
HAN = (
    "钱饭书水山路门窗花树猫狗鱼鸟雨雪风云灯床桌椅茶酒米面糖盐车船桥城村店"
    "学校医院公园老师朋友父母孩子邻居昨天今天明早晚春夏秋冬"
)


def english(rng: Random, number: int = 12) -> str:
    """Return a sentence of so many random words."""
    return " ".join(rng.choices(WORDS, k=number)).capitalize() + "?"


def chinese(rng: Random, number: int = 20) -> str:
    """Return a sentence of so many random characters."""
    return "".join(rng.choices(HAN, k=number)) + "？"


def of(
    text: str, *, trait: str = "patience", kind: Kind = "question", language: str = "en", **brief: str
) -> Message:
    """Return a message with a brief."""
    turns = (Turn(role="user", content=text),)
    return Message(trait=trait, kind=kind, turns=turns, language=language, brief=brief, source="generated")


def codes(audit: MessageAudit, scope: str = "all") -> list[str]:
    """Return the codes of the notes on a scope."""
    return [note.code for note in audit.notes if note.scope == scope]


def test_different_messages_that_keep_to_what_was_asked_get_no_note() -> None:
    rng = Random(0)
    lengths = {"short: one sentence": 8, "medium: two or three sentences": 28, "long: a short paragraph": 60}
    messages = [
        of(
            english(rng, number),
            trait=trait,
            kind=kind,
            length=length,
            topic=f"topic {i % 7}",
            register="casual",
        )
        for trait in ("patience", "humour")
        for i, kind in enumerate(KINDS * 6)
        for length, number in lengths.items()
    ]
    targets = {trait: dict.fromkeys(map(str, KINDS), 18) for trait in ("patience", "humour")}
    audit = audit_messages(iter(messages), targets=targets)
    assert audit.notes == ()
    assert audit.clusters == ()
    assert audit.run.num_messages == 108
    assert audit.run.lengths.kept == 1.0
    assert {kind: (count.asked, count.got) for kind, count in audit.run.kinds.items()} == dict.fromkeys(
        KINDS, (36, 36)
    )
    assert sum(audit.by_trait["humour"].topics.values()) == 54
    assert audit.run.registers == {"casual": 108}
    assert audit.by_language["en"] == audit.run


def test_asking_for_length_is_not_getting_it() -> None:
    rng = Random(1)
    asked = [("short", 30), ("medium", 40), ("long", 30)]
    messages = [
        of(english(rng, 8), length=f"{band}: so long") for band, number in asked for _ in range(number)
    ]
    audit = audit_messages(messages)
    assert audit.run.lengths.asked == {"short": 30, "medium": 40, "long": 30}
    assert audit.run.lengths.got == {"short": 100, "medium": 0, "long": 0}
    assert audit.run.lengths.table["long"] == {"short": 30, "medium": 0, "long": 0}
    assert audit.run.lengths.kept == 0.3
    texts = [note.text for note in audit.notes if note.code == "length"]
    assert "asked for 30 % long messages, got 0 %" in texts


@pytest.mark.parametrize(("language", "brief"), [("en", "long: a short paragraph"), ("zh", "长：一小段话")])
def test_briefs_are_read_in_both_languages(language: str, brief: str) -> None:
    rng = Random(2)
    text = english(rng, 70) if language == "en" else chinese(rng, 140)
    audit = audit_messages([of(text, language=language, length=brief)])
    assert audit.run.lengths.table["long"]["long"] == 1


def test_kinds_and_traits_that_got_too_few_messages_are_noted() -> None:
    rng = Random(3)
    messages = [of(english(rng)) for _ in range(10)]
    targets = {"patience": {"question": 10, "situation": 5}, "humour": {"question": 10}}
    audit = audit_messages(messages, targets=targets)
    assert audit.by_trait["humour"].num_messages == 0
    found = {(note.scope, note.text) for note in audit.notes if note.code == "kind"}
    assert ("trait:humour", "asked for 10 messages of kind question, got 0") in found
    assert ("trait:patience", "asked for 5 messages of kind situation, got 0") in found
    with pytest.raises(UnknownNameError, match="situation"):
        audit_messages(messages, targets={"patience": {"riddle": 1}})


@pytest.mark.parametrize("language", ["en", "zh"])
def test_openers_are_counted_in_words_and_in_characters(language: str) -> None:
    rng = Random(4)
    opener = "How do" if language == "en" else "请问一下"
    make = english if language == "en" else chinese
    messages = [
        of(f"{opener} {make(rng)}" if i % 5 < 2 else make(rng), language=language) for i in range(100)
    ]
    audit = audit_messages(messages)
    assert audit.run.openers.top[0].text == opener.casefold()
    assert audit.run.openers.top[0].share == pytest.approx(0.4)
    assert audit.run.openers.covered >= 0.4 + 13 / 100
    assert audit.run.openers.number > 50
    assert {"opener", "openers"} <= set(codes(audit))


def test_near_duplicates_are_clustered_within_and_across_traits() -> None:
    rng = Random(5)
    messages = [of(chinese(rng), trait="耐心", language="zh") for _ in range(60)]
    messages += [of(english(rng), trait="humour") for _ in range(40)]
    copies = [of("，" + m.text.replace("？", "！"), trait="耐心", language="zh") for m in messages[:6]]
    moved = [of(m.text, trait="humour", language="zh") for m in messages[10:14]]
    audit = audit_messages([*messages, *copies, *moved])
    assert (audit.run.repeats.clusters, audit.run.repeats.messages) == (10, 20)
    assert audit.run.repeats.share == pytest.approx(20 / 110)
    assert (audit.run.repeats.across_traits, audit.run.repeats.shared) == (4, 8)
    assert audit.by_trait["耐心"].repeats.clusters == 6
    assert (audit.by_trait["humour"].repeats.clusters, audit.by_trait["humour"].repeats.shared) == (0, 4)
    assert len(audit.clusters) == 10
    assert {cluster.traits for cluster in audit.clusters} == {("耐心",), ("humour", "耐心")}
    assert {"near_duplicates", "shared"} <= set(codes(audit))
    assert "shared" in codes(audit, "trait:humour")


def test_a_template_shows_in_every_measure_of_diversity() -> None:
    rng = Random(6)
    varied = audit_messages(of(english(rng)) for _ in range(300)).run.diversity
    form = "Could you please tell me, in a few plain words, what to do about {} when it comes to {} at home?"
    templated = audit_messages(of(form.format(*rng.choices(WORDS, k=2))) for _ in range(300))
    found = templated.run.diversity
    assert found.distinct_1 < varied.distinct_1
    assert found.distinct_2 < varied.distinct_2
    assert found.distinct_3 < varied.distinct_3
    assert found.compression_ratio > varied.compression_ratio
    assert (found.self_bleu or 0) > 0.6 > (varied.self_bleu or 0)
    assert (found.vendi or 0) < 80 < (varied.vendi or 0)
    assert {"self_bleu", "vendi"} <= set(codes(templated))


def test_an_embedder_adds_the_diversity_of_meaning() -> None:
    texts = ["one", "two", "three"]
    rows = {"one": [1.0, 0.0], "two": [0.0, 2.0], "three": [0.0, 1.0]}
    embedder = dspy.Embedder(lambda batch: np.array([rows[text] for text in batch]))
    found = audit_messages([of(text) for text in texts], embedder=embedder).run.diversity
    assert found.embedding_distance == pytest.approx(2 / 3)
    assert found.embedding_vendi == pytest.approx(
        math.exp(-(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3)), abs=1e-5
    )
    assert audit_messages([of(text) for text in texts]).run.diversity.embedding_vendi is None
    with pytest.raises(ValueError, match="one row per text"):
        audit_messages([of(text) for text in texts], embedder=lambda batch: [1.0] * len(batch))
    with pytest.raises(ValueError, match="all 0"):
        embedding_diversity(["a", "b"], lambda batch: [[0.0, 0.0]] * len(batch))


def test_an_audit_depends_on_messages_and_seed_alone_and_survives_json() -> None:
    rng = Random(7)
    messages = [of(english(rng), trait=f"trait {i % 3}") for i in range(400)]
    audit = audit_messages(iter(messages), seed=1)
    assert audit == audit_messages(messages, seed=1)
    assert audit.run.diversity.vendi != audit_messages(messages, seed=2).run.diversity.vendi
    assert MessageAudit.model_validate_json(audit.model_dump_json()) == audit


def test_no_messages_make_an_empty_audit() -> None:
    audit = audit_messages([])
    assert audit.run.num_messages == 0
    assert audit.notes == ()
    assert audit.run.diversity.vendi is None


@pytest.mark.parametrize(("name", "language"), [("patience", "en"), ("耐心", "zh")])
def test_rehearsed_messages_can_be_audited(name: str, language: str) -> None:
    trait = Trait(name=name, description="Takes its time." if language == "en" else "愿意慢慢来。")
    with dspy.context(lm=build_lm()):
        batches = [MessageGenerator()(trait, kind, 24, language=language) for kind in KINDS]
    messages = [message for batch in batches for message in batch.messages]
    audit = audit_messages(messages, targets={name: dict.fromkeys(KINDS, 24)})
    assert audit.run.num_messages == len(messages)
    assert audit.run.no_brief == 0
    assert audit.run.lengths.kept is not None
    assert audit.run.lengths.kept > 0.3
    assert sum(audit.run.registers.values()) == len(messages)
    assert audit.run.repeats.largest <= 3


@given(st.lists(st.text(alphabet="ab 猫狗", max_size=12), max_size=6), st.integers(1, 3))
def test_distinct_n_is_the_share_of_different_ngrams(texts: list[str], n: int) -> None:
    table = TokenTable()
    grams = []
    for text in texts:
        table.add(text)
        tokens = tokens_of(text)
        grams += [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    expected = len(set(grams)) / len(grams) if grams else 1.0
    assert table.distinct(range(len(texts)), n) == pytest.approx(expected)


def test_tokens_are_words_and_single_chinese_characters() -> None:
    assert tokens_of("Don't 学Python3的人, OK?") == ["don't", "学", "python3", "的", "人", "ok"]


def test_self_bleu_is_one_for_copies_and_low_for_strangers() -> None:
    assert self_bleu(["a b c d e f"] * 3) == pytest.approx(1.0)
    assert (self_bleu(["a b c d e f", "g h i j k l"]) or 1.0) < 0.05
    assert self_bleu(["alone"]) is None


def test_self_bleu_follows_its_formula() -> None:
    # Against "a b x d": p1 = 3/4, p2 = 1/3, p3 and p4 without a match count .1; lengths are equal.
    expected = math.exp((math.log(3 / 4) + math.log(1 / 3) + math.log(0.1 / 2) + math.log(0.1 / 1)) / 4)
    assert self_bleu(["a b c d", "a b x d"]) == pytest.approx(expected)
    # The shorter text pays for its length: exp(1 - 4/2); both its n-gram precisions are 1.
    longer = math.exp((math.log(2 / 4) + math.log(1 / 3) + math.log(0.1 / 2) + math.log(0.1 / 1)) / 4)
    assert self_bleu(["a b", "a b c d"]) == pytest.approx((math.exp(-1) + longer) / 2)


def test_the_vendi_score_counts_what_is_different() -> None:
    assert vendi_score(np.eye(5)) == pytest.approx(5.0)
    assert vendi_score(np.ones((5, 5))) == pytest.approx(1.0)
    texts = ["the cat sat", "the cat sat", "我想学游泳"]
    assert vendi_score(ngram_similarities(texts)) == pytest.approx(
        math.exp(-(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3)), abs=1e-5
    )


def test_small_measures_hold_at_their_borders() -> None:
    assert effective_number([5, 5, 5, 5]) == pytest.approx(4.0)
    assert effective_number([]) == 0.0
    assert compression_ratio([]) == 1.0
    assert compression_ratio(["over and over again. " * 200]) > 20
    assert sample_of(range(3), seed=0) == [0, 1, 2]
    assert sample_of(range(1000), seed=0) == sample_of(range(1000), seed=0) != sample_of(range(1000), seed=1)
