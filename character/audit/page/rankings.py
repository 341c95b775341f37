"""The section on rankings: agreement, levels, places, traits and jurors."""

from __future__ import annotations

from itertools import groupby

from character.audit.rankings import PlaceRow
from character.audit.records import RunAudit
from character.locale import wording
from character.records import LEVELS
from character.report import Chart, Figure, Figures, Number, Section, Table
from character.report.charts import Point, bars, dots, heat_map
from character.report.parts import Part
from character.statistics.intervals import Interval


def rankings_section(audit: RunAudit) -> Section:
    """Return how far the rankings can be trusted, with the parts that the run has something for."""
    words, rankings = wording("audit.page", audit.language), audit.rankings
    parts: list[Part] = [_figures(audit), _statuses(audit)]
    if rankings.levels:
        parts.append(_levels(audit))
    if rankings.versus:
        parts.append(_versus(audit))
    parts += [
        _places(audit, list(rows))
        for _, rows in groupby(rankings.places, lambda row: (row.judge, row.num_shown))
    ]
    if rankings.groups:
        parts.append(_groups(audit))
    if rankings.jurors:
        parts.append(_jurors(audit))
    return Section(words["rankings"], words["rankings_text"], tuple(parts))


def _figures(audit: RunAudit) -> Figures:
    words, rankings = wording("audit.page", audit.language), audit.rankings
    shares = (("same_best", rankings.same_best), ("expected_errors", rankings.expected_errors))
    items = [Figure(words["passes"], Number(rankings.passes, digits=1))]
    items += [Figure(words[name], _interval(value, "share")) for name, value in shares if value]
    if rankings.expected_errors:
        items.append(Figure(words["unsure"], Number(rankings.unsure, style="share"), words["unsure_note"]))
    if rankings.saved_calls:
        items.append(Figure(words["saved"], Number(rankings.saved_calls, style="count")))
    if rankings.alpha:
        items.append(Figure(words["alpha"], _interval(rankings.alpha)))
    return Figures(tuple(items))


def _statuses(audit: RunAudit) -> Table:
    words, known = wording("audit.page", audit.language), wording("audit.statuses", audit.language)
    rows = tuple((known.get(name, name), number) for name, number in audit.rankings.statuses.items())
    return Table((words["status"], words["number"]), rows, caption=words["statuses"])


def _levels(audit: RunAudit) -> Chart:
    words, levels = wording("audit.page", audit.language), wording("audit.levels", audit.language)
    points = [
        Point(levels[row.level], *interval, group=words[name])
        for row in audit.rankings.levels
        for name, interval in (("score", row.score), ("came_first", row.best))
    ]
    return dots(
        words["level_scores"],
        points,
        names=(words["level"], words["score_or_share"], words["by"]),
        domain=(0, 1),
        description=words["level_scores_text"],
    )


def _versus(audit: RunAudit) -> Chart:
    words, names = wording("audit.page", audit.language), wording("audit.levels", audit.language)
    shares = {(row.better, row.worse): row.share.estimate for row in audit.rankings.versus}
    shares |= {(worse, better): 1 - share for (better, worse), share in shares.items()}
    there = [level for level in LEVELS if any(level in pair for pair in shares)]
    return heat_map(
        words["versus"],
        [names[level] for level in there],
        [names[level] for level in there],
        [[shares.get((row, column)) for column in there] for row in there],
        names=(words["level"], words["above"], words["share"]),
        percent=True,
        middle=0.5,
        domain=(0, 1),
        description=words["versus_text"],
    )


def _places(audit: RunAudit, rows: list[PlaceRow]) -> Chart:
    words, first = wording("audit.page", audit.language), rows[0]
    return bars(
        words["places"],
        [Point(words["place"].format(row.place), *row.effect) for row in rows],
        names=(words["place_name"], words["effect"], ""),
        reference=0,
        description=words["places_text"].format(
            judge=first.judge, shown=first.num_shown, rankings=first.rankings
        ),
    )


def _groups(audit: RunAudit) -> Table:
    words = wording("audit.page", audit.language)
    rows = tuple(
        (
            words.get(row.by, row.by),
            row.name,
            row.rankings,
            _interval(row.consistency),
            _interval(row.intended, "share"),
        )
        for row in audit.rankings.groups
    )
    head = ("by", "name", "num_rankings", "consistency", "intended")
    return Table(tuple(words[name] for name in head), rows, caption=words["groups"])


def _jurors(audit: RunAudit) -> Table:
    words = wording("audit.page", audit.language)
    rows = tuple((row.juror, row.messages, _interval(row.tau)) for row in audit.rankings.jurors)
    head = ("juror", "number_messages", "tau_others")
    return Table(tuple(words[name] for name in head), rows, caption=words["jurors"])


def _interval(interval: Interval | None, style: str = "number") -> Number:
    if interval is None:
        return Number(None)
    return Number(*interval, style="share" if style == "share" else "number")
