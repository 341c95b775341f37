"""Two evaluations side by side: what another wording of a trait, or another model, changed in its effects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from character.errors import StoreError
from character.evaluation.conditions import INTENDED, Contrast
from character.evaluation.figures import adjusted, figure_of, mean_figure
from character.evaluation.reading import read_effect
from character.evaluation.records import EffectFigure, EffectReport, OpinionShift, Probed, Shift
from character.evaluation.shifts import apart_by_message, degrees_apart, odds_apart
from character.files import problem
from character.records import Record
from character.statistics.intervals import difference_interval
from character.statistics.significance import permutation_p_value

SHARED = 0.5
"""Share of the messages that two evaluations must share to be compared one by one, on those alone."""


class Change(Record):
    """How much a shift differs between two evaluations: the second less the first, in degrees.

    Where no judge was called, in log-odds of the preference model. ``is_paired`` where both were measured on
    the same messages, which are then compared one by one; the few that only one of them has are left out.
    ``num_messages`` are those compared. ``p`` is two-sided, by sign flips of messages (paired) or by
    exchanging messages between the two (else); ``adjusted_p`` Holm's over the changes of intended effects, or
    over the others (see ``is_intended``).
    """

    contrast: Contrast
    trait: str
    first: float
    second: float
    change: EffectFigure
    is_paired: bool
    num_messages: tuple[int, int]
    p: float
    adjusted_p: float

    @property
    def is_intended(self) -> bool:
        """Whether the trait is the one that the contrast is about."""
        return self.contrast.group == self.trait and self.contrast.question in INTENDED


class EffectComparison(Record):
    """Two evaluations side by side.

    ``reworded`` are the traits whose wording differs, ``judged_apart`` those of them that the judge was told
    of in different words, so that stimulus and yardstick changed together.
    """

    before: EffectReport
    after: EffectReport
    changes: tuple[Change, ...]
    reworded: tuple[str, ...]
    judged_apart: tuple[str, ...]


def compare(first: Path | str, second: Path | str, *, seed: int = 0) -> EffectComparison:
    """Return how every shift that two evaluations both have changed, with their reports.

    Traits are matched by name. Raises StoreError where a folder cannot be read, where a judge was called in
    one of them only, and where the two share no shift.
    """
    (before, probed_before), (after, probed_after) = read_effect(first), read_effect(second)
    if before.judged != after.judged:
        alone = second if before.judged else first
        raise problem(__file__, "measured_apart", StoreError, folder=alone)
    theirs = {(shift.contrast, shift.trait) for shift in _shifts(after)}
    shared = [shift for shift in _shifts(before) if (shift.contrast, shift.trait) in theirs]
    if not shared:
        named = [f"{one} ({', '.join(its.traits)})" for one, its in ((first, before), (second, after))]
        raise problem(__file__, "nothing_in_common", StoreError, first=named[0], second=named[1])
    changes = [_change(shift, probed_before, probed_after, seed) for shift in shared]
    both = [trait for trait in before.traits if trait in after.traits]
    reworded = tuple(trait for trait in both if before.worded.get(trait) != after.worded.get(trait))
    return EffectComparison(
        before=before,
        after=after,
        changes=adjusted(changes, lambda change: change.is_intended),
        reworded=reworded,
        judged_apart=tuple(
            trait for trait in reworded if before.judged_as.get(trait) != after.judged_as.get(trait)
        ),
    )


def _shifts(report: EffectReport) -> Sequence[Shift | OpinionShift]:
    """Return the shifts by the judge, or by the preference model that stood in its place."""
    return report.shifts if report.judged or report.opinion is None else report.opinion.shifts


def _change(
    shift: Shift | OpinionShift, before: Sequence[Probed], after: Sequence[Probed], seed: int
) -> Change:
    apart = odds_apart if isinstance(shift, OpinionShift) else degrees_apart
    first, second = (
        apart_by_message(probed, shift.contrast, shift.trait, apart) for probed in (before, after)
    )
    shared = [message for message in first if message in second]
    is_paired = len(shared) >= SHARED * max(len(first), len(second))
    one = np.array([first[message] for message in (shared if is_paired else first)])
    two = np.array([second[message] for message in (shared if is_paired else second)])
    if is_paired:
        figure, p = mean_figure((two - one).tolist(), seed)
    else:
        figure = figure_of(difference_interval(one, two, seed=seed), min(len(one), len(two)))
        p = permutation_p_value(one, two, seed=seed)
    return Change(
        contrast=shift.contrast,
        trait=shift.trait,
        first=float(one.mean()),
        second=float(two.mean()),
        change=figure,
        is_paired=is_paired,
        num_messages=(len(one), len(two)),
        p=p,
        adjusted_p=p,
    )
