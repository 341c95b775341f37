"""What to know about a labelled set before trusting a number that rests on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from pydantic import Field

from character.locale import wording
from character.records import Record
from character.statistics.agreement import krippendorff_alpha
from character.text import fingerprint
from optimizers.labelled.records import Label, LabelledItem, LabelledSet, folded
from optimizers.labelled.splits import blocks
from optimizers.labelled.votes import scores_of, votes_of

TYPICAL_SPREAD = 0.25
"""Standard deviation of the gain per message in pairwise accuracy that is taken where none was measured."""
_LOW_ALPHA = 0.667
"""Below this, Krippendorff (2004, p. 241) would not draw even tentative conclusions."""
_LOW_AGREEMENT = 0.7
_SIZES = (10, 20, 40)
Votes = dict[tuple[int, int], float]


class RaterReport(Record):
    """One rater: how many items they labelled, and how often they order a pair as the others together do.

    ``agreement`` is in 0..1 over the ``num_pairs`` pairs that both sides order without a tie; None without
    any.
    """

    rater: str
    num_items: int
    num_pairs: int = 0
    agreement: float | None = None


class Cycle(Record):
    """Candidates of an item of which each was put before the next and the last before the first.

    ``rater`` is who did, "all raters" for the votes of all together.
    """

    item: str
    rater: str
    candidates: tuple[int, ...]


class LabelledReport(Record):
    """What ``check_labelled`` found: counts, ids of items to look at, agreement, and notes in plain words.

    ``num_groups`` counts what can be parted between splits. ``num_pairs`` are the pairs of candidates that
    the raters order on the whole, ``num_tied`` those their votes tie. ``duplicates`` repeat an item before
    them (same message, trait and candidates in any order); ``shared_messages`` are items whose message
    another item has too, ``across_groups`` those of them in another group; ``without_pairs`` are labelled and
    order no pair. ``alpha`` is Krippendorff's, None for fewer than two raters. ``detectable_gain`` is the
    smallest gain in pairwise accuracy that this many groups can tell from none.
    """

    num_items: int
    num_groups: int
    num_labels: int
    num_pairs: int
    num_tied: int
    traits: dict[str, int]
    languages: dict[str, int]
    raters: tuple[RaterReport, ...]
    alpha: float | None
    detectable_gain: float
    duplicates: tuple[str, ...] = ()
    shared_messages: tuple[str, ...] = ()
    across_groups: tuple[str, ...] = ()
    identical_candidates: tuple[str, ...] = ()
    cycles: tuple[Cycle, ...] = ()
    unlabelled: tuple[str, ...] = ()
    without_pairs: tuple[str, ...] = ()
    dropped: dict[str, int] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


def check_labelled(labelled: LabelledSet, *, num_needed: int = 10) -> LabelledReport:
    """Return counts, what looks wrong, how far the raters agree, and what so many labels can tell.

    ``num_needed`` is the number of labelled messages below which the notes say that there are too few for
    what is asked.
    """
    items = labelled.items
    tables = {item.id: _tables(item) for item in items}
    useful = [item for item in items if item.pairs()]
    groups, num_pairs = len(blocks(useful)), sum(len(item.pairs()) for item in items)
    compared = {(of, pair) for of, table in tables.items() for said in table.values() for pair in said.votes}
    with_labels = [item for item in items if tables[item.id]]
    of_message: dict[str, list[str]] = defaultdict(list)
    for item in items:
        of_message[item.message_key].append(item.group)
    report = LabelledReport(
        num_items=len(items),
        num_groups=groups,
        num_labels=sum(len(table) for table in tables.values()),
        num_pairs=num_pairs,
        num_tied=len(compared) - num_pairs,
        traits=dict(Counter(str(item.trait["name"]) for item in items)),
        languages=dict(Counter(item.language for item in items)),
        raters=_raters(tables),
        alpha=_alpha(with_labels),
        detectable_gain=detectable_gain(groups),
        duplicates=_duplicates(items),
        shared_messages=tuple(item.id for item in items if len(of_message[item.message_key]) > 1),
        across_groups=tuple(item.id for item in items if len(set(of_message[item.message_key])) > 1),
        identical_candidates=tuple(
            item.id for item in items if len(set(map(folded, item.candidates))) < len(item.candidates)
        ),
        cycles=tuple(cycle for item in items for cycle in _cycles(item, tables[item.id])),
        unlabelled=tuple(item.id for item in items if not tables[item.id]),
        without_pairs=tuple(item.id for item in with_labels if not item.pairs()),
        dropped=labelled.dropped,
    )
    return report.model_copy(update={"notes": tuple(_notes(report, num_needed))})


def detectable_gain(num_groups: int, spread: float = TYPICAL_SPREAD) -> float:
    """Return the gain in pairwise accuracy whose 95 % interval just excludes zero, at most 1.

    1.96 ``spread`` / sqrt(n), with ``spread`` the standard deviation of the gain per message. For planning:
    the interval of a real comparison is measured, not assumed.
    """
    return min(1.0, 1.96 * spread / num_groups**0.5) if num_groups else 1.0


class _Verdict(NamedTuple):
    label: Label
    votes: Votes


def _tables(item: LabelledItem) -> dict[str, _Verdict]:
    """Return what each rater said of an item; raters without a name are told apart by their place."""
    table: dict[str, _Verdict] = {}
    for place, label in enumerate(item.labels, 1):
        if not label.is_empty:
            name = label.rater or "unnamed"
            key = name if name not in table else f"{name} ({place})"
            table[key] = _Verdict(label, votes_of(label, len(item.candidates)))
    return table


def _raters(tables: Mapping[str, Mapping[str, _Verdict]]) -> tuple[RaterReport, ...]:
    items = Counter(name for table in tables.values() for name in table)
    alike: dict[str, list[bool]] = defaultdict(list)
    for table in tables.values():
        for name, verdict in table.items():
            others = [other.votes for key, other in table.items() if key != name]
            for pair, vote in verdict.votes.items():
                rest = [votes[pair] for votes in others if pair in votes]
                lead = sum(rest) - len(rest) / 2
                if lead and vote != 0.5:
                    alike[name].append((vote > 0.5) == (lead > 0))
    return tuple(
        RaterReport(
            rater=name,
            num_items=items[name],
            num_pairs=len(alike[name]),
            agreement=sum(alike[name]) / len(alike[name]) if alike[name] else None,
        )
        for name in sorted(items)
    )


def _alpha(items: Iterable[LabelledItem]) -> float | None:
    """Return alpha over all scores (interval), else orders (ordinal), else verdicts on pairs (nominal)."""
    rows: dict[str, dict[tuple[str, object], float]] = defaultdict(dict)
    kinds = set()
    for item in items:
        for name, verdict in _tables(item).items():
            scored = any(score is not None for score in verdict.label.scores)
            kinds.add("interval" if scored else "ordinal" if verdict.label.order else "nominal")
            values: Mapping[object, float | None] = dict(
                enumerate(scores_of(verdict.label, len(item.candidates)))
                if scored or verdict.label.order
                else verdict.votes.items()
            )
            rows[name].update({(item.id, key): v for key, v in values.items() if v is not None})
    if len(rows) < 2:
        return None
    units = sorted({unit for row in rows.values() for unit in row}, key=str)
    table = np.asarray([[row.get(unit, np.nan) for unit in units] for row in rows.values()])
    level = "interval" if kinds == {"interval"} else "nominal" if kinds == {"nominal"} else "ordinal"
    return krippendorff_alpha(table, level=level)


def _duplicates(items: Iterable[LabelledItem]) -> tuple[str, ...]:
    seen: set[str] = set()
    repeated = []
    for item in items:
        key = fingerprint([item.message_key, item.trait["name"], sorted(map(folded, item.candidates))])
        if key in seen:
            repeated.append(item.id)
        seen.add(key)
    return tuple(repeated)


def _cycles(item: LabelledItem, table: Mapping[str, _Verdict]) -> Iterable[Cycle]:
    """Yield one cycle per rater who has any, and one of all raters together."""
    for name, verdict in table.items():
        wins = [(i, j) if vote > 0.5 else (j, i) for (i, j), vote in verdict.votes.items() if vote != 0.5]
        if cycle := find_cycle(wins):
            yield Cycle(item=item.id, rater=name, candidates=cycle)
    together = [(i, j) for i, j, _share in item.pairs()]
    if len(table) > 1 and (cycle := find_cycle(together)):
        yield Cycle(item=item.id, rater="all raters", candidates=cycle)


def find_cycle(wins: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    """Return the members of one cycle of (winner, loser) pairs, in order; empty where there is none."""
    beaten: dict[int, set[int]] = defaultdict(set)
    for winner, loser in wins:
        beaten[winner].add(loser)
    left = {index for pair in beaten.items() for index in (pair[0], *pair[1])}
    while free := {i for i in left if not beaten[i] & left}:
        left -= free
    if not left:
        return ()
    path = [min(left)]
    while (nxt := min(beaten[path[-1]] & left)) not in path:
        path.append(nxt)
    return tuple(path[path.index(nxt) :])


def _notes(report: LabelledReport, num_needed: int) -> Iterable[str]:
    yield from _size_notes(report, num_needed)
    yield from _rater_notes(report)
    if report.cycles:
        cycle = report.cycles[0]
        around = " > ".join(map(str, (*cycle.candidates, cycle.candidates[0])))
        number = "1 judgement" if len(report.cycles) == 1 else f"{len(report.cycles)} judgements"
        yield _note("cycles", number=number, rater=cycle.rater, item=cycle.item, around=around)
    for what in ("duplicates", "across_groups", "identical_candidates", "without_pairs", "unlabelled"):
        if ids := getattr(report, what):
            named = f"{', '.join(ids[:3])}{' …' if len(ids) > 3 else ''}"
            yield _note(what, number=len(ids), all=report.num_items, named=named)
    if report.dropped:
        counts = ", ".join(f"{count} {reason}" for reason, count in report.dropped.items())
        yield _note("dropped", counts=counts)


def _size_notes(report: LabelledReport, num_needed: int) -> Iterable[str]:
    if report.num_groups < num_needed:
        yield _note("too_few", groups=report.num_groups, needed=num_needed)
    sizes = ", ".join(_note("size", size=size, gain=100 * detectable_gain(size)) for size in _SIZES)
    yield _note("gain", groups=report.num_groups, gain=100 * report.detectable_gain, sizes=sizes)
    thin = [f"{name} ({count})" for name, count in report.traits.items() if count < num_needed / 2]
    if thin and len(report.traits) > 1:
        yield _note("thin", traits=", ".join(thin))


def _rater_notes(report: LabelledReport) -> Iterable[str]:
    if len(report.raters) < 2:
        yield _note("one_rater")
        return
    if report.alpha is None:
        yield _note("no_alpha")
    elif report.alpha < _LOW_ALPHA:
        yield _note("low_alpha", alpha=report.alpha, least=_LOW_ALPHA)
    for rater in report.raters:
        if rater.agreement is not None and rater.num_pairs >= 20 and rater.agreement < _LOW_AGREEMENT:
            yield _note("odd_rater", rater=rater.rater, agreement=100 * rater.agreement)


def _note(key: str, **values: object) -> str:
    return wording("labelled.notes", "en")[key].format(**values)
