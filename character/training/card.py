"""The card of a trained model: its base by name, the data by fingerprint, and what the measurement said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from character.files import write_text
from character.training.effects import EffectReport, Shift, words_of_shift
from character.training.methods import METHODS
from character.training.recipe import MODEL_FOLDER
from character.training.reports import TrainingReport

CARD_FILE = "README.md"
_LIMITS = """\
A trait is a nudge, not a rule. The figures hold for the messages measured on and for whoever judged them; what was not
measured may have moved too."""


def write_card(report: TrainingReport, effect: EffectReport | None = None) -> Path:
    """Write the card into the folder of the trained model, in place of the one TRL wrote, and return its path."""
    path = report.folder / MODEL_FOLDER / CARD_FILE
    write_text(path, model_card(report, effect))
    return path


def model_card(report: TrainingReport, effect: EffectReport | None = None) -> str:
    """Return the card as Markdown, with the hub's YAML header; without ``effect`` it says that nothing was measured."""
    import yaml

    facts = report.facts
    header = yaml.safe_dump(
        {
            "base_model": facts.model,
            "library_name": "peft" if report.settings.get("use_peft") else "transformers",
            "tags": ["character-training", report.method],
        },
        sort_keys=False,
        allow_unicode=True,
    )
    name = " ".join((facts.constitution or "a character").split())
    sections = (
        f"# {name}: {METHODS[report.method].trains}",
        _warning(report),
        "## How it was made\n\n" + "\n".join(_making(report)),
        "## What the measurement said\n\n" + "\n".join(_measured(effect)),
        "## What was noticed before training\n\n" + "\n".join(_noticed(report)),
        f"## Limits\n\n{_LIMITS}",
    )
    return f"---\n{header}---\n\n" + "\n\n".join(section for section in sections if section) + "\n"


def _warning(report: TrainingReport) -> str:
    if not report.facts.rehearsal:
        return ""
    return (
        "> **Trained on data that the rehearsal model had a hand in: for trying and testing, not for use.**"
    )


def _making(report: TrainingReport) -> Iterator[str]:
    facts = report.facts
    yield f"- Base model: `{facts.model}`{_code(facts.model_fingerprint)}"
    yield f"- Method: TRL's {report.method}, preset {report.preset}, seed {facts.seed}"
    rows = ", ".join(f"{file.rows:,} {file.split}" for file in report.files)
    yield f"- Data: {rows} rows{_code(facts.data_fingerprint)}"
    for mixed in report.mixed:
        yield f"- Mixed in: {mixed.rows:,} rows of {mixed.file} ({mixed.share:.0%})"
    if facts.constitution_fingerprint:
        yield f"- Constitution: {facts.constitution}{_code(facts.constitution_fingerprint)}"
    if facts.run_fingerprint:
        yield f"- Run:{_code(facts.run_fingerprint)}"


def _code(fingerprint: str) -> str:
    return f" (fingerprint `{fingerprint}`)" if fingerprint else ""


def _measured(effect: EffectReport | None) -> Iterator[str]:
    if effect is None:
        yield "Nothing was measured yet. Do not rely on this model before its effect and its side effects are known."
        return
    yield (
        f"{effect.num_replies:,} replies to {effect.num_messages:,} held-out messages, before and after; 95 % intervals by "
        "bootstrap over messages."
    )
    found = effect.side_effects
    said = ", ".join(each.name for each in found)
    yield f"\n**Side effects to look at: {said}.**\n" if found else "\nNo side effect passed its bar.\n"
    yield from _table("all messages", effect.shifts)
    for language, shifts in effect.by_language.items():
        yield ""
        yield from _table(language, shifts)


def _table(caption: str, shifts: Sequence[Shift]) -> Iterator[str]:
    yield f"| {caption} | before to after (shift, interval) | messages |"
    yield "| --- | --- | ---: |"
    for shift in shifts:
        mark = " **look**" if shift.flagged else ""
        yield f"| {shift.name} ({shift.role}) | {words_of_shift(shift)}{mark} | {shift.num_messages:,} |"


def _noticed(report: TrainingReport) -> Iterator[str]:
    found = [check for check in report.checks if check.weight in ("stop", "look")]
    if not found:
        yield "Nothing that asked for attention."
    for check in found:
        yield f"- {' '.join(check.text.split())}"
