"""What speaks for and against training on some data from some base model, before anything is trained.

The rows are checked for what would crash a trainer, be dropped in silence or teach other things, and the
model's folder for a chat template that does what training takes for granted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, combinations, islice
from pathlib import Path
from typing import Any, get_args

from character.constitution import Trait
from character.locale import wording
from character.statistics.intervals import bootstrap_mean
from character.store.vetoes import VETO_REASONS
from character.text import count_tokens
from character.training.data import Row, TrainingData, prompt_key, responses_of, text_of, turns_of
from character.training.findings import TEXTS, check, rows_of, weight_of, written
from character.training.methods import METHODS, Method, MethodName
from character.training.model_folder import ModelFolder, read_model_folder
from character.training.other_traits import BY_WORDS, TraitScorer, other_traits
from character.training.reports import Check, CheckWeight
from character.views.templates import filled_in

_SAMPLE = 20
LENGTH_BAR = 0.1
"""How far above or below one half the accuracy of "longer wins" may be."""
LEAST_LANGUAGE_SHARE = 0.1
"""A language with a smaller share of the rows is learnt less: measured at 8 %, half of the effect."""


def check_training(
    data: TrainingData,
    method: MethodName,
    model: str,
    *,
    max_length: int,
    traits: Sequence[Trait] = (),
    scorer: TraitScorer = BY_WORDS,
    left_out: Mapping[str, int] | None = None,
) -> tuple[Check, ...]:
    """Return what speaks for and against training on this data from this base model, the gravest first.

    ``traits`` are all that the character has: each is looked for in the pairs of the others, by ``scorer``.
    ``max_length`` is the recipe's. ``left_out`` counts what of a run did not come into the data, by reason.
    Nothing is changed and no model is loaded.
    """
    chosen, folder = METHODS[method], read_model_folder(model)
    checks = [
        *not_trained_on(left_out or {}),
        *faulty_rows(data, chosen),
        *shared_prompts(data),
        *longer_wins(data, chosen),
        *languages(data),
        *chat_template(data, folder, model),
        *padding(folder),
        *too_long(data, chosen, folder, max_length),
        *other_traits(data, chosen, traits, scorer),
    ]
    return tuple(sorted(checks, key=lambda check: get_args(CheckWeight).index(check.weight)))


def report_text(checks: Sequence[Check]) -> str:
    """Return the checks as Markdown."""
    return filled_in(Path(__file__).with_name("checks.md.jinja"), checks=checks, heads=TEXTS["heads"])


def not_trained_on(counts: Mapping[str, int]) -> Iterator[Check]:
    """Tell what of a run did not come into the data; what reviewers vetoed by what it is."""
    words = wording("drops", "en")
    for code, is_veto in (("vetoed", True), ("left_out", False)):
        numbers = {name: number for name, number in counts.items() if (name in VETO_REASONS) == is_veto}
        if numbers:
            listed = ", ".join(f"{number:,} {words.get(name, name)}" for name, number in numbers.items())
            yield check(code, "note", numbers, listed=listed)


def faulty_rows(data: TrainingData, method: Method) -> Iterator[Check]:
    """Look for rows that crash TRL, that it takes for something else, or that teach nothing.

    Those are: a prompt that is a text where the responses are turns (or the other way round), a column of
    images or of margins, and a pair of two equal sides, which TRL accepts.
    """
    faults: tuple[tuple[str, CheckWeight, Callable[[Row], bool]], ...] = (
        ("mixed_shapes", "stop", _is_mixed),
        ("images", "stop", lambda row: "images" in row or "image" in row),
        ("margin", "look" if method.name == "reward" else "note", lambda row: "margin" in row),
        ("identical_sides", "look", lambda row: method.has_pairs and _has_equal_sides(row)),
    )
    for code, weight, has_fault in faults:
        number = sum(map(has_fault, data.rows))
        if number:
            yield check(code, weight, {"rows": number}, rows=rows_of(number))


def _is_mixed(row: Row) -> bool:
    return any(isinstance(row["prompt"], str) != isinstance(each, str) for each in responses_of(row))


def _has_equal_sides(row: Row) -> bool:
    return text_of(row["chosen"]).strip() == text_of(row["rejected"]).strip()


def shared_prompts(data: TrainingData) -> Iterator[Check]:
    """Look for prompts that are in two splits, which makes held-out figures too good."""
    keys = {name: {prompt_key(row) for row in rows} for name, rows in data.splits.items()}
    shared = {f"{a} and {b}": len(keys[a] & keys[b]) for a, b in combinations(keys, 2)}
    where = "; ".join(f"{pair}: {number}" for pair, number in shared.items() if number)
    if where:
        yield check("shared_prompts", "look", {"prompts": sum(shared.values())}, where=where)
    elif shared:
        yield check("shared_prompts", "fine")


def longer_wins(data: TrainingData, method: Method) -> Iterator[Check]:
    """Tell how often the longer side is the chosen one: a model learns that before it learns a trait."""
    if not method.has_pairs:
        return
    keys = [prompt_key(row) for row in data.rows]
    share = bootstrap_mean([_longer_is_chosen(row) for row in data.rows], groups=keys)
    if share is not None:
        weight = weight_of(share, 0.5, LENGTH_BAR, len(set(keys)))
        numbers = {"share": share.estimate, "low": share.low, "high": share.high}
        yield check("longer_wins", weight, numbers, share=written(share))


def _longer_is_chosen(row: Row) -> float:
    chosen, rejected = len(text_of(row["chosen"])), len(text_of(row["rejected"]))
    return 0.5 if chosen == rejected else float(chosen > rejected)


def languages(data: TrainingData) -> Iterator[Check]:
    """Count the rows of each language that is trained on, where rows say theirs."""
    counts = Counter(str(row["language"]) for row in data.splits["train"] if row.get("language"))
    total = counts.total()
    few = [name for name, number in counts.items() if number < LEAST_LANGUAGE_SHARE * total]
    listed = ", ".join(f"{name} {number:,} ({number / total:.0%})" for name, number in counts.most_common())
    if listed:
        weight: CheckWeight = "look" if few else "note"
        yield check("languages", weight, counts, listed=listed, few=", ".join(sorted(few)))


def too_long(data: TrainingData, method: Method, model: ModelFolder | None, limit: int) -> Iterator[Check]:
    """Count the rows of more tokens than ``limit``, by the model's own tokenizer where it has one here."""
    rows = list(data.rows)
    counted = model is not None and model.tokenizer is not None
    lengths = _token_counts(rows, model) if model and counted else [_estimated(row) for row in rows]
    over = sum(length > limit for length in lengths)
    numbers = {"rows": over, "longest": max(lengths, default=0), "limit": limit}
    weight: CheckWeight = "fine" if counted else "note"
    if over:
        weight = "stop" if over == len(rows) else "look"
    yield check(
        "too_long",
        weight,
        numbers,
        case="over" if over else "within",
        how="" if counted else TEXTS["too_long"]["estimated"],
        rows=rows_of(over),
        total=len(rows),
        fate=TEXTS["fates"][method.name],
    )


def _token_counts(rows: Sequence[Row], model: ModelFolder) -> list[int]:
    """Return the tokens of each row as the model reads them: its prompt with its longest response."""
    texts = [[_as_read(row, each, model) for each in responses_of(row) or [""]] for row in rows]
    counts = iter(model.count(list(chain.from_iterable(texts))))
    return [max(islice(counts, len(of_row))) for of_row in texts]


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


def chat_template(data: TrainingData, model: ModelFolder | None, name: str) -> Iterator[Check]:
    """Look for a chat template, and whether a reply continues the prompt that it is trained after."""
    if model is None:
        yield check("chat_template", "note", name=name)
    elif not any(isinstance(row["prompt"], list) for row in data.rows):
        return
    elif not model.chat_template:
        yield check("chat_template", "stop", path=model.path)
    else:
        yield _prefix(data, model)


def _prefix(data: TrainingData, model: ModelFolder) -> Check:
    broken = [turns for turns, response in _examples(data) if not _continues(model, turns, response)]
    if not broken:
        return check("template_prefix", "fine")
    prompt = model.render(broken[0], add_generation_prompt=True)
    return check("template_prefix", "stop", {"rows": len(broken)}, end=prompt[-40:])


def _examples(data: TrainingData) -> Iterator[tuple[list[dict[str, str]], list[dict[str, str]]]]:
    for row in islice((row for row in data.rows if isinstance(row["prompt"], list)), _SAMPLE):
        response = next(iter(responses_of(row)), [{"role": "assistant", "content": "…"}])
        yield turns_of(row["prompt"], "user"), turns_of(response, "assistant")


def _continues(model: ModelFolder, turns: list[dict[str, str]], response: list[dict[str, str]]) -> bool:
    prompt = model.render(turns, add_generation_prompt=True)
    return model.render([*turns, *response]).startswith(prompt)


def padding(model: ModelFolder | None) -> Iterator[Check]:
    """Look for a padding token that is the end token too."""
    if model is None:
        return
    end, pad = model.special.get("eos_token"), model.special.get("pad_token")
    if pad is not None and pad == end:
        yield check("pad_is_eos", "look", pad=pad)
    elif pad is None and model.tokenizer is not None:
        yield check("pad_is_eos", "note")
