"""Labels for a run: messages worth a person's time, and what people said of them as the set tuning reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any, Literal, NamedTuple, get_args

from character.config import is_rehearsal_model
from character.constitution import Constitution
from character.errors import InputError, UnknownNameError
from character.files import problem
from character.ranking.uncertainty import doubt
from character.records import Rollout
from character.review.answers import CompareAnswer, RankAnswer, reviewer_name
from character.review.sources import Subject, open_subject
from character.review.store import ReviewStore, StandingAnswer
from character.runs.session import reading, stored_constitution
from character.store.vetoes import FILE_NAME, read_vetoes
from character.text import fold, stable_seed
from optimizers.labelled import Label, LabelledItem, LabelledSet, read_labelled, write_labelled

LabelStrategy = Literal["least_sure", "random"]
LABEL_STRATEGIES: tuple[LabelStrategy, ...] = get_args(LabelStrategy)


def labelled_from_run(
    folder: Path | str, *, num_items: int = 40, seed: int = 0, strategy: LabelStrategy = "least_sure"
) -> LabelledSet:
    """Return up to ``num_items`` ranked messages of a run without labels, for people to label.

    ``least_sure`` takes those whose rankings are least certain (see ``doubt``), ``random`` any; the traits
    take turns, so that each gets its share. A set chosen by ``least_sure`` is harder than the run as a whole:
    tune on it, and measure on a random one. Candidates come in random order without their levels, so that
    raters are not told what to find. ``dropped`` counts the messages that cannot be labelled.

    Raises StoreError where there is no run, InputError for fewer than one item or a run without rankings.
    """
    if strategy not in LABEL_STRATEGIES:
        raise UnknownNameError("strategy", strategy, LABEL_STRATEGIES)
    if num_items < 1:
        raise InputError(f"found {num_items} items.", expected="at least 1")
    with reading(folder) as store:
        ids, dropped = _in_turns(store.rollouts(), strategy, seed)
        if not ids:
            fix = "finish the run first; `character status` says how far it is."
            raise InputError(f"{folder} holds no ranking of two or more different candidates.", fix=fix)
        constitution = stored_constitution(store)
        rollouts = [rollout for i in ids[:num_items] for rollout in store.rollouts(i)]
    items = tuple(_unlabelled(rollout, constitution, seed) for rollout in rollouts)
    return LabelledSet(items=items, name=f"{Path(folder).name} ({strategy})", dropped=dict(dropped))


def with_blanks(labelled: LabelledSet, rater: str) -> LabelledSet:
    """Return the set with an empty label of a rater in each item, one None per candidate, to be filled in."""

    def with_blank(item: LabelledItem) -> LabelledItem:
        blank = Label(rater=rater, scores=(None,) * len(item.candidates))
        return item.model_copy(update={"labels": (*item.labels, blank)})

    return labelled.model_copy(update={"items": tuple(map(with_blank, labelled.items))})


def labels_for_run(folder: Path | str, path: Path | str) -> LabelledSet:
    """Return a labelled file of a run's messages, with the levels the candidates were written for put back.

    Raises LabelledError where the file cannot be read, InputError where an item is not of this run.
    """
    labelled = read_labelled(path)
    with reading(folder) as store:
        items = tuple(_of_run(item, next(store.rollouts(item.id), None), path) for item in labelled.items)
    return labelled.model_copy(update={"items": items})


def _in_turns(
    rollouts: Iterable[Rollout], strategy: LabelStrategy, seed: int
) -> tuple[list[str], Counter[str]]:
    """Return the ids of messages to label, the traits in turn, and what cannot be labelled."""
    by_trait: dict[str, list[tuple[float, int, str]]] = defaultdict(list)
    dropped: Counter[str] = Counter()
    for rollout in rollouts:
        reason = _unfit(rollout)
        if reason or rollout.ranking is None:
            dropped[reason] += 1
            continue
        sure = -doubt(rollout.ranking) if strategy == "least_sure" else 0.0
        place = (sure, stable_seed(seed, rollout.message.id), rollout.message.id)
        by_trait[rollout.message.trait].append(place)
    columns = [sorted(places) for _trait, places in sorted(by_trait.items())]
    return [place[2] for row in zip_longest(*columns) for place in row if place], dropped


def _unfit(rollout: Rollout) -> str:
    if rollout.candidates is None or rollout.ranking is None:
        return "unranked"
    if rollout.ranking.status != "ranked":
        return rollout.ranking.status
    return "" if len({fold(text) for text in rollout.candidates.texts}) > 1 else "alike"


def _unlabelled(rollout: Rollout, constitution: Constitution, seed: int) -> LabelledItem:
    texts = rollout.candidates.texts if rollout.candidates else []
    Random(stable_seed("labelling", seed, rollout.message.id)).shuffle(texts)
    return _item(rollout, constitution.trait(rollout.message.trait).brief(), texts)


def _item(
    rollout: Rollout,
    trait: dict[str, Any],
    texts: Sequence[str],
    levels: Sequence[str] = (),
    labels: Sequence[Label] = (),
) -> LabelledItem:
    message, candidates = rollout.message, rollout.candidates
    return LabelledItem(
        id=message.id,
        turns=message.turns,
        trait=trait,
        kind=message.kind,
        language=message.language,
        candidates=tuple(texts),
        levels=tuple(levels),
        labels=tuple(labels),
        rehearsal=any(is_rehearsal_model(item.model) for item in (candidates.items if candidates else ())),
    )


def _of_run(item: LabelledItem, rollout: Rollout | None, path: Path | str) -> LabelledItem:
    made = rollout.candidates.items if rollout and rollout.candidates else ()
    levels = {candidate.text: candidate.level or "" for candidate in made}
    if sorted(item.candidates) != sorted(candidate.text for candidate in made):
        raise problem(__file__, "not_of_this_run", path=path, item=item)
    in_order = tuple(levels[text] for text in item.candidates)
    return item.model_copy(update={"levels": in_order if all(in_order) else ()})


_COUNTED_AS = {"unsuitable": "unsuitable", "skip": "skipped"}
"""Labels that put no candidate before another, and how they are counted."""


class Exported(NamedTuple):
    """The set that was written, with what puts no candidate before another (``unsuitable``, ``skipped``).

    ``left_out`` counts the answers that are not in it (``changed``, ``vetoed``).
    """

    labelled: LabelledSet
    no_order: dict[str, int]
    left_out: dict[str, int]


def export_labelled(folder: Path, out: Path, *, reviewers: Iterable[str] = ()) -> Exported:
    """Write the rankings and comparisons that stand in a folder as a labelled set, one rater per reviewer.

    Candidates stand in the order in which the run made them, whoever ranked them. With ``reviewers`` theirs
    alone. That a message is unsuitable, or was skipped by who said nothing else of it, is written as such an
    ``answer``, which tuning counts. Answers to candidates that the run has since made anew (``changed``), and
    to messages and traits that a reviewer vetoed, are left out. Raises InputError where nothing would be
    written, StoreError where there are no reviews.
    """
    wanted = {reviewer_name(name) for name in reviewers}
    with closing(open_subject(folder)) as subject:
        standing = _rankings(folder)
        _check_can_be_exported(subject, {each.reviewer for each in standing}, wanted)
        chosen = [each for each in standing if not wanted or each.reviewer in wanted]
        exported = _labelled(subject, chosen)
    if all(label.is_empty for item in exported.labelled.items for label in item.labels):
        counts = {**exported.no_order, **exported.left_out}
        listed = ", ".join(f"{number} {reason}" for reason, number in counts.items())
        others = f" ({listed})" if listed else ""
        raise problem(__file__, "no_ranking", folder=folder, others=others)
    write_labelled(out, exported.labelled)
    return exported


def _rankings(folder: Path) -> list[StandingAnswer]:
    if not (folder / FILE_NAME).is_file():
        return []
    with ReviewStore(folder, write=False) as reviews:
        return [*reviews.answers("rank"), *reviews.answers("compare")]


def _check_can_be_exported(subject: Subject, raters: set[str], wanted: set[str]) -> None:
    """Raise InputError where the folder has no candidates to rank, or a reviewer ranked none."""
    if not raters and subject.effects.items:
        raise problem(__file__, "rankings_of_an_effect", subject=subject)
    if not (subject.folder / FILE_NAME).is_file():
        raise problem(__file__, "no_reviews", subject=subject, file_name=FILE_NAME)
    if strangers := sorted(wanted - raters):
        names, known = ", ".join(strangers), f"one of {', '.join(sorted(raters))}" if raters else ""
        raise problem(__file__, "no_ranking_by", subject=subject, names=names, known=known)


def _labelled(subject: Subject, standing: Iterable[StandingAnswer]) -> Exported:
    by_item: dict[str, dict[str, list[StandingAnswer]]] = defaultdict(lambda: defaultdict(list))
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
        for rater, given in raters.items():
            fresh = [each for each in given if rollout and _is_fresh(each, rollout)]
            left_out[reason] += len(given) - len(fresh)
            labels += _labels(rater, fresh)
        if rollout and rollout.candidates and labels:
            levels = [candidate.level or "" for candidate in rollout.candidates.items]
            trait, texts = subject.trait(rollout.message.trait), rollout.candidates.texts
            items.append(_item(rollout, trait, texts, levels if all(levels) else (), labels))
    answers: Counter[str] = Counter(label.answer for item in items for label in item.labels if label.answer)
    counted = {name: answers[answer] for answer, name in _COUNTED_AS.items() if answers[answer]}
    return Exported(LabelledSet(items=tuple(items), name=subject.folder.name), counted, dict(+left_out))


def _is_fresh(standing: StandingAnswer, rollout: Rollout) -> bool:
    answer = standing.answer
    current = rollout.candidates.id if rollout.candidates else None
    return isinstance(answer, RankAnswer | CompareAnswer) and answer.candidates_id == current


def _labels(rater: str, given: Sequence[StandingAnswer]) -> list[Label]:
    """Return what one reviewer said of an item: an order and a choice in one label, "unsuitable" in another.

    A task that was skipped counts only where the reviewer said nothing else of the item.
    """
    labels = []
    ordered: dict[str, Any] = {}
    for answer in (each.answer for each in given if not each.answer.skipped):
        if isinstance(answer, RankAnswer) and answer.unsuitable:
            labels = [Label(rater=rater, answer="unsuitable")]
        elif isinstance(answer, RankAnswer):
            ordered["order"] = answer.order
        elif isinstance(answer, CompareAnswer):
            choice = (answer.left, answer.right, answer.share)
            ordered["choices"] = () if answer.share is None else (choice,)
    if ordered:
        labels.append(Label(rater=rater, **ordered))
    return labels or ([Label(rater=rater, answer="skip")] if given else [])
