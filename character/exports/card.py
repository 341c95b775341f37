"""The dataset card: what the data is, how it was made, what was left out, and may it be trained on."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from character.exports.formats import Job, Written
from character.exports.models import ExportReport
from character.locale import wording
from character.views.templates import filled_in, inline

LEAST_OPENER = 0.05
"""The card shows openers that set the sides apart by so much, before or after; export.json has them all."""
SIZE_BOUNDS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")
"""The hub's size categories, as far as it names them for data of this kind."""


def dataset_card(job: Job, written: Written, report: ExportReport, fingerprint: str) -> str:
    """Return the whole README.md: the hub's YAML header, then the card in English and in short in Chinese.

    ``fingerprint`` is that of the data files. What the audit says of the run's own pairs is left out where
    those of the export were rebuilt or balanced. Findings are in the language of the audit.
    """
    rows_of: Counter[str] = Counter()
    for (trait, _, _), number in written.counts.items():
        rows_of[trait] += number
    left_out = (*report.drops.items(), ("export", report.skipped))
    return card_text(
        Path(__file__).with_name("card.md.jinja"),
        card_header(job, report, fingerprint),
        width=1000,
        en=wording("card", "en"),
        zh=wording("card", "zh"),
        job=job,
        report=report,
        name=inline(job.data.constitution.name),
        rows_of=rows_of,
        counts=sorted(written.counts.items()),
        least_opener=LEAST_OPENER,
        left_out=[(stage, *each) for stage, reasons in left_out for each in reasons.items()],
    )


def card_text(template: Path, header: Mapping[str, Any], *, width: int = 80, **values: Any) -> str:
    """Return a card of a template (see ``filled_in``); the header's long texts are folded at ``width``."""
    import yaml

    head = yaml.safe_dump(header, sort_keys=False, allow_unicode=True, width=width)
    return f"---\n{head}---\n\n{filled_in(template, **values)}"


def card_header(job: Job, report: ExportReport, fingerprint: str) -> dict[str, Any]:
    """Return the card's metadata in the hub's words; with ``configs``, ``load_dataset`` reads the folder."""
    languages = {job.data.constitution.language, *job.data.census.languages}
    tags = ["character-training", "preference", "synthetic", report.format]
    main = report.files[0].table
    return {
        "pretty_name": f"{inline(job.data.constitution.name)} ({report.format})",
        "license": job.license or "other",
        "language": sorted({language.lower().partition("-")[0] for language in languages}),
        "task_categories": ["text-generation"],
        "tags": [*tags, "rehearsal"] if report.rehearsal else tags,
        "size_categories": [size_category(sum(file.rows for file in report.files if file.table == main))],
        "configs": _configs(report, fingerprint),
    }


def size_category(rows: int) -> str:
    """Return the hub's name for a number of rows, such as ``1K<n<10K``."""
    return SIZES[bisect_right(SIZE_BOUNDS, rows)]


def _configs(report: ExportReport, fingerprint: str) -> list[dict[str, Any]]:
    tables: dict[str, list[dict[str, str]]] = {}
    for file in report.files:
        tables.setdefault(file.table, []).append({"split": file.split or "train", "path": file.path})
    # The description is there for the cache of the library `datasets`: it looks at the card alone, so without
    # something of the data in it a folder of the same name elsewhere would be given the rows of this one.
    configs: list[dict[str, Any]] = [
        {"config_name": name, "data_files": files, "description": f"data {fingerprint}"}
        for name, files in tables.items()
    ]
    if len(configs) > 1:
        configs[0]["default"] = True
    return configs
