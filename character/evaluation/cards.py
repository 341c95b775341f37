"""An effect card per trait, in Markdown: what it did, what else moved, how often it was overdone, and examples to read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from character.constitution import Constitution, Trait
from character.errors import StoreError
from character.evaluation.findings import is_sure, written
from character.evaluation.page_opinion import OPINION_WORDS, opinion_lines
from character.evaluation.page_revealed import REVEALED_WORDS, rating_lines
from character.evaluation.pressures import PRESSURE_WORDS
from character.evaluation.records import EffectReport, MeasureShift, Moved, Share, Shift, Survival
from character.evaluation.words import DEGREE_WORDS, KIND_WORDS, MEASURE_WORDS, WORDS, condition_word
from character.report import write_text
from character.text import fingerprint

CARD_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "target": "Target",
        "effect": "Effect",
        "no_effect": "No shift of this trait was measured.",
        "side_effects": "Side effects",
        "no_side_effects": "None that is surely other than zero.",
        "caricature": "Overdone",
        "confounds": "Measured without a judge",
        "examples": "Read these",
        "sign_off": "Sign-off",
        "unsigned": "- [ ] read by a person, and wanted: name, date",
        "made": "constitution {fingerprint} · character {version} · seed {seed} · {calls} calls in all · models: {models}",
    },
    "zh": {
        "target": "目标",
        "effect": "效果",
        "no_effect": "没有测到这个特质的变化。",
        "side_effects": "副作用",
        "no_side_effects": "没有确定不为零的副作用。",
        "caricature": "过头",
        "confounds": "不靠评判的统计",
        "examples": "请读这些",
        "sign_off": "签核",
        "unsigned": "- [ ] 有人读过，且符合期望：姓名，日期",
        "made": "性格 {fingerprint} · character {version} · 种子 {seed} · 共 {calls} 次调用 · 模型：{models}",
    },
}


def write_cards(
    report: EffectReport, constitution: Constitution, folder: Path, language: str | None = None
) -> list[Path]:
    """Write a card for each trait into the folder, and return the paths. Raises StoreError where it cannot be written."""
    spoken = language or ("zh" if report.language.casefold().startswith("zh") else "en")
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for trait in constitution.traits:
            path = folder / f"{_file_name(trait.name)}.md"
            write_text(effect_card(report, trait, spoken), path)
            paths.append(path)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}.") from None
    return paths


def effect_card(report: EffectReport, trait: Trait, language: str = "en") -> str:
    """Return the card of a trait as Markdown; texts of models stand in it as quotations, with their markup taken away."""
    words = CARD_WORDS[language]
    own = [shift for shift in report.shifts if shift.contrast.group == trait.name]
    models = ", ".join(sorted({model for served in report.models.values() for model in served}))
    parts = [
        f"# {_plain(trait.name)}",
        *([f"> {WORDS[language]['rehearsal']}"] if report.rehearsal else []),
        _plain(trait.description),
        f"**{words['target']}**: {DEGREE_WORDS[language][trait.target]}",
        *(_judged(report, own, trait, language) if report.judged else ()),
        _section(
            OPINION_WORDS[language]["heading" if report.judged else "heading_alone"],
            opinion_lines(report, trait.name, language),
        ),
        _section(
            words["caricature"], _share_lines([s for s in report.overdone if s.trait == trait.name], language)
        ),
        _section(
            WORDS[language]["robustness"],
            _survival_lines([s for s in report.robustness if s.contrast.group == trait.name], language),
        ),
        _section(REVEALED_WORDS[language]["heading"], rating_lines(report, trait.name, language)),
        _section(
            words["confounds"],
            _measure_lines(
                [each for each in report.measures if each.contrast.group == trait.name], report, language
            ),
            words["no_side_effects"],
        ),
        _section(
            words["examples"],
            [_example(moved, language) for moved in report.moved if moved.trait == trait.name],
        ),
        f"## {words['sign_off']}\n\n{words['unsigned']}",
        "---\n"
        + words["made"].format(
            fingerprint=report.fingerprint,
            version=report.version,
            seed=report.seed,
            calls=f"{report.usage.calls:,}",
            models=_plain(models),
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _judged(report: EffectReport, own: Sequence[Shift], trait: Trait, language: str) -> list[str]:
    words = CARD_WORDS[language]
    return [
        _section(words["effect"], _shift_lines(own, report, language, intended=True), words["no_effect"]),
        _kinds(report, trait, language),
        _section(
            words["side_effects"],
            _shift_lines(own, report, language, intended=False),
            words["no_side_effects"],
        ),
    ]


def _section(heading: str, lines: Sequence[str], nothing: str = "") -> str:
    if not lines and not nothing:
        return ""
    return f"## {heading}\n\n" + ("\n".join(lines) if lines else nothing)


def _shift_lines(
    shifts: Iterable[Shift], report: EffectReport, language: str, *, intended: bool
) -> list[str]:
    return [
        f"- {_plain(shift.trait)}, {WORDS[language][shift.contrast.question]}: "
        f"{written(shift.shift, language)} (p {shift.adjusted_p:.4f}, n {shift.num_messages})"
        for shift in shifts
        if shift.is_intended is intended
        and shift.contrast.question != "character"
        and (intended or is_sure(shift, report))
    ]


def _kinds(report: EffectReport, trait: Trait, language: str) -> str:
    lines = [
        f"| {KIND_WORDS[language][shift.kind]} | {written(shift.shift, language)} | {shift.num_messages} |"
        for shift in report.kinds
        if shift.trait == trait.name and shift.contrast.question == "alone"
    ]
    words = WORDS[language]
    head = f"| {words['kind']} | {words['shift']} | {words['number']} |\n| --- | ---: | ---: |"
    return "\n".join([head, *lines]) if lines else ""


def _share_lines(shares: Iterable[Share], language: str) -> list[str]:
    return [
        f"- {condition_word(share.condition, language)}: {written(share.overdone, language, 'share')}"
        for share in shares
    ]


def _survival_lines(survivals: Iterable[Survival], language: str) -> list[str]:
    words = WORDS[language]
    return [
        f"- {PRESSURE_WORDS[language][left.contrast.pressure]}: {written(left.pressed, language)}"
        + ("" if left.share is None else f", {words['share_left']} {written(left.share, language, 'share')}")
        for left in survivals
    ]


def _measure_lines(measures: Iterable[MeasureShift], report: EffectReport, language: str) -> list[str]:
    return [
        f"- {MEASURE_WORDS[language][each.measure]}, {WORDS[language][each.contrast.question]}: "
        f"{'× ' if each.measure == 'characters' else ''}"
        f"{written(each.difference, language, 'number' if each.measure == 'characters' else 'signed')}"
        for each in measures
        if is_sure(each, report)
    ]


def _example(moved: Moved, language: str) -> str:
    degrees = DEGREE_WORDS[language]
    sides = (
        (moved.contrast.reference, moved.reference_degree, moved.reference_text),
        (moved.contrast.condition, moved.condition_degree, moved.condition_text),
    )
    texts = [
        f"> **{condition_word(name, language)}{f' · {degrees[degree]}' if degree else ''}**: {_plain(text)}"
        for name, degree, text in sides
    ]
    return "\n>\n".join([f"> {_plain(moved.message.text)}", *texts]) + "\n"


_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|!~])")


def _plain(text: str) -> str:
    """Return a text as Markdown that shows it as it stands, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _file_name(name: str) -> str:
    """Return a name that any disk takes; names that would fall together stay apart."""
    kept = re.sub(r"[^\w-]+", "-", name).strip("-")[:60]
    return kept if kept == name else f"{kept or 'trait'}-{fingerprint(name, size=2)}"
