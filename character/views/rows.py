"""Preference pairs as rows: one shape, that of TRL, for exports, data frames and data sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from character.errors import MissingExtraError, UnknownNameError
from character.files import toml_beside

if TYPE_CHECKING:
    from character.records import Drop, Message, PreferencePair, Rollout, Turn

Json = dict[str, Any]
Of = Literal["pairs", "messages", "candidates", "rankings", "drops"]
"""The records that can be had as rows."""
EXTRA = "frames"
"""The extra that brings pandas and Hugging Face's ``datasets``."""
RECORD_COLUMNS = {kind: tuple(columns) for kind, columns in toml_beside(__file__, "rows").items()}
"""The columns of each kind of record, in order."""
PAIR_COLUMNS = RECORD_COLUMNS["pairs"]
_TURNS = ("prompt", "chosen", "rejected")


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

    def _rows_of(self, of: str) -> Iterable[Json]:
        """Return other records than pairs as rows."""
        raise NotImplementedError

    def to_rows(self, of: Of = "pairs") -> list[Json]:
        """Return one row per pair, as ``export(…, "trl", …)`` writes them.

        ``prompt`` is a list of turns with ``role`` and ``content``, ``chosen`` and ``rejected`` are lists of
        one turn: TRL's conversational preference format. Beside them stand ``score_chosen`` and
        ``score_rejected`` (0..1), ``pair_id``, ``message_id``, ``trait``, ``kind``, ``language``, ``design``,
        ``chosen_level`` and ``rejected_level`` ("" where nobody asked for one). ``of`` names other records:
        messages, candidates, rankings or drops, whose ids join them (see ``RECORD_COLUMNS``).
        """
        if of != "pairs":
            return list(self._rows_of(known_records(of)))
        return [trl_row(pair) for pair in self._row_pairs()]

    def to_pandas(self, of: Of = "pairs") -> Any:
        """Return the rows of ``to_rows`` as a ``pandas.DataFrame``; MissingExtraError without pandas."""
        return frame_of(self.to_rows(of), RECORD_COLUMNS[of])

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


def known_records(of: str) -> str:
    """Return the name of a kind of record; raises UnknownNameError for any other."""
    if of not in RECORD_COLUMNS:
        raise UnknownNameError("kind of record", str(of), RECORD_COLUMNS)
    return of


def record_rows(
    of: str, messages: Iterable[Message], rollouts: Iterable[Rollout], message_drops: Iterable[Drop]
) -> Iterator[Json]:
    """Yield the records of a kind as rows, of candidates a row each with its score where it is ranked."""
    match of:
        case "messages":
            for message in messages:
                columns = message.model_dump(include={"trait", "kind", "language", "source", "model"})
                texts = {"text": message.text, "turns": chat(message.turns)}
                yield {"message_id": message.id, **columns, **texts}
        case "candidates":
            for rollout in rollouts:
                yield from _candidate_rows(rollout)
        case "rankings":
            names = set(RECORD_COLUMNS["rankings"]) - {"ranking_id"}
            for ranking in (rollout.ranking for rollout in rollouts if rollout.ranking):
                yield {"ranking_id": ranking.id, **ranking.model_dump(mode="json", include=names)}
        case "drops":
            for drop in all_drops(message_drops, rollouts):
                yield drop.model_dump(include=set(RECORD_COLUMNS["drops"]))


def all_drops(message_drops: Iterable[Drop], rollouts: Iterable[Rollout]) -> Iterator[Drop]:
    """Yield what was dropped while messages were written and after, each with its message's id."""
    yield from message_drops
    for rollout in rollouts:
        for drop in rollout.drops:
            yield drop.model_copy(update={"message_id": drop.message_id or rollout.message.id})


def _candidate_rows(rollout: Rollout) -> Iterator[Json]:
    candidates, ranking = rollout.candidates, rollout.ranking
    if candidates is None:
        return
    scores = ranking.scores if ranking else ()
    whose = {"message_id": candidates.message_id, "candidates_id": candidates.id}
    for place, item in enumerate(candidates.items):
        columns = item.model_dump(include={"text", "level", "model", "seed"})
        score = scores[place] if scores else None
        yield {**whose, "place": place, "trait": candidates.trait, **columns, "score": score}


def _needed(package: str, feature: str) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingExtraError(f"{feature} (by the package {package!r})", EXTRA) from error
