"""Labelled sets: messages with candidates and what people said about them, read, checked and split.

The parts lie in ``records`` (the data), ``files`` (reading and writing), ``checks``
(what to know before trusting a set) and ``converters`` (other people's shapes).
"""

from __future__ import annotations

from character.records import Turn
from optimizers.errors import LabelledError
from optimizers.labelled.checks import Cycle, LabelledReport, RaterReport, check_labelled, detectable_gain
from optimizers.labelled.converters import (
    JudgeVotes,
    from_candour,
    from_human_rankings,
    from_judge_votes,
    read_judge_votes,
)
from optimizers.labelled.files import dump_item, merge_labelled, read_labelled, write_labelled
from optimizers.labelled.records import Label, LabelledItem, LabelledSet

__all__ = [
    "Cycle",
    "JudgeVotes",
    "Label",
    "LabelledError",
    "LabelledItem",
    "LabelledReport",
    "LabelledSet",
    "RaterReport",
    "Turn",
    "check_labelled",
    "detectable_gain",
    "dump_item",
    "from_candour",
    "from_human_rankings",
    "from_judge_votes",
    "merge_labelled",
    "read_judge_votes",
    "read_labelled",
    "write_labelled",
]
