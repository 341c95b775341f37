"""Generated messages and replies: variety, language, briefs, and phrases that never give the trait's name away."""

from collections import Counter

import dspy
import pytest

from character.backends.rehearsal import rehearse
from character.backends.rehearsal.phrases import BANKS, REPLIES, read
from character.backends.rehearsal.sense import KEYWORDS, find_concepts
from character.messages.briefs import briefs, take
from character.messages.near_duplicates import NearDuplicates
from character.records import KINDS
from character.text import detect_language, is_refusal
from signatures.messages import KIND_DESCRIPTIONS, GenerateMessages
from signatures.responses import EXPRESSIONS, RespondInCharacter, RespondPlainly

ADAPTER = dspy.JSONAdapter()
TRAIT = {"en": {"name": "warmth", "description": "cares"}, "zh": {"name": "温暖", "description": "关心对方"}}
MATHS = {"en": "I do not understand fractions, can you explain?", "zh": "我不理解分数运算，你能解释一下吗？"}


def ask(signature, *, seed=0, **inputs):
    messages = ADAPTER.format(signature, [], inputs)
    return ADAPTER.parse(signature, rehearse(messages[0]["content"], messages[1:], seed=seed))


def generate(language, kind, count, *, turns=1, batch=10):
    source, found = briefs(language, 1), []
    for start in range(0, count, batch):
        found += ask(
            GenerateMessages,
            seed=start,
            language={"en": "English", "zh": "Chinese (Simplified)"}[language],
            trait=TRAIT[language],
            kind=KIND_DESCRIPTIONS[kind],
            turns=turns,
            existing_messages=[],
            briefs=take(source, min(batch, count - start)),
        )["messages"]
    return found


def respond(language, level, seed):
    return ask(
        RespondInCharacter,
        seed=seed,
        language=language,
        assistant_name="Ada",
        character=[TRAIT[language]],
        focus_trait=TRAIT[language]["name"],
        expression=EXPRESSIONS[level],
        conversation=[{"role": "user", "content": MATHS[language]}],
    )["response"]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_messages_hardly_repeat_and_open_in_many_ways(language, kind):
    messages = generate(language, kind, 200)
    known, repeats = NearDuplicates(), 0
    for message in messages:
        repeats += known.find(message) is not None
        known.add(message)
    openers = Counter(
        message[:2] if language == "zh" else " ".join(message.split()[:2]) for message in messages
    )
    assert len(messages) == 200
    assert repeats / 200 < 0.15
    assert openers.most_common(1)[0][1] / 200 <= 0.15
    assert {detect_language(message) for message in messages} == {language}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_length_follows_the_brief(language):
    sizes = {}
    for length in ("short: one sentence", "medium: two or three sentences", "long: a short paragraph"):
        found = ask(
            GenerateMessages,
            language=language,
            trait=TRAIT[language],
            kind="question",
            turns=1,
            existing_messages=[],
            briefs=[{**brief, "length": length} for brief in take(briefs(language, 2), 12)],
        )["messages"]
        sizes[length[:4]] = sum(map(len, found))
    assert sizes["shor"] < sizes["medi"] < sizes["long"]


def test_existing_messages_are_not_repeated():
    first = generate("zh", "question", 10)
    again = ask(
        GenerateMessages,
        seed=0,
        language="zh",
        trait=TRAIT["zh"],
        kind=KIND_DESCRIPTIONS["question"],
        turns=1,
        existing_messages=first,
        briefs=take(briefs("zh", 1), 10),
    )["messages"]
    known = NearDuplicates(first)
    assert [known.find(message) for message in again] == [None] * 10


def test_three_turns_are_user_assistant_user():
    for turns in generate("en", "situation", 5, turns=3):
        assert len(turns) == 3
        assert all(isinstance(turn, str) and turn for turn in turns)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_seed_and_level_gives_another_reply_in_the_language(language):
    replies = {respond(language, level, seed) for level in EXPRESSIONS for seed in range(6)}
    assert len(replies) == 30
    assert {detect_language(reply) for reply in replies} == {language}
    assert not any(is_refusal(reply) for reply in replies)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_only_an_overdone_reply_may_name_the_trait(language):
    replies = [
        respond(language, level, seed) for level in EXPRESSIONS if level != "overdone" for seed in range(20)
    ]
    name = TRAIT[language]["name"]
    assert not any(name in reply or reply.casefold().find("warm") >= 0 for reply in replies)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_length_does_not_give_the_level_away(language):
    longest = Counter(
        max(EXPRESSIONS, key=lambda level: len(respond(language, level, seed))) for seed in range(40)
    )
    assert longest["absent"] > 3
    assert max(longest.values()) < 36


def test_a_plain_reply_takes_up_what_was_asked():
    asked = {
        "language": "en",
        "assistant_name": "Ada",
        "conversation": [{"role": "user", "content": MATHS["en"]}],
    }
    replies = [ask(RespondPlainly, seed=seed, **asked)["response"] for seed in range(20)]
    assert sum("fractions" in reply.casefold() for reply in replies) > 10


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("concept", KEYWORDS)
def test_phrases_show_the_concept_without_naming_it(language, concept):
    phrases = BANKS[language][concept]
    shown = [*phrases.light, *phrases.natural, *phrases.opposite, *phrases.calls]
    assert not [text for text in shown if concept in find_concepts("", text)]
    assert not [text for text in shown if is_refusal(text)]
    assert sum(any(cue in text.casefold() for cue in phrases.cues) for text in phrases.natural) >= 3


@pytest.mark.parametrize("language", ["en", "zh"])
def test_neutral_sentences_show_no_concept(language):
    neutral = [text.casefold() for part in REPLIES[language][:4] for text in part]
    cues = [cue for phrases in BANKS[language].values() for cue in phrases.cues]
    telling = [text for text in neutral if any(cue in text for cue in cues)]
    assert len(telling) <= len(neutral) * 0.06


def test_every_table_of_phrases_is_there_in_both_languages():
    for subject in ("grammar", "replies", "derived", "judging"):
        english, chinese = read(subject).values()
        assert _shape(english) == _shape(chinese)
    assert list(BANKS["en"]) == list(BANKS["zh"])


def _shape(table):
    return {key: _shape(value) if isinstance(value, dict) else type(value) for key, value in table.items()}
