"""An effect card per trait: what it says, part by part, and that as Markdown and as HTML."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import starmap
from pathlib import Path
from typing import NamedTuple

from character.constitution import Constitution, Trait
from character.errors import StoreError
from character.evaluation.page.opinion import opinion_facts
from character.evaluation.page.revealed import rating_facts
from character.evaluation.page.writing import condition_word, example_of, is_sure, written
from character.evaluation.records import EffectReport, Shift, SignOff, TraitReview, Veto
from character.files import write_whole
from character.locale import Language, listed, report_language, wording
from character.report import Example, Examples, Note, Notes, Page, Section, Table, render
from character.text import fingerprint

_HAN = re.compile(r"[\u4e00-\u9fff]")
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|!~])")


class Fact(NamedTuple):
    """A line of a card: what it is about, what was found, and what a person said about it, in their words."""

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
    words, page = wording("effect.card", language), wording("effect.page", language)
    opinion = wording("effect.opinion", language)["heading" if report.judged else "heading_alone"]
    revealed = wording("effect.revealed", language)["heading"]
    others = words["no_side_effects" if report.num_messages.get(name) else "not_measured"]
    judged: list[tuple[str, Iterable[Fact], str]] = [
        (words["effect"], _shifts(report, name, language, intended=True), words["no_effect"]),
        (page["by_kind"], _kinds(report, name, language), ""),
        (words["side_effects"], _shifts(report, name, language, intended=False), others),
        (page["everyday"], _everyday(report, name, language), ""),
    ]
    always: list[tuple[str, Iterable[Fact], str]] = [
        (opinion, starmap(Fact, opinion_facts(report, name, language)), ""),
        (words["caricature"], _shares(report, name, language), ""),
        (page["robustness"], _survivals(report, name, language), ""),
        (revealed, starmap(Fact, rating_facts(report, name, language)), ""),
        (words["confounds"], _measures(report, name, language), words["no_side_effects"]),
    ]
    named = [*judged, *always] if report.judged else always
    parts = [CardPart(heading, tuple(facts), nothing) for heading, facts, nothing in named]
    return [part for part in parts if part.facts or part.nothing]


def rehearsal_part(report: EffectReport, language: str) -> list[CardPart]:
    """Return the warning that the rehearsal model had a hand in what was measured, where it had."""
    heading = wording("effect.card", language)["rehearsal"]
    warning = CardPart(heading, (), wording("effect.page", language)["rehearsal"])
    return [warning] if report.rehearsal else []


def review_part(report: EffectReport, trait: str, language: str) -> CardPart:
    """Return what reviewers said of a trait, but for their last word."""
    words, review = wording("effect.card", language), review_of(report, trait)
    facts: list[Fact] = []
    if review.num_answers:
        names = listed(review.reviewers, language)
        answers = words["answers"].format(number=review.num_answers, items=review.num_items, names=names)
        facts.append(Fact(words["who"], said=answers))
    if review.right is not None:
        guesses = review.num_answers - review.num_untold
        share = written(review.right, language, "share")
        facts.append(Fact(words["guesses"], words["guessed"].format(share=share, number=guesses)))
    if review.num_untold:
        facts.append(Fact(words["untold"], str(review.num_untold)))
    if review.overdone is not None:
        facts.append(Fact(words["overdone"], written(review.overdone, language, "share")))
    if review.alpha is not None:
        alpha = words["alpha"].format(alpha=f"{review.alpha:.2f}", number=review.num_shared)
        facts.append(Fact(words["agreement"], alpha))
    facts += [_veto(veto, language) for veto in review.vetoes]
    return CardPart(words["reviews"], tuple(facts), words["no_reviews"])


def sign_off_part(report: EffectReport, trait: str, language: str) -> CardPart:
    """Return who signed a trait off and who refused."""
    words = wording("effect.card", language)
    facts = tuple(_signed(each, language) for each in review_of(report, trait).sign_offs)
    return CardPart(words["sign_off"], facts, words["unsigned"])


def review_of(report: EffectReport, trait: str) -> TraitReview:
    """Return what reviewers said of a trait, an empty review where they said nothing."""
    return next((each for each in report.reviews if each.trait == trait), TraitReview(trait=trait))


def _signed(each: SignOff, language: str) -> Fact:
    words = wording("effect.card", language)
    who = words["by_on"].format(reviewer=each.reviewer, day=each.at[:10])
    what = words["signed" if each.is_signed else "refused"]
    return Fact(what, said=words["pair"].format(what=who, said=each.note) if each.note else who)


def _veto(veto: Veto, language: str) -> Fact:
    words = wording("effect.card", language)
    who = words["by"].format(reviewer=veto.reviewer)
    text = f"“{veto.text}”" if veto.text else ""
    note = words["pair"].format(what=who, said=veto.note) if veto.note else who
    return Fact(words[f"veto_{veto.what}"], said=" · ".join(filter(None, (text, note))))


def _kinds(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    for shift in report.kinds:
        if shift.trait == trait:
            figures = {"shift": written(shift.shift, language), "number": shift.num_messages}
            line = wording("effect.card", language)["of_few"].format(**figures)
            yield Fact(wording("effect.kinds", language)[shift.kind], line)


def _shifts(report: EffectReport, trait: str, language: str, *, intended: bool) -> Iterable[Fact]:
    for shift in report.shifts:
        question = shift.contrast.question
        if shift.is_intended is not intended or question == "character" or not shift.contrast.group:
            continue
        # Alone, a trait moves others on its own messages; between two models it turns up on those of others.
        if trait != (shift.trait if question == "models" else shift.contrast.group):
            continue
        if intended or is_sure(shift, report):
            where = wording("effect.page", language)["messages_of"].format(name=shift.contrast.group)
            what = where if question == "models" else shift.trait
            how = wording("effect.card", language)[question]
            yield Fact(how if intended else _qualified(what, how, language), _tested(shift, language))


def _everyday(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    """Yield how much more of the trait everyday messages get, sure or not: they call for none of it."""
    for shift in report.shifts:
        if not shift.contrast.group and shift.trait == trait:
            yield Fact(wording("effect.card", language)[shift.contrast.question], _tested(shift, language))


def _shares(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    for share in report.overdone:
        if share.trait == trait:
            yield Fact(condition_word(share.condition, language), written(share.overdone, language, "share"))


def _survivals(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    for left in report.robustness:
        if left.contrast.group == trait:
            figures = [written(left.pressed, language)]
            if left.share is not None:
                name = wording("effect.page", language)["share_left"]
                figures.append(f"{name} {written(left.share, language, 'share')}")
            line = wording("report.marks", language)["clause_comma"].join(figures)
            yield Fact(wording("effect.pressures", language)[left.contrast.pressure], line)


def _measures(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    for each in report.measures:
        if each.contrast.group == trait and is_sure(each, report):
            is_ratio = each.measure == "characters"
            figure = written(each.difference, language, "number" if is_ratio else "signed")
            how = wording("effect.card", language)[each.contrast.question]
            what = _qualified(wording("effect.measures", language)[each.measure], how, language)
            yield Fact(what, f"× {figure}" if is_ratio else figure)


def _tested(shift: Shift, language: str) -> str:
    return wording("effect.card", language)["tested"].format(
        shift=written(shift.shift, language), p=f"{shift.adjusted_p:.4f}", number=shift.num_messages
    )


def _qualified(what: str, how: str, language: str) -> str:
    return wording("effect.card", language)["qualified"].format(what=what, how=how)


def write_cards(
    report: EffectReport, constitution: Constitution, folder: Path, language: Language | None = None
) -> list[Path]:
    """Write a card for each trait into the folder, as Markdown and as HTML, and return the paths.

    Raises StoreError where it cannot be written.
    """
    spoken = language or report_language(report.language)
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = Counter(trait.name.casefold() for trait in constitution.traits)
        for trait in constitution.traits:
            path = folder / f"{_file_name(trait.name, is_alone=taken[trait.name.casefold()] == 1)}.md"
            write_whole(effect_card(report, trait, spoken), path)
            write_whole(render(card_page(report, trait, spoken)), path.with_suffix(".html"))
            paths += [path, path.with_suffix(".html")]
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}.") from None
    return paths


def effect_card(report: EffectReport, trait: Trait, language: Language = "en") -> str:
    """Return the card of a trait as Markdown; texts of models and people stand in it without their markup."""
    words, colon = wording("effect.card", language), wording("report.marks", language)["colon"]
    examples = [_example(each) for each in _examples(report, trait, language)]
    parts = [
        f"# {_plain(trait.name)}",
        *([f"> {wording('effect.page', language)['rehearsal']}"] if report.rehearsal else []),
        _plain(trait.description),
        *(f"**{what}**{colon}{_plain(text)}" for what, text in _definition(trait, language)),
        *(_section(part) for part in card_parts(report, trait.name, language)),
        *([f"## {words['examples']}\n\n" + "\n".join(examples)] if examples else []),
        _section(review_part(report, trait.name, language)),
        _section(sign_off_part(report, trait.name, language)),
        f"---\n{_plain(_made(report, language))}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def card_page(report: EffectReport, trait: Trait, language: Language = "en") -> Page:
    """Return the card of a trait as a page of its own."""
    words = wording("effect.card", language)
    examples = _examples(report, trait, language)
    notice = Note(wording("effect.page", language)["rehearsal"], "look")
    warning = (Notes((notice,)),) if report.rehearsal else ()
    last = (review_part(report, trait.name, language), sign_off_part(report, trait.name, language))
    pairs = (words["pair"].format(what=what, said=text) for what, text in _definition(trait, language))
    return Page(
        title=trait.name,
        subtitle=" · ".join(pairs),
        sections=(
            Section(words["trait"], trait.description, warning),
            *(_page_section(part, language) for part in card_parts(report, trait.name, language)),
            *([Section(words["examples"], "", (Examples("", examples),))] if examples else []),
            *(_page_section(part, language) for part in last),
        ),
        language=language,
        footer=_made(report, language),
    )


def _definition(trait: Trait, language: str) -> list[tuple[str, str]]:
    """Return what a card says of a trait besides its description: target, what it is not, and opposite."""
    target = wording("effect.degrees", language)[trait.target]
    texts = {"target": target, "not": trait.not_, "opposite": trait.opposite}
    return [(wording("effect.card", language)[name], text) for name, text in texts.items() if text]


def _examples(report: EffectReport, trait: Trait, language: Language) -> tuple[Example, ...]:
    return tuple(example_of(moved, language) for moved in report.moved if moved.trait == trait.name)


def _page_section(part: CardPart, language: str) -> Section:
    words = wording("effect.card", language)
    if not part.facts:
        return Section(part.heading, part.nothing)
    rows = tuple((fact.what, " · ".join(filter(None, (fact.found, fact.said)))) for fact in part.facts)
    return Section(part.heading, "", (Table((words["what"], words["found"]), rows),))


def _section(part: CardPart) -> str:
    return f"## {part.heading}\n\n" + ("\n".join(map(_line, part.facts)) if part.facts else part.nothing)


def _line(fact: Fact) -> str:
    texts = [text for text in (fact.found, _plain(fact.said)) if text]
    return f"- {_plain(fact.what)}{'：' if _HAN.search(fact.what) else ': '}{' · '.join(texts)}"


def _made(report: EffectReport, language: str) -> str:
    models = listed(sorted({model for served in report.models.values() for model in served}), language)
    return wording("effect.card", language)["made"].format(
        fingerprint=report.fingerprint,
        version=report.version,
        seed=report.seed,
        calls=f"{report.usage.calls:,}",
        models=models,
    )


def _example(example: Example) -> str:
    message, *sides = example.texts
    texts = [f"> **{_plain(side.label)}**: {_plain(side.content)}" for side in sides]
    return "\n>\n".join([f"> {_plain(message.content)}", *texts]) + "\n"


def _plain(text: str) -> str:
    """Return a text as Markdown that shows it as it stands, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _file_name(name: str, *, is_alone: bool) -> str:
    """Return a name that any disk takes; names that it would take for one another stay apart."""
    plain = re.sub(r"[^\w-]+", "-", name).strip("-")[:60]
    return plain if plain == name and is_alone else f"{plain or 'trait'}-{fingerprint(name, size=2)}"
