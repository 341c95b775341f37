"""The section on the second opinion: how often a preference model agrees with the ranker, and where it does not."""

from __future__ import annotations

from character.locale import Language, wording
from character.pairs.second_opinion import AgreementShare, Disagreement, SecondOpinion
from character.report import Example, Examples, Figure, Figures, Number, Section, Table, Text
from character.report.parts import Part


def opinion_section(opinion: SecondOpinion, language: Language) -> Section:
    """Return the agreement, in all and per trait, and the surest disagreements to read."""
    words = wording("audit.page", language)
    parts: list[Part] = []
    if opinion.agreement is not None:
        parts.append(Figures((Figure(words["opinion_agreement"], _number(opinion.agreement)),)))
        rows = tuple((trait, _number(share)) for trait, share in opinion.by_trait.items())
        parts.append(Table((words["trait"], words["opinion_agreement"]), rows))
    items = tuple(_example(one, language) for one in opinion.disagreements)
    parts.append(Examples(words["opinion_surest"], items))
    return Section(words["opinion"], words["opinion_text"], tuple(parts))


def _number(share: AgreementShare) -> Number:
    return Number(share.value, share.low, share.high, "share")


def _example(one: Disagreement, language: Language) -> Example:
    words = wording("audit.page", language)
    judge = "–" if one.judge_probability is None else f"{one.judge_probability:.2f}"
    texts = (
        (words["message"], one.message),
        (words["chosen"], one.chosen),
        (words["rejected"], one.rejected),
    )
    return Example(
        heading=f"{one.trait} · {one.message_id[:10]} · {one.probability:.2f}",
        texts=tuple(Text(label, content) for label, content in texts),
        note=words["opinion_note"].format(model=f"{one.probability:.2f}", judge=judge),
    )
