"""Preference pairs as rows: one shape, that of TRL, for exports, data frames and data sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from character.errors import MissingExtraError

if TYPE_CHECKING:
    from character.records import PreferencePair, Turn

Json = dict[str, Any]
EXTRA = "frames"
"""The extra that brings pandas and Hugging Face's ``datasets``."""


def chat(turns: Iterable[Turn]) -> list[Json]:
    """Return turns as a list of ``role`` and ``content``."""
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def reply(text: str) -> Json:
    """Return one assistant turn."""
    return {"role": "assistant", "content": text}


def sides(pair: PreferencePair) -> Json:
    """Return the conversation and its two endings."""
    return {"prompt": chat(pair.prompt), "chosen": [reply(pair.chosen)], "rejected": [reply(pair.rejected)]}


def trl_row(pair: PreferencePair) -> Json:
    """Return the conversational preference row with an explicit prompt; a level nobody asked for is ``""``.

    Never null: a column that is null throughout one file and text in another cannot be loaded as one.
    """
    columns = pair.model_dump(include=set(PAIR_COLUMNS) - set(_TURNS)) | {
        "pair_id": pair.id,
        "chosen_level": pair.chosen_level or "",
        "rejected_level": pair.rejected_level or "",
    }
    return dict.fromkeys(PAIR_COLUMNS) | sides(pair) | columns


def frame_of(rows: Sequence[Json], columns: Sequence[str] | None = None) -> Any:
    """Return rows as a ``pandas.DataFrame``; raises MissingExtraError without pandas.

    ``columns`` names the columns of a frame without rows.
    """
    pandas = _needed("pandas", "A data frame")
    return pandas.DataFrame(list(rows), columns=None if rows or columns is None else list(columns))


class PairRows:
    """What gives preference pairs as rows: as they are, as a data frame, or as a data set for a trainer."""

    def _row_pairs(self) -> Iterable[PreferencePair]:
        raise NotImplementedError

    def to_rows(self) -> list[Json]:
        """Return one row per pair, as ``export(…, "trl", …)`` writes them.

        ``prompt`` is a list of turns with ``role`` and ``content``, ``chosen`` and ``rejected`` are lists of
        one turn: TRL's conversational preference format. Beside them stand ``score_chosen`` and
        ``score_rejected`` (0..1), ``pair_id``, ``message_id``, ``trait``, ``kind``, ``language``, ``design``,
        ``chosen_level`` and ``rejected_level`` ("" where nobody asked for one).
        """
        return [trl_row(pair) for pair in self._row_pairs()]

    def to_pandas(self) -> Any:
        """Return the rows as a ``pandas.DataFrame``; raises MissingExtraError without pandas."""
        return frame_of(self.to_rows(), PAIR_COLUMNS)

    def to_dataset(self) -> Any:
        """Return the rows of ``to_rows`` as a ``datasets.Dataset``, which TRL's trainers take as it is.

        Raises MissingExtraError without the package ``datasets``.
        """
        datasets = _needed("datasets", "A data set for trainers")
        text = datasets.Value("string")
        turns = datasets.List({"role": text, "content": text})
        columns = {name: turns if name in _TURNS else text for name in PAIR_COLUMNS}
        columns |= {name: datasets.Value("float64") for name in ("score_chosen", "score_rejected")}
        rows = self.to_rows()
        values = {name: [row[name] for row in rows] for name in columns}
        return datasets.Dataset.from_dict(values, features=datasets.Features(columns))


_TURNS = ("prompt", "chosen", "rejected")
PAIR_COLUMNS = (
    *_TURNS,
    "score_chosen",
    "score_rejected",
    "pair_id",
    "message_id",
    "trait",
    "kind",
    "language",
    "design",
    "chosen_level",
    "rejected_level",
)
"""The columns of a row, in order."""


def _needed(package: str, feature: str) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingExtraError(f"{feature} (by the package {package!r})", EXTRA) from error
