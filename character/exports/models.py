"""What an export takes and gives back: the data of a run, how to split it, a report of what was written.

Which split a message belongs to follows from its text and the seed alone, so other messages cannot move it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import Field, SkipValidation, field_validator, model_validator

from character.config import PairsConfig
from character.constitution.models import Constitution
from character.files import problem
from character.pairs.balance import Balanced
from character.records import Message, Record, Rollout
from character.store.vetoes import Vetoes
from character.text import fingerprint, fold

SplitName = Literal["train", "validation", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = get_args(SplitName)


class ExportData(Record):
    """A finished run: its constitution, its rollouts in message order, and the facts about it.

    ``rollouts`` may be any collection that can be passed over more than once; ``StoredRollouts`` reads those
    of a run from the disk a few at a time.
    ``vetoes`` is what reviewers vetoed (see ``read_vetoes``): it is left out, and counted.
    ``left_out`` counts by reason what whoever gives the data took out of them before: the report tells it.
    ``manifest`` says how the data was made. Known keys are those of ``RunFacts``; others are ignored and
    never written anywhere, so it may hold more than should be published.
    """

    constitution: Constitution
    rollouts: SkipValidation[Iterable[Rollout]]
    vetoes: Vetoes = Vetoes()
    left_out: dict[str, int] = Field(default_factory=dict)
    manifest: dict[str, Any] = Field(default_factory=dict)

    @field_validator("rollouts")
    @classmethod
    def _more_than_once(cls, value: Iterable[Rollout]) -> Iterable[Rollout]:
        if not isinstance(value, Iterable):
            raise ValueError("rollouts must be a collection of Rollout records")  # noqa: TRY004 - pydantic reports it
        if iter(value) is value:
            raise ValueError("rollouts can be passed over only once; give a tuple, or StoredRollouts(store)")
        return value


class Split(Record):
    """How large each split is, as fractions of the messages, each in 0..1 and together 1.

    Messages are dealt out one by one (see ``split_of``), so the fractions hold on average: with fewer than
    about a hundred messages they are rough, and a small split may get nothing. ``Split(train=1,
    validation=0, test=0)`` keeps everything together.
    """

    train: float = 0.9
    validation: float = 0.05
    test: float = 0.05

    @model_validator(mode="after")
    def _check(self) -> Self:
        fractions = [self.train, self.validation, self.test]
        if not all(0.0 <= fraction <= 1.0 for fraction in fractions):
            raise ValueError(f"each fraction must be in 0..1, found {fractions}")
        if not math.isclose(sum(fractions), 1.0, abs_tol=1e-6):
            raise ValueError(
                f"the fractions must add up to 1, found {fractions}, together {sum(fractions):g}"
            )
        return self

    @classmethod
    def parse(cls, text: str) -> Split:
        """Return the split that ``"90/5/5"`` (percent) or ``"0.9/0.05/0.05"`` (fractions) says.

        The order is train, validation, test. Raises InputError for anything else.
        """
        try:
            numbers = [float(part) for part in text.split("/")]
            whole = 1.0 if math.isclose(sum(numbers), 1.0, abs_tol=1e-6) else 100.0
            train, validation, test = (number / whole for number in numbers)
            return cls(train=train, validation=validation, test=test)
        except ValueError as error:
            raise problem(__file__, "split", text=text) from error


def split_of(message: Message, split: Split, seed: int) -> SplitName:
    """Return the split of a message.

    The user's last turn, folded (width, case, punctuation and spacing do not count), is hashed with the seed
    to a point in [0, 1); train, validation and test lie on it in this order. Messages of the same folded text
    thus always share a split, whatever their trait, and a message keeps its split when others come or go.
    """
    # A text of punctuation alone folds to nothing; such texts must not all count as the same.
    key = fold(message.text) or message.text
    point = int(fingerprint([seed, key]), 16) / 2**64
    names, end = requested_splits(split), 0.0
    for name in names:
        end += getattr(split, name)
        if point < end:
            return name
    return names[-1]  # the sizes' sum may fall short of 1 by rounding


def requested_splits(split: Split) -> tuple[SplitName, ...]:
    """Return the splits of non-zero size, in order."""
    return tuple(name for name in SPLIT_NAMES if getattr(split, name) > 0)


class ExportedFile(Record):
    """One data file of an export. ``split`` is None where a format is not split; ``rows`` counts its rows."""

    path: str
    split: SplitName | None
    rows: int
    table: str = "default"


class ExportReport(Record):
    """What an export wrote and what it left out.

    ``files`` are the data files and ``extra_files`` those beside them, as names inside ``out``. ``skipped``
    counts what has no row in this format, by reason: rollouts (``no_candidates``, ``not_ranked``,
    ``unranked``, ``unsuitable``, ``no_pairs``), pairs (``duplicate_pair``, ``identical_sides``,
    ``confounded``: left out by balancing; ``not_given``: not among those that were given), messages
    (``duplicate_message``) and responses (``chosen_and_rejected``); and in every format what reviewers
    vetoed: rollouts (``vetoed_trait``, ``vetoed_message``), responses (``vetoed_candidate``) and pairs
    (``vetoed_pair``, ``pair_with_vetoed_candidate``). ``drops`` counts, by stage and reason, what the run
    itself threw away; where the pairs were rebuilt, those of the stage ``pairs`` are the rebuild's. ``pairs``
    is how they were rebuilt, None for the stored ones, ``position_effects`` what each place in the list was
    worth to each judge (0..1) and was taken out of the rankings for it; ``balance`` what balancing did,
    without the lists of ids and weights. ``rehearsal`` is None where nobody said who made the data.
    """

    format: str
    out: Path
    files: tuple[ExportedFile, ...]
    extra_files: tuple[str, ...] = ()
    empty_splits: tuple[SplitName, ...] = ()
    skipped: dict[str, int] = Field(default_factory=dict)
    drops: dict[str, dict[str, int]] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    pairs: PairsConfig | None = None
    position_effects: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    balance: Balanced | None = None
    rehearsal: bool | None = None
