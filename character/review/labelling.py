"""Reviews as a labelled set: what people ranked and compared, in the shape that tuning a ranker reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from character.errors import InputError
from character.records import Rollout
from character.review.answers import CompareAnswer, RankAnswer, reviewer_name
from character.review.sources import Subject, open_subject
from character.review.store import ReviewStore, Standing
from character.vetoes import FILE_NAME, read_vetoes
from optimizers.labelled import Label, LabelledItem, LabelledSet, write_labelled


class Exported(NamedTuple):
    """The set that was written, and what was left out, by reason: ``skipped``, ``unsuitable``, ``changed``, ``vetoed``."""

    labelled: LabelledSet
    left_out: dict[str, int]


def export_labelled(folder: Path, out: Path, *, reviewers: Iterable[str] = ()) -> Exported:
    """Write the rankings and comparisons that stand in a folder as a labelled set, one rater per reviewer.

    Candidates stand in the order in which the run made them, whoever ranked them. With ``reviewers`` theirs alone.
    Answers to candidates that the run has since made anew (``changed``), and to messages and traits that a reviewer
    vetoed, are left out. Raises InputError where nothing would be written, StoreError where there are no reviews.
    """
    if not (folder / FILE_NAME).is_file():
        raise InputError(
            f"{folder} holds no reviews (no {FILE_NAME} in it).",
            fix=f"first run `character review {folder}`.",
        )
    wanted = {reviewer_name(name) for name in reviewers}
    subject = open_subject(folder)
    try:
        with ReviewStore(folder, write=False) as reviews:
            standing = [*reviews.answers("rank"), *reviews.answers("compare")]
        chosen = [each for each in standing if not wanted or each.reviewer in wanted]
        exported = _labelled(subject, chosen)
    finally:
        subject.close()
    if not exported.labelled.items:
        raise InputError(
            f"{folder} holds no ranking or comparison to write"
            + (f" ({_counted(exported.left_out)} left out)." if exported.left_out else "."),
            expected="at least one answer to the tasks rank or compare",
            fix=f"rank some messages with `character review {folder}`.",
        )
    write_labelled(out, exported.labelled)
    return exported


def _labelled(subject: Subject, standing: Iterable[Standing]) -> Exported:
    by_item: dict[str, dict[str, list[Standing]]] = defaultdict(lambda: defaultdict(list))
    left_out: Counter[str] = Counter()
    for each in standing:
        unsuitable = isinstance(each.answer, RankAnswer) and each.answer.unsuitable
        if each.answer.skipped or unsuitable:
            left_out["unsuitable" if unsuitable else "skipped"] += 1
        else:
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
            labels += [_label(rater, fresh)] if fresh else []
        if rollout and labels:
            items.append(_item(subject, rollout, tuple(labels)))
    return Exported(LabelledSet(items=tuple(items), name=subject.folder.name), dict(+left_out))


def _is_fresh(standing: Standing, rollout: Rollout) -> bool:
    known = standing.answer
    if not isinstance(known, RankAnswer | CompareAnswer) or rollout.candidates is None:
        return False
    return known.candidates_id == rollout.candidates.id


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
        "labels": [label.model_dump() for label in labels],
    }
    return LabelledItem.model_validate(fields)


def _counted(left_out: dict[str, int]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in left_out.items())
