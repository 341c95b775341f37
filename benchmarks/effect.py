"""Whether the effects of traits that were planted are found, and none where none was planted, over many seeds.

    python benchmarks/effect.py [--quick] [--json]

The rehearsal model answers and judges. Planted: two traits, each alone in the prompt (the diagonal of the matrix); and a
tuned model, a server on loopback, that shows one trait more, another one less, and writes longer replies; and one that leans
to one of two traits where it may choose (1.5 log-odds). Not planted: two models that are the same one with other seeds. Exits 1 where a planted shift is found in fewer than 95 % of seeds, or a
false one is reported in more seeds than the stated error rate of 5 % for each kind of test allows (upper end of its 95 %
interval, Clopper & Pearson 1934).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from evaluation.planted import PAIR, answering, choosing
from fake_server import FakeServer, backend_at

from character import BackendConfig, Config
from character.evaluation.conditions import BASE, TUNED
from character.evaluation.effect import effect
from character.evaluation.page.writing import is_sure
from character.evaluation.records import EffectReport

NUM_CHOICES = 200
PLANTED = {("patience", "patience"), ("humour", "humour")}


def traits(seed: int, folder: Path) -> dict[str, bool]:
    """Return whether each trait's own shift is found, and whether any other is reported."""
    report = effect(PAIR, folder / f"traits-{seed}", config=Config(seed=seed), neutral_messages=0)
    sure = _sure(report, "alone")
    return {"found": sure >= PLANTED, "false side effect": bool(sure - PLANTED)}


def nothing(seed: int, folder: Path) -> dict[str, bool]:
    """Return whether any difference is reported between a model and itself."""
    models = {BASE: BackendConfig(), TUNED: BackendConfig()}
    report = effect(
        PAIR,
        folder / f"nothing-{seed}",
        config=Config(seed=seed),
        models=models,
        neutral_messages=8,
        choices=NUM_CHOICES,
    )
    sure = _sure(report, "models")
    return {
        "false intended": bool(sure & PLANTED),
        "false side effect": bool(sure - PLANTED),
        "false measure": any(is_sure(each, report) for each in report.measures),
        "false leaning": bool(_leanings(report)),
    }


def tuned(seed: int, folder: Path) -> dict[str, bool]:
    """Return whether what a tuned model shows more, shows less and writes at greater length is found."""
    base, other = answering({"humour": "natural"}), answering({"patience": "natural"}, extra_sentences=6)
    with FakeServer(base, name="one") as first, FakeServer(other, name="two") as second:
        models = {BASE: backend_at(first), TUNED: backend_at(second)}
        report = effect(
            PAIR, folder / f"tuned-{seed}", config=Config(seed=seed), models=models, neutral_messages=0
        )
    signs = {
        (shift.contrast.group, shift.trait): shift.shift.estimate
        for shift in report.shifts
        if is_sure(shift, report)
    }
    longer = [each for each in report.measures if each.measure == "characters" and is_sure(each, report)]
    return {
        "more of one": signs.get(("patience", "patience"), 0) > 0,
        "less of the other": signs.get(("humour", "humour"), 0) < 0,
        "side effect": signs.get(("patience", "humour"), 0) < 0,
        "longer": len(longer) == len(PLANTED) and all(each.difference.estimate > 1 for each in longer),
    }


def leaning(seed: int, folder: Path) -> dict[str, bool]:
    """Return whether what a tuned model would rather show is found, and whether any other leaning is reported."""
    with (
        FakeServer(choosing({}), name="one") as first,
        FakeServer(choosing({"patience": 1.5}), name="two") as second,
    ):
        models = {BASE: backend_at(first), TUNED: backend_at(second)}
        report = effect(
            PAIR,
            folder / f"leaning-{seed}",
            config=Config(seed=seed),
            models=models,
            messages_per_trait=2,
            choices=NUM_CHOICES,
        )
    signs = _leanings(report)
    return {"more of one": signs.get("patience", 0) > 0, "false other": "humour" in signs}


def _leanings(report: EffectReport) -> dict[str, float]:
    """Return by how much more the tuned model shows each trait where that is sure."""
    return {
        rating.trait: rating.difference.estimate
        for rating in (report.revealed.ratings if report.revealed else ())
        if rating.difference and (1.0 if rating.adjusted_p is None else rating.adjusted_p) < 0.05
    }


def _sure(report: EffectReport, question: str) -> set[tuple[str, str]]:
    return {
        (shift.contrast.group, shift.trait)
        for shift in report.shifts
        if shift.contrast.question == question and is_sure(shift, report)
    }


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s on two cores")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    seeds = range(4 if options.quick else 50)
    with tempfile.TemporaryDirectory() as folder:
        rows = {
            name: [work(seed, Path(folder)) for seed in seeds]
            for name, work in (
                ("traits", traits),
                ("nothing", nothing),
                ("tuned", tuned),
                ("leaning", leaning),
            )
        }
    figures = [
        _figure(name, what, [row[what] for row in found]) for name, found in rows.items() for what in found[0]
    ]
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for each in figures:
            met = "met   " if each["met"] else "MISSED"
            print(f"{met} {each['part']:8} {each['what']:18} {each['seeds']} of {each['of']} seeds")
    return 0 if all(each["met"] for each in figures) else 1


def _figure(part: str, what: str, hits: list[bool]) -> dict[str, Any]:
    number, of = sum(hits), len(hits)
    met = number <= _most_by_chance(of) if what.startswith("false") else number >= 0.95 * of
    return {"part": part, "what": what, "seeds": number, "of": of, "met": met}


def _most_by_chance(of: int, rate: float = 0.05, level: float = 0.975) -> int:
    """Return the most seeds that a true rate of 5 % passes with less than 2.5 % probability."""
    from scipy.stats import binom

    return int(binom.ppf(level, of, rate))


if __name__ == "__main__":
    sys.exit(main())
