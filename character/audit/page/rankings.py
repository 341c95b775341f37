"""The section on rankings: agreement, levels, places, traits and jurors."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter

from character.audit.rankings import PlaceRow
from character.audit.records import RunAudit
from character.locale import wording
from character.records import LEVELS
from character.report import Chart, Figure, Figures, Number, Section
from character.report.charts import Point, bars, dots, heat_map
from character.report.parts import NumberStyle, Part, figure, share, table
from character.statistics.intervals import Interval


def rankings_section(audit: RunAudit) -> Section:
    """Return how far the rankings can be trusted, with the parts that the run has something for."""
    words, rankings = wording("audit.page", audit.language), audit.rankings
    statuses = wording("audit.statuses", audit.language)
    outcomes = ((statuses.get(name, name), number) for name, number in rankings.statuses.items())
    parts: list[Part] = [_figures(audit), table(words, "status number", outcomes, "statuses")]
    if rankings.levels:
        parts.append(_levels(audit))
    if rankings.versus:
        parts.append(_versus(audit))
    shown_together = groupby(rankings.places, attrgetter("judge", "num_shown"))
    parts += [_places(audit, list(rows)) for _, rows in shown_together]
    if rankings.groups:
        groups = (
            (words[row.by], row.name, row.rankings, _number(row.consistency), _number(row.intended, "share"))
            for row in rankings.groups
        )
        parts.append(table(words, "by name num_rankings consistency intended", groups, "groups"))
    if rankings.jurors:
        jurors = ((row.juror, row.messages, _number(row.tau)) for row in rankings.jurors)
        parts.append(table(words, "juror number_messages tau_others", jurors, "jurors"))
    return Section(words["rankings"], words["rankings_text"], tuple(parts))


def _figures(audit: RunAudit) -> Figures:
    words, rankings = wording("audit.page", audit.language), audit.rankings
    shares = (("same_best", rankings.same_best), ("expected_errors", rankings.expected_errors))
    items = [Figure(words["passes"], Number(rankings.passes, digits=1))]
    items += [figure(words, name, _number(value, "share")) for name, value in shares if value]
    if rankings.expected_errors:
        items.append(figure(words, "unsure", share(rankings.unsure)))
    if rankings.saved_calls:
        items.append(figure(words, "saved", Number(rankings.saved_calls, style="count")))
    if rankings.alpha:
        items.append(figure(words, "alpha", _number(rankings.alpha)))
    return Figures(tuple(items))


def _levels(audit: RunAudit) -> Chart:
    words, levels = wording("audit.page", audit.language), wording("audit.levels", audit.language)
    points = [
        Point(levels[row.level], *interval, group=words[name])
        for row in audit.rankings.levels
        for name, interval in (("score", row.score), ("came_first", row.best))
    ]
    names, text = (words["level"], words["score_or_share"], words["by"]), words["level_scores_text"]
    return dots(words["level_scores"], points, names=names, domain=(0, 1), description=text)


def _versus(audit: RunAudit) -> Chart:
    words, levels = wording("audit.page", audit.language), wording("audit.levels", audit.language)
    shares = {(row.better, row.worse): row.share.estimate for row in audit.rankings.versus}
    shares |= {(worse, better): 1 - part for (better, worse), part in shares.items()}
    there = [level for level in LEVELS if any(level in pair for pair in shares)]
    labels = [levels[level] for level in there]
    return heat_map(
        words["versus"],
        labels,
        labels,
        [[shares.get((row, column)) for column in there] for row in there],
        names=(words["level"], words["above"], words["share"]),
        percent=True,
        middle=0.5,
        domain=(0, 1),
        description=words["versus_text"],
    )


def _places(audit: RunAudit, rows: list[PlaceRow]) -> Chart:
    words, first = wording("audit.page", audit.language), rows[0]
    points = [Point(words["place"].format(row.place), *row.effect) for row in rows]
    text = words["places_text"].format(judge=first.judge, shown=first.num_shown, rankings=first.rankings)
    names = (words["place_name"], words["effect"], "")
    return bars(words["places"], points, names=names, reference=0, description=text)


def _number(interval: Interval | None, style: NumberStyle = "number") -> Number:
    return Number(*interval, style) if interval else Number(None)
