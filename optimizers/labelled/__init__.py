"""Labelled sets: messages with candidates and what people said about them, read, checked and split.

The parts lie in ``records`` (the data), ``files`` (reading and writing), ``checks``
(what to know before trusting a set) and ``converters`` (other people's shapes).
"""

from character.records import Turn as Turn
from optimizers.errors import LabelledError as LabelledError
from optimizers.labelled.checks import Cycle as Cycle
from optimizers.labelled.checks import LabelledReport as LabelledReport
from optimizers.labelled.checks import RaterReport as RaterReport
from optimizers.labelled.checks import check_labelled as check_labelled
from optimizers.labelled.checks import detectable_gain as detectable_gain
from optimizers.labelled.converters import JudgeVotes as JudgeVotes
from optimizers.labelled.converters import from_candour as from_candour
from optimizers.labelled.converters import from_human_rankings as from_human_rankings
from optimizers.labelled.converters import from_judge_votes as from_judge_votes
from optimizers.labelled.converters import read_judge_votes as read_judge_votes
from optimizers.labelled.files import dump_item as dump_item
from optimizers.labelled.files import merge_labelled as merge_labelled
from optimizers.labelled.files import read_labelled as read_labelled
from optimizers.labelled.files import write_labelled as write_labelled
from optimizers.labelled.records import Label as Label
from optimizers.labelled.records import LabelledItem as LabelledItem
from optimizers.labelled.records import LabelledSet as LabelledSet
