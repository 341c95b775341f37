"""The dataset card: what the data is, how it was made, what was left out, and whether it may be trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from character.config import PairsConfig
from character.exports.card.audit import audit_section
from character.exports.facts import RunFacts
from character.exports.formats import ExportFormat, Job, Written
from character.exports.models import ExportReport
from character.locale import wording

LEAST_OPENER = 0.05
"""The card shows openers that set the sides apart by at least so much, before or after; export.json has them all."""
SIZE_BOUNDS = (("1K", 1_000), ("10K", 10_000), ("100K", 100_000), ("1M", 1_000_000), ("10M", 10_000_000))
"""The hub's size categories, as far as it names them for data of this kind."""


def dataset_card(
    job: Job,
    chosen: ExportFormat,
    written: Written,
    report: ExportReport,
    facts: RunFacts,
    *,
    license: str | None,
    fingerprint: str,
) -> str:
    """Return the whole README.md: the hub's YAML header, then the card in English and in short in Chinese.

    ``fingerprint`` is that of the data files.
    """
    import yaml

    described = card_header(job, chosen, report, license=license, fingerprint=fingerprint)
    header = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=1000)
    name = _inline(job.data.constitution.name)
    english, chinese = wording("card", "en"), wording("card", "zh")
    people = "vetoed" if job.data.vetoed else "unrated"
    sections = [
        f"# {name}: {chosen.name}",
        *_warning_lines(report),
        english["about"].format(name=name, people=english[people]),
        _unfinished(facts),
        _files(chosen, report),
        _traits(job, written),
        _counts(written),
        _making(job, chosen, facts, report),
        _balance(report),
        audit_section(facts.audit, same_pairs=report.pairs is None and report.balance is None),
        _left_out(report),
        english["limits"] + ("" if license else f"\n\n{english['no_license']}"),
        chinese["about"].format(name=name, people=chinese[people])
        + (chinese["balanced"] if report.balance else "")
        + chinese["limits"],
    ]
    return f"---\n{header}---\n\n" + "\n\n".join(section for section in sections if section) + "\n"


def card_header(
    job: Job, chosen: ExportFormat, report: ExportReport, *, license: str | None, fingerprint: str
) -> dict[str, Any]:
    """Return the card's metadata in the hub's vocabulary; ``configs`` makes ``load_dataset`` of the folder work."""
    languages = {job.data.constitution.language, *job.data.census.languages}
    tags = ["character-training", "preference", "synthetic", chosen.name]
    return {
        "pretty_name": f"{_inline(job.data.constitution.name)} ({chosen.name})",
        "license": license or "other",
        "language": sorted({language.lower().partition("-")[0] for language in languages}),
        "task_categories": ["text-generation"],
        "tags": [*tags, "rehearsal"] if report.rehearsal else tags,
        "size_categories": [size_category(_main_rows(report))],
        "configs": _configs(report, fingerprint),
    }


def size_category(rows: int) -> str:
    """Return the hub's name for a number of rows, such as ``1K<n<10K``."""
    below = "n<1K"
    for (low, bound), (high, _) in zip(SIZE_BOUNDS, [*SIZE_BOUNDS[1:], ("100M", 0)], strict=True):
        if rows >= bound:
            below = f"{low}<n<{high}"
    return below


def _main_rows(report: ExportReport) -> int:
    main = report.files[0].table
    return sum(file.rows for file in report.files if file.table == main)


def _configs(report: ExportReport, fingerprint: str) -> list[dict[str, Any]]:
    tables: dict[str, list[dict[str, str]]] = {}
    for file in report.files:
        tables.setdefault(file.table, []).append({"split": file.split or "train", "path": file.path})
    # The description is there for the cache of the library `datasets`: it looks at the card alone, so that without
    # something of the data in it a folder of the same name elsewhere would be given the rows of this one.
    configs: list[dict[str, Any]] = [
        {"config_name": name, "data_files": files, "description": f"data {fingerprint}"}
        for name, files in tables.items()
    ]
    if len(configs) > 1:
        configs[0]["default"] = True
    return configs


def _warning_lines(report: ExportReport) -> list[str]:
    english, chinese = wording("card", "en"), wording("card", "zh")
    if report.rehearsal:
        return [f"> **{english['rehearsal']}**\n>\n> **{chinese['rehearsal']}**"]
    if report.rehearsal is False:
        return []
    return [f"> {english['unknown_origin']}\n>\n> {chinese['unknown_origin']}"]


def _unfinished(facts: RunFacts) -> str:
    warning = wording("card", "en")["unfinished"].format(pending=facts.pending)
    return f"> {warning}" if facts.pending else ""


def _files(chosen: ExportFormat, report: ExportReport) -> str:
    rows = [[f"`{file.path}`", file.split or "not split", str(file.rows)] for file in report.files]
    load = '```python\nfrom datasets import load_dataset\n\nload_dataset("path/to/this/folder")\n```'
    weighs = report.balance is not None and report.balance.method == "weights"
    ignored = f" {wording('card', 'en')['weight_ignored']}" if weighs else ""
    said = f"One row is {chosen.row}. Read by: {chosen.reader}.{ignored}"
    return "\n\n".join(["## Files", said, _table(["file", "split", "rows"], rows), load])


def _traits(job: Job, written: Written) -> str:
    rows = [
        [
            trait.name,
            trait.description,
            str(sum(n for (name, _, _), n in written.counts.items() if name == trait.name)),
        ]
        for trait in job.data.constitution.traits
    ]
    return "## Traits\n\n" + _table(["trait", "description", "rows"], rows)


def _counts(written: Written) -> str:
    rows = [
        [trait, kind, split, str(count)] for (trait, kind, split), count in sorted(written.counts.items())
    ]
    return "## Rows by trait, kind of message and split\n\n" + _table(
        ["trait", "kind", "split", "rows"], rows
    )


def _making(job: Job, chosen: ExportFormat, facts: RunFacts, report: ExportReport) -> str:
    constitution = job.data.constitution
    lines = [f"- Constitution: {_inline(constitution.name)}, fingerprint `{constitution.fingerprint}`"]
    lines += [
        f"- Model for {_inline(stage)}: {_inline(', '.join(names))}" for stage, names in facts.models.items()
    ]
    lines += [
        f"- {label}: {_inline(str(value))}" for label, value in _run_facts(facts) if value not in (None, "")
    ]
    if report.pairs:
        lines += [f"- Pairs: rebuilt from the stored rankings, {_pair_settings(report.pairs)}"]
    for judge, effects in report.position_effects.items():
        shown = ", ".join(f"{effect:+.3f}" for effect in effects)
        lines += [f"- Position effects taken out of the scores of {_inline(judge)}: {shown}"]
    if chosen.is_split:
        fractions = "/".join(f"{size:.4g}" for size in job.split.model_dump().values())
        lines += [f"- Splits: {fractions} (train/validation/test) by message, seed {job.seed}"]
    if facts.usage:
        cost = "unknown" if facts.usage.cost_usd is None else f"{facts.usage.cost_usd:.2f} USD"
        tokens = facts.usage.prompt_tokens + facts.usage.completion_tokens
        lines += [f"- Usage: {facts.usage.calls} model calls, {tokens} tokens, cost {cost}"]
    return "## How it was made\n\n" + "\n".join(lines)


def _run_facts(facts: RunFacts) -> list[tuple[str, object]]:
    return [
        ("Seed of the run", facts.seed),
        ("Configuration", facts.config_fingerprint),
        ("Fingerprint of the run", facts.run_fingerprint),
        ("Made at (UTC)", facts.created_at),
    ]


def _pair_settings(pairs: PairsConfig) -> str:
    settings = [f"design {pairs.design}", f"least margin {pairs.min_margin:g}"]
    if pairs.min_probability:
        settings.append(f"least probability {pairs.min_probability:g}")
    if pairs.max_per_message is not None:
        settings.append(f"at most {pairs.max_per_message} per message")
    return ", ".join(settings)


def _balance(report: ExportReport) -> str:
    """Return what balancing did: per feature how far it set the sides apart before and after, and the cost."""
    balanced = report.balance
    if balanced is None:
        return ""
    words = wording("card", "en")
    how = words["balanced_by_weights" if balanced.method == "weights" else "balanced_by_subset"]
    said = f"{how} {words['net_effect']}".format(
        kept=balanced.num_kept,
        pairs=balanced.num_pairs,
        share=balanced.share,
        messages_kept=balanced.num_messages_kept,
        messages=balanced.num_messages,
        effective=balanced.effective_pairs,
        threshold=balanced.threshold,
    )
    rows = [
        [
            row.name,
            f"{row.effect_before:+.2f}",
            f"{row.effect_after:+.2f}{' (left alone)' if row.ignored else ''}",
        ]
        for row in balanced.rows
        if not row.name.startswith("opener:")
        or max(abs(row.effect_before), abs(row.effect_after)) >= LEAST_OPENER
    ]
    table = _table(["feature", "net effect before", "net effect after"], rows)
    warned = "\n>\n".join(f"> **{_inline(warning)}**" for warning in balanced.warnings)
    notes = "\n".join(f"- {_inline(note)}" for note in balanced.notes)
    mix = _table(
        ["trait", "share before", "share after"],
        [[name, f"{before:.0%}", f"{after:.0%}"] for name, (before, after) in balanced.traits.items()],
    )
    within = (
        f"Balanced within each of these traits: {_inline(', '.join(balanced.within))}."
        if balanced.within
        else ""
    )
    return "\n\n".join(part for part in ("## Balance", warned, said, within, notes, table, mix) if part)


def _left_out(report: ExportReport) -> str:
    rows = [
        [stage, reason, str(count)]
        for stage, reasons in report.drops.items()
        for reason, count in reasons.items()
    ]
    rows += [["export", reason, str(count)] for reason, count in report.skipped.items()]
    body = _table(["stage", "reason", "count"], rows) if rows else "Nothing."
    return f"## What was left out\n\n{body}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(_inline(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _inline(text: str) -> str:
    """Return text on one line, so that no name or description can open a heading, a table or a header of its own."""
    return " ".join(text.split())
