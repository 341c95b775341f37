"""Reviews as a labelled set: what people ranked and compared, in the shape that tuning a ranker reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from character.errors import InputError
from character.labelling import wrote_rehearsal
from character.records import Rollout
from character.review.answers import CompareAnswer, RankAnswer, reviewer_name
from character.review.sources import Subject, open_subject
from character.review.store import ReviewStore, Standing
from character.store.vetoes import FILE_NAME, read_vetoes
from optimizers.labelled import Label, LabelledItem, LabelledSet, write_labelled

_COUNTED_AS = {"unsuitable": "unsuitable", "skip": "skipped"}
"""Labels that put no candidate before another, and how they are counted."""


class Exported(NamedTuple):
    """The set that was written, what in it puts no candidate before another (``unsuitable``, ``skipped``), and what was left out (``changed``, ``vetoed``)."""

    labelled: LabelledSet
    no_order: dict[str, int]
    left_out: dict[str, int]


def export_labelled(folder: Path, out: Path, *, reviewers: Iterable[str] = ()) -> Exported:
    """Write the rankings and comparisons that stand in a folder as a labelled set, one rater per reviewer.

    Candidates stand in the order in which the run made them, whoever ranked them. With ``reviewers`` theirs alone.
    That a message is unsuitable, or was skipped by who said nothing else of it, is written as such an ``answer``, which tuning counts.
    Answers to candidates that the run has since made anew (``changed``), and to messages and traits that a reviewer
    vetoed, are left out. Raises InputError where nothing would be written, StoreError where there are no reviews.
    """
    wanted = {reviewer_name(name) for name in reviewers}
    subject = open_subject(folder)
    try:
        standing = _rankings(folder)
        _check_can_be_exported(subject, {each.reviewer for each in standing}, wanted)
        chosen = [each for each in standing if not wanted or each.reviewer in wanted]
        exported = _labelled(subject, chosen)
    finally:
        subject.close()
    if all(label.is_empty for item in exported.labelled.items for label in item.labels):
        others = {**exported.no_order, **exported.left_out}
        raise InputError(
            f"{folder} holds no ranking or comparison to write"
            + (f" ({_counted(others)})." if others else "."),
            expected="at least one answer to the tasks rank or compare",
            fix=f"rank some messages with `character review {folder}`.",
        )
    write_labelled(out, exported.labelled)
    return exported


def _rankings(folder: Path) -> list[Standing]:
    if not (folder / FILE_NAME).is_file():
        return []
    with ReviewStore(folder, write=False) as reviews:
        return [*reviews.answers("rank"), *reviews.answers("compare")]


def _check_can_be_exported(subject: Subject, known: set[str], wanted: set[str]) -> None:
    """Raise InputError where the folder has no candidates to rank, or a reviewer ranked none."""
    if not known and subject.effects.items:
        raise InputError(
            f"{subject.folder} holds an effect, whose answers are no rankings.",
            expected="the folder of a run, whose candidates people ranked or compared",
            fix="what reviewers said of an effect is written by --report.",
        )
    if not (subject.folder / FILE_NAME).is_file():
        raise InputError(
            f"{subject.folder} holds no reviews (no {FILE_NAME} in it).",
            fix=f"first run `character review {subject.folder}`.",
        )
    if strangers := sorted(wanted - known):
        raise InputError(
            f"{subject.folder} holds no ranking or comparison by {', '.join(strangers)}.",
            expected=f"one of {', '.join(sorted(known))}" if known else "",
            fix="check the name given with --reviewer, or leave it out to write those of all reviewers.",
        )


def _labelled(subject: Subject, standing: Iterable[Standing]) -> Exported:
    by_item: dict[str, dict[str, list[Standing]]] = defaultdict(lambda: defaultdict(list))
    left_out: Counter[str] = Counter()
    for each in standing:
        by_item[each.item][each.reviewer].append(each)
    vetoes = read_vetoes(subject.folder)
    items = []
    for item, raters in by_item.items():
        rollout = subject.rollout(item)
        reason = "changed"
        if rollout and (rollout.message.id in vetoes.messages or rollout.message.trait in vetoes.traits):
            rollout, reason = None, "vetoed"
        labels = []
        for rater, said in raters.items():
            fresh = [each for each in said if rollout and _is_fresh(each, rollout)]
            left_out[reason] += len(said) - len(fresh)
            labels += _labels(rater, fresh)
        if rollout and labels:
            items.append(_item(subject, rollout, tuple(labels)))
    answers: Counter[str] = Counter(label.answer for item in items for label in item.labels if label.answer)
    counted = {name: answers[answer] for answer, name in _COUNTED_AS.items() if answers[answer]}
    return Exported(LabelledSet(items=tuple(items), name=subject.folder.name), counted, dict(+left_out))


def _is_fresh(standing: Standing, rollout: Rollout) -> bool:
    known = standing.answer
    if not isinstance(known, RankAnswer | CompareAnswer) or rollout.candidates is None:
        return False
    return known.candidates_id == rollout.candidates.id


def _labels(rater: str, said: Sequence[Standing]) -> list[Label]:
    """Return what one reviewer said of an item: an order and a choice in one label, "unsuitable" in one of its own.

    A task that was skipped counts only where the reviewer said nothing else of the item.
    """
    told = [each for each in said if not each.answer.skipped]
    unsuitable = [each for each in told if isinstance(each.answer, RankAnswer) and each.answer.unsuitable]
    ordered = [each for each in told if each not in unsuitable]
    labels = [Label(rater=rater, answer="unsuitable")] if unsuitable else []
    labels += [_label(rater, ordered)] if ordered else []
    return labels or ([Label(rater=rater, answer="skip")] if said else [])


def _label(rater: str, said: Iterable[Standing]) -> Label:
    order: tuple[tuple[int, ...], ...] = ()
    choices: tuple[tuple[int, int, float], ...] = ()
    for each in said:
        if isinstance(each.answer, RankAnswer):
            order = each.answer.order
        elif isinstance(each.answer, CompareAnswer) and each.answer.share is not None:
            choices = ((each.answer.left, each.answer.right, each.answer.share),)
    return Label(rater=rater, order=order, choices=choices)


def _item(subject: Subject, rollout: Rollout, labels: tuple[Label, ...]) -> LabelledItem:
    message, candidates = rollout.message, rollout.candidates
    levels = [item.level or "" for item in candidates.items] if candidates else []
    fields: dict[str, Any] = {
        "id": message.id,
        "turns": [turn.model_dump() for turn in message.turns],
        "trait": subject.trait(message.trait),
        "kind": message.kind,
        "language": message.language,
        "candidates": candidates.texts if candidates else [],
        "levels": levels if all(levels) else [],
        "rehearsal": wrote_rehearsal(rollout),
        "labels": [label.model_dump() for label in labels],
    }
    return LabelledItem.model_validate(fields)


def _counted(left_out: dict[str, int]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in left_out.items())
