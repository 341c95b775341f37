"""``character review``: a local web page to rank, compare, check and veto, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from character.cli.options import command_of
from character.cli.printing import print_json
from character.locale import report_language, wording
from character.runs.progress import count_text


@command_of("review")
def command(folder: Path, reviewer: str, language: Any, as_json: bool, **flags: Any) -> None:
    if flags["export_to"] is not None:
        _export(folder, flags["export_to"], reviewer, as_json)
        return
    if flags["write_report"]:
        _report(folder, language, as_json)
        return
    from character.review.serving import serve

    def ready(address: str) -> None:
        if as_json:
            print_json({"folder": str(folder), "url": address})
        else:
            click.echo(f"Review {folder} at\n\n    {address}\n\nCtrl-C stops; every answer is kept.")
        if flags["open_it"]:
            click.launch(address)

    serve(
        folder,
        port=flags["port"],
        reviewer=reviewer,
        language=language,
        preference=flags["preference_folder"],
        on_ready=ready,
    )


def _report(folder: Path, language: Any, as_json: bool) -> None:
    from character.evaluation.page.cards import sign_off_part
    from character.evaluation.page.page import review_notes
    from character.review.effect_reviews import write_reviewed

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
        facts = marks["semicolon"].join(f"{fact.what} {fact.said}" for fact in part.facts)
        click.echo(f"{trait}{marks['colon']}{facts or part.nothing}")
    click.echo(f"report: {folder / 'effect.html'}\ncards: {folder / 'cards'}")


def _export(folder: Path, out: Path, reviewer: str, as_json: bool) -> None:
    from character.review.labelling import export_labelled

    done = export_labelled(folder, out, reviewers=[reviewer] if reviewer else [])
    raters = sorted({label.rater for item in done.labelled.items for label in item.labels})
    if as_json:
        facts = {"file": str(out), "items": len(done.labelled), "raters": raters}
        print_json({**facts, "no_order": done.no_order, "left_out": done.left_out})
        return
    click.echo(f"{out}: {count_text(len(done.labelled), 'item')} of {', '.join(raters)}")
    for what, counts in (("of these", done.no_order), ("left out", done.left_out)):
        for reason, number in counts.items():
            click.echo(f"{what}, {reason}: {number:,}")
    click.echo(f"next: character optimize {out}")
