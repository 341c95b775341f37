"""The toy world knows the truth about its replies, and the judges compared with ours are what they say."""

from __future__ import annotations

from random import Random

import pytest
from closed_loop.judges import TruthRanker
from closed_loop.plan import FULL, QUICK, steps_of
from closed_loop.results import agreement
from closed_loop.tiny_model import write_tiny_model
from closed_loop.world import (
    LANGUAGES,
    SHOWN_SHARE,
    all_topics,
    is_on_topic,
    message_of,
    read_reply,
    write_reply,
)

from character.records import Candidate, Candidates, Rollout


@pytest.mark.parametrize("code", ["en", "zh"])
def test_every_reply_of_the_grammar_is_well_formed_and_on_topic(code):
    random = Random(0)
    for topic in (one for one in all_topics(42, 0) if one.language == code):
        reply = write_reply(topic, random)
        reading = read_reply(reply)
        assert (reading.unknown, reading.sentences) == (0, 4)
        assert is_on_topic(message_of(topic), reply)


def test_traits_show_at_their_rate_and_independently_of_one_another():
    random, topics = Random(1), all_topics(42, 1)
    read = [read_reply(write_reply(topic, random)) for topic in topics for _ in range(10)]
    patience, humour = ([bool(getattr(one, name)) for one in read] for name in ("patience", "humour"))
    both = sum(a and b for a, b in zip(patience, humour, strict=True)) / len(read)
    for shown in (patience, humour):
        assert abs(sum(shown) / len(read) - SHOWN_SHARE) < 0.02
    assert abs(both - SHOWN_SHARE**2) < 0.015


def test_a_reply_about_something_else_or_in_pieces_is_seen_through():
    topic = all_topics(42, 0)[0]
    other = next(one for one in all_topics(42, 0) if one.topic != topic.topic)
    reply = write_reply(other, Random(0))
    assert not is_on_topic(message_of(topic), reply)
    assert read_reply(reply[:-4]).unknown == 1


def test_no_sentence_has_two_meanings():
    for language in LANGUAGES.values():
        kinds = (language.patience, language.humour, language.neutral, language.closings)
        sentences = [sentence for kind in kinds for sentence in kind]
        assert len(sentences) == len(set(sentences))
        assert len(set(language.topics)) == 42


def test_the_truth_agrees_with_itself():
    topic = all_topics(42, 0)[0]
    message, random = message_of(topic), Random(3)
    items = tuple(Candidate(text=write_reply(topic, random)) for _ in range(8))
    candidates = Candidates(message_id=message.id, trait=message.trait, items=items)
    ranking = TruthRanker()(message=message, candidates=candidates)
    found = agreement([Rollout(message=message, candidates=candidates, ranking=ranking)])
    assert found.estimate == 1.0


@pytest.mark.parametrize("size", [FULL, QUICK])
def test_every_step_comes_after_what_it_needs(size):
    seen: set[str] = set()
    for step in steps_of(size):
        assert set(step.needs) <= seen
        seen.add(step.name)


@pytest.mark.train
def test_the_same_seed_makes_the_same_model(tmp_path):
    for name in ("a", "b"):
        write_tiny_model(
            tmp_path / name, ["Go slowly.", "慢慢来。"], seed=3, hidden=32, layers=1, vocabulary=280
        )
    for file in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
