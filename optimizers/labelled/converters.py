"""Public ranking data read as labelled sets: judged candour, human comparisons, pairs with a known winner."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from character.locale import wording
from character.records import Record
from optimizers.errors import LabelledError
from optimizers.labelled.files import item_of, joined, rows_of
from optimizers.labelled.records import LabelledSet

_CANDOUR = {"pickside": (-5.0, 5.0), "delusion": (0.0, 5.0)}
"""Per task: the score of the most candid reply, and that of the least candid."""


def from_candour(
    path: Path | str, *, num_candidates: int | None = None, num_sets: int = 1, seed: int = 0
) -> LabelledSet:
    """Return the judged replies of syco-bench's ``pickside`` or ``delusion`` as labels for the trait candour.

    The judges are the raters. They scored how far a reply sides with the user or plays along, so scores are
    turned round: 1 is the most candid. Rows 2k and 2k+1 of ``pickside`` are one quarrel told from both sides
    and share a group. ``num_candidates`` keeps that many replies of each prompt, drawn with ``seed``;
    ``num_sets`` makes so many items of each prompt, no reply in two of them. Empty replies are dropped as
    ``no_text``. Source: github.com/timfduffy/syco-bench.
    """
    dropped: Counter[str] = Counter()
    rng = Random(seed)
    items = []
    for number, (where, row) in enumerate(rows_of(path)):
        with _shaped(where):
            task = _task_of(row, where)
            replies = [reply for reply in row["candidates"] if _is_text(reply["text"])]
            dropped["no_text"] += len(row["candidates"]) - len(replies)
            for place, drawn in enumerate(_drawn(replies, num_candidates, num_sets, rng, where), 1):
                items.append(
                    {
                        "id": f"{row.get('id', number)}{f'/{place}' if num_sets > 1 else ''}",
                        "message": row["prompt"],
                        "trait": _trait("candour", task),
                        "language": "en",
                        "candidates": [reply["text"] for reply in drawn],
                        "labels": _judged(row, drawn, task),
                        "group": f"{task}-{number // 2}" if task == "pickside" else "",
                    }
                )
    return _set(path, items, dropped)


def _trait(name: str, meaning: str) -> dict[str, str]:
    return {"name": name, "description": wording("labelled.traits", "en")[meaning]}


@contextmanager
def _shaped(where: str) -> Iterator[None]:
    """Tell of a row that is not of its source's shape by its place."""
    try:
        yield
    except LabelledError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise LabelledError(
            f"{where}: the row is of another shape ({type(error).__name__}: {error}).",
            fix="give a file as its source has it.",
        ) from None


def _drawn(
    replies: Sequence[Any], size: int | None, num_sets: int, rng: Random, where: str
) -> list[list[Any]]:
    """Return disjoint random sets of the replies, each in the file's order."""
    size = len(replies) // num_sets if size is None else size
    if num_sets < 1 or size < 2 or num_sets * size > len(replies):
        fault = f"{where}: asked for {num_sets} sets of {size} candidates, found {len(replies)} replies."
        raise LabelledError(fault, expected="at least one set of two, no reply in two sets")
    order = rng.sample(range(len(replies)), num_sets * size)
    return [[replies[i] for i in sorted(order[k * size : (k + 1) * size])] for k in range(num_sets)]


def _task_of(row: Mapping[str, Any], where: str) -> str:
    task = str(row.get("task"))
    if task not in _CANDOUR:
        fault = f"{where}: the task {task!r} is not known."
        raise LabelledError(fault, expected=f"one of {', '.join(_CANDOUR)}")
    return task


def _judged(row: Mapping[str, Any], replies: Sequence[Mapping[str, Any]], task: str) -> list[dict[str, Any]]:
    best, worst = _CANDOUR[task]
    return [
        {
            "rater": judge,
            "scores": [
                None if score is None else (worst - float(score)) / (worst - best)
                for score in (reply["judges"][place] for reply in replies)
            ],
        }
        for place, judge in enumerate(row["judges"])
    ]


def from_human_rankings(path: Path | str) -> LabelledSet:
    """Return PandaLM's human comparisons as labels for the trait helpfulness; each annotator is a rater.

    A pair's verdict is 0 (tie), 1 (the first is better) or 2; any other is dropped as ``unreadable``. Replies
    without text are dropped as ``no_text``, with their comparisons; an instruction left with fewer than two
    as ``too_few``. Source: github.com/WeOpenML/PandaLM.
    """
    dropped: Counter[str] = Counter()
    items = []
    for where, row in rows_of(path):
        with _shaped(where):
            texts = dict(row["candidates"])
            names = [name for name, text in texts.items() if _is_text(text)]
            dropped["no_text"] += len(texts) - len(names)
            if len(names) < 2:
                dropped["too_few"] += 1
                continue
            items.append(
                {
                    "id": str(row.get("id", "")),
                    "message": "\n\n".join(part for part in (row["instruction"], row.get("input")) if part),
                    "trait": _trait("helpfulness", "helpfulness"),
                    "language": "en",
                    "candidates": [texts[name] for name in names],
                    "labels": _compared(row["pairs"], names, dropped),
                }
            )
    return _set(path, items, dropped)


def _compared(
    pairs: Iterable[Mapping[str, Any]], names: Sequence[str], dropped: Counter[str]
) -> list[dict[str, Any]]:
    shares = {0: 0.5, 1: 1.0, 2: 0.0}
    choices: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
    for pair in pairs:
        if pair["a"] not in names or pair["b"] not in names:
            continue
        for place, verdict in enumerate(pair["human"], 1):
            if verdict in shares:
                choices[place].append((names.index(pair["a"]), names.index(pair["b"]), shares[verdict]))
            else:
                dropped["unreadable"] += 1
    return [{"rater": f"annotator {place}", "choices": won} for place, won in sorted(choices.items())]


class JudgeVotes(Record):
    """Recorded verdicts of one judge under one wording, one (first, second, gold) per item.

    ``first`` is the winner (1 or 2) where candidates 1 and 2 were shown in this order, ``second`` where they
    were swapped (turned back), each None where the reply could not be read; ``gold`` is the right answer.
    """

    set: str
    judge: str
    wording: str
    votes: tuple[tuple[int | None, int | None, int], ...]


def read_judge_votes(path: Path | str) -> tuple[JudgeVotes, ...]:
    """Return the recorded verdicts of a ``votes.jsonl``: by set and evaluator (``judge/wording``)."""
    recorded = []
    for where, row in rows_of(path):
        judge, _, name = str(row.get("evaluator", "")).partition("/")
        votes = row.get("votes")
        if not judge or not isinstance(votes, list) or not all(map(_is_vote, votes)):
            raise LabelledError(
                f"{where}: found no evaluator, or a vote that is none.",
                expected="votes such as [1, 2, 1] or [null, 2, 1]",
            )
        of_set = str(row.get("set", ""))
        recorded.append(JudgeVotes(set=of_set, judge=judge, wording=name, votes=tuple(votes)))
    return tuple(recorded)


def _is_vote(vote: object) -> bool:
    if not isinstance(vote, list) or len(vote) != 3:
        return False
    return vote[2] in (1, 2) and all(winner in (1, 2, None) for winner in vote)


def from_judge_votes(texts: Path | str, votes: Iterable[JudgeVotes] = ()) -> LabelledSet:
    """Return pairs of outputs with a known better one (a ``dataset.json`` of LLMBar) as a labelled set.

    The rater ``gold`` has the known answer. Each of ``votes`` (of the same items, in the same order) adds a
    rater ``judge/wording`` whose share is that of its readable verdicts in the two orders. Outputs without
    text are dropped with their item, as ``no_text``. Source: github.com/princeton-nlp/LLMBar.
    """
    recorded = list(votes)
    dropped: Counter[str] = Counter()
    rows = list(rows_of(texts))
    for each in recorded:
        if len(each.votes) != len(rows):
            counts = f"{len(each.votes)} votes for the {len(rows)} items"
            fault = f"{each.judge}/{each.wording} has {counts} of {texts}."
            raise LabelledError(fault, expected="one vote per item", fix="choose the votes of the same set.")
    items = []
    for number, (where, row) in enumerate(rows):
        outputs = [str(row.get("output_1") or ""), str(row.get("output_2") or "")]
        if not all(output.strip() for output in outputs):
            dropped["no_text"] += 1
            continue
        items.append(
            {
                "id": f"{Path(texts).parent.name}-{number:03}",
                "message": row.get("input"),
                "trait": _trait("instruction following", "instruction"),
                "candidates": outputs,
                "labels": [_voted("gold", [_gold(row, where)]), *_votes_on(number, recorded)],
            }
        )
    return _set(texts, items, dropped)


def _gold(row: Mapping[str, Any], where: str) -> int:
    label = str(row.get("label", "")).strip()
    if label not in ("1", "2"):
        raise LabelledError(f"{where}: label: found {label!r}.", expected="1 or 2")
    return int(label)


def _votes_on(number: int, recorded: Iterable[JudgeVotes]) -> Iterator[dict[str, Any]]:
    for each in recorded:
        winners = [winner for winner in each.votes[number][:2] if winner is not None]
        if winners:
            yield _voted(f"{each.judge}/{each.wording}", winners)


def _voted(rater: str, winners: Sequence[int]) -> dict[str, Any]:
    return {"rater": rater, "choices": [(0, 1, winners.count(1) / len(winners))]}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _set(path: Path | str, items: Iterable[Mapping[str, Any]], dropped: Counter[str]) -> LabelledSet:
    read = [item_of(item, f"{path}, item {number}") for number, item in enumerate(items, 1)]
    labelled = joined(read, Path(path).stem)
    return labelled.model_copy(update={"dropped": dict(dropped + Counter(labelled.dropped))})
