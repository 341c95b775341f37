"""Checks of the rows themselves: what would crash a trainer, be dropped in silence, or teach other things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from character.locale import wording
from character.statistics.intervals import UNSEEN, Interval, bootstrap_mean
from character.store.vetoes import VETO_REASONS
from character.text import count_tokens
from character.training.data import Row, TrainingData, prompt_key, responses_of, text_of, turns_of
from character.training.methods import Method
from character.training.model_folder import ModelFolder
from character.training.reports import Check, CheckWeight

LENGTH_BAR = 0.1
"""How far above or below one half the accuracy of "longer wins" may be."""
LEAST_LANGUAGE_SHARE = 0.1
"""A language with a smaller share of the rows is learnt less: measured at 8 %, half of the effect."""
TOO_WIDE = "The interval is too wide to tell: it takes more pairs."
_FATE = {
    "dpo": "TRL cuts them at the end, and leaves out those whose prompt alone is too long",
    "kto": "TRL cuts them at the end, and leaves out those whose prompt alone is too long",
    "reward": "TRL leaves them out without a word",
    "sft": "TRL cuts them at the end",
    "grpo": "TRL leaves no room for a reply",
}


def left_out(counts: Mapping[str, int]) -> Iterator[Check]:
    """Tell what of a run did not come into the data; what reviewers vetoed by what it is."""
    vetoed = {reason: number for reason, number in counts.items() if reason in VETO_REASONS}
    others = {reason: number for reason, number in counts.items() if reason not in VETO_REASONS}
    for code, numbers, whose in (
        ("vetoed", vetoed, "by reviewers' vetoes"),
        ("left_out", others, "of the data"),
    ):
        if numbers:
            words = wording("drops", "en")
            listed = ", ".join(
                f"{number:,} {words.get(reason, reason)}" for reason, number in numbers.items()
            )
            yield Check(
                code=code,
                weight="note",
                text=f"Left out {whose}: {listed}.",
                numbers={reason: float(number) for reason, number in numbers.items()},
            )


def shapes(data: TrainingData, _method: Method) -> Iterator[Check]:
    """Look for a prompt that is a text where the responses are turns (or the other way round)."""
    mixed = [
        row
        for row in data.rows
        if any(isinstance(row["prompt"], str) != isinstance(each, str) for each in responses_of(row))
    ]
    if mixed:
        yield Check(
            code="mixed_shapes",
            weight="stop",
            text=f"{_rows(len(mixed))} hold a prompt as text and a response as a list of turns, or the other "
            "way round; TRL crashes on that. Write both as lists of turns.",
            numbers={"rows": len(mixed)},
        )


def columns(data: TrainingData, method: Method) -> Iterator[Check]:
    """Look for columns that a trainer takes for something else."""
    pictured = sum("images" in row or "image" in row for row in data.rows)
    if pictured:
        yield Check(
            code="images",
            weight="stop",
            text=f"{_rows(pictured)} have a column of images. TRL then wants a model that sees, and fails on "
            "any other. Take the column out.",
            numbers={"rows": pictured},
        )
    with_margin = sum("margin" in row for row in data.rows)
    if with_margin:
        reads = method.name == "reward"
        advice = (
            "TRL subtracts it from the difference of rewards in the loss. Keep it only if that is what you "
            "want."
            if reads
            else "This method does not read it."
        )
        yield Check(
            code="margin",
            weight="look" if reads else "note",
            text=f"{_rows(with_margin)} have a column named margin. {advice}",
            numbers={"rows": with_margin},
        )


def identical_sides(data: TrainingData, method: Method) -> Iterator[Check]:
    """Look for pairs of two equal sides, which TRL accepts and which teach nothing."""
    if not method.has_pairs:
        return
    same = sum(text_of(row["chosen"]).strip() == text_of(row["rejected"]).strip() for row in data.rows)
    if same:
        yield Check(
            code="identical_sides",
            weight="look",
            text=f"{_rows(same)} have the same text as chosen and rejected. They teach nothing; leave them "
            "out.",
            numbers={"rows": same},
        )


def shared_prompts(data: TrainingData, _method: Method) -> Iterator[Check]:
    """Look for prompts that are in two splits, which makes held-out figures too good."""
    keys = {name: {prompt_key(row) for row in rows} for name, rows in data.splits.items()}
    names = list(keys)
    shared = {f"{a} and {b}": len(keys[a] & keys[b]) for i, a in enumerate(names) for b in names[i + 1 :]}
    counts = {pair: number for pair, number in shared.items() if number}
    if counts:
        where = "; ".join(f"{pair}: {number}" for pair, number in counts.items())
        yield Check(
            code="shared_prompts",
            weight="look",
            text=f"Prompts are in two splits at once ({where}). Figures on held-out rows would be too good: "
            "split by message, as character does.",
            numbers={"prompts": float(sum(counts.values()))},
        )
    elif len(names) > 1:
        yield Check(code="shared_prompts", weight="fine", text="No prompt is in two splits.")


def longer_wins(data: TrainingData, method: Method) -> Iterator[Check]:
    """Tell how often the longer side is the chosen one: a model learns that before it learns a trait."""
    if not method.has_pairs:
        return
    rows = list(data.rows)
    values = [_longer(len(text_of(row["chosen"])), len(text_of(row["rejected"]))) for row in rows]
    share = bootstrap_mean(values, groups=[prompt_key(row) for row in rows])
    if share is None:
        return
    weight: CheckWeight = "fine"
    advice = "Length says little."
    if share.excludes(0.5) and abs(share.estimate - 0.5) >= LENGTH_BAR:
        weight = "look"
        advice = "A model learns that first. Balance the pairs (--balance), or use the loss sigmoid_norm."
    elif not settles(share, 0.5, LENGTH_BAR, len({prompt_key(row) for row in rows})):
        weight, advice = "note", TOO_WIDE
    yield Check(
        code="longer_wins",
        weight=weight,
        text=f"The longer side is chosen in {written(share)} of the pairs. {advice}",
        numbers=_numbers(share),
    )


def languages(data: TrainingData, _method: Method) -> Iterator[Check]:
    """Count the rows of each language that is trained on, where rows say theirs."""
    counts = Counter(str(row["language"]) for row in data.splits["train"] if row.get("language"))
    total = sum(counts.values())
    if not total:
        return
    few = [name for name, number in counts.items() if number < LEAST_LANGUAGE_SHARE * total]
    listed = ", ".join(f"{name} {number:,} ({number / total:.0%})" for name, number in counts.most_common())
    advice = (
        f" {', '.join(sorted(few))} will move less than the rest, and has to be measured by itself."
        if few
        else ""
    )
    yield Check(
        code="languages",
        weight="look" if few else "note",
        text=f"Rows to train on by language: {listed}.{advice}",
        numbers={name: float(number) for name, number in counts.items()},
    )


def too_long(data: TrainingData, method: Method, model: ModelFolder | None, limit: int) -> Iterator[Check]:
    """Count the rows of more tokens than ``limit``, by the model's own tokenizer where it has one here."""
    rows = list(data.rows)
    counted = model is not None and model.tokenizer is not None
    lengths = _token_counts(rows, model) if model and counted else [_estimated(row) for row in rows]
    over = sum(length > limit for length in lengths)
    how = "" if counted else " by estimate (the model's tokenizer is not here)"
    numbers = {"rows": float(over), "longest": float(max(lengths, default=0)), "limit": float(limit)}
    if over:
        yield Check(
            code="too_long",
            weight="stop" if over == len(rows) else "look",
            text=f"{_rows(over)} of {len(rows):,} have more than {limit:,} tokens{how}, the longest "
            f"{max(lengths):,}. {_FATE[method.name]}. Raise max_length, or leave long responses out of the "
            "run.",
            numbers=numbers,
        )
    else:
        yield Check(
            code="too_long",
            weight="fine" if counted else "note",
            text=f"No row has more than {limit:,} tokens{how}; the longest has {max(lengths, default=0):,}.",
            numbers=numbers,
        )


def _token_counts(rows: Sequence[Row], model: ModelFolder) -> list[int]:
    """Return the tokens of each row as the model reads them: its prompt with its longest response."""
    texts: list[str] = []
    owners: list[int] = []
    for place, row in enumerate(rows):
        for response in responses_of(row) or [""]:
            texts.append(_as_read(row, response, model))
            owners.append(place)
    longest = [0] * len(rows)
    for place, number in zip(owners, model.count(texts), strict=True):
        longest[place] = max(longest[place], number)
    return longest


def _as_read(row: Row, response: Any, model: ModelFolder) -> str:
    if not model.chat_template or isinstance(row["prompt"], str):
        return text_of(row["prompt"]) + text_of(response)
    turns = turns_of(row["prompt"], "user")
    if response == "":
        return model.render(turns, add_generation_prompt=True)
    return model.render([*turns, *turns_of(response, "assistant")])


def _estimated(row: Row) -> int:
    longest = max((count_tokens(text_of(each)) for each in responses_of(row)), default=0)
    return count_tokens(text_of(row["prompt"])) + longest


def _longer(chosen: int, rejected: int) -> float:
    return 0.5 if chosen == rejected else float(chosen > rejected)


def settles(interval: Interval, center: float, bar: float, num_prompts: int) -> bool:
    """Return whether an interval leaves nothing as far as ``bar`` from the center.

    Where all values are alike the bootstrap gives no width; then what was seen in none of n prompts may still
    be in 3 / n of them (the rule of three, at 95 %).
    """
    reach = max(abs(interval.low - center), abs(interval.high - center))
    return max(reach, UNSEEN / num_prompts) <= bar


def written(interval: Interval) -> str:
    """Return a share with its interval, in per cent."""
    return f"{interval.estimate:.0%} [{interval.low:.0%}, {interval.high:.0%}]"


def _numbers(interval: Interval) -> dict[str, float]:
    return {"share": interval.estimate, "low": interval.low, "high": interval.high}


def _rows(number: int) -> str:
    return f"{number:,} row" if number == 1 else f"{number:,} rows"
