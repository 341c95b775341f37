"""``character effect``: measure what each trait does to a model's behaviour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.live_bar import LiveBar
from character.cli.options import (
    backend_options,
    backend_overrides,
    budget_options,
    budget_overrides,
    config_option,
    json_option,
    merged,
    print_json,
    set_option,
    set_overrides,
)

if TYPE_CHECKING:
    from rich.table import Table

    from character.evaluation.probe import EvaluationProgress
    from character.evaluation.records import EffectFigure, EffectReport
    from character.report.parts import NumberStyle
_LIMITS = "Without re-asks. Prompts are measured, lengths of replies are assumed."


@click.command("effect", short_help="Measure what each trait does to a model's behaviour.")
@click.argument("constitution", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The folder; an evaluation there goes on."
)
@config_option
@set_option
@click.option(
    "--messages",
    "messages_path",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Held-out messages: a file as for `run`, or the folder of an evaluation to measure on its messages.",
)
@click.option(
    "--yardstick",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Judge the traits in the words of this constitution, or of this evaluation's: two wordings are then judged alike.",
)
@click.option(
    "--held-out-from",
    multiple=True,
    type=click.Path(),
    help="Generate no message that is in this run.",
)
@click.option("--trait", "trait_names", multiple=True, metavar="NAME", help="Measure this trait alone.")
@click.option("--messages-per-trait", show_default="16", type=click.IntRange(min=1))
@click.option("--neutral", show_default="16", type=click.IntRange(0, 16), help="Everyday messages.")
@click.option(
    "--pressed",
    show_default="0",
    type=click.IntRange(min=0),
    help="Messages per trait that are asked again under pressure to drop the character.",
)
@click.option(
    "--choices",
    show_default="0",
    type=click.IntRange(min=0),
    help="Revealed preference: how often each model chooses which of two traits to show (two calls each; 100 or more tell something).",
)
@click.option(
    "--base",
    metavar="MODEL",
    help="Compare this model, without traits in its prompt … (both `rehearsal`: a trial without a network, which must find nothing)",
)
@click.option("--tuned", metavar="MODEL", help="… with this one.")
@click.option("--base-api-base", metavar="URL", help="The server of the base model.")
@click.option("--tuned-api-base", metavar="URL", help="The server of the tuned model.")
@click.option("--with-traits", is_flag=True, help="With --base and --tuned: measure the traits as well.")
@click.option("--judge", metavar="MODEL", help="The model that judges.")
@click.option("--judge-api-base", metavar="URL", help="The server of the judge.")
@click.option(
    "--preference",
    "preference_folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="A saved preference model (`preference fit`): its shifts beside the judge's, and how far the two agree.",
)
@click.option(
    "--no-judge",
    is_flag=True,
    help="With --preference: that model takes the judge's place, and no judge is called.",
)
@budget_options
@click.option("--dry-run", is_flag=True, help="Estimate calls, tokens and cost; send nothing, write nothing.")
@click.option("--seed", type=click.IntRange(min=0), help="The seed of everything random.")
@click.option("--language", type=click.Choice(["en", "zh"]), help="The report's language.")
@backend_options
@json_option
def command(constitution: Path, out: Path, config_path: Path | None, **flags: Any) -> None:
    """Measure what each trait of CONSTITUTION does, blind and with intervals, and write a report.

    Messages are answered without traits, with one, with all, and with all but one, or by two models; a judge that
    sees neither condition nor order says how strongly each trait shows in each response. The same command goes on where it was
    stopped. Without a backend the embedded rehearsal model answers and judges.
    """
    from character.cli.estimate_table import show_estimate
    from character.config import load_config
    from character.evaluation.effect import effect
    from character.review.reporting import is_reviewed, write_reviewed

    _check(flags)
    config = load_config(config_path, overrides=merged(set_overrides(flags["settings"]), _overrides(flags)))
    given: Any = {"messages": flags["messages_path"], "traits": flags["trait_names"]}
    if flags["dry_run"]:
        estimate = effect(constitution, out, config, dry_run=True, **given)
        show_estimate(estimate, _LIMITS, as_json=flags["as_json"])
        return
    with LiveBar("messages", "writing messages") as bar:
        report: EffectReport = effect(constitution, out, config, on_progress=_told(bar), **given)
    if is_reviewed(out):
        report = write_reviewed(out, flags["language"])
    if flags["as_json"]:
        print_json({"folder": str(out), **report.model_dump(mode="json", by_alias=True, exclude={"moved"})})
    else:
        _show(report, out, flags["language"])


_SECTION = {
    "messages_per_trait": "messages_per_trait",
    "neutral": "neutral_messages",
    "pressed": "pressed_messages",
    "choices": "choices",
    "preference_folder": "preference",
    "yardstick": "yardstick",
    "language": "language",
}
"""Fields of ``[effect]`` by the flag that sets them."""


def _overrides(flags: dict[str, Any]) -> dict[str, Any]:
    nested = backend_overrides(flags)
    models = {name: _backend(flags, name) for name in ("judge", "base", "tuned")}
    chosen = {name: backend for name, backend in models.items() if backend}
    if chosen:
        nested["backends"] = {**nested.get("backends", {}), **chosen}
    if flags["seed"] is not None:
        nested["seed"] = flags["seed"]
    budget = {name: value for name, value in budget_overrides(flags).items() if value is not None}
    section = {field: flags[flag] for flag, field in _SECTION.items() if flags[flag] is not None}
    section |= {"judged": False} if flags["no_judge"] else {}
    section |= {"design": "both"} if flags["with_traits"] else {}
    section |= {"held_out_from": flags["held_out_from"]} if flags["held_out_from"] else {}
    section = {name: str(value) if isinstance(value, Path) else value for name, value in section.items()}
    return {**nested, "effect": section, **({"budget": budget} if budget else {})}


def _backend(flags: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what the flags say of the model that judges, or of one that is compared: its name and its server."""
    if flags[name] == "rehearsal":
        return {"kind": "rehearsal", "model": ""}
    given = {"model": flags[name], "api_base": flags[f"{name}_api_base"]}
    chosen = {key: value for key, value in given.items() if value is not None}
    return {"kind": "native", **chosen} if chosen and name != "judge" else chosen


def _check(flags: dict[str, Any]) -> None:
    """Raise ConfigError for flags that do not go together."""
    from character.errors import ConfigError

    given = [name for name in ("base", "tuned") if flags[name]]
    for role in ("base", "tuned"):
        if flags[f"{role}_api_base"] and role not in given:
            raise ConfigError(
                f"found --{role}-api-base without --{role}.",
                expected=f"--{role} MODEL, the model that this server is to answer with",
            )
    if flags["with_traits"] and not given:
        raise ConfigError(
            "found --with-traits without two models.",
            expected="--base and --tuned with it; without them the traits are measured anyway",
        )
    if len(given) == 1:
        raise ConfigError(f"found only --{given[0]}.", expected="both --base and --tuned, or neither")
    if flags["no_judge"]:
        against = [name for name in ("judge", "judge_api_base", "choices", "pressed") if flags[name]]
        if against or flags["preference_folder"] is None:
            found = f"beside --{against[0].replace('_', '-')}" if against else "without --preference"
            raise ConfigError(
                f"found --no-judge {found}.",
                expected="--no-judge with --preference FOLDER, and nothing for a judge to do",
            )


def _show(report: EffectReport, out: Path, language: str | None) -> None:
    from character.cli.wording import console as new_console
    from character.cli.wording import cost_text, count_text
    from character.evaluation.page.findings import findings
    from character.locale import report_language

    spoken = language or report_language(report.language)
    console = new_console()
    if report.judged:
        console.print(_table(report, spoken))
    styles = {"look": "yellow", "note": "", "fine": "green"}
    for note in findings(report, spoken):
        console.print(f"- {note.text}", style=styles[note.weight])
        for item in note.items:
            console.print(f"    {item}", style=styles[note.weight])
    console.print(f"{count_text(report.usage.calls, 'call')} · {cost_text(report.usage)}", style="dim")
    console.print(f"report: {out / 'effect.html'}\ncards: {out / 'cards'}", style="dim")


def _table(report: EffectReport, spoken: str) -> Table:
    """Return a row per trait: its intended shifts, the least that is left under pressure, and its rating where a model chooses."""
    from rich.table import Table

    from character.evaluation.page.revealed import told_rating
    from character.evaluation.page.writing import is_sure, written
    from character.locale import wording

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
    table = Table(
        title=words["matrix"], title_justify="left", caption=words["starred"], caption_justify="left"
    )
    table.add_column(words["judged"])
    told = {name: cells for name, cells in columns.items() if cells}
    for name in told:
        table.add_column(name, justify="right")
    for trait in report.traits:
        table.add_row(trait, *(cells.get(trait, "–") for cells in told.values()))
    return table


def _told(bar: LiveBar) -> Callable[[EvaluationProgress], None]:
    """Return what shows an evaluation's progress on a bar."""
    from character.cli.wording import cost_text, count_text

    def show(progress: EvaluationProgress) -> None:
        cost = f"{count_text(progress.usage.calls, 'call')} · {cost_text(progress.usage)}"
        bar.show(progress.done, "answering and judging", note=cost, total=progress.total)

    return show
