"""``character preference``: fit a preference model, say what it is worth, and why it prefers a reply."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import command_of, commands
from character.cli.printing import print_json
from character.errors import InputError
from character.locale import report_language, wording
from character.runs.progress import count_text

if TYPE_CHECKING:
    from character.preference.heads import TraitHead


@command_of("preference fit")
def fit(pairs: Path, out: Path, trait: str, length_free: bool, seed: int, as_json: bool) -> None:
    from dataclasses import replace

    from character.preference.encoders import NGramTfidf
    from character.preference.linear import LinearPreference
    from character.preference.sources import read_pairs

    _check_out(out)
    data = read_pairs(pairs, trait=trait, with_test=False)
    click.echo(f"fitting on {len(data.pairs):,} pairs …", err=True)
    fitted = LinearPreference(NGramTfidf(), length_free=length_free).fit(data.pairs, seed=seed)
    model = replace(fitted, rehearsal=fitted.rehearsal or data.rehearsal)
    model.save(out)
    left_out = {**data.dropped, **model.left_out}
    if as_json:
        facts = {"model": str(out), "pairs": len(data.pairs), "rehearsal": model.rehearsal}
        print_json({**facts, "heads": [head.model_dump() for head in model.heads], "left_out": left_out})
        return
    for head in model.heads:
        amount = f"{count_text(head.num_pairs, 'pair')} of {count_text(head.num_messages, 'message')}"
        click.echo(f"{head.trait}: {amount}; {_calibration(head)}")
    if left_out:
        click.echo("left out: " + ", ".join(f"{reason} {number:,}" for reason, number in left_out.items()))
    if model.rehearsal:
        click.echo(wording("report.page", "en")["rehearsal"])
    click.echo(f"model: {out}")
    click.echo(f"  character preference evaluate {pairs}   says what fitting like this is worth")


def _check_out(out: Path) -> None:
    holds = "a file" if out.is_file() else "the folder of a run" if (out / "run.sqlite").is_file() else ""
    if holds:
        raise InputError(f"{out} is {holds}.", expected="a folder of the model's own", fix="choose another.")


def _calibration(head: TraitHead) -> str:
    """Return in words what a head's probabilities are worth."""
    from character.preference.heads import LEAST_MESSAGES, LEAST_PAIRS

    own = head.num_held_out == head.num_pairs
    seen = f"{count_text(head.num_held_out, 'held-out pair')}{'' if own else ' of all traits'}"
    if head.calibrated:
        return f"calibrated on {seen}"
    return f"not calibrated: {seen}, and it takes {LEAST_PAIRS} of {LEAST_MESSAGES} messages to tell"


@command_of("preference evaluate")
def evaluate(pairs: Path, folder: Path | None, out: Path | None, language: str | None, **flags: Any) -> None:
    from character.cli.page_text import print_page
    from character.preference import load_preference_model, preference_model
    from character.preference.evaluation import cross_validate
    from character.preference.evaluation import evaluate as measured
    from character.preference.page import evaluation_page
    from character.preference.sources import read_pairs
    from character.report import html_path, write_page

    if out is not None:
        html_path(out)
    data, seed = read_pairs(pairs, trait=flags["trait"]), flags["seed"]
    if folder is not None:
        report = measured(load_preference_model(folder), data.pairs, traits=data.traits, seed=seed)
    else:
        report = cross_validate(
            preference_model("light", length_free=flags["length_free"]),
            data.pairs,
            traits=data.traits,
            seed=seed,
            progress=lambda stage: click.echo(stage, err=True),
        )
    left_out = {**data.dropped, **report.left_out}
    rehearsal = report.rehearsal or data.rehearsal
    report = report.model_copy(update={"name": data.name, "left_out": left_out, "rehearsal": rehearsal})
    page = evaluation_page(report, language or report_language(data.language))
    if out is not None:
        write_page(page, report, out)
    if flags["as_json"]:
        print_json(report.model_dump(mode="json"))
    else:
        print_page(page, out)


@command_of("preference why")
def why(folder: Path, a: str, b: str, trait: str, as_json: bool) -> None:
    from character.preference import load_preference_model
    from character.preference.explain import why as reasons_of
    from character.preference.protocol import Asked

    model = load_preference_model(folder)
    answer = reasons_of(model, a, b, trait)
    if trait not in model.traits:
        click.echo(f"note: {Asked(model, (trait,)).note}", err=True)
    if model.rehearsal:
        click.echo(f"note: {wording('report.page', 'en')['rehearsal']}", err=True)
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    odds = f"probability {answer.probability:.3f} (log-odds {answer.log_odds:+.2f})"
    click.echo(f"A fits {trait} better with {odds}")
    for reason in answer.reasons:
        side = "A" if reason.weight > 0 else "B"
        click.echo(f"{reason.weight:+7.2f}  for {side}  in {reason.side}: {reason.text}")
    click.echo(f"{answer.rest:+7.2f}  the rest")


command = click.Group("preference", commands=[fit, evaluate, why], help=commands()["preference"]["help"])
