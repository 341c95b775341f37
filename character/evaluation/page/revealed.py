"""Revealed preference in an effect report: how much rather than others each trait is shown, and what to make of it."""

from __future__ import annotations

from collections.abc import Iterator

from character.evaluation.page.words import WORDS, condition_word
from character.evaluation.records import EffectFigure, EffectReport, Rating
from character.report import Note, Number, Section, Table
from character.report.charts import Point, dots
from character.report.parts import Cell, Language, NumberStyle
from character.report.wording import number_text

REVEALED_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "heading": "What it shows when it may choose",
        "text": "Asked to show one of two traits, whichever it would rather, on a message that calls for neither; a blind judge said which one showed. Ratings are log-odds (Bradley–Terry): 0 is the mean of the common traits marked ◦, which the character does not have, 1.1 stands for three times out of four against such a trait, −1.1 for one out of four.",
        "ratings": "Ratings",
        "rating": "rating, log-odds",
        "trait": "trait",
        "shown": "shown, {condition}",
        "difference": "tuned less base",
        "adjusted": "adjusted p",
        "note": "{condition}: {number} choices that were told; neither trait in {neither}, the trait offered first in {first} of the others.",
        "rather": "{trait} is shown rather than other traits by the model as it is: {rating}.",
        "less": "{trait} is shown less than other traits by the model as it is: {rating}.",
        "more_now": "Where it may choose, the tuned model shows {trait} rather than the base model does: {rating}.",
        "less_now": "Where it may choose, the tuned model shows {trait} less than the base model does: {rating}.",
        "unmoved": "Where it may choose, the tuned model does not surely show {trait} more than its base: {rating}.",
        "neither": "In {share} of the choices under “{condition}” neither trait showed.",
        "by_order": "Under “{condition}” the trait offered first was shown in {share} of the choices: the order decides more than the traits do. Every trait is offered first as often as second, so ratings do not lean, but they are less sure.",
        "line": "{rating}, shown in {shown} of {offered} choices",
    },
    "zh": {
        "heading": "可以选择时，它表现什么",
        "text": "在一条两种特质都不需要的消息上，请模型任选其一来表现；盲评说出表现的是哪一个。评分是对数优势（Bradley–Terry）：0 是带 ◦ 的常见特质（性格里没有的）的平均，1.1 表示与这样的特质相比四次里选三次，−1.1 表示四次里选一次。",
        "ratings": "评分",
        "rating": "评分（对数优势）",
        "trait": "特质",
        "shown": "表现次数，{condition}",
        "difference": "调优后减基础",
        "adjusted": "校正后的 p",
        "note": "{condition}：{number} 次选择有判定；{neither} 两个特质都没有表现，其余的 {first} 表现的是先列出的那个。",
        "rather": "模型本来就更愿意表现{trait}，而不是别的特质：{rating}。",
        "less": "模型本来就不太愿意表现{trait}：{rating}。",
        "more_now": "可以选择时，调优后的模型比基础模型更愿意表现{trait}：{rating}。",
        "less_now": "可以选择时，调优后的模型比基础模型更不愿意表现{trait}：{rating}。",
        "unmoved": "可以选择时，调优后的模型并没有确定地比基础模型更愿意表现{trait}：{rating}。",
        "neither": "“{condition}”下，{share} 的选择两个特质都没有表现。",
        "by_order": "“{condition}”下，{share} 的选择表现的是先列出的特质：顺序比特质更起作用。每个特质先后列出的次数相同，评分因此没有偏向，但更不确定。",
        "line": "{rating}，{offered} 次选择中表现 {shown} 次",
    },
}
MANY_NEITHER = 0.2
"""Share of replies that show neither trait, surely passed at the low end of its interval, that asks for attention."""


BY_ORDER = 0.7
"""Share of choices for the trait offered first, or second, that asks for attention where it surely is not one half."""


def revealed_section(report: EffectReport, language: Language) -> Section:
    """Return the section of ratings; without parts where nobody was asked to choose."""
    words, found = REVEALED_WORDS[language], report.revealed
    if found is None:
        return Section(words["heading"])
    conditions = list(found.num_choices)
    points = [
        Point(_name(rating), figure.estimate, figure.low, figure.high, _group(name, conditions, language))
        for rating in found.ratings
        for name, figure in rating.ratings.items()
    ]
    chart = dots(
        words["ratings"],
        points,
        names=(words["trait"], words["rating"], WORDS[language]["condition"]),
        reference=0.0,
    )
    has_two = len(conditions) == 2
    columns = (
        words["trait"],
        *(words["shown"].format(condition=condition_word(name, language)) for name in conditions),
        words["difference"] if has_two else words["rating"],
        words["adjusted"],
    )
    notes = (
        words["note"].format(
            condition=condition_word(name, language),
            number=f"{found.num_choices[name]:,}",
            neither=_text(found.neither[name], language, "share"),
            first=_text(found.first_shown[name], language, "share"),
        )
        for name in conditions
    )
    rows = tuple(_row(rating, conditions) for rating in found.ratings)
    return Section(words["heading"], words["text"], (chart, Table(columns, rows, note=" ".join(notes))))


def revealed_notes(report: EffectReport, language: str) -> Iterator[Note]:
    """Yield what stands out among the ratings."""
    words, found = REVEALED_WORDS[language], report.revealed
    if found is None:
        return
    for rating in found.ratings:
        if rating.adjusted_p is None:
            continue
        figure = told_rating(rating)
        said = {"trait": rating.trait, "rating": _text(figure, language)}
        is_sure = rating.adjusted_p < 1 - report.level
        if rating.difference is None:
            if is_sure:
                yield Note(words["rather" if figure.estimate > 0 else "less"].format(**said), "note")
        elif not is_sure:
            yield Note(words["unmoved"].format(**said), "note")
        elif figure.estimate > 0:
            yield Note(words["more_now"].format(**said), "fine")
        else:
            yield Note(words["less_now"].format(**said), "look")
    for name, share in found.first_shown.items():
        is_sure = share.low is not None and share.high is not None and (share.low > 0.5 or share.high < 0.5)
        if is_sure and not 1 - BY_ORDER <= share.estimate <= BY_ORDER:
            said = {"share": _text(share, language, "share"), "condition": condition_word(name, language)}
            yield Note(words["by_order"].format(**said), "look")
    for name, share in found.neither.items():
        if (share.low or 0.0) > MANY_NEITHER:
            said = {"share": _text(share, language, "share"), "condition": condition_word(name, language)}
            yield Note(words["neither"].format(**said), "look")


def rating_facts(report: EffectReport, trait: str, language: str) -> list[tuple[str, str]]:
    """Return what a card says of one trait's ratings: of which model, and what was found."""
    words = REVEALED_WORDS[language]
    facts = []
    for rating in report.revealed.ratings if report.revealed else ():
        if rating.trait != trait or rating.is_other:
            continue
        for name, figure in rating.ratings.items():
            counts = {"shown": rating.shown[name], "offered": rating.offered[name]}
            found = words["line"].format(rating=_text(figure, language), **counts)
            facts.append((condition_word(name, language), found))
        if rating.difference is not None:
            found = f"{_text(rating.difference, language)} (p {rating.adjusted_p:.4f})"
            facts.append((words["difference"], found))
    return facts


def told_rating(rating: Rating) -> EffectFigure:
    """Return the figure that a rating's p-value is about: the difference of two models, else the one model's rating."""
    return rating.difference or next(iter(rating.ratings.values()))


def _row(rating: Rating, conditions: list[str]) -> tuple[Cell, ...]:
    told = told_rating(rating)
    return (
        _name(rating),
        *(f"{rating.shown[name]} / {rating.offered[name]}" for name in conditions),
        Number(told.estimate, told.low, told.high, "signed"),
        None if rating.adjusted_p is None else Number(rating.adjusted_p, digits=4),
    )


def _name(rating: Rating) -> str:
    return f"◦ {rating.trait}" if rating.is_other else rating.trait


def _group(condition: str, conditions: list[str], language: str) -> str:
    return condition_word(condition, language) if len(conditions) > 1 else ""


def _text(figure: EffectFigure, language: str, style: NumberStyle = "signed") -> str:
    return number_text(Number(figure.estimate, figure.low, figure.high, style), language)
