"""A stored run to work with: its records in order, as rows, and as frames that share their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from character.config import Config
from character.constitution import Constitution
from character.exports.rows import parquet_row
from character.records import Candidates, Drop, Message, PreferencePair, Ranking, Rollout
from character.runs.session import reading, stored_config, stored_constitution
from character.runs.summary import RunSummary, stored_pairs, summarize
from character.store.calls import StoredCall
from character.store.run_store import RunStore
from character.views import html
from character.views.rows import RECORD_COLUMNS, Json, PairRows, all_drops, frame_of, record_rows
from character.views.short import short_repr

T = TypeVar("T")


_SHOWN = 3


def _first(items: Iterable[Any]) -> list[Any]:
    return list(islice(items, _SHOWN))


class StoredRecords(Generic[T]):
    """Records of a run, read a few at a time from the disk whenever one goes over them; or all as rows."""

    def __init__(
        self, read: Callable[[], Iterator[T]], rows: Callable[[], Iterable[Json]], columns: tuple[str, ...]
    ) -> None:
        self._read, self._rows, self._columns = read, rows, columns

    def __iter__(self) -> Iterator[T]:
        return self._read()

    def __len__(self) -> int:
        return sum(1 for _ in self._read())

    def __repr__(self) -> str:
        shown = [short_repr(each, 120) for each in _first(self)]
        more = ["…"] if len(shown) == _SHOWN else []
        return f"{type(self).__name__}([{', '.join(shown + more)}])"

    def _repr_html_(self) -> str:
        first = _first(self._rows())
        cells = [[short_repr(row.get(name), 120) for name in self._columns] for row in first]
        return html.panel(html.note(f"the first {len(first)}:"), html.table(self._columns, cells))

    def to_rows(self) -> list[Json]:
        """Return plain data, one dictionary per record (of candidates: per candidate), with the ids."""
        return list(self._rows())

    def to_pandas(self) -> Any:
        """Return the rows as a ``pandas.DataFrame``; raises MissingExtraError without pandas."""
        return frame_of(self.to_rows(), self._columns)


class StoredRun(PairRows):
    """A run in its folder, open for reading while it is written or after. Use it as a context manager.

    ``messages``, ``candidates``, ``rankings``, ``pairs`` and ``drops`` can be gone over any number of times,
    in message order, whatever the size of the run; each has ``to_rows()`` and ``to_pandas()``, whose columns
    ``message_id``, ``candidates_id`` and ``ranking_id`` join them. So can ``calls``, in the order of time.
    ``pairs``, ``to_rows()``, ``to_pandas()`` and ``to_dataset()`` of the run itself give the pairs that an
    export writes: each once, without what reviewers vetoed.
    """

    def __init__(self, store: RunStore) -> None:
        self.store = store

    def __enter__(self) -> StoredRun:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"StoredRun({str(self.folder)!r})"

    def close(self) -> None:
        """Close the run's store."""
        self.store.close()

    @property
    def folder(self) -> Path:
        """The folder, as it was given."""
        return self.store.folder

    @property
    def constitution(self) -> Constitution:
        """The constitution that the run was made with."""
        return stored_constitution(self.store)

    @property
    def config(self) -> Config:
        """The configuration that the run was made with."""
        return stored_config(self.store)

    def summary(self) -> RunSummary:
        """Return the figures of the run as it is now."""
        return summarize(self.store)

    @property
    def rollouts(self) -> Iterator[Rollout]:
        """The finished rollouts, as they were made: nothing is left out."""
        return self.store.rollouts()

    @property
    def messages(self) -> StoredRecords[Message]:
        """All messages, answered or not."""
        return self._records("messages", self.store.all_messages)

    @property
    def candidates(self) -> StoredRecords[Candidates]:
        """The candidates of every message that got some; as rows each candidate, with its score if ranked."""
        return self._records(
            "candidates", lambda: (each.candidates for each in self.rollouts if each.candidates)
        )

    @property
    def rankings(self) -> StoredRecords[Ranking]:
        """The rankings, those that are unranked or unsuitable included."""
        return self._records("rankings", lambda: (each.ranking for each in self.rollouts if each.ranking))

    @property
    def pairs(self) -> StoredRecords[PreferencePair]:
        """The pairs that an export writes."""
        return StoredRecords(
            lambda: stored_pairs(self.store),
            lambda: ({**parquet_row(pair), "margin": pair.margin} for pair in stored_pairs(self.store)),
            ("message_id", "ranking_id", "pair_id", "prompt", "chosen", "rejected"),
        )

    @property
    def calls(self) -> StoredRecords[StoredCall]:
        """The calls of models, also those that were not answered or could not be used."""
        return StoredRecords(
            self.store.calls,
            lambda: (call.model_dump(mode="json") for call in self.store.calls()),
            tuple(StoredCall.model_fields),
        )

    @property
    def drops(self) -> StoredRecords[Drop]:
        """Everything that was dropped, while messages were written and after."""
        return self._records("drops", lambda: all_drops(self.store.message_drops(), self.rollouts))

    def _records(self, of: str, read: Callable[[], Iterator[T]]) -> StoredRecords[T]:
        return StoredRecords(read, partial(self._rows_of, of), RECORD_COLUMNS[of])

    def _row_pairs(self) -> Iterator[PreferencePair]:
        return stored_pairs(self.store)

    def _rows_of(self, of: str) -> Iterator[Json]:
        store = self.store
        return record_rows(of, store.all_messages(), store.rollouts(), store.message_drops())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def open_run(folder: Path | str) -> StoredRun:
    """Return a run to read from, finished or not; close it, or use it as a context manager.

    Raises StoreError where the folder holds no run.
    """
    return StoredRun(reading(folder, "run"))
