"""``character effect``: measure what each trait does to a model's behaviour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from character.cli.options import MESSAGE_FLAGS, command_of, configuration, refuse_unused, refused
from character.cli.printing import live_bar, new_console, new_table, print_json, show_estimate
from character.errors import ConfigError
from character.locale import report_language, wording
from character.runs.progress import cost_text, count_text

if TYPE_CHECKING:
    from rich.table import Table

    from character.evaluation.probe import EvaluationProgress
    from character.evaluation.records import EffectFigure, EffectReport
    from character.report.parts import NumberStyle


@command_of("effect")
def command(constitution: Path, out: Path, language: Any, as_json: bool, **flags: Any) -> None:
    from character.evaluation.effect import effect
    from character.review.effect_reviews import is_reviewed, write_reviewed

    _check(flags)
    refuse_unused(flags, "messages_path", "messages that are given are not generated", MESSAGE_FLAGS)
    models = {name: _backend(flags, name) for name in ("judge", "base", "tuned")}
    backends = {name: backend for name, backend in models.items() if backend}
    config = configuration(flags["settings"], backends=backends)
    given: Any = {"messages": flags["messages_path"], "traits": flags["trait_names"]}
    if flags["dry_run"]:
        show_estimate(effect(constitution, out, config, dry_run=True, **given), as_json=as_json)
        return
    with live_bar("writing messages", "messages") as show:

        def on_progress(progress: EvaluationProgress) -> None:
            note = f"{count_text(progress.usage.calls, 'call')} · {cost_text(progress.usage)}"
            moved = {"completed": progress.done, "total": progress.total, "note": note}
            show(description="answering and judging", **moved)

        report: EffectReport = effect(constitution, out, config, on_progress=on_progress, **given)
    if is_reviewed(out):
        report = write_reviewed(out, language)
    if as_json:
        print_json({"folder": str(out), **report.model_dump(mode="json", by_alias=True, exclude={"moved"})})
    else:
        _show(report, out, language or report_language(report.language))


def _backend(flags: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what the flags say of the model that judges, or of one that is compared: name and server."""
    from character.config.backend import kind_of

    if flags[name] == "rehearsal":
        return {"kind": "rehearsal", "model": ""}
    given = {"model": flags[name], "api_base": flags[f"{name}_api_base"]}
    chosen = {key: value for key, value in given.items() if value is not None}
    kind = kind_of(str(flags[name]), flags[f"{name}_api_base"])
    return {"kind": kind, **chosen} if chosen and (name != "judge" or kind == "local") else chosen


def _check(flags: dict[str, Any]) -> None:
    """Raise ConfigError for flags that do not go together."""
    given = [name for name in ("base", "tuned") if flags[name]]
    for role in ("base", "tuned"):
        if flags[f"{role}_api_base"] and role not in given:
            raise refused(ConfigError, "server_alone", role=role)
    if flags["with_traits"] and not given:
        raise refused(ConfigError, "with_traits")
    if len(given) == 1:
        raise refused(ConfigError, "one_model", role=given[0])
    if flags["no_judge"]:
        against = [name for name in ("judge", "judge_api_base", "choices", "pressed") if flags[name]]
        if against or flags["preference_folder"] is None:
            beside = f"beside --{against[0].replace('_', '-')}" if against else "without --preference"
            raise refused(ConfigError, "no_judge", beside=beside)


def _show(report: EffectReport, out: Path, spoken: str) -> None:
    from character.cli.page_text import COLOURS
    from character.evaluation.page.findings import findings

    console = new_console()
    if report.judged:
        console.print(_table(report, spoken))
    for note in findings(report, spoken):
        console.print(f"- {note.text}", style=COLOURS[note.weight])
        for item in note.items:
            console.print(f"    {item}", style=COLOURS[note.weight])
    console.print(f"{count_text(report.usage.calls, 'call')} · {cost_text(report.usage)}", style="dim")
    console.print(f"report: {out / 'effect.html'}\ncards: {out / 'cards'}", style="dim")


def _table(report: EffectReport, spoken: str) -> Table:
    """Return a row per trait: its intended shifts, the least left under pressure, its rating."""
    from character.evaluation.page.revealed import told_rating
    from character.evaluation.page.writing import is_sure, written

    def two_lines(figure: EffectFigure, *, sure: bool, style: NumberStyle = "signed") -> str:
        estimate, _, interval = written(figure, spoken, style).partition(" [")
        return f"{estimate}{' *' if sure else ''}" + (f"\n[{interval}" if interval else "")

    words = wording("effect.page", spoken)
    columns: dict[str, dict[str, str]] = {
        words[f"{question}_short"]: {
            each.trait: two_lines(each.shift, sure=is_sure(each, report))
            for each in report.shifts
            if each.is_intended and each.contrast.question == question
        }
        for question in ("alone", "within", "models")
    }
    shares = [(each.share, each.contrast) for each in report.robustness if each.share is not None]
    pressures = wording("effect.pressures", spoken)
    columns[words["least_left"]] = {
        contrast.group: f"{two_lines(share, sure=False, style='share')}\n{pressures[contrast.pressure]}"
        for share, contrast in sorted(shares, key=lambda each: -each[0].estimate)
    }
    columns[words["chosen"]] = {
        each.trait: two_lines(told_rating(each), sure=each.adjusted_p < 1 - report.level)
        for each in (report.revealed.ratings if report.revealed else ())
        if each.adjusted_p is not None
    }
    filled = {name: cells for name, cells in columns.items() if cells}
    table = new_table(words["matrix"], [words["judged"]], filled)
    table.caption, table.caption_justify = words["starred"], "left"
    for trait in report.traits:
        table.add_row(trait, *(cells.get(trait, "–") for cells in filled.values()))
    return table
