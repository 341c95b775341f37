"""The entry point: one call writes one format of a run into one folder, whole or not at all."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from character._version import __version__
from character.config import PairsConfig
from character.constitution import Constitution
from character.errors import UnknownNameError
from character.exports.card import dataset_card
from character.exports.facts import count_drops, made_by_rehearsal, read_facts
from character.exports.files import staged_folder
from character.exports.formats import EXPORT_FORMATS, ExportFormat, Job, Written
from character.exports.given import Exportable, data_of
from character.exports.models import ExportReport, Split, requested_splits
from character.exports.rows import usable_pairs
from character.exports.source import Source
from character.files import METADATA_FILE, digest_of, json_text, problem, toml_beside, write_text
from character.locale import wording
from character.pairs.balance import Balanced, BalanceMethod, Contrasts, balance
from character.pairs.table import pair_table

CARD_FILE = "README.md"
DEFAULT_SPLIT = Split()


def export(
    dataset: Exportable,
    format: str,
    out: Path | str,
    *,
    of: Exportable | Constitution | None = None,
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
    """Write preference data into ``out``, in a format of ``EXPORT_FORMATS``, with its card.

    ``dataset`` is a run (its folder, open, its data), a program's result, or pairs. ``of`` says which run
    or result given pairs are of: they are written in the place of its own, with its facts on the card, and
    what was not given is counted. Or it is the constitution of pairs or a result that know none.

    ``split`` is 90/5/5 unless given, dealt out by message with ``seed``. ``include_margin`` adds the column
    ``margin``, which TRL's and OpenRLHF's reward losses subtract from the difference of rewards. ``license``
    is an identifier of the Hugging Face hub such as ``cc-by-4.0``; without one the card says that none was
    chosen. With ``overwrite`` an earlier export in ``out`` is replaced.

    ``pairs`` rebuilds the pairs from the stored candidates and rankings, without a model call, instead of
    writing the stored ones. ``balance`` is the most that any confound may then set chosen and rejected apart,
    in 0..1, such as 0.1 (see ``character.pairs.balance``): pairs are left out, or with
    ``balance_method="weights"`` get a column ``weight``. ``without_position_effects`` first takes out of the
    rankings what each place in the list is worth to the judge over the whole run; it needs ``pairs``.
    Balancing is over all splits together. ``balance_ignore`` names features that the traits themselves
    consist of, ``balance_contrasts`` what else to even out, by name and pair id.

    The rollouts are read in passes; the formats ``recipe`` and ``trl-kto`` still hold all their rows, and
    balancing some 40 numbers and no text per pair. The same arguments always write the same bytes. Raises
    UnknownNameError for the format, InputError where ``out`` is taken, the manifest cannot be read, a trait
    is unknown, nothing would be written, or the format has no place for rebuilt pairs or weights,
    MissingExtraError, and StoreError for the disk.
    """
    if format not in EXPORT_FORMATS:
        raise UnknownNameError("export format", format, EXPORT_FORMATS)
    chosen = EXPORT_FORMATS[format]
    balancing = _Balancing(balance, balance_method, tuple(balance_ignore), balance_contrasts)
    with contextlib.ExitStack() as stack:
        data = data_of(dataset, of, stack)
        facts = read_facts(data.manifest)
        _refuse_options(chosen, balancing, pairs, without_effects=without_position_effects)
        source = Source(data, pairs, without_position_effects=without_position_effects)
        job = Job(source, facts, chosen, split, seed, license, include_margin, balancing.weighs)
        with staged_folder(Path(out), overwrite=overwrite) as folder:
            balanced = _balance(source, balancing, seed)
            written = chosen.write(job, folder)
            report = _report(job, written, balanced, Path(out))
            _describe(folder, job, written, report)
        return report


class _Balancing(NamedTuple):
    threshold: float | None
    method: BalanceMethod
    ignore: tuple[str, ...]
    contrasts: Contrasts

    @property
    def weighs(self) -> bool:
        return self.threshold is not None and self.method == "weights"


def _report(job: Job, written: Written, balanced: Balanced | None, out: Path) -> ExportReport:
    filled = {file.split for file in written.files}
    wanted = requested_splits(job.split) if job.format.is_split else ()
    report = ExportReport(
        format=job.format.name,
        out=out,
        files=tuple(written.files),
        extra_files=(*written.extra_files, CARD_FILE, METADATA_FILE),
        empty_splits=tuple(name for name in wanted if name not in filled),
        skipped=dict(sorted((written.skips + job.data.vetoed + job.data.left_out).items())),
        drops=count_drops(job.data.census, job.facts, pairs_rebuilt=job.data.pairs is not None),
        pairs=job.data.pairs,
        position_effects=job.data.position_effects,
        balance=balanced and balanced.model_copy(update={"kept": (), "weights": {}}),
        rehearsal=made_by_rehearsal(job.data.census, job.facts),
    )
    _refuse_nothing(job, report)
    return report.model_copy(update={"warnings": tuple(_warnings(job, report))})


def _describe(folder: Path, job: Job, written: Written, report: ExportReport) -> None:
    digest = digest_of(folder / file.path for file in written.files)
    write_text(folder / CARD_FILE, dataset_card(job, written, report, digest))
    constitution = job.data.constitution
    metadata = {
        "made_by": f"character-framework {__version__}",
        "constitution": {"name": constitution.name, "fingerprint": constitution.fingerprint},
        "license": job.license,
        "split": job.split.model_dump(),
        "seed": job.seed,
        "include_margin": job.include_margin,
        "run": job.facts.model_dump(mode="json", exclude={"rehearsal", "drops"}),
        **report.model_dump(mode="json", exclude={"out"}),
    }
    write_text(folder / METADATA_FILE, json_text(metadata, indent=2) + "\n")


def _balance(source: Source, balancing: _Balancing, seed: int) -> Balanced | None:
    """Return what balancing keeps, and have the source write no other pair; None where none is asked for."""
    threshold, method, ignore, contrasts = balancing
    if threshold is None:
        return None
    pairs = (pair for _, pair in usable_pairs(source, Counter()))
    table = pair_table(pairs, source.constitution.traits)
    balanced = balance(
        table, threshold=threshold, method=method, seed=seed, ignore=ignore, contrasts=contrasts
    )
    source.weights = balanced.weights or dict.fromkeys(balanced.kept, 1.0)
    return balanced


def _refuse_options(
    chosen: ExportFormat, balancing: _Balancing, pairs: PairsConfig | None, *, without_effects: bool
) -> None:
    balances = balancing.threshold is not None
    if not balances and (balancing.ignore or balancing.contrasts or balancing.method != "subset"):
        raise problem(__file__, "without_balance")
    if without_effects and pairs is None:
        raise problem(__file__, "without_pairs")
    if (balances or pairs is not None) and not chosen.reads_pairs:
        raise problem(__file__, "not_of_pairs", chosen=chosen)
    if balancing.weighs and not chosen.takes_weight:
        takers = ", ".join(name for name, format in EXPORT_FORMATS.items() if format.takes_weight)
        raise problem(__file__, "no_weight", chosen=chosen, takers=takers)


def _warnings(job: Job, report: ExportReport) -> Iterator[str]:
    words, chosen, balance = wording("card", "en"), job.format, report.balance
    texts: dict[str, str] = toml_beside(__file__, "problems")["warnings"]
    if balance:
        yield from balance.warnings
    if job.facts.pending:
        yield words["unfinished"].format(pending=job.facts.pending)
    yield from (texts["empty_split"].format(name=name) for name in report.empty_splits)
    if job.margin_asked and not chosen.takes_margin:
        yield texts["no_margin"].format(name=chosen.name)
    rows = sum(file.rows for file in report.files if file.split == "train")
    if chosen.is_split and 0 < rows < chosen.min_train_rows:
        yield texts["few_rows"].format(rows=rows, least=chosen.min_train_rows)
    if report.rehearsal is not False:
        yield texts["rehearsal" if report.rehearsal else "unknown_origin"]
    if balance:
        yield from ((words["weight_ignored"],) if balance.method == "weights" else ())
        yield from balance.notes


def _refuse_nothing(job: Job, report: ExportReport) -> None:
    # The recipe's traits and messages alone are no export of a run: it takes at least one ranked message.
    if any(file.table not in ("traits", "messages") for file in report.files):
        return
    counts, census = list(report.skipped.items()), job.data.census
    if job.data.pairs is not None:
        counts += sorted(census.drops.get("pairs", {}).items())
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts) or "none were given"
    raise problem(__file__, "nothing", job=job, census=census, reasons=reasons)
