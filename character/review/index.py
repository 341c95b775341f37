"""The queue: what there is to review, least certain first, built once from a run, a few rollouts at a time.

With the second opinion of a preference model, what it and the ranker disagree on comes before that, its
surest disagreements first.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from character.constitution import Trait
from character.errors import CharacterError
from character.ranking.uncertainty import doubt_of_pair, uncertainty
from character.records import PreferencePair, Ranking, Rollout
from character.review.answers import EFFECT_PREFIX, MOST_RANKED, TASKS, Task, target_key
from character.review.sources import EffectItem, EffectItems
from character.review.store import ReviewStore
from character.store.run_store import FAILED, RunStore
from character.text import fingerprint, fold, stable_seed

if TYPE_CHECKING:
    from character.evaluation.records import EffectReport

_CHUNK = 128
_UNFINISHED = ("pending", FAILED)
_EFFECT_MESSAGE = (
    f"(item >= 'message:{EFFECT_PREFIX}' AND item < 'message:{EFFECT_PREFIX.replace('/', '0')}')"
)
"""Which items to check are an effect's: a range, so that the table's key finds them; "0" comes after "/"."""
_OF_RUN = f"(task IN ('rank', 'compare') OR task = 'check' AND NOT {_EFFECT_MESSAGE})"
_OF_EFFECT = f"(task IN ('effect', 'sign') OR task = 'check' AND {_EFFECT_MESSAGE})"
"""Which rows of the queue follow from a run, and which from an effect."""
_INSERT = "INSERT OR REPLACE INTO queue VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
Row = tuple[Task, str, str, str, str, float, int, str]


class Disagreed(NamedTuple):
    """The candidates of a pair that the model would have the other way round, and its sureness, in 0.5..1."""

    chosen: int
    rejected: int
    sureness: float


class Second(NamedTuple):
    """Whom to ask how probably each pair's chosen side is the better. Another ``identity``, another queue."""

    identity: str
    prefers: Callable[[Sequence[PreferencePair]], Any]

    def on(self, rollout: Rollout) -> Disagreed | None:
        """Return the pair of which the model is surest that it is the wrong way round, None without one."""
        pairs = [pair for pair in rollout.pairs if pair.design != "neutral"]
        if not pairs or rollout.candidates is None:
            return None
        right = [float(probability) for probability in self.prefers(pairs)]
        least = min(range(len(pairs)), key=right.__getitem__)
        texts = list(rollout.candidates.texts)
        chosen, rejected = pairs[least].chosen, pairs[least].rejected
        if right[least] >= 0.5 or chosen not in texts or rejected not in texts:
            return None
        return Disagreed(texts.index(chosen), texts.index(rejected), 1 - right[least])


def second_of(folder: Path | str, traits: Sequence[Trait] = ()) -> Second:
    """Return the second opinion of a saved preference model on a character's traits.

    Raises what ``load_preference_model`` raises, and InputError where it was fitted on none of the traits.
    """
    from character.preference import load_preference_model
    from character.preference.protocol import asked_about

    names = [trait.name for trait in traits]
    model = asked_about(load_preference_model(folder), names, traits, where=str(folder)).model
    facts = (Path(folder) / "preference.json").read_bytes()  # it holds the fingerprint of the weights
    return Second(fingerprint(facts.decode("utf-8")), model.preferences)


class Filters(NamedTuple):
    """What the queue is narrowed to; an empty text narrows nothing."""

    trait: str = ""
    kind: str = ""
    language: str = ""


class Index(threading.Thread):
    """Fills the queue in the background: ``num_done`` of ``num_all`` messages; ``error`` says why it stopped.

    ``ready`` is set once something can be shown: the first part of the queue, or the whole where it is small.
    """

    def __init__(
        self,
        reviews: ReviewStore,
        run: RunStore | None,
        effects: EffectItems,
        report: EffectReport | None = None,
        second: Second | None = None,
    ) -> None:
        super().__init__(name="review index", daemon=True)
        self.ready = threading.Event()
        self.num_done = self.num_all = 0
        self.error = ""
        self._reviews, self._run, self._effects, self._report = reviews, run, effects, report
        self._second = second
        self._stopped = threading.Event()

    @property
    def is_whole(self) -> bool:
        """Whether everything is in the queue."""
        return self.ready.is_set() and not self.is_alive() and not self.error

    def run(self) -> None:
        """Put what is not in the queue yet into it."""
        try:
            self._reviews.write(f"DELETE FROM queue WHERE {_OF_EFFECT}", [()])  # noqa: S608 - constants
            rows = [row for item in self._effects.items for row in _effect_rows(item)]
            self._reviews.write(_INSERT, [*rows, *(_sign_rows(self._report) if self._report else ())])
            if self._run is not None:
                self._fill(self._run)
        except CharacterError as error:
            self.error = str(error)
        finally:
            self.ready.set()

    def stop(self) -> None:
        """End after the current part; what is in the queue stays, and the next start goes on from there."""
        self._stopped.set()
        self.join()

    def _fill(self, run: RunStore) -> None:
        self._forget_another(run)
        counts = run.counts()
        self.num_all = counts["messages"] - sum(counts.get(status, 0) for status in _UNFINISHED)
        ((self.num_done,),) = self._queued("count(*)")
        if self.num_done == self.num_all:
            return
        if self.num_done:
            self.ready.set()
        else:  # the first page waits for these alone
            self._keep(list(run.rollouts(limit=_CHUNK)))
        queued = {item for (item,) in self._queued("item")}
        wanted = {
            i
            for i, _trait, status in run.message_ids()
            if status not in _UNFINISHED and target_key("message", i) not in queued
        }
        self.num_done = len(queued)
        self._add(run, wanted)

    def _queued(self, what: str) -> list[Any]:
        sql = f"SELECT {what} FROM queue WHERE task = 'check' AND {_OF_RUN}"  # noqa: S608 - constants
        return self._reviews.read(sql)

    def _forget_another(self, run: RunStore) -> None:
        """Begin anew where the queue is of a run that lay here before, or of another second opinion."""
        identity = [run.meta("created_at"), run.meta("identity")]
        now = fingerprint([*identity, self._second.identity] if self._second else identity)
        if self._reviews.read("SELECT value FROM facts WHERE key = 'queue_of'") != [(now,)]:
            self._reviews.write(f"DELETE FROM queue WHERE {_OF_RUN}", [()])  # noqa: S608 - constants
            self._reviews.write("INSERT OR REPLACE INTO facts VALUES ('queue_of', ?)", [(now,)])

    def _add(self, run: RunStore, wanted: set[str]) -> None:
        """Put messages into the queue: by a pass over the run where they are most of it, else one by one."""
        if len(wanted) > self.num_done:
            rollouts: Iterator[Rollout] = run.rollouts()
        else:
            rollouts = (rollout for i in wanted for rollout in run.rollouts(i))
        until_stopped = takewhile(lambda _: not self._stopped.is_set(), rollouts)
        missing = (rollout for rollout in until_stopped if rollout.message.id in wanted)
        while part := list(islice(missing, _CHUNK)):
            self._keep(part)

    def _keep(self, rollouts: list[Rollout]) -> None:
        rows = [row for rollout in rollouts for row in rows_of(rollout, self._second)]
        self._reviews.write(_INSERT, rows)
        self.num_done += len(rollouts)
        self.ready.set()
        self._stopped.wait(0.001)  # lets a waiting request have the lock and the interpreter


def next_item(reviews: ReviewStore, reviewer: str, task: Task, filters: Filters) -> str | None:
    """Return the least certain item that the reviewer has not answered, None where there is none."""
    where, values = _narrowed(task, filters)
    rows = reviews.read(
        f"SELECT item FROM queue q WHERE {where} AND NOT EXISTS "  # noqa: S608 - constants with placeholders
        "(SELECT 1 FROM standing s WHERE s.task = q.task AND s.item = q.item AND s.reviewer = ?) "
        "ORDER BY doubt DESC, tie LIMIT 1",
        *values,
        reviewer,
    )
    return str(rows[0][0]) if rows else None


def progress(reviews: ReviewStore, reviewer: str, task: Task, filters: Filters) -> tuple[int, int]:
    """Return (answered by the reviewer, items) within the filters."""
    where, values = _narrowed(task, filters)
    ((number,),) = reviews.read(f"SELECT count(*) FROM queue q WHERE {where}", *values)  # noqa: S608
    ((done,),) = reviews.read(
        "SELECT count(*) FROM standing s JOIN queue q ON q.task = s.task AND q.item = s.item "  # noqa: S608
        f"WHERE s.reviewer = ? AND {where}",
        reviewer,
        *values,
    )
    return int(done), int(number)


def facts_of(reviews: ReviewStore, task: Task, item: str) -> dict[str, Any] | None:
    """Return what the queue knows of an item, None for an item that is not in it."""
    rows = reviews.read("SELECT facts FROM queue WHERE task = ? AND item = ?", task, item)
    return dict(json.loads(rows[0][0])) if rows else None


def forget(reviews: ReviewStore, task: Task, item: str) -> None:
    """Take an item out of the queue that is not there any more; what was said about it stays."""
    reviews.write("DELETE FROM queue WHERE task = ? AND item = ?", [(task, item)])


def tasks_of(reviews: ReviewStore) -> list[str]:
    """Return the tasks for which there is anything to do."""
    sql = "SELECT EXISTS (SELECT 1 FROM queue WHERE task = ?)"
    return [task for task in TASKS if reviews.read(sql, task)[0][0]]


def languages_of(reviews: ReviewStore) -> list[str]:
    """Return the languages of all items."""
    return [str(row[0]) for row in reviews.read("SELECT DISTINCT language FROM queue ORDER BY 1")]


def rows_of(rollout: Rollout, second: Second | None = None) -> Iterator[Row]:
    """Yield a rollout's places in the queue: always to be checked; ranked and compared where it can be.

    Where a second opinion disagrees with one of its pairs, its doubt is above 1, and that one is compared.
    """
    message, candidates, ranking = rollout.message, rollout.candidates, rollout.ranking
    disagreed = second.on(rollout) if second else None
    unsure = uncertainty(ranking) if ranking else 0.0
    if disagreed:
        unsure = 1 + disagreed.sureness
    of = (message.trait, message.kind, message.language)
    tie = stable_seed("review", message.id)
    yield ("check", target_key("message", message.id), *of, unsure, tie, "{}")
    folded = [fold(text) for text in candidates.texts] if candidates else []
    if candidates is None or len(set(folded)) < 2 or (ranking and ranking.status == "unsuitable"):
        return
    scores = list(ranking.scores) if ranking else []
    facts: dict[str, Any] = {"candidates_id": candidates.id, "scores": scores}
    if 3 <= len(candidates.items) <= MOST_RANKED:
        yield ("rank", message.id, *of, unsure, tie, json.dumps(facts))
    left, right, doubted = (*disagreed[:2], unsure) if disagreed else _closest(folded, ranking)
    yield ("compare", message.id, *of, doubted, tie, json.dumps(facts | {"left": left, "right": right}))


def _closest(folded: list[str], ranking: Ranking | None) -> tuple[int, int, float]:
    """Return the two different candidates of which the judge is least sure, with that doubt in 0..1."""
    pairs = [(i, j) for i, j in combinations(range(len(folded)), 2) if folded[i] != folded[j]]
    doubts = [(doubt_of_pair(ranking, i, j) if ranking else 1.0, -i, -j) for i, j in pairs]
    doubted, i, j = max(doubts)
    return -i, -j, doubted


def _effect_rows(item: EffectItem) -> Iterator[Row]:
    """Yield the places of an effect item: to be guessed, and to be approved or vetoed."""
    rest = (item.trait, item.kind, item.language, item.doubt, stable_seed("review", item.id), "{}")
    yield ("effect", item.id, *rest)
    yield ("check", target_key("message", EFFECT_PREFIX + item.id), *rest)


def _sign_rows(report: EffectReport) -> Iterator[Row]:
    """Yield a place for every trait of an evaluation, in the constitution's order."""
    for place, trait in enumerate(report.traits):
        doubt = 1 - place / len(report.traits)
        yield ("sign", target_key("trait", trait), trait, "", report.language, doubt, place, "{}")


def _narrowed(task: Task, filters: Filters) -> tuple[str, list[str]]:
    """Return a condition of a fixed text per choice of filters, and its values."""
    named = {name: value for name, value in filters._asdict().items() if value}
    return " AND ".join(["q.task = ?", *(f"q.{name} = ?" for name in named)]), [task, *named.values()]
