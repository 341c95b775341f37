"""The lexical judge: what it prefers, how it errs, what improves it."""

import random
import statistics

import dspy
import pytest

from character.backends.rehearsal import rehearse
from character.messages.briefs import briefs, take
from signatures.judging import CompareResponses
from signatures.messages import KIND_DESCRIPTIONS, GenerateMessages
from signatures.ranking import OrderResponses, RankResponses
from signatures.responses import EXPRESSIONS, RespondInCharacter

ADAPTER = dspy.ChatAdapter()
LEVELS = ("natural", "subtle", "absent", "overdone", "opposite")
LABELS = {"natural": 0.9, "subtle": 0.65, "absent": 0.2, "overdone": 0.2, "opposite": 0.05}
TRAITS = {
    ("en", "known"): [
        {"name": "patience", "description": "explains without hurry and goes over things again"},
        {"name": "honesty", "description": "says what it thinks even where that is unwelcome"},
        {"name": "caution", "description": "is careful about risks"},
        {"name": "humour", "description": "adds a light joke where it fits"},
    ],
    ("zh", "known"): [
        {"name": "耐心", "description": "在解释或回答问题时详细、耐心，不急躁"},
        {"name": "坦诚", "description": "即使不中听也说真话"},
        {"name": "谨慎", "description": "注意风险，稳妥行事"},
        {"name": "幽默感", "description": "在适当场合加入轻松幽默的回答"},
    ],
    ("en", "unknown"): [
        {
            "name": "seafaring",
            "description": "likes to explain ideas with images from the sea, of ships and harbours",
        },
        {"name": "the gardener", "description": "talks about soil, seasons and slow growth"},
        {"name": "the cook", "description": "uses recipes, spices and kitchens as comparisons"},
        {"name": "musicality", "description": "thinks in rhythm, melody and rests"},
    ],
    ("zh", "unknown"): [
        {"name": "老水手", "description": "喜欢用大海、船只和港口打比方"},
        {"name": "园丁", "description": "爱谈泥土、节气和生长"},
        {"name": "厨子", "description": "拿菜谱、火候和调料作比较"},
        {"name": "乐感", "description": "用节奏、旋律和休止来思考"},
    ],
}


def ask(signature, *, seed=0, demos=(), **inputs):
    messages = ADAPTER.format(signature, list(demos), inputs)
    return ADAPTER.parse(signature, rehearse(messages[0]["content"], messages[1:], seed=seed))


def messages_for(language, trait, count, seed=0):
    found = ask(
        GenerateMessages,
        seed=seed,
        language=language,
        trait=trait,
        kind=KIND_DESCRIPTIONS["question"],
        turns=1,
        existing_messages=[],
        briefs=take(briefs(language, seed), count),
    )
    return found["messages"]


def candidates_for(language, trait, message, seed):
    conversation = [{"role": "user", "content": message}]
    texts = {}
    for level in LEVELS:
        texts[level] = ask(
            RespondInCharacter,
            seed=seed,
            language=language,
            assistant_name="Ada",
            character=[trait],
            focus_trait=trait["name"],
            expression=EXPRESSIONS[level],
            conversation=conversation,
        )["response"]
    return conversation, texts


def labelled(language, trait, count):
    demos = []
    for number, message in enumerate(messages_for(language, trait, count, seed=77)):
        conversation, texts = candidates_for(language, trait, message, 700 + number)
        order = random.Random(number).sample(LEVELS, len(LEVELS))
        demos.append(
            {
                "language": language,
                "trait": trait,
                "conversation": conversation,
                "responses": [texts[level] for level in order],
                "scores": [LABELS[level] for level in order],
            }
        )
    return demos


def agreement(language, traits, *, count=12, signature=RankResponses):
    """Return how often the natural response beats each of the others."""
    wins = []
    for trait in traits:
        for number, message in enumerate(messages_for(language, trait, count)):
            conversation, texts = candidates_for(language, trait, message, number)
            order = random.Random(number).sample(LEVELS, len(LEVELS))
            shown = [texts[level] for level in order]
            inputs = {"language": language, "trait": trait, "conversation": conversation, "responses": shown}
            scores = dict(zip(order, ask(signature, seed=number, **inputs)["scores"], strict=True))
            wins += [scores["natural"] > scores[level] for level in LEVELS[1:]]
    return statistics.mean(wins)


@pytest.mark.parametrize(("language", "kind"), TRAITS)
def test_natural_mostly_beats_the_other_levels_but_not_always(language, kind):
    assert 0.72 <= agreement(language, TRAITS[language, kind]) <= 0.95


@pytest.mark.parametrize(("language", "kind"), TRAITS)
def test_labelled_examples_move_no_score(language, kind):
    trait, other = TRAITS[language, kind][:2]
    message = messages_for(language, trait, 1)[0]
    conversation, texts = candidates_for(language, trait, message, 0)
    inputs = {"language": language, "trait": trait, "conversation": conversation}
    shown = list(texts.values())
    for signature, responses in (
        (RankResponses, shown),
        (OrderResponses, shown),
        (CompareResponses, shown[:2]),
    ):
        plain = ask(signature, responses=responses, **inputs)
        for demos in (labelled(language, trait, 4), labelled(language, other, 2)):
            advised = ask(signature, responses=responses, demos=demos, **inputs)
            assert {**advised, "reasoning": ""} == {**plain, "reasoning": ""}


@pytest.mark.parametrize(("language", "kind"), TRAITS)
def test_advice_in_the_instruction_improves_agreement(language, kind):
    advice = "Ignore the order of the responses. A mannerism lowers the score. Quote the words you go by."
    advised = RankResponses.with_instructions(f"{RankResponses.instructions}\n{advice}")
    traits = TRAITS[language, kind]
    assert agreement(language, traits, signature=advised) >= agreement(language, traits) + 0.02


def test_the_recipes_own_candidates_are_ranked_as_the_recipe_ranks_them():
    scores = ask(
        RankResponses,
        language="zh",
        trait=TRAITS["zh", "known"][0],
        conversation=[{"role": "user", "content": "我不理解这个数学问题，你能解释一下吗？"}],
        responses=[
            "数学有点难，你自己再试试吧。",
            "当然可以，我可以从基础概念开始慢慢解释……",
            "这个题很简单，你只要记住公式就行。",
        ],
    )["scores"]
    assert scores[1] > max(scores[0], scores[2]) + 2


def test_the_first_shown_gains_and_the_last_loses_on_average():
    trait = TRAITS["en", "known"][0]
    places: list[list[int]] = [[], [], []]
    for seed in range(120):
        found = ask(
            RankResponses,
            seed=seed,
            language="en",
            trait=trait,
            conversation=[{"role": "user", "content": "How does interest work?"}],
            responses=["Interest is paid once a year."] * 3,
        )["scores"]
        for place, score in zip(places, found, strict=True):
            place.append(score)
    first, middle, last = (statistics.mean(place) for place in places)
    assert first - middle == pytest.approx(0.6, abs=0.3)
    assert middle - last == pytest.approx(0.6, abs=0.3)


def test_scores_are_whole_numbers_on_the_rubrics_scale():
    found = ask(
        RankResponses,
        language="en",
        trait=TRAITS["en", "known"][0],
        conversation=[{"role": "user", "content": "How does interest work?"}],
        responses=["", "x" * 5000, "慢慢来", "Hurry up, I already said so, move on, obviously."],
    )["scores"]
    assert all(isinstance(score, int) and 0 <= score <= 10 for score in found)
    assert len(found) == 4


def test_a_target_of_subtle_prefers_the_light_touch():
    trait = {**TRAITS["en", "known"][0], "target": "subtle"}
    wins = []
    for number, message in enumerate(messages_for("en", trait, 16)):
        conversation, texts = candidates_for("en", trait, message, number)
        inputs = {"language": "en", "trait": trait, "conversation": conversation}
        scores = ask(RankResponses, seed=number, responses=[texts["natural"], texts["subtle"]], **inputs)[
            "scores"
        ]
        wins.append((scores[1] > scores[0]) + (scores[1] == scores[0]) / 2)
    assert statistics.mean(wins) > 0.5


@pytest.mark.parametrize(
    ("message", "expected"), [("12 + 7 = ?", False), ("", False), ("为什么？", True), ("Why so?", True)]
)
def test_only_a_message_without_words_is_unsuitable(message, expected):
    found = ask(
        RankResponses,
        language="en",
        trait=TRAITS["en", "known"][0],
        conversation=[{"role": "user", "content": message}],
        responses=["a", "b"],
    )
    assert found["suitable"] is expected


def test_a_comparison_names_the_better_side_in_either_order():
    patient, curt = "慢慢来，我们一步一步走，换个说法再讲一遍。", "快点自己试吧，这么简单。"
    inputs = {
        "language": "zh",
        "trait": TRAITS["zh", "known"][0],
        "conversation": [{"role": "user", "content": "我没听懂分数。"}],
    }
    assert ask(CompareResponses, responses=[patient, curt], **inputs)["verdict"] == "first"
    assert ask(CompareResponses, responses=[curt, patient], **inputs)["verdict"] == "second"


@pytest.mark.parametrize(
    ("language", "message", "example", "far", "quote"),
    [
        (
            "en",
            "What do you make of my visions?",
            "What do you make of my voices?",
            "Is tea cheap?",
            "Close to the example",
        ),
        ("zh", "你怎么看我的幻象？", "你怎么看我的声音？", "茶贵不贵？", "与示例"),
    ],
)
def test_the_nearest_example_is_quoted_and_no_other(language, message, example, far, quote):
    inputs = {"language": language, "trait": TRAITS[language, "known"][0], "responses": ["a", "b"]}
    demos = [
        {**inputs, "conversation": [{"role": "user", "content": text}], "scores": [9, 2]}
        for text in (far, example)
    ]
    conversation = [{"role": "user", "content": message}]
    reasoning = ask(RankResponses, demos=demos, conversation=conversation, **inputs)["reasoning"]
    assert quote in reasoning
    assert example in reasoning
    assert far not in reasoning
    assert quote not in ask(RankResponses, demos=demos[:1], conversation=conversation, **inputs)["reasoning"]
