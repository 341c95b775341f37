"""The entry point: one call writes one format of a run into one folder, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from character._version import __version__
from character.errors import InputError, UnknownNameError
from character.exports.card import dataset_card
from character.exports.facts import RunFacts, count_drops, made_by_rehearsal, read_facts
from character.exports.files import METADATA_FILE, json_text, staged_folder, write_text
from character.exports.formats import EXPORT_FORMATS, ExportFormat, Job, Written
from character.exports.models import ExportData, ExportReport, Split
from character.exports.splits import requested_splits

CARD_FILE = "README.md"
DEFAULT_SPLIT = Split()


def export(
    dataset: ExportData,
    format: str,
    out: Path,
    *,
    split: Split = DEFAULT_SPLIT,
    include_margin: bool = False,
    seed: int = 0,
    license: str | None = None,
    overwrite: bool = False,
) -> ExportReport:
    """Write a run in one format (a name of ``EXPORT_FORMATS``) into the folder ``out``, with a dataset card.

    ``split`` is 90/5/5 unless given, dealt out by message with ``seed``. ``include_margin`` adds the column
    ``margin``, which TRL's and OpenRLHF's reward losses subtract from the difference of rewards. ``license`` is an
    identifier of the Hugging Face hub such as ``cc-by-4.0``; without one the card says that none was chosen. With
    ``overwrite`` an earlier export in ``out`` is replaced.

    The same arguments always write the same bytes. Raises UnknownNameError for the format, InputError where ``out`` is
    taken, the manifest cannot be read, a trait is not in the constitution or nothing would be written,
    MissingExtraError without pyarrow for Parquet, and StoreError where the disk refuses.
    """
    if format not in EXPORT_FORMATS:
        raise UnknownNameError("export format", format, EXPORT_FORMATS)
    chosen = EXPORT_FORMATS[format]
    facts = read_facts(dataset.manifest)
    _refuse_unknown_traits(dataset)
    job = Job(dataset, split, seed, include_margin and chosen.takes_margin)
    with staged_folder(Path(out), overwrite=overwrite) as folder:
        written = chosen.write(job, folder)
        _refuse_nothing(chosen, written, len(dataset.rollouts))
        report = _report(chosen, job, written, facts, out=Path(out), margin_asked=include_margin)
        write_text(folder / CARD_FILE, dataset_card(job, chosen, written, report, facts, license=license))
        write_text(folder / METADATA_FILE, json_text(_metadata(job, report, facts, license), indent=2) + "\n")
    return report


def _report(
    chosen: ExportFormat, job: Job, written: Written, facts: RunFacts, *, out: Path, margin_asked: bool
) -> ExportReport:
    filled = {file.split for file in written.files}
    report = ExportReport(
        format=chosen.name,
        out=out,
        files=tuple(written.files),
        extra_files=(*written.extra_files, CARD_FILE, METADATA_FILE),
        empty_splits=tuple(s for s in requested_splits(job.split) if s not in filled)
        if chosen.is_split
        else (),
        skipped=dict(sorted(written.skips.items())),
        drops=count_drops(job.data, facts),
        rehearsal=made_by_rehearsal(job.data, facts),
    )
    return report.model_copy(update={"warnings": tuple(_warnings(chosen, report, margin_asked))})


def _warnings(chosen: ExportFormat, report: ExportReport, margin_asked: bool) -> Iterator[str]:
    for name in report.empty_splits:
        yield (
            f"The split {name!r} got no rows, so it has no file: messages are dealt out one by one. With few messages "
            "set its fraction to 0, or choose another seed."
        )
    if margin_asked and not chosen.takes_margin:
        yield f"The format {chosen.name!r} has no place for a margin; include_margin changed nothing."
    train_rows = sum(file.rows for file in report.files if file.split == "train")
    if chosen.is_split and 0 < train_rows < chosen.min_train_rows:
        yield f"The split 'train' has {train_rows} rows; its reader asks for at least {chosen.min_train_rows}."
    if report.rehearsal:
        yield "This data was made by the rehearsal backend: for trying and testing, not for training."
    elif report.rehearsal is None:
        yield "The manifest does not say whether the rehearsal backend made this data, so it cannot be pushed to a hub as it is."


def _metadata(job: Job, report: ExportReport, facts: RunFacts, license: str | None) -> dict[str, Any]:
    constitution = job.data.constitution
    return {
        "made_by": f"character-framework {__version__}",
        "constitution": {"name": constitution.name, "fingerprint": constitution.fingerprint},
        "license": license,
        "split": job.split.model_dump(),
        "seed": job.seed,
        "include_margin": job.include_margin,
        "run": facts.model_dump(mode="json", exclude={"rehearsal", "drops"}),
        **report.model_dump(mode="json", exclude={"out"}),
    }


def _refuse_unknown_traits(dataset: ExportData) -> None:
    known = {trait.name for trait in dataset.constitution.traits}
    strangers = sorted({rollout.message.trait for rollout in dataset.rollouts} - known)
    if strangers:
        raise InputError(
            f"The rollouts name traits that the constitution {dataset.constitution.name!r} does not have: {', '.join(strangers)}.",
            expected=f"traits among {', '.join(sorted(known))}",
            fix="export with the constitution that the run was made with.",
        )


def _refuse_nothing(chosen: ExportFormat, written: Written, num_rollouts: int) -> None:
    # The recipe's traits and messages alone are no export of a run: it takes at least one ranked message.
    if any(file.table not in ("traits", "messages") for file in written.files):
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(written.skips.items()))
    raise InputError(
        f"There is nothing to export as {chosen.name!r}: {num_rollouts} rollouts gave no rows ({reasons or 'none were given'}).",
        expected="at least one rollout with what this format needs",
        fix="run again with more messages, or look at the reasons: they count what was left out.",
    )
