"""The one registry of export formats: what each is, who reads it, and the function that writes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from character.exports.facts import RunFacts
from character.exports.files import Sink, parquet_sink
from character.exports.models import SPLIT_NAMES, ExportedFile, Split, SplitName, split_of
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
    recipe_tables,
    reward_rows,
    sft_rows,
    trl_row,
    usable_pairs,
)
from character.exports.source import Source
from character.files import Write, json_text, jsonl_sink, toml_beside, write_text
from character.views.templates import filled_in


@dataclass(frozen=True)
class Job:
    """What to write: the data and the facts about them, how to split them, and what rows of pairs say.

    ``margin_asked`` asks for the margin of pairs, ``include_weight`` for their weight.
    """

    data: Source
    facts: RunFacts
    format: ExportFormat
    split: Split
    seed: int
    license: str | None
    margin_asked: bool
    include_weight: bool

    @property
    def include_margin(self) -> bool:
        """Whether rows say the margin: it was asked for, and the format has a place for it."""
        return self.margin_asked and self.format.takes_margin


@dataclass
class Written:
    """What a writer wrote: data files, files beside them, and counts.

    ``counts`` are of rows by trait, kind and split, ``skips`` of what has no row, by reason.
    """

    files: list[ExportedFile] = field(default_factory=list)
    extra_files: list[str] = field(default_factory=list)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    skips: Counter[str] = field(default_factory=Counter)


Writer = Callable[[Job, Path], Written]
Beside = Callable[[Sequence[ExportedFile]], dict[str, str]]


@dataclass(frozen=True)
class ExportFormat:
    """One way of writing a run.

    ``row`` says what one row is, ``reader`` which tool reads it. ``takes_margin``: ``include_margin`` adds a
    column ``margin``; ``takes_weight``: a row may say the weight of its pair; ``reads_pairs``: rows come from
    pairs; ``is_split``: rows are dealt out to splits; ``min_train_rows``: the fewest rows its reader trains
    on.
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
        if rows:
            lines = map(json_text, rows) if name.endswith("l") else [json_text(rows, indent=2)]
            write_text(folder / name, "\n".join(lines) + "\n")
            table = name.partition(".")[0]
            written.files.append(ExportedFile(path=name, split=None, rows=len(rows), table=table))
    for message, _ in usable_pairs(job.data, Counter()):
        written.counts[message.trait, message.kind, "all"] += 1
    return written


def axolotl_yaml(files: Sequence[ExportedFile]) -> dict[str, str]:
    """Return ``axolotl.yaml``: the lines to put into an axolotl configuration, ``datasets`` first."""
    paths = {file.split: file.path for file in files}
    return {"axolotl.yaml": filled_in(Path(__file__).with_name("axolotl.yaml.jinja"), paths=paths)}


def llamafactory_info(files: Sequence[ExportedFile]) -> dict[str, str]:
    """Return ``dataset_info.json``, which LLaMA-Factory reads when ``dataset_dir`` is the export's folder."""
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
    always = {"ranking": True, "formatting": "sharegpt", "columns": columns}
    entries = {f"character_{file.split}": {"file_name": file.path, **always} for file in files}
    return {"dataset_info.json": json_text(entries, indent=2) + "\n"}


_WRITERS: dict[str, Writer] = {
    "recipe": write_recipe,
    "trl": in_splits(pair_rows(trl_row)),
    "trl-kto": in_splits(kto_rows),
    "trl-prompt": in_splits(prompt_rows),
    "trl-sft": in_splits(sft_rows),
    "trl-reward": in_splits(reward_rows),
    "openai": in_splits(pair_rows(openai_row)),
    "axolotl": in_splits(pair_rows(axolotl_row), beside=axolotl_yaml),
    "llamafactory": in_splits(pair_rows(llamafactory_row), beside=llamafactory_info),
    "openrlhf": in_splits(pair_rows(openrlhf_row)),
    "parquet": in_splits(pair_rows(parquet_row), sink=parquet_sink, suffix="parquet"),
}
EXPORT_FORMATS = {
    name: ExportFormat(name, write=_WRITERS[name], **about)
    for name, about in toml_beside(__file__, "formats").items()
}
"""The formats by name, each with what ``formats.toml`` says of it."""
