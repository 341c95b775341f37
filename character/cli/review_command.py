"""``character review``: a local web page to rank, compare, check and veto, and its rankings as a labelled set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from character.cli.options import json_option, print_json


@click.command("review", short_help="Let people rank, compare, check and veto, on a local web page.")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--reviewer", metavar="NAME", default="", help="Who reviews; without it, each window asks.")
@click.option(
    "--language", type=click.Choice(["en", "zh"]), help="Of the interface; by default the constitution's."
)
@click.option(
    "--port",
    default=0,
    type=click.IntRange(0, 65_535),
    help="The port on 127.0.0.1; by default any that is free.",
)
@click.option("--open", "open_it", is_flag=True, help="Then open the page in a browser.")
@click.option(
    "--preference",
    "preference_folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A fitted preference model: what it and the ranker disagree on comes first.",
)
@click.option(
    "--export",
    "export_to",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Serve nothing: write what was ranked and compared as a labelled set, for `character optimize` "
    "(with --reviewer, one reviewer's answers alone).",
)
@click.option(
    "--report",
    "write_report",
    is_flag=True,
    help="Serve nothing: write the report and the cards of an effect anew, with what reviewers said of each trait.",
)
@json_option
def command(
    folder: Path,
    reviewer: str,
    language: Any,
    port: int,
    open_it: bool,
    preference_folder: Path | None,
    export_to: Path | None,
    write_report: bool,
    as_json: bool,
) -> None:
    """Review RUN, the folder of a run or of an effect, on a page that this machine alone can open.

    Every answer is on disk (RUN/reviews.sqlite) before the page says so. Any number of windows and reviewers may
    share one server. Ctrl-C stops it; the same command goes on. What is vetoed is left out by `character export`.
    """
    if export_to is not None:
        _export(folder, export_to, reviewer, as_json)
        return
    if write_report:
        _report(folder, language, as_json)
        return
    from character.review.serving import serve

    def ready(address: str) -> None:
        if as_json:
            print_json({"folder": str(folder), "url": address})
        else:
            click.echo(f"Review {folder} at\n\n    {address}\n\nCtrl-C stops; every answer is kept.")
        if open_it:
            click.launch(address)

    serve(
        folder,
        port=port,
        reviewer=reviewer,
        language=language,
        preference=preference_folder,
        on_ready=ready,
    )


def _report(folder: Path, language: Any, as_json: bool) -> None:
    from character.evaluation.page.card_facts import sign_off_part
    from character.evaluation.page.reviews import review_notes
    from character.locale import report_language, wording
    from character.review.reporting import write_reviewed

    report = write_reviewed(folder, language)
    if as_json:
        reviews = [review.model_dump(mode="json") for review in report.reviews]
        print_json({"folder": str(folder), "reviews": reviews})
        return
    spoken = language or report_language(report.language)
    marks = wording("report.marks", spoken)
    for note in review_notes(report, spoken):
        click.echo(note.text)
    for trait in report.traits:
        part = sign_off_part(report, trait, spoken)
        told = marks["semicolon"].join(f"{fact.what} {fact.said}" for fact in part.facts)
        click.echo(f"{trait}{marks['colon']}{told or part.nothing}")
    click.echo(f"report: {folder / 'effect.html'}\ncards: {folder / 'cards'}")


def _export(folder: Path, out: Path, reviewer: str, as_json: bool) -> None:
    from character.cli.wording import count_text
    from character.review.labelling import export_labelled

    done = export_labelled(folder, out, reviewers=[reviewer] if reviewer else [])
    raters = sorted({label.rater for item in done.labelled.items for label in item.labels})
    if as_json:
        print_json(
            {
                "file": str(out),
                "items": len(done.labelled),
                "raters": raters,
                "no_order": done.no_order,
                "left_out": done.left_out,
            }
        )
        return
    click.echo(f"{out}: {count_text(len(done.labelled), 'item')} of {', '.join(raters)}")
    for reason, number in done.no_order.items():
        click.echo(f"of these, {reason}: {number:,}")
    for reason, number in done.left_out.items():
        click.echo(f"left out, {reason}: {number:,}")
    click.echo(f"next: character optimize {out}")
