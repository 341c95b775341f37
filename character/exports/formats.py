"""The one registry of export formats: what each is, who reads it, and the function that writes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from character.exports.files import Sink, parquet_sink
from character.exports.models import SPLIT_NAMES, ExportedFile, Split, SplitName
from character.exports.recipe import recipe_tables
from character.exports.rows import (
    RowSource,
    axolotl_row,
    kto_rows,
    llamafactory_row,
    openai_row,
    openrlhf_row,
    pair_rows,
    parquet_row,
    prompt_rows,
    reward_rows,
    sft_rows,
    trl_row,
    usable_pairs,
)
from character.exports.source import Source
from character.exports.splits import split_of
from character.exports.trainer_files import axolotl_yaml, llamafactory_info
from character.files import Write, json_text, jsonl_sink, write_text


@dataclass(frozen=True)
class Job:
    """What to write: the data, how to split it, and whether pairs say their margin and their weight."""

    data: Source
    split: Split
    seed: int
    include_margin: bool
    include_weight: bool = False


@dataclass
class Written:
    """What a writer wrote: data files, files beside them, and counts (rows by trait, kind and split; skips by reason)."""

    files: list[ExportedFile] = field(default_factory=list)
    extra_files: list[str] = field(default_factory=list)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    skips: Counter[str] = field(default_factory=Counter)


Writer = Callable[[Job, Path], Written]
Beside = Callable[[Sequence[ExportedFile]], dict[str, str]]


@dataclass(frozen=True)
class ExportFormat:
    """One way of writing a run.

    ``row`` says what one row is, ``reader`` which tool reads it. ``takes_margin``: ``include_margin`` adds a column
    ``margin``; ``takes_weight``: a row may say the weight of its pair; ``reads_pairs``: rows come from pairs;
    ``is_split``: rows are dealt out to splits; ``min_train_rows``: the fewest rows its reader trains on.
    """

    name: str
    row: str
    reader: str
    write: Writer
    takes_margin: bool = False
    takes_weight: bool = False
    reads_pairs: bool = True
    is_split: bool = True
    min_train_rows: int = 1


def in_splits(
    rows: RowSource, *, sink: Sink = jsonl_sink, suffix: str = "jsonl", beside: Beside | None = None
) -> Writer:
    """Return the writer that deals rows out to one file per split; a split that gets no row gets no file."""

    def write(job: Job, folder: Path) -> Written:
        written = Written()
        per_split: Counter[SplitName] = Counter()
        with ExitStack() as stack:
            sinks: dict[SplitName, Write] = {}
            for row in rows(job.data, written.skips):
                name = split_of(row.message, job.split, job.seed)
                if name not in sinks:
                    sinks[name] = stack.enter_context(sink(folder / f"{name}.{suffix}"))
                margin = {"margin": row.margin} if job.include_margin else {}
                sinks[name](row.data | margin | ({"weight": row.weight} if job.include_weight else {}))
                per_split[name] += 1
                written.counts[row.message.trait, row.message.kind, name] += 1
        for name in SPLIT_NAMES:
            if per_split[name]:
                written.files.append(ExportedFile(path=f"{name}.{suffix}", split=name, rows=per_split[name]))
        for file_name, text in (beside(written.files) if beside else {}).items():
            write_text(folder / file_name, text)
            written.extra_files.append(file_name)
        return written

    return write


def write_recipe(job: Job, folder: Path) -> Written:
    """Write the recipe's five files, none of them split, leaving out those that would be empty."""
    written = Written()
    for name, rows in recipe_tables(job.data, written.skips).items():
        if not rows:
            continue
        lines = [json_text(row) for row in rows]
        write_text(
            folder / name, "\n".join(lines) + "\n" if name.endswith("l") else json_text(rows, indent=2) + "\n"
        )
        written.files.append(
            ExportedFile(path=name, split=None, rows=len(rows), table=name.partition(".")[0])
        )
    for message, _ in usable_pairs(job.data, Counter()):
        written.counts[message.trait, message.kind, "all"] += 1
    return written


EXPORT_FORMATS: dict[str, ExportFormat] = {
    format.name: format
    for format in (
        ExportFormat(
            "recipe",
            "the recipe's own shapes: traits, messages, candidates, scores, preferences (not split)",
            "people, and any program that follows the recipe",
            write_recipe,
            is_split=False,
        ),
        ExportFormat(
            "trl",
            "a pair: prompt, chosen and rejected as chat turns, with scores and provenance",
            "TRL's DPOTrainer and RewardTrainer",
            in_splits(pair_rows(trl_row)),
            takes_margin=True,
            takes_weight=True,
        ),
        ExportFormat(
            "trl-kto",
            "a response with the label true (chosen) or false (rejected), each once per message",
            "TRL's KTOTrainer",
            in_splits(kto_rows),
        ),
        ExportFormat(
            "trl-prompt",
            "a message as prompt, without responses",
            "TRL's GRPOTrainer and other online trainers",
            in_splits(prompt_rows),
            reads_pairs=False,
        ),
        ExportFormat(
            "trl-sft",
            "a message with the response that was ranked highest, as prompt and completion",
            "TRL's SFTTrainer",
            in_splits(sft_rows),
        ),
        ExportFormat(
            "trl-reward",
            "a message with all its candidates and their scores in 0..1 (listwise)",
            "reward models that learn from scores; TRL's RewardTrainer learns from pairs and reads trl",
            in_splits(reward_rows),
            reads_pairs=False,
        ),
        ExportFormat(
            "openai",
            "a pair as input, preferred_output and non_preferred_output",
            "the preference fine-tuning of OpenAI, Azure, Together and Fireworks",
            in_splits(pair_rows(openai_row)),
            min_train_rows=10,
        ),
        ExportFormat(
            "axolotl",
            "a pair as messages, chosen and rejected turns, with axolotl.yaml beside it",
            "axolotl with rl: dpo and type: chat_template.default",
            in_splits(pair_rows(axolotl_row), beside=axolotl_yaml),
        ),
        ExportFormat(
            "llamafactory",
            "a pair in ShareGPT turns, with dataset_info.json beside it",
            "LLaMA-Factory with dataset_dir set to the folder and dataset: character_train",
            in_splits(pair_rows(llamafactory_row), beside=llamafactory_info),
        ),
        ExportFormat(
            "openrlhf",
            "a pair: prompt, chosen and rejected as lists of chat turns",
            "OpenRLHF with --data.prompt_key prompt --data.apply_chat_template (older releases: without data.)",
            in_splits(pair_rows(openrlhf_row)),
            takes_margin=True,
            takes_weight=True,
        ),
        ExportFormat(
            "parquet",
            "a pair as in trl with all its provenance, typed columns, zstd",
            "datasets, pandas, DuckDB, and TRL as above",
            in_splits(pair_rows(parquet_row), sink=parquet_sink, suffix="parquet"),
            takes_margin=True,
            takes_weight=True,
        ),
    )
}
