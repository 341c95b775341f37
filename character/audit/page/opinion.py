"""The section on the second opinion: how far a preference model agrees with the ranker, and where not."""

from __future__ import annotations

from character.locale import Language, wording
from character.preference.evaluation_records import SecondOpinion
from character.preference.page import disagreement_example, measured
from character.report import Examples, Figures, Section
from character.report.parts import Part, figure, table


def opinion_section(opinion: SecondOpinion, language: Language) -> Section:
    """Return the agreement, in all and per trait, and the surest disagreements to read."""
    words = wording("audit.page", language)
    parts: list[Part] = []
    if opinion.agreement is not None:
        parts.append(Figures((figure(words, "opinion_agreement", measured(opinion.agreement)),)))
        rows = ((trait, measured(agreement)) for trait, agreement in opinion.by_trait.items())
        parts.append(table(words, "trait opinion_agreement", rows))
    items = tuple(disagreement_example(words, one, "opinion_note") for one in opinion.disagreements)
    parts.append(Examples(words["opinion_surest"], items))
    return Section(words["opinion"], words["opinion_text"], tuple(parts))
