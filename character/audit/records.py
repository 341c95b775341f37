"""The records of a run's audit: everything found, and the findings in plain words."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from character.audit.candidates import CandidateAudit
from character.audit.confounds import ConfoundAudit
from character.audit.copies import Copies
from character.audit.examples import AuditExamples
from character.audit.messages.records import MessageAudit
from character.audit.rankings import RankingAudit
from character.locale import Language
from character.pairs.balance import Balanced
from character.preference.evaluation_records import SecondOpinion
from character.records import Record


class AuditFinding(Record):
    """One thing to know, in plain words. ``look`` asks for attention, ``note`` informs, ``fine`` reassures.

    ``code`` names the kind of finding, the same in every language.
    """

    code: str
    weight: Literal["look", "note", "fine"]
    text: str


class MoreOf(Record):
    """In what share of pairs the chosen, or the rejected, side has more of a feature; ties are the rest."""

    name: str
    chosen: float
    rejected: float


class RunAudit(Record):
    """What a run is worth, looked at as a whole.

    ``copied`` tells the copies among candidates, ``unfit`` those among messages, and what no user would send.
    ``states`` counts messages per state (see ``runs.attempts.outcome``) and in all; ``dropped`` and
    ``reasked`` count per stage and reason what was lost, and what was made up for. ``confounds`` is None
    without pairs, ``balanced`` says what an export with ``--balance`` would keep (``kept`` is left empty).
    ``chosen_levels`` counts pairs by the level that the chosen side was asked for, but for those of the
    design ``neutral``. ``vetoed`` counts what reviewers vetoed, by reason; it is left out of all figures but
    ``dropped`` and ``reasked``, as it is of exports. ``second_opinion`` is there where a preference model
    was asked. ``findings`` are in ``language``, the most urgent first.
    """

    copied: Copies = Copies()
    unfit: Copies = Copies()
    constitution: str
    language: Language
    version: str
    seed: int
    traits: tuple[str, ...]
    models: dict[str, list[str]]
    rehearsal: bool
    states: dict[str, int]
    num_pairs: int
    dropped: dict[str, dict[str, int]]
    reasked: dict[str, dict[str, int]]
    messages: MessageAudit
    candidates: CandidateAudit
    rankings: RankingAudit
    confounds: ConfoundAudit | None = None
    sides: tuple[MoreOf, ...] = ()
    chosen_levels: dict[str, int] = Field(default_factory=dict)
    balanced: Balanced | None = None
    examples: AuditExamples = AuditExamples()
    vetoed: dict[str, int] = Field(default_factory=dict)
    second_opinion: SecondOpinion | None = None
    findings: tuple[AuditFinding, ...] = ()
