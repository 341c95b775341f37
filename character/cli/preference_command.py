"""``character preference``: fit a preference model, say what it is worth, and why it prefers a reply."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from character.cli.options import json_option, print_json

if TYPE_CHECKING:
    from character.preference.heads import TraitHead
    from character.report import Page
pairs_argument = click.argument("pairs", metavar="RUN|PAIRS", type=click.Path(path_type=Path))
trait_option = click.option(
    "--trait",
    default="",
    metavar="NAME",
    help="The trait of pairs that do not say theirs; where all do, the one trait to look at.",
)
length_option = click.option(
    "--length-free/--no-length-free",
    default=True,
    show_default=True,
    help="Keep length and format from deciding.",
)
seed_option = click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 10**9),
    help="The seed of all folds and draws.",
)


@click.group("preference", short_help="Fit a preference model and say what it is worth.")
def command() -> None:
    """Learn from pairs which of two responses fits a trait better (extra `preference`).

    RUN|PAIRS is a run folder, a folder that `character export` wrote (trl, recipe), or a file of pairs.
    """


@command.command("fit")
@pairs_argument
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder of the model.")
@trait_option
@length_option
@seed_option
@json_option
def fit(pairs: Path, out: Path, trait: str, length_free: bool, seed: int, as_json: bool) -> None:
    """Fit a light model on all pairs and save it: preference.json and preference.npz in --out.

    Of an exported folder the test split is left out.
    """
    from dataclasses import replace

    from character.cli.wording import count_text
    from character.locale import wording
    from character.preference.linear import LinearPreference
    from character.preference.sources import read_pairs
    from character.preference.tfidf import NGramTfidf

    _check_out(out)
    known = read_pairs(pairs, trait=trait, with_test=False)
    click.echo(f"fitting on {len(known.pairs):,} pairs …", err=True)
    fitted = LinearPreference(NGramTfidf(), length_free=length_free).fit(known.pairs, seed=seed)
    model = replace(fitted, rehearsal=fitted.rehearsal or known.rehearsal)
    model.save(out)
    left_out = {**known.dropped, **model.left_out}
    if as_json:
        facts = {"model": str(out), "pairs": len(known.pairs), "rehearsal": model.rehearsal}
        print_json({**facts, "heads": [head.model_dump() for head in model.heads], "left_out": left_out})
        return
    for head in model.heads:
        click.echo(
            f"{head.trait}: {count_text(head.num_pairs, 'pair')} of {count_text(head.num_messages, 'message')}; {_calibration(head)}"
        )
    if left_out:
        click.echo("left out: " + ", ".join(f"{reason} {number:,}" for reason, number in left_out.items()))
    if model.rehearsal:
        click.echo(wording("report.page", "en")["rehearsal"])
    click.echo(
        f"model: {out}\n  character preference evaluate {pairs}   says what fitting like this is worth"
    )


def _calibration(head: TraitHead) -> str:
    """Return in words what a head's probabilities are worth."""
    from character.cli.wording import count_text
    from character.preference.heads import LEAST_MESSAGES, LEAST_PAIRS

    own = head.num_held_out == head.num_pairs
    seen = f"{count_text(head.num_held_out, 'held-out pair')}{'' if own else ' of all traits'}"
    if head.calibrated:
        return f"calibrated on {seen}"
    return f"not calibrated: {seen}, and it takes {LEAST_PAIRS} of {LEAST_MESSAGES} messages to tell"


@command.command("evaluate")
@pairs_argument
@click.option(
    "--model",
    "folder",
    type=click.Path(path_type=Path),
    help="A saved model; without one, models are cross-validated.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="An HTML file to write; the same as JSON goes beside it."
)
@click.option(
    "--language", type=click.Choice(["en", "zh"]), help="Of the report; by default that of the pairs."
)
@trait_option
@length_option
@seed_option
@json_option
def evaluate(
    pairs: Path,
    folder: Path | None,
    out: Path | None,
    language: str | None,
    trait: str,
    length_free: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Say how well chosen is told from rejected on messages a model was not fitted on.

    With --model it is that model, on the messages it has not seen. Without, light models are fitted in five
    folds and every pair is predicted by one that has not seen its message.
    """
    from character.locale import report_language
    from character.preference import load_preference_model, preference_model
    from character.preference.evaluation import cross_validate
    from character.preference.evaluation import evaluate as measured
    from character.preference.page import evaluation_page
    from character.preference.sources import read_pairs
    from character.report import html_path, write_page

    if out is not None:
        html_path(out)
    known = read_pairs(pairs, trait=trait)
    if folder is not None:
        model = load_preference_model(folder)
        found = measured(model, known.pairs, traits=known.traits, seed=seed)
    else:
        found = cross_validate(
            preference_model("light", length_free=length_free),
            known.pairs,
            traits=known.traits,
            seed=seed,
            progress=lambda said: click.echo(said, err=True),
        )
    found = found.model_copy(
        update={
            "name": known.name,
            "left_out": {**known.dropped, **found.left_out},
            "rehearsal": found.rehearsal or known.rehearsal,
        }
    )
    page = evaluation_page(found, language or report_language(known.language))
    if out is not None:
        write_page(page, found, out)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print(page, out)


@command.command("why")
@click.argument("folder", metavar="MODEL", type=click.Path(path_type=Path))
@click.argument("a")
@click.argument("b")
@click.option("--trait", required=True, help="The trait that both are judged by.")
@json_option
def why(folder: Path, a: str, b: str, trait: str, as_json: bool) -> None:
    """Say which words and phrases make MODEL prefer the response A to B, or B to A."""
    from character.locale import wording
    from character.preference import load_preference_model
    from character.preference.explain import why as reasons
    from character.preference.protocol import Asked

    model = load_preference_model(folder)
    found = reasons(model, a, b, trait)
    if trait not in model.traits:
        click.echo(f"note: {Asked(model, (trait,)).note}", err=True)
    if model.rehearsal:
        click.echo(f"note: {wording('report.page', 'en')['rehearsal']}", err=True)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    click.echo(
        f"A fits {trait} better with probability {found.probability:.3f} (log-odds {found.log_odds:+.2f})"
    )
    for reason in found.reasons:
        click.echo(
            f"{reason.weight:+7.2f}  for {'A' if reason.weight > 0 else 'B'}  in {reason.side}: {reason.text}"
        )
    click.echo(f"{found.rest:+7.2f}  the rest")


def _check_out(out: Path) -> None:
    from character.errors import InputError

    holds = "a file" if out.is_file() else "the folder of a run" if (out / "run.sqlite").is_file() else ""
    if holds:
        raise InputError(f"{out} is {holds}.", expected="a folder of the model's own", fix="choose another.")


def _print(page: Page, out: Path | None) -> None:
    from character.cli.page_text import page_lines
    from character.cli.wording import console as new_console

    console = new_console()
    for part in page_lines(page):
        console.print(part)
    if out is not None:
        console.print(f"report: {out}\nas JSON: {out.with_suffix('.json')}", style="dim")
