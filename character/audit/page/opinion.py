"""The section on the second opinion: how far a preference model agrees with the ranker, and where not."""

from __future__ import annotations

from character.locale import Language, wording
from character.pairs.second_opinion import AgreementShare, Disagreement, SecondOpinion
from character.report import Example, Examples, Figures, Number, Section
from character.report.building import figure, pair_example, table
from character.report.parts import Part


def opinion_section(opinion: SecondOpinion, language: Language) -> Section:
    """Return the agreement, in all and per trait, and the surest disagreements to read."""
    words = wording("audit.page", language)
    parts: list[Part] = []
    if opinion.agreement is not None:
        parts.append(Figures((figure(words, "opinion_agreement", _number(opinion.agreement)),)))
        rows = ((trait, _number(agreement)) for trait, agreement in opinion.by_trait.items())
        parts.append(table(words, "trait opinion_agreement", rows))
    items = tuple(_example(one, language) for one in opinion.disagreements)
    parts.append(Examples(words["opinion_surest"], items))
    return Section(words["opinion"], words["opinion_text"], tuple(parts))


def _number(agreement: AgreementShare) -> Number:
    return Number(agreement.value, agreement.low, agreement.high, "share")


def _example(one: Disagreement, language: Language) -> Example:
    words = wording("audit.page", language)
    judge = "–" if one.judge_probability is None else f"{one.judge_probability:.2f}"
    heading = f"{one.trait} · {one.message_id[:10]} · {one.probability:.2f}"
    note = words["opinion_note"].format(model=f"{one.probability:.2f}", judge=judge)
    return pair_example(words, heading, (one.message, one.chosen, one.rejected), note)
