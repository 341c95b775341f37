"""What tuning changed of a ranker, as a section of its report: prompt, demos, temperature, calibration."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import ndiff

from character.locale import listed, wording
from character.report import Example, Examples, Note, Notes, Section, Table, Text
from character.report.parts import Part
from optimizers.calibration.calibration import Calibration
from optimizers.validation.report import OptimizationReport, Tuned

MOST_LINES = 40
"""Lines of a diff that are shown; the saved ranker has the whole instruction."""


def changes_section(report: OptimizationReport, language: str) -> Section:
    """Return what is different from the ranker before, the instruction line by line."""
    words, tuned = wording("tuning.page", language), report.tuned
    rows = tuple(_rows(tuned, language))
    if not rows:
        return Section(words["changed"], "", (Notes((Note(words["unchanged"]),)),))
    parts: list[Part] = [Table((words["part"], words["before"], words["after"]), rows)]
    lines = instruction_diff(tuned)
    if lines:
        some = [*lines[:MOST_LINES], *(["…"] if len(lines) > MOST_LINES else [])]
        text = Text(words["instruction"], "\n".join(some))
        parts.append(Examples(words["diff"], (Example(words["diff_heading"], (text,)),)))
    strategy = wording("tuning.strategies", language).get(report.chosen, report.chosen)
    return Section(words["changed"], words["changed_text"].format(strategy=strategy), tuple(parts))


def instruction_diff(tuned: Tuned) -> list[str]:
    """Return the lines of the instruction that went, after ``− ``, and those that came, after ``+ ``."""
    lines = ndiff(tuned.instructions_before.split("\n"), tuned.instructions.split("\n"))
    signs = {"- ": "− ", "+ ": "+ "}
    return [f"{signs[each[:2]]}{each[2:]}" for each in lines if each[:2] in signs]


def _rows(tuned: Tuned, language: str) -> Iterator[tuple[str, str, str]]:
    words = wording("tuning.page", language)
    lines = instruction_diff(tuned)
    if lines:
        removed = sum(each.startswith("−") for each in lines)
        yield words["instruction"], "", words["lines"].format(removed=removed, added=len(lines) - removed)
    if tuned.num_demos != tuned.num_demos_before:
        yield words["demos"], str(tuned.num_demos_before), str(tuned.num_demos)
    if tuned.temperature != tuned.temperature_before:
        before, after = (
            words["model_own"] if each is None else f"{each:g}"
            for each in (tuned.temperature_before, tuned.temperature)
        )
        yield words["temperature"], before, after
    if tuned.recalibrated:
        yield words["calibration"], "", _calibration(tuned.calibration, language)


def _calibration(calibration: Calibration | None, language: str) -> str:
    words = wording("tuning.page", language)
    if calibration is None:
        return words["no_calibration"]
    facts = [words["fitted"].format(labels=calibration.num_labels)]
    if calibration.places:
        sizes = listed((str(len(row)) for row in calibration.places), language)
        facts.append(words["places"].format(sizes=sizes))
    if calibration.length_slope:
        facts.append(words["length_bias"])
    if calibration.length_credit:
        facts.append(words["length_counts"].format(share=calibration.length_share))
    if any(abs(x - y) > 1e-6 for x, y in calibration.knots):
        facts.append(words["bends"])
    return wording("report.marks", language)["semicolon"].join(facts)
