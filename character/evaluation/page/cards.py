"""An effect card per trait, as Markdown and HTML: what it did, what else moved, examples, reviews."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from character.constitution import Constitution, Trait
from character.errors import StoreError
from character.evaluation.page.card_facts import CardPart, Fact, card_parts, review_part, sign_off_part
from character.evaluation.page.page import example_of
from character.evaluation.records import EffectReport
from character.files import write_whole
from character.locale import Language, listed, report_language, wording
from character.report import Example, Examples, Note, Notes, Page, Section, Table, render
from character.text import fingerprint


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


_HAN = re.compile(r"[\u4e00-\u9fff]")
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|!~])")


def _plain(text: str) -> str:
    """Return a text as Markdown that shows it as it stands, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _file_name(name: str, *, is_alone: bool) -> str:
    """Return a name that any disk takes; names that it would take for one another stay apart."""
    plain = re.sub(r"[^\w-]+", "-", name).strip("-")[:60]
    return plain if plain == name and is_alone else f"{plain or 'trait'}-{fingerprint(name, size=2)}"
