"""The entry point: one call writes one format of a run into one folder, whole or not at all."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

from character._version import __version__
from character.config import PairsConfig
from character.errors import InputError, UnknownNameError
from character.exports.card.card import dataset_card
from character.exports.facts import RunFacts, count_drops, made_by_rehearsal, read_facts
from character.exports.files import staged_folder
from character.exports.formats import EXPORT_FORMATS, ExportFormat, Job, Written
from character.exports.models import ExportData, ExportReport, Split
from character.exports.rows import usable_pairs
from character.exports.run_data import run_data
from character.exports.source import Source
from character.exports.splits import requested_splits
from character.files import METADATA_FILE, digest_of, json_text, write_text
from character.locale import wording
from character.pairs.balance import Balanced, BalanceMethod, Contrasts, balance_table
from character.pairs.table import pair_table
from character.runs.session import reading

CARD_FILE = "README.md"
DEFAULT_SPLIT = Split()


def export(
    dataset: ExportData | Path | str,
    format: str,
    out: Path | str,
    *,
    split: Split = DEFAULT_SPLIT,
    include_margin: bool = False,
    seed: int = 0,
    license: str | None = None,
    overwrite: bool = False,
    pairs: PairsConfig | None = None,
    balance: float | None = None,
    balance_method: BalanceMethod = "subset",
    balance_ignore: Iterable[str] = (),
    balance_contrasts: Contrasts = MappingProxyType({}),
    without_position_effects: bool = False,
) -> ExportReport:
    """Write a run (its folder, or its data) in one format, a name of ``EXPORT_FORMATS``, into ``out``, with a dataset card.

    ``split`` is 90/5/5 unless given, dealt out by message with ``seed``. ``include_margin`` adds the column
    ``margin``, which TRL's and OpenRLHF's reward losses subtract from the difference of rewards. ``license`` is an
    identifier of the Hugging Face hub such as ``cc-by-4.0``; without one the card says that none was chosen. With
    ``overwrite`` an earlier export in ``out`` is replaced.

    ``pairs`` rebuilds the pairs from the stored candidates and rankings, without a model call, instead of writing the
    stored ones. ``balance`` is the most that any confound may then set chosen and rejected apart, in 0..1, such as 0.1
    (see ``character.pairs.balance``): pairs are left out, or with ``balance_method="weights"`` get a column ``weight``.
    ``without_position_effects`` first takes out of the rankings what each place in the list is worth to the judge over
    the whole run; it needs ``pairs``. Balancing is over all splits together. ``balance_ignore`` names features that the
    traits themselves consist of, ``balance_contrasts`` what else to even out, by name and pair id.

    The rollouts are read in passes; the formats ``recipe`` and ``trl-kto`` still hold all their rows, and balancing some
    40 numbers and no text per pair. The same arguments always write the same bytes. Raises UnknownNameError for the format,
    InputError where ``out`` is taken, the manifest cannot be read, a trait is unknown, nothing would be written, or the
    format has no place for rebuilt pairs or weights, MissingExtraError, and StoreError for the disk.
    """
    if format not in EXPORT_FORMATS:
        raise UnknownNameError("export format", format, EXPORT_FORMATS)
    with contextlib.ExitStack() as stack:
        chosen, data = EXPORT_FORMATS[format], _data(dataset, stack)
        facts = read_facts(data.manifest)
        _refuse_contradictions(
            balance,
            balance_method,
            (*(balance_ignore := tuple(balance_ignore)), *balance_contrasts),
            without_effects=without_position_effects,
            rebuilds=pairs is not None,
        )
        weighs = balance is not None and balance_method == "weights"
        _refuse_without_pairs(chosen, rebuilds=pairs is not None, balances=balance is not None, weighs=weighs)
        source = Source(data, pairs, without_position_effects=without_position_effects)
        job = Job(source, split, seed, include_margin and chosen.takes_margin, include_weight=weighs)
        with staged_folder(Path(out), overwrite=overwrite) as folder:
            balanced = _balance(source, balance, balance_method, balance_ignore, balance_contrasts, seed)
            written = chosen.write(job, folder)
            _refuse_nothing(chosen, written, source)
            report = _report(chosen, job, written, facts, out=Path(out), margin_asked=include_margin)
            report = _with_pairs(report, pairs, balanced, source.position_effects)
            _write_card(folder, job, chosen, written, report, facts, license)
        return report


def _data(dataset: ExportData | Path | str, stack: contextlib.ExitStack) -> ExportData:
    if isinstance(dataset, ExportData):
        return dataset
    return run_data(stack.enter_context(reading(dataset, "run")))


def _write_card(
    folder: Path,
    job: Job,
    chosen: ExportFormat,
    written: Written,
    report: ExportReport,
    facts: RunFacts,
    license: str | None,
) -> None:
    digest = digest_of(folder / file.path for file in written.files)
    card = dataset_card(job, chosen, written, report, facts, license=license, fingerprint=digest)
    write_text(folder / CARD_FILE, card)
    write_text(folder / METADATA_FILE, json_text(_metadata(job, report, facts, license), indent=2) + "\n")


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
        skipped=dict(sorted((written.skips + job.data.vetoed).items())),
        drops=count_drops(job.data.census, facts, pairs_rebuilt=job.data.rebuilds),
        rehearsal=made_by_rehearsal(job.data.census, facts),
    )
    warnings = tuple(_warnings(chosen, report, margin_asked, facts.pending))
    return report.model_copy(update={"warnings": warnings})


def _balance(
    source: Source,
    threshold: float | None,
    method: BalanceMethod,
    ignore: Iterable[str],
    contrasts: Contrasts,
    seed: int,
) -> Balanced | None:
    """Return what balancing keeps, and have the source write no other pair; None where none is asked for."""
    if threshold is None:
        return None
    pairs = (pair for _, pair in usable_pairs(source, Counter()))
    table = pair_table(pairs, source.constitution.traits)
    balanced = balance_table(
        table, threshold=threshold, method=method, seed=seed, ignore=ignore, contrasts=contrasts
    )
    source.weights = balanced.weights or dict.fromkeys(balanced.kept, 1.0)
    return balanced


def _with_pairs(
    report: ExportReport,
    pairs: PairsConfig | None,
    balanced: Balanced | None,
    effects: dict[str, tuple[float, ...]],
) -> ExportReport:
    report = report.model_copy(update={"pairs": pairs, "position_effects": effects})
    if balanced is None:
        return report
    weighs = (wording("card", "en")["weight_ignored"],) if balanced.method == "weights" else ()
    short = balanced.model_copy(update={"kept": (), "weights": {}})
    return report.model_copy(
        update={
            "balance": short,
            "warnings": (*balanced.warnings, *report.warnings, *weighs, *balanced.notes),
        }
    )


def _refuse_contradictions(
    balance: float | None,
    method: BalanceMethod,
    options: tuple[str, ...],
    *,
    without_effects: bool,
    rebuilds: bool,
) -> None:
    if balance is None and (options or method != "subset"):
        raise InputError(
            "balance_ignore, balance_contrasts or balance_method is given without balance.",
            expected="balance, the most that a feature may set the sides apart",
            fix="add balance=0.1 (--balance), or leave the others out.",
        )
    if without_effects and not rebuilds:
        raise InputError(
            "without_position_effects is given without pairs.",
            expected="how to build the pairs of the rankings without them",
            fix="add pairs=PairsConfig().",
        )


def _refuse_without_pairs(chosen: ExportFormat, *, rebuilds: bool, balances: bool, weighs: bool) -> None:
    if (rebuilds or balances) and not chosen.reads_pairs:
        raise InputError(
            f"The format {chosen.name!r} is not made of pairs, so they can be neither rebuilt nor balanced.",
            expected="a format made of pairs",
            fix="leave out the options for pairs and balance, or choose another format.",
        )
    if weighs and not chosen.takes_weight:
        takers = ", ".join(name for name, format in EXPORT_FORMATS.items() if format.takes_weight)
        raise InputError(
            f"The format {chosen.name!r} has no place for a weight.",
            expected=f"one of {takers}, or the balance method 'subset'",
            fix="choose another format, or let balancing leave pairs out.",
        )


def _warnings(chosen: ExportFormat, report: ExportReport, margin_asked: bool, pending: int) -> Iterator[str]:
    if pending:
        yield wording("card", "en")["unfinished"].format(pending=pending)
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


def _refuse_nothing(chosen: ExportFormat, written: Written, source: Source) -> None:
    # The recipe's traits and messages alone are no export of a run: it takes at least one ranked message.
    if any(file.table not in ("traits", "messages") for file in written.files):
        return
    counts = [*sorted((written.skips + source.vetoed).items())]
    if source.rebuilds:
        counts += sorted(source.census.drops.get("pairs", {}).items())
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts)
    raise InputError(
        f"There is nothing to export as {chosen.name!r}: {source.census.num_rollouts} rollouts gave no rows ({reasons or 'none were given'}).",
        expected="at least one rollout with what this format needs",
        fix="run again with more messages, or look at the reasons: they count what was left out.",
    )
