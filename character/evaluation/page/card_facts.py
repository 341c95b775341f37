"""What a card says of one trait, part by part, before it becomes Markdown, HTML or a page on which it is signed off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from character.constitution import Trait
from character.evaluation.page.findings import is_sure, written
from character.evaluation.page.opinion import OPINION_WORDS, opinion_facts
from character.evaluation.page.revealed import REVEALED_WORDS, rating_facts
from character.evaluation.page.words import (
    DEGREE_WORDS,
    KIND_WORDS,
    MEASURE_WORDS,
    WORDS,
    condition_word,
    listed,
)
from character.evaluation.pressure import PRESSURE_WORDS
from character.evaluation.records import EffectReport, Shift, SignOff, TraitReview, Veto

CARD_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "trait": "The trait",
        "target": "Target",
        "not": "Not",
        "opposite": "Opposite",
        "pair": "{what}: {said}",
        "of_few": "{shift} (n {number})",
        "tested": "{shift} (p {p}, n {number})",
        "alone": "alone, against none",
        "within": "beside the others, against the others without it",
        "models": "tuned model, against its base",
        "character": "whole character, against none",
        "qualified": "{what}, {how}",
        "effect": "Effect",
        "no_effect": "No shift of this trait was measured.",
        "side_effects": "Side effects",
        "no_side_effects": "None that is surely other than zero.",
        "not_measured": "Nothing was measured: there were no messages of this trait.",
        "caricature": "Overdone",
        "confounds": "Measured without a judge",
        "examples": "Read these",
        "reviews": "What reviewers said",
        "no_reviews": "Nobody has checked its responses yet, which `character review` shows to people.",
        "guesses": "told which response shows the trait",
        "guessed": "{share} of {number} guesses",
        "untold": "could not tell",
        "overdone": "found it overdone where they told it",
        "who": "reviewers",
        "answers": "{number} answers to {items} items by {names}",
        "agreement": "agreement (Krippendorff’s alpha)",
        "alpha": "{alpha} over {number} shared items",
        "veto_message": "vetoed message",
        "veto_candidate": "vetoed response",
        "veto_trait": "vetoed trait",
        "by": "by {reviewer}",
        "rehearsal": "A rehearsal",
        "sign_off": "Sign-off",
        "signed": "signed off",
        "refused": "refused",
        "by_on": "by {reviewer} on {day}",
        "unsigned": "Not signed off.",
        "what": "what",
        "found": "found",
        "made": "constitution {fingerprint} · character {version} · seed {seed} · {calls} calls in all · models: {models}",
    },
    "zh": {
        "trait": "特质",
        "target": "目标",
        "not": "不是",
        "opposite": "相反",
        "pair": "{what}：{said}",
        "of_few": "{shift}（n {number}）",
        "tested": "{shift}（p {p}，n {number}）",
        "alone": "单独，对比没有特质",
        "within": "与其他特质并存，对比去掉它",
        "models": "调优后的模型，对比基础模型",
        "character": "完整性格，对比没有特质",
        "qualified": "{what}：{how}",
        "effect": "效果",
        "no_effect": "没有测到这个特质的变化。",
        "side_effects": "副作用",
        "no_side_effects": "没有确定不为零的副作用。",
        "not_measured": "没有测量：没有这个特质的消息。",
        "caricature": "过头",
        "confounds": "不靠评判的统计",
        "examples": "请读这些",
        "reviews": "评审人怎么说",
        "no_reviews": "还没有人核对过它的回复；`character review` 可以请人来看。",
        "guesses": "看出哪条回复带有特质",
        "guessed": "{number} 次猜测中 {share}",
        "untold": "分不出",
        "overdone": "看出特质的人中，认为过头",
        "who": "评审人",
        "answers": "{names} 对 {items} 个条目的 {number} 个回答",
        "agreement": "一致性（克里彭多夫 α）",
        "alpha": "{alpha}，基于 {number} 个共同条目",
        "veto_message": "被否决的消息",
        "veto_candidate": "被否决的回复",
        "veto_trait": "被否决的特质",
        "by": "{reviewer}",
        "rehearsal": "演练",
        "sign_off": "签核",
        "signed": "已签核",
        "refused": "拒绝签核",
        "by_on": "{reviewer}，{day}",
        "unsigned": "未签核。",
        "what": "内容",
        "found": "结果",
        "made": "性格 {fingerprint} · character {version} · 种子 {seed} · 共 {calls} 次调用 · 模型：{models}",
    },
}


class Fact(NamedTuple):
    """A line of a card: what it is about, what was found, and what a person said about it, in their own words."""

    what: str
    found: str = ""
    said: str = ""


class CardPart(NamedTuple):
    """A heading with its facts, and what stands there where there are none."""

    heading: str
    facts: tuple[Fact, ...]
    nothing: str = ""


def card_parts(report: EffectReport, name: str, language: str) -> list[CardPart]:
    """Return what was measured of a trait, in order; parts with nothing to say are left out."""
    words = CARD_WORDS[language]
    opinion = OPINION_WORDS[language]["heading" if report.judged else "heading_alone"]
    parts = [
        *(_judged(report, name, language) if report.judged else ()),
        CardPart(opinion, _as_facts(opinion_facts(report, name, language))),
        CardPart(words["caricature"], tuple(_shares(report, name, language))),
        CardPart(WORDS[language]["robustness"], tuple(_survivals(report, name, language))),
        CardPart(REVEALED_WORDS[language]["heading"], _as_facts(rating_facts(report, name, language))),
        CardPart(words["confounds"], tuple(_measures(report, name, language)), words["no_side_effects"]),
    ]
    return [part for part in parts if part.facts or part.nothing]


def rehearsal_part(report: EffectReport, language: str) -> list[CardPart]:
    """Return the warning that the rehearsal model had a hand in what was measured, where it had."""
    return (
        [CardPart(CARD_WORDS[language]["rehearsal"], (), WORDS[language]["rehearsal"])]
        if report.rehearsal
        else []
    )


def review_part(report: EffectReport, trait: str, language: str) -> CardPart:
    """Return what reviewers said of a trait, but for their last word."""
    words, found = CARD_WORDS[language], review_of(report, trait)
    facts: list[Fact] = []
    if found.num_answers:
        names = ("、" if language == "zh" else ", ").join(found.reviewers)
        said = words["answers"].format(number=found.num_answers, items=found.num_items, names=names)
        facts.append(Fact(words["who"], said=said))
    if found.right is not None:
        told = found.num_answers - found.num_untold
        share = written(found.right, language, "share")
        facts.append(Fact(words["guesses"], words["guessed"].format(share=share, number=told)))
    if found.num_untold:
        facts.append(Fact(words["untold"], str(found.num_untold)))
    if found.overdone is not None:
        facts.append(Fact(words["overdone"], written(found.overdone, language, "share")))
    if found.alpha is not None:
        alpha = words["alpha"].format(alpha=f"{found.alpha:.2f}", number=found.num_shared)
        facts.append(Fact(words["agreement"], alpha))
    facts += [_veto(veto, language) for veto in found.vetoes]
    return CardPart(words["reviews"], tuple(facts), words["no_reviews"])


def sign_off_part(report: EffectReport, trait: str, language: str) -> CardPart:
    """Return who signed a trait off and who refused."""
    words = CARD_WORDS[language]
    facts = tuple(_signed(each, language) for each in review_of(report, trait).sign_offs)
    return CardPart(words["sign_off"], facts, words["unsigned"])


def review_of(report: EffectReport, trait: str) -> TraitReview:
    """Return what reviewers said of a trait, an empty review where they said nothing."""
    return next((each for each in report.reviews if each.trait == trait), TraitReview(trait=trait))


def _signed(each: SignOff, language: str) -> Fact:
    words = CARD_WORDS[language]
    who = words["by_on"].format(reviewer=each.reviewer, day=each.at[:10])
    what = words["signed" if each.is_signed else "refused"]
    return Fact(what, said=words["pair"].format(what=who, said=each.note) if each.note else who)


def _veto(veto: Veto, language: str) -> Fact:
    words = CARD_WORDS[language]
    who = words["by"].format(reviewer=veto.reviewer)
    said = [f"“{veto.text}”"] if veto.text else []
    return Fact(
        words[f"veto_{veto.what}"],
        said=" · ".join([*said, words["pair"].format(what=who, said=veto.note) if veto.note else who]),
    )


def _as_facts(pairs: Iterable[tuple[str, str]]) -> tuple[Fact, ...]:
    return tuple(Fact(what, found) for what, found in pairs)


def _judged(report: EffectReport, trait: str, language: str) -> list[CardPart]:
    words = CARD_WORDS[language]
    kinds = tuple(
        Fact(
            KIND_WORDS[language][shift.kind],
            words["of_few"].format(shift=written(shift.shift, language), number=shift.num_messages),
        )
        for shift in report.kinds
        if shift.trait == trait and shift.contrast.question in ("alone", "models")
    )
    return [
        CardPart(words["effect"], tuple(_shifts(report, trait, language, intended=True)), words["no_effect"]),
        CardPart(WORDS[language]["by_kind"], kinds),
        CardPart(
            words["side_effects"],
            tuple(_shifts(report, trait, language, intended=False)),
            words["no_side_effects" if report.num_messages.get(trait) else "not_measured"],
        ),
        CardPart(WORDS[language]["everyday"], tuple(_everyday(report, trait, language))),
    ]


def _shifts(report: EffectReport, trait: str, language: str, *, intended: bool) -> Iterable[Fact]:
    for shift in report.shifts:
        question = shift.contrast.question
        if shift.is_intended is not intended or question == "character" or not shift.contrast.group:
            continue
        # Alone, a trait moves others on its own messages; between two models it is the trait that turns up on those of others.
        if trait != (shift.trait if question == "models" else shift.contrast.group):
            continue
        if intended or is_sure(shift, report):
            where = WORDS[language]["messages_of"].format(name=shift.contrast.group)
            what = where if question == "models" else shift.trait
            how = CARD_WORDS[language][question]
            yield Fact(how if intended else _qualified(what, how, language), _tested(shift, language))


def _everyday(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    """Yield how much more of the trait everyday messages get, sure or not: they call for none of it."""
    for shift in report.shifts:
        if not shift.contrast.group and shift.trait == trait:
            yield Fact(CARD_WORDS[language][shift.contrast.question], _tested(shift, language))


def _shares(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    for share in report.overdone:
        if share.trait == trait:
            yield Fact(condition_word(share.condition, language), written(share.overdone, language, "share"))


def _survivals(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    for left in report.robustness:
        if left.contrast.group == trait:
            found = written(left.pressed, language)
            if left.share is not None:
                share = f"{WORDS[language]['share_left']} {written(left.share, language, 'share')}"
                found = listed((found, share), language, comma="，")
            yield Fact(PRESSURE_WORDS[language][left.contrast.pressure], found)


def _measures(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    for each in report.measures:
        if each.contrast.group == trait and is_sure(each, report):
            is_ratio = each.measure == "characters"
            figure = written(each.difference, language, "number" if is_ratio else "signed")
            how = CARD_WORDS[language][each.contrast.question]
            what = _qualified(MEASURE_WORDS[language][each.measure], how, language)
            yield Fact(what, f"× {figure}" if is_ratio else figure)


def _tested(shift: Shift, language: str) -> str:
    return CARD_WORDS[language]["tested"].format(
        shift=written(shift.shift, language), p=f"{shift.adjusted_p:.4f}", number=shift.num_messages
    )


def _qualified(what: str, how: str, language: str) -> str:
    return CARD_WORDS[language]["qualified"].format(what=what, how=how)


def target_word(trait: Trait, language: str) -> str:
    """Return how a card calls the degree that a trait aims at."""
    return DEGREE_WORDS[language][trait.target]
