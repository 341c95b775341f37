"""Pairs to learn from, wherever they lie: a run, a folder that was exported, or a file of rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from character.constitution import Trait
from character.errors import InputError, UnknownNameError
from character.files import METADATA_FILE, problem
from character.inputs import as_kind
from character.records import PreferencePair, Record, Turn
from character.runs.session import reading, stored_constitution
from character.runs.summary import uses_rehearsal
from character.store.places import FILE_NAME, POINTER
from character.store.vetoes import read_vetoes, without_vetoed
from character.text import detect_language, fingerprint
from character.views import html
from character.views.rows import PairRows
from optimizers.errors import OptimizerError
from optimizers.labelled.files import rows_of

PAIR_SHAPE = '{"prompt": "…", "chosen": "…", "rejected": "…", "trait": "…"}'
_EXPORTED = ("preferences.jsonl", "train.jsonl", "validation.jsonl", "test.jsonl")
_WITHOUT_TRAIT = "without_trait"
_PASSED_ON = ("design", "chosen_level", "rejected_level", "probability", "message_id")


class PairSet(PairRows, Record):
    """Pairs from one place. ``dropped`` counts what was left out by reason; ``traits`` are those of a run.

    ``rehearsal`` says whether the rehearsal model had a hand in them, None where that is not known.
    ``language`` is that of the run, or of most of the pairs.
    """

    name: str
    pairs: tuple[PreferencePair, ...]
    traits: tuple[Trait, ...] = ()
    dropped: dict[str, int] = Field(default_factory=dict)
    rehearsal: bool | None = None
    language: str = "en"

    def _row_pairs(self) -> tuple[PreferencePair, ...]:
        return self.pairs

    def _repr_html_(self) -> str:
        return html.panel(html.heading(self.name), html.pairs_html(self.pairs))


def read_pairs(path: Path | str, *, trait: str = "", with_test: bool = True) -> PairSet:
    """Return the pairs of a run folder, of an exported folder, or of a file.

    A file holds JSON objects, one a line or in one list, in any of these shapes, also mixed:

    - TRL's: ``prompt`` (a text or turns), ``chosen`` and ``rejected`` (texts, or turns that end with the
      response and may repeat the prompt); ours adds ``trait``, ``kind``, ``language`` and where a pair came
      from;
    - the recipe's: ``prompt``, ``preferred`` and the list ``less_preferred``; the trait is that of the row
      with this prompt in ``candidates.jsonl`` beside it;
    - the plain one: ``prompt``, ``chosen``, ``rejected``, ``trait`` and, where known, ``probability``.

    ``trait`` is that of rows without one; where every pair says its own, it is the one that is kept. Columns
    beyond these are passed over. Without ``with_test`` the test split of an exported folder is left out. Left
    out and counted: that, what reviewers of a run vetoed, pairs with an empty side, with the same side twice,
    those that came before, and those of another trait. Raises InputError (StoreError for a run) naming file,
    line and field, UnknownNameError for a trait that is nowhere.
    """
    path = Path(path)
    if any((path / name).is_file() for name in (FILE_NAME, POINTER)):
        return _of_trait(_of_run(path), trait)
    files = [path / name for name in _EXPORTED if (path / name).is_file()] if path.is_dir() else [path]
    if not files:
        raise problem(__file__, "no_source", path=path, names=", ".join(_EXPORTED))
    dropped: Counter[str] = Counter()
    if not with_test and len(files) > 1 and files[-1].name == _EXPORTED[-1]:
        dropped["test_split"] = sum(1 for _ in _of_file(files.pop(), trait, Counter()))
    pairs = _distinct((pair for file in files for pair in _of_file(file, trait, dropped)), dropped)
    num_without = dropped.pop(_WITHOUT_TRAIT, 0)
    if not pairs:
        left_out = ", ".join(f"{number} {reason}" for reason, number in dropped.items())
        fault = f"there is no pair in it{f' (left out: {left_out})' if left_out else ''}."
        raise InputError(f"{path}: {fault}", expected=PAIR_SHAPE)
    read = PairSet(
        name=path.name,
        pairs=pairs,
        dropped=dict(dropped),
        rehearsal=_rehearsal_beside(files[0]),
        language=Counter(pair.language for pair in pairs).most_common(1)[0][0],
    )
    return read if num_without else _of_trait(read, trait)


def _of_trait(read: PairSet, trait: str) -> PairSet:
    """Return the pairs of one trait, all where none is named; what is left out is counted."""
    if not trait:
        return read
    pairs = tuple(pair for pair in read.pairs if pair.trait == trait)
    if not pairs:
        raise UnknownNameError("trait", trait, {pair.trait for pair in read.pairs})
    others = len(read.pairs) - len(pairs)
    dropped = {**read.dropped, "other_trait": others} if others else read.dropped
    return read.model_copy(update={"pairs": pairs, "dropped": dropped})


def _of_run(folder: Path) -> PairSet:
    dropped: Counter[str] = Counter()
    with reading(folder, "run") as store:
        constitution, vetoes = stored_constitution(store), read_vetoes(folder)
        rehearsal = uses_rehearsal(store)
        rollouts = (without_vetoed(rollout, vetoes, dropped) for rollout in store.rollouts())
        pairs = _distinct((pair for rollout in rollouts if rollout for pair in rollout.pairs), dropped)
    if not pairs:
        raise problem(__file__, "run_without_pairs", folder=folder)
    return PairSet(
        name=folder.name,
        pairs=pairs,
        traits=constitution.traits,
        dropped=dict(dropped),
        rehearsal=rehearsal,
        language=constitution.language,
    )


def _rehearsal_beside(file: Path) -> bool | None:
    """Return what the manifest of an export says of a file that it lists, None where nothing says it."""
    try:
        manifest = json.loads((file.parent / METADATA_FILE).read_text(encoding="utf-8"))
        listed = {each["path"] for each in manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    rehearsal = manifest.get("rehearsal")
    return rehearsal if file.name in listed and isinstance(rehearsal, bool) else None


def _distinct(pairs: Iterable[PreferencePair], dropped: Counter[str]) -> tuple[PreferencePair, ...]:
    distinct: dict[str, PreferencePair] = {}
    for pair in pairs:
        chosen, rejected = pair.chosen.strip(), pair.rejected.strip()
        if not chosen or not rejected:
            dropped["empty_side"] += 1
        elif chosen == rejected:
            dropped["identical_sides"] += 1
        elif pair.id in distinct:
            dropped["duplicate"] += 1
        else:
            distinct[pair.id] = pair
    return tuple(distinct.values())


def _of_file(path: Path, trait: str, dropped: Counter[str]) -> Iterator[PreferencePair]:
    traits: dict[str, str] | None = None
    for where, row in _rows(path):
        if "preferred" in row:
            traits = _traits_beside(path) if traits is None else traits
            others = row.get("less_preferred")
            if not isinstance(others, list):
                raise _problem(where, "less_preferred: found no list of texts.")
            beside = {"trait": traits.get(str(row.get("prompt")), ""), **row, "chosen": row["preferred"]}
            for other in others:
                yield _pair({**beside, "rejected": other}, where, trait, dropped)
        elif "chosen" in row and "rejected" in row:
            yield _pair(row, where, trait, dropped)
        else:
            raise _problem(where, f"found an object with the fields {', '.join(map(repr, list(row)[:8]))}.")


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        yield from rows_of(path)
    except OptimizerError as error:
        raise InputError(error.found, expected=PAIR_SHAPE, fix="give a file of pairs in UTF-8.") from None


def _traits_beside(path: Path) -> dict[str, str]:
    """Return the trait of each prompt in the recipe's candidates, without prompts that several have."""
    beside = path.with_name("candidates.jsonl")
    traits: dict[str, set[str]] = {}
    for _, row in _rows(beside) if beside.is_file() else ():
        if isinstance(row.get("prompt"), str) and isinstance(row.get("trait"), str):
            traits.setdefault(row["prompt"], set()).add(row["trait"])
    return {prompt: names.pop() for prompt, names in traits.items() if len(names) == 1}


def _pair(row: Mapping[str, Any], where: str, trait: str, dropped: Counter[str]) -> PreferencePair:
    chosen, rejected = (_turns(row[side], f"{where}: {side}", "assistant") for side in ("chosen", "rejected"))
    prompt = _turns(row["prompt"], f"{where}: prompt", "user") if "prompt" in row else chosen[:-1]
    turns = [turn for turn in prompt if turn["role"] != "system"]
    if not turns:
        raise _problem(where, "prompt: found none, neither in a field of its own nor before the responses.")
    if len(turns) < len(prompt):
        dropped["system_turn"] += len(prompt) - len(turns)
    name = row.get("trait") or trait
    if not row.get("trait"):
        dropped[_WITHOUT_TRAIT] += 1
    if not isinstance(name, str) or not name:
        wanted = "a trait's name in each row, or one for all (--trait NAME)"
        raise _problem(where, "trait: found none.", wanted)
    scored = row.get("score_chosen") is not None and row.get("score_rejected") is not None
    high, low = (row["score_chosen"], row["score_rejected"]) if scored else (1.0, 0.0)
    are_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (high, low))
    values = {
        "trait": name,
        "message_id": fingerprint(["message", name, [turn["content"] for turn in turns]]),
        "ranking_id": "",
        "kind": as_kind(row.get("kind") or row.get("type") or "question"),
        "language": row.get("language") or detect_language(turns[-1]["content"]),
        "chosen": chosen[-1]["content"],
        "rejected": rejected[-1]["content"],
        "score_chosen": high,
        "score_rejected": low,
        "margin": round(high - low, 6) if are_numbers else high,  # what is none the record refuses
        "design": "given",
        **{key: row[key] for key in _PASSED_ON if row.get(key) not in (None, "")},
    }
    try:
        values["prompt"] = tuple(Turn.model_validate(turn) for turn in turns)
        return PreferencePair.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the row"
        raise _problem(where, f"{place}: {first['msg'].removeprefix('Value error, ')}.") from None


def _turns(given: Any, where: str, last: str) -> list[dict[str, str]]:
    """Return a text or a list of turns as turns, the last of which is ``last``'s."""
    if isinstance(given, str):
        return [{"role": last, "content": given}]
    turns = given if isinstance(given, list) else []
    for turn in turns:
        if not isinstance(turn, dict) or not isinstance(turn.get("content"), str) or "role" not in turn:
            raise _problem(where, "found something that is no turn with role and content.")
    if not turns or turns[-1]["role"] != last:
        raise _problem(where, f"found no text, and no turns that end with the {last}'s.")
    return [{"role": turn["role"], "content": turn["content"]} for turn in turns]


def _problem(where: str, fault: str, expected: str = PAIR_SHAPE) -> InputError:
    return InputError(f"{where}: {fault}", expected=expected, fix="correct that row.")
