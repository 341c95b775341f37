"""Revealed preference in an effect report: how much rather than others each trait is shown, and what to make of it."""

from __future__ import annotations

from collections.abc import Iterator

from character.evaluation.conditions import condition_word
from character.evaluation.records import EffectFigure, EffectReport, Rating
from character.locale import Language, wording
from character.report import Note, Number, Section, Table
from character.report.charts import Point, dots
from character.report.parts import Cell, NumberStyle
from character.report.wording import number_text

MANY_NEITHER = 0.2
"""Share of replies that show neither trait, surely passed at the low end of its interval, that asks for attention."""


BY_ORDER = 0.7
"""Share of choices for the trait offered first, or second, that asks for attention where it surely is not one half."""


def revealed_section(report: EffectReport, language: Language) -> Section:
    """Return the section of ratings; without parts where nobody was asked to choose."""
    words, found = wording("effect.revealed", language), report.revealed
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
        names=(words["trait"], words["rating"], wording("effect.page", language)["condition"]),
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
    words, found = wording("effect.revealed", language), report.revealed
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
    words = wording("effect.revealed", language)
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
