"""Revealed preference in an effect report: how much rather than others each trait is shown."""

from __future__ import annotations

from collections.abc import Iterator

from character.evaluation.page.writing import condition_word, number, written
from character.evaluation.records import EffectFigure, EffectReport, Rating
from character.locale import Language, wording
from character.report import Note, Number, Section, Table
from character.report.charts import Point, dots

MANY_NEITHER = 0.2
"""Share of replies with neither trait, surely passed at the interval's low end, that asks for attention."""
BY_ORDER = 0.7
"""Share of choices for the trait offered first, or second, that asks for attention if surely not one half."""


def revealed_section(report: EffectReport, language: Language) -> Section:
    """Return the section of ratings; without parts where nobody was asked to choose."""
    words, revealed = wording("effect.revealed", language), report.revealed
    if revealed is None:
        return Section(words["heading"])
    conditions = {name: condition_word(name, language) for name in revealed.num_choices}
    has_two = len(conditions) == 2
    points = [
        Point(_name(rating), each.estimate, each.low, each.high, conditions[name] if has_two else "")
        for rating in revealed.ratings
        for name, each in rating.ratings.items()
    ]
    names = (words["trait"], words["rating"], wording("effect.page", language)["condition"])
    chart = dots(words["ratings"], points, names=names, reference=0.0)
    columns = (
        words["trait"],
        *(words["shown"].format(condition=condition) for condition in conditions.values()),
        words["difference"] if has_two else words["rating"],
        words["adjusted"],
    )
    notes = (
        words["note"].format(
            condition=condition,
            number=f"{revealed.num_choices[name]:,}",
            neither=written(revealed.neither[name], language, "share"),
            first=written(revealed.first_shown[name], language, "share"),
        )
        for name, condition in conditions.items()
    )
    rows = tuple(
        (
            _name(rating),
            *(f"{rating.shown[name]} / {rating.offered[name]}" for name in conditions),
            number(told_rating(rating)),
            None if rating.adjusted_p is None else Number(rating.adjusted_p, digits=4),
        )
        for rating in revealed.ratings
    )
    return Section(words["heading"], words["text"], (chart, Table(columns, rows, note=" ".join(notes))))


def revealed_notes(report: EffectReport, language: str) -> Iterator[Note]:
    """Yield what stands out among the ratings."""
    words, revealed = wording("effect.revealed", language), report.revealed
    if revealed is None:
        return
    for rating in revealed.ratings:
        if rating.adjusted_p is None:
            continue
        figure = told_rating(rating)
        values = {"trait": rating.trait, "rating": written(figure, language)}
        is_sure = rating.adjusted_p < 1 - report.level
        if rating.difference is None:
            if is_sure:
                yield Note(words["rather" if figure.estimate > 0 else "less"].format(**values), "note")
        elif not is_sure:
            yield Note(words["unmoved"].format(**values), "note")
        elif figure.estimate > 0:
            yield Note(words["more_now"].format(**values), "fine")
        else:
            yield Note(words["less_now"].format(**values), "look")
    shares = [("by_order", *each) for each in revealed.first_shown.items() if _is_by_order(each[1])]
    shares += [("neither", *each) for each in revealed.neither.items() if (each[1].low or 0) > MANY_NEITHER]
    for key, name, share in shares:
        values = {"share": written(share, language, "share"), "condition": condition_word(name, language)}
        yield Note(words[key].format(**values), "look")


def _is_by_order(share: EffectFigure) -> bool:
    """Whether the place in the list surely decides, and often."""
    is_sure = share.low is not None and share.high is not None and (share.low > 0.5 or share.high < 0.5)
    return is_sure and not 1 - BY_ORDER <= share.estimate <= BY_ORDER


def rating_facts(report: EffectReport, trait: str, language: str) -> Iterator[tuple[str, str]]:
    """Yield what a card says of one trait's ratings: of which model, and what was found."""
    words = wording("effect.revealed", language)
    for rating in report.revealed.ratings if report.revealed else ():
        if rating.trait != trait or rating.is_other:
            continue
        for name, figure in rating.ratings.items():
            counts = {"shown": rating.shown[name], "offered": rating.offered[name]}
            line = words["line"].format(rating=written(figure, language), **counts)
            yield condition_word(name, language), line
        if rating.difference is not None:
            tested = f"{written(rating.difference, language)} (p {rating.adjusted_p:.4f})"
            yield words["difference"], tested


def told_rating(rating: Rating) -> EffectFigure:
    """Return what a rating's p-value is about: the difference of two models, else the one model's rating."""
    return rating.difference or next(iter(rating.ratings.values()))


def _name(rating: Rating) -> str:
    return f"◦ {rating.trait}" if rating.is_other else rating.trait
