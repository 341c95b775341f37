"""The checks on wording: each finds what it is for, in both languages, and leaves good wording alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from character.constitution import Constitution, Finding, Trait, lint_constitution

COMPLETE = {
    "description": "Keeps calm and gives people room when a conversation gets heated.",
    "statement": "I stay calm when a conversation gets heated.",
    "not": "Coldness.",
    "opposite": "Snaps back.",
}
COMPLETE_ZH = {
    "description": "对话激烈起来的时候保持平静，给对方留出余地。",
    "statement": "聊得激动起来时，我能沉住气。",
    "not": "冷漠。",
    "opposite": "立刻顶回去。",
}


def lint(*traits: Mapping[str, str | list[str]], language: str = "en") -> list[Finding]:
    built = [
        Trait.model_validate({"name": f"t{i}", **(COMPLETE if language == "en" else COMPLETE_ZH), **fields})
        for i, fields in enumerate(traits)
    ]
    return lint_constitution(Constitution(name="c", language=language, traits=tuple(built)))


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_complete_and_descriptive_trait_has_no_findings(language: str) -> None:
    assert lint({}, language=language) == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I always look for the joke in it."),
        ("en", "I never leave a question without an answer."),
        ("en", "I must be kind to everyone I meet."),
        ("en", "I end every reply with a friendly question."),
        ("en", "I like to end my responses with a proverb."),
        ("zh", "我每次都会先问候对方，再回答问题。"),
        ("zh", "我必须对遇到的每个人都友善。"),
        ("zh", "我说话一定要带上一个比喻才行。"),
        ("zh", "我的回复结尾都要送上一句祝福。"),
        ("zh", "我喜欢以一句诗结尾，这样更有味道。"),
    ],
)
def test_wording_that_makes_a_rule_is_a_warning(language: str, text: str) -> None:
    findings = lint({"statement": text}, language=language)
    assert [(f.severity, f.code, f.field) for f in findings] == [("warning", "prescriptive", "statement")]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I know that the first answer is not always the best one."),
        ("en", "I enjoy working out what people should know before a trip."),
        ("zh", "我知道第一个答案不一定要当成最好的答案。"),
        ("zh", "我始终愿意把真话讲出来。"),
    ],
)
def test_wording_that_only_resembles_a_rule_passes(language: str, text: str) -> None:
    assert lint({"statement": text}, language=language) == []


def test_what_a_trait_is_not_may_speak_of_rules() -> None:
    assert lint({"not": "Ending every reply with a joke.", "opposite": "Never jokes."}) == []


@pytest.mark.parametrize(("language", "text"), [("en", "The assistant is calm."), ("zh", "助手性情平和。")])
def test_a_statement_in_the_third_person_is_a_warning(language: str, text: str) -> None:
    assert codes(lint({"statement": text}, language=language)) == ["not-first-person"]


@pytest.mark.parametrize(("language", "text"), [("en", "Very calm"), ("zh", "很平静")])
def test_a_description_too_short_to_guide_is_a_warning(language: str, text: str) -> None:
    assert codes(lint({"description": text}, language=language)) == ["short-description"]


@pytest.mark.parametrize(("language", "text"), [("en", "Stays calm under fire."), ("zh", "遇事沉得住气。")])
def test_a_brief_description_asks_for_a_clarification(language: str, text: str) -> None:
    assert codes(lint({"description": text}, language=language)) == ["no-clarification"]
    assert lint({"description": text, "clarification": text}, language=language) == []


def test_the_name_in_its_own_description_is_a_note() -> None:
    english = lint({"name": "calm"})
    chinese = lint({"name": "平静"}, language="zh")
    assert [(f.severity, f.code) for f in english + chinese] == [("note", "name-in-description")] * 2
    assert lint({"name": "cal"}) == []


def test_fields_left_empty_are_at_most_notes() -> None:
    findings = lint({"opposite": "", "not": ""})
    assert [(f.severity, f.code) for f in findings] == [("note", "no-opposite"), ("note", "no-not")]


def test_text_in_another_language_than_the_constitutions_is_a_warning() -> None:
    findings = lint({"questions": ["你怎么看？"], "not": "冷漠。"})
    assert codes(findings) == ["mixed-languages"]
    assert findings[0].message.startswith("not, questions:")


@pytest.mark.parametrize(
    ("language", "first", "second"),
    [
        ("en", "Explains slowly and in detail, with many worked examples.", "Explains in detail and slowly, with many worked examples."),
        ("zh", "讲解时舍得花时间，步骤写得清清楚楚。", "讲解的时候舍得花时间，步骤写得清清楚楚。"),
    ],
)  # fmt: skip
def test_two_wordings_of_one_trait_are_a_warning(language: str, first: str, second: str) -> None:
    traits = [{"description": text, "statement": ""} for text in (first, second)]
    assert codes(lint(*traits, language=language)) == ["repetition"]


@pytest.mark.parametrize("field", ["opposite", "not"])
@pytest.mark.parametrize(
    ("language", "denied", "described"),
    [
        ("en", "Rushes through long explanations and skips obvious steps.", "Rushes through explanations, skips obvious steps and gets to the result."),
        ("zh", "匆匆带过讲解，跳过显而易见的步骤。", "讲解时匆匆带过，跳过显而易见的步骤，直奔结果。"),
    ],
)  # fmt: skip
def test_a_trait_that_another_one_denies_is_a_warning(
    language: str, denied: str, described: str, field: str
) -> None:
    other = {"description": described, "statement": ""}
    findings = lint({field: denied}, other, language=language)
    assert [(f.code, f.trait) for f in findings] == [("contradiction", "t1")]
    assert field in findings[0].message


@pytest.mark.parametrize(
    ("language", "denied", "described"),
    [
        ("en", "Lecturing grown people about obvious household safety.", "I don't lecture grown people about obvious household safety."),
        ("zh", "对着成年人反复念叨生活常识。", "不会对着成年人反复念叨生活常识。"),
    ],
)  # fmt: skip
def test_a_trait_that_agrees_with_anothers_denial_passes(language: str, denied: str, described: str) -> None:
    other = {"description": described, "statement": ""}
    assert lint({"not": denied}, other, language=language) == []


def test_names_that_are_antonyms_get_a_note_and_denied_antonyms_none() -> None:
    weighing = "Weighs each word before speaking up in front of a crowd."
    searching = "Looks into every corner of the cellar with a good lamp."
    concise = {"name": "concise", "description": weighing, "statement": ""}
    thorough = {"name": "thorough", "description": searching, "statement": ""}
    findings = lint(concise, thorough)
    assert [(f.severity, f.code) for f in findings] == [("note", "antonyms")]
    careful = {
        "name": "careful",
        "description": "Is not thorough where a glance at the thing will do.",
        "statement": "",
    }
    assert lint(concise, careful) == []


def test_more_than_a_dozen_traits_get_one_note_on_the_whole() -> None:
    fields = [
        {"description": f"Knows the {word} and speaks about it with care.", "statement": ""}
        for word in "abcdefghijklm"
    ]
    whole = [finding for finding in lint(*fields) if not finding.trait]
    assert [(f.severity, f.code) for f in whole] == [("note", "many-traits")]


def test_checks_on_words_leave_other_languages_alone() -> None:
    trait = Trait.model_validate(
        {**COMPLETE, "name": "ruhig", "statement": "Bleibt gelassen.", "description": "Ruhe"}
    )
    assert lint_constitution(Constitution(name="c", language="de", traits=(trait,))) == []
