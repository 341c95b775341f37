"""Labels for a run: picks the messages worth a person's time, and reads back what people said about them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any, Literal, get_args

from character.config import is_rehearsal_model
from character.constitution import Constitution
from character.errors import InputError, UnknownNameError
from character.ranking.uncertainty import doubt
from character.records import Rollout
from character.runs.session import stored_constitution
from character.store.run_store import RunStore
from character.text import fold, stable_seed
from optimizers.labelled import Label, LabelledItem, LabelledSet, read_labelled

LabelStrategy = Literal["least_sure", "random"]
LABEL_STRATEGIES: tuple[LabelStrategy, ...] = get_args(LabelStrategy)


def labelled_from_run(
    folder: Path | str, *, num_items: int = 40, seed: int = 0, strategy: LabelStrategy = "least_sure"
) -> LabelledSet:
    """Return up to ``num_items`` ranked messages of a run without labels, for people to label.

    ``least_sure`` takes those whose rankings are least certain (see ``doubt``), ``random`` any; the traits take
    turns, so that each gets its share. A set chosen by ``least_sure`` is harder than the run as a whole:
    tune on it, and measure on a random one. Candidates come in random order without their levels,
    so that raters are not told what to find. ``dropped`` counts the messages that cannot be labelled.

    Raises StoreError where there is no run, InputError for fewer than one item or a run without rankings.
    """
    if strategy not in LABEL_STRATEGIES:
        raise UnknownNameError("strategy", strategy, LABEL_STRATEGIES)
    if num_items < 1:
        raise InputError(f"found {num_items} items.", expected="at least 1")
    with RunStore(folder) as store:
        ids, dropped = _in_turns(store.rollouts(), strategy, seed)
        if not ids:
            fix = "finish the run first; `character status` says how far it is."
            raise InputError(f"{folder} holds no ranking of two or more different candidates.", fix=fix)
        constitution = stored_constitution(store)
        rollouts = [rollout for i in ids[:num_items] for rollout in store.rollouts(i)]
    items = tuple(_item(rollout, constitution, seed) for rollout in rollouts)
    return LabelledSet(items=items, name=f"{Path(folder).name} ({strategy})", dropped=dict(dropped))


def with_blanks(labelled: LabelledSet, rater: str) -> LabelledSet:
    """Return the set with an empty label of a rater in each item, one None per candidate, to be filled in by hand."""
    return labelled.model_copy(
        update={
            "items": tuple(
                item.model_copy(
                    update={
                        "labels": (*item.labels, Label(rater=rater, scores=(None,) * len(item.candidates)))
                    }
                )
                for item in labelled.items
            )
        }
    )


def labels_for_run(folder: Path | str, path: Path | str) -> LabelledSet:
    """Return a labelled file of a run's messages, with the levels the candidates were written for put back.

    Raises LabelledError where the file cannot be read, InputError where an item is not of this run.
    """
    labelled = read_labelled(path)
    with RunStore(folder) as store:
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


def wrote_rehearsal(rollout: Rollout) -> bool:
    """Return whether the rehearsal model wrote a candidate of a rollout, so that labels of them say it."""
    items = rollout.candidates.items if rollout.candidates else ()
    return any(is_rehearsal_model(item.model) for item in items)


def _item(rollout: Rollout, constitution: Constitution, seed: int) -> LabelledItem:
    message = rollout.message
    texts: Sequence[str] = rollout.candidates.texts if rollout.candidates else ()
    shown = list(range(len(texts)))
    Random(stable_seed("labelling", seed, message.id)).shuffle(shown)
    fields: dict[str, Any] = {
        "id": message.id,
        "turns": [turn.model_dump() for turn in message.turns],
        "trait": constitution.trait(message.trait).brief(),
        "kind": message.kind,
        "language": message.language,
        "candidates": [texts[i] for i in shown],
        "rehearsal": wrote_rehearsal(rollout),
    }
    return LabelledItem.model_validate(fields)


def _of_run(item: LabelledItem, rollout: Rollout | None, path: Path | str) -> LabelledItem:
    made = rollout.candidates.items if rollout and rollout.candidates else ()
    levels = {candidate.text: candidate.level or "" for candidate in made}
    if sorted(item.candidates) != sorted(candidate.text for candidate in made):
        raise InputError(
            f"{path}: the item {item.id!r} is not of this run, or its candidates were changed.",
            expected="items as they were written for labelling, with labels filled in",
            fix="give the run the file was made from, or read the file alone.",
        )
    known = tuple(levels[text] for text in item.candidates)
    return item.model_copy(update={"levels": known if all(known) else ()})
