"""The section on pairs: what besides the trait sets their sides apart, and what balancing would do."""

from __future__ import annotations

from character.audit.confounds import ConfoundAudit, FeatureEffect
from character.audit.records import RunAudit
from character.locale import wording
from character.pairs.balance import Balanced
from character.pairs.features import Scale, feature_word
from character.report import Chart, Note, Notes, Number, Section, Table
from character.report.charts import Point, bars, dots, heat_map
from character.report.parts import Part, share, table

NUM_OPENERS, NUM_TRAITS, NUM_BALANCED = 12, 30, 12
"""How many openers, traits and balanced features are drawn; tables of the data have all."""
_Named = list[tuple[str, FeatureEffect]]


def pairs_section(audit: RunAudit) -> Section:
    """Return the confounds of the pairs as charts and a table, and a preview of balancing them."""
    words, confounds = wording("audit.page", audit.language), audit.confounds
    if confounds is None:
        return Section(words["pairs"], "", (Notes((Note(words["no_pairs"]),)),))
    present = [row for row in confounds.run.features if row.mean_chosen or row.mean_rejected]
    shown = [(feature_word(row.name, audit.language), row) for row in present]
    points = [Point(name, row.effect, row.low, row.high) for name, row in shown]
    names, text = (words["feature"], words["net"], ""), words["win_share_text"]
    parts: list[Part] = [
        bars(words["win_share"], points, names=names, domain=(-1, 1), reference=0, description=text)
    ]
    if confounds.run.openers:
        parts.append(_openers(audit, confounds))
    if len(confounds.by_trait) > 1:
        parts.append(_by_trait(audit, confounds, shown))
    parts.append(_table(audit, confounds, shown))
    if audit.balanced and audit.balanced.rows:
        parts.append(_balance(audit, audit.balanced))
    return Section(words["pairs"], words["pairs_text"], tuple(parts))


def _openers(audit: RunAudit, confounds: ConfoundAudit) -> Chart:
    words = wording("audit.page", audit.language)
    points = [
        Point(row.opener, part, group=words[side])
        for row in confounds.run.openers[:NUM_OPENERS]
        for side, part in (("chosen", row.share_chosen), ("rejected", row.share_rejected))
    ]
    names = (words["opener"], words["share"], words["side"])
    return dots(words["openers"], points, names=names, percent=True, description=words["openers_text"])


def _by_trait(audit: RunAudit, confounds: ConfoundAudit, shown: _Named) -> Chart:
    words = wording("audit.page", audit.language)
    traits = list(confounds.by_trait)[:NUM_TRAITS]
    effects = [{row.name: row.effect for row in confounds.by_trait[trait].features} for trait in traits]
    return heat_map(
        words["by_trait"],
        [feature for feature, _ in shown],
        traits,
        [[of_trait.get(row.name) for of_trait in effects] for _, row in shown],
        names=(words["feature"], words["trait"], words["net"]),
        middle=0.0,
        domain=(-1, 1),
        description=words["by_trait_text"],
    )


def _table(audit: RunAudit, confounds: ConfoundAudit, shown: _Named) -> Table:
    words, sides = wording("audit.page", audit.language), {row.name: row for row in audit.sides}
    rows = (
        (
            feature,
            _mean(row.mean_chosen, row.scale),
            _mean(row.mean_rejected, row.scale),
            share(sides[row.name].chosen),
            share(sides[row.name].rejected),
            Number(row.effect, row.low, row.high, "signed"),
            Number(row.standardized, style="signed"),
            Number(row.p_value, digits=3),
            words["yes"] if row.name in confounds.flagged else "",
        )
        for feature, row in shown
    )
    head = "feature mean_chosen mean_rejected more_chosen more_rejected net standardized p_value flagged"
    return table(words, head, rows, note="left_out")


def _mean(value: float, scale: Scale) -> Number:
    return share(value) if scale == "share" else Number(value, digits=0 if scale == "log" else 2)


def _balance(audit: RunAudit, balanced: Balanced) -> Chart:
    words = wording("audit.page", audit.language)
    rows = sorted(balanced.rows, key=lambda row: -abs(row.effect_before))[:NUM_BALANCED]
    points = [
        Point(feature_word(row.name, audit.language), effect, group=words[when])
        for row in rows
        for when, effect in (("before", row.effect_before), ("after", row.effect_after))
    ]
    text = words["balance_text"].format(
        threshold=f"{balanced.threshold:.1f}",
        kept=f"{balanced.num_kept:,}",
        total=f"{balanced.num_pairs:,}",
        kept_messages=f"{balanced.num_messages_kept:,}",
        messages=f"{balanced.num_messages:,}",
    )
    names = (words["feature"], words["net"], words["by"])
    return dots(words["balance"], points, names=names, domain=(-1, 1), reference=0, description=text)
