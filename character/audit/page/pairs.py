"""The section on pairs: what sets chosen apart from rejected besides the trait, and what balancing would do."""

from __future__ import annotations

from character.audit.confounds import ConfoundAudit, FeatureEffect
from character.audit.records import RunAudit
from character.locale import wording
from character.pairs.balance import Balanced
from character.pairs.features import Scale, feature_word
from character.report import Chart, Note, Notes, Number, Section, Table
from character.report.charts import Point, bars, dots, heat_map
from character.report.parts import Part

NUM_OPENERS, NUM_TRAITS, NUM_BALANCED = 12, 30, 12
"""How many openers, traits and balanced features are drawn; tables of the data have all."""


def pairs_section(audit: RunAudit) -> Section:
    """Return the confounds of the pairs as charts and a table, and a preview of balancing them."""
    words, confounds = wording("audit.page", audit.language), audit.confounds
    if confounds is None:
        return Section(words["pairs"], "", (Notes((Note(words["no_pairs"]),)),))
    parts: list[Part] = [_effects(audit, confounds)]
    if confounds.run.openers:
        parts.append(_openers(audit, confounds))
    if len(confounds.by_trait) > 1:
        parts.append(_by_trait(audit, confounds))
    parts.append(_table(audit, confounds))
    if audit.balanced and audit.balanced.rows:
        parts.append(_balance(audit, audit.balanced))
    return Section(words["pairs"], words["pairs_text"], tuple(parts))


def _effects(audit: RunAudit, confounds: ConfoundAudit) -> Chart:
    words = wording("audit.page", audit.language)
    return bars(
        words["win_share"],
        [
            Point(feature_word(row.name, audit.language), row.effect, row.low, row.high)
            for row in _present(confounds)
        ],
        names=(words["feature"], words["net"], ""),
        domain=(-1, 1),
        reference=0,
        description=words["win_share_text"],
    )


def _openers(audit: RunAudit, confounds: ConfoundAudit) -> Chart:
    words = wording("audit.page", audit.language)
    points = [
        Point(row.opener, share, group=words[side])
        for row in confounds.run.openers[:NUM_OPENERS]
        for side, share in (("chosen", row.share_chosen), ("rejected", row.share_rejected))
    ]
    names = (words["opener"], words["share"], words["side"])
    return dots(words["openers"], points, names=names, percent=True, description=words["openers_text"])


def _by_trait(audit: RunAudit, confounds: ConfoundAudit) -> Chart:
    words = wording("audit.page", audit.language)
    names = [row.name for row in _present(confounds)]
    scopes = list(confounds.by_trait.items())[:NUM_TRAITS]
    values = [{row.name: row.effect for row in scope.features} for _, scope in scopes]
    return heat_map(
        words["by_trait"],
        [feature_word(name, audit.language) for name in names],
        [trait for trait, _ in scopes],
        [[effects.get(name) for effects in values] for name in names],
        names=(words["feature"], words["trait"], words["net"]),
        middle=0.0,
        domain=(-1, 1),
        description=words["by_trait_text"],
    )


def _table(audit: RunAudit, confounds: ConfoundAudit) -> Table:
    words, language = wording("audit.page", audit.language), audit.language
    sides = {row.name: row for row in audit.sides}
    rows = tuple(
        (
            feature_word(row.name, language),
            _mean(row.mean_chosen, row.scale),
            _mean(row.mean_rejected, row.scale),
            Number(sides[row.name].chosen, style="share"),
            Number(sides[row.name].rejected, style="share"),
            Number(row.effect, row.low, row.high, "signed"),
            Number(row.standardized, style="signed"),
            Number(row.p_value, digits=3),
            words["yes"] if row.name in confounds.flagged else "",
        )
        for row in _present(confounds)
    )
    head = (
        "feature", "mean_chosen", "mean_rejected", "more_chosen", "more_rejected", "net", "standardized", "p_value", "flagged",
    )  # fmt: skip
    return Table(tuple(words[name] for name in head), rows, note=words["left_out"])


def _present(confounds: ConfoundAudit) -> list[FeatureEffect]:
    """Return the features that some reply has."""
    return [row for row in confounds.run.features if row.mean_chosen or row.mean_rejected]


def _mean(value: float, scale: Scale) -> Number:
    if scale == "share":
        return Number(value, style="share")
    return Number(value, digits=0) if scale == "log" else Number(value)


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
