"""What stands out in an audit, in plain words: what asks for attention first, what is fine last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from character.audit.confounds import ConfoundScope
from character.audit.messages.findings import message_findings
from character.audit.rankings import UNSURE
from character.audit.records import AuditFinding, RunAudit
from character.locale import listed, wording
from character.pairs.features import feature_word
from character.report import Number
from character.report.wording import number_text
from character.statistics.intervals import Interval

NUM_CONFOUNDS, NUM_TRAITS = 5, 3
"""How many confounds of the run, and traits with confounds of their own, are told one by one."""
PLACE_EFFECT = 0.03
"""What a place must add to a score (0..1) to be told."""
CONSISTENT, INCONSISTENT = 0.7, 0.4
"""Mean tau-b between passes from which a judge agrees with itself, and below which it hardly does."""
INTENDED_WELL, INTENDED_BADLY = 0.75, 0.6
"""Shares of pairs of levels ranked as they were meant."""
OVERDONE_FIRST = 0.25
"""Share of messages in which an overdone reply comes first that asks for attention."""
ALPHA_GOOD, ALPHA_POOR = 0.667, 0.4
"""Krippendorff's alpha from which conclusions may be drawn (Krippendorff 2004), and below which they may not."""
MANY_UNSURE, MANY_SET_ASIDE = 0.3, 0.1
"""Shares of unsure pairs of candidates, and of messages without an order, that ask for attention."""
SURFACE_ACCURACY = 0.6
"""Held-out accuracy of surface features (low end of its interval) that asks for attention; 0.5 is chance."""

FEW_MESSAGES, FEW_PAIRS = 20, 30
"""With fewer nothing is called fine."""
LEVEL_CHOSEN = 0.1
"""Share of pairs whose chosen side was asked to miss the trait that asks for attention."""
OFF_TARGET = ("overdone", "absent", "opposite")

Weight = Literal["look", "note", "fine"]
_WEIGHTS: tuple[Weight, ...] = ("look", "note", "fine")
_Say = Callable[..., AuditFinding]


def findings(audit: RunAudit) -> tuple[AuditFinding, ...]:
    """Return what stands out, in the audit's language, the most urgent first."""

    def say(code: str, weight: Weight, **values: object) -> AuditFinding:
        written = {name: _written(value, audit.language) for name, value in values.items()}
        text = wording("audit.findings", audit.language)[code].format(**written)
        return AuditFinding(code=code, weight=weight, text=text)

    if not audit.states.get("messages"):
        return (say("nothing", "look"),)
    found = [
        *_state(audit, say),
        *_chosen_levels(audit, say),
        *_confounds(audit, say),
        *_rankings(audit, say),
        *_judges(audit, say),
        *_second_opinion(audit, say),
        *message_findings(audit),
        *_dropped(audit, say),
    ]
    few = is_few(audit)
    kept = [finding for finding in found if not (few and finding.weight == "fine")]
    return tuple(sorted(kept, key=lambda finding: _WEIGHTS.index(finding.weight)))


def is_few(audit: RunAudit) -> bool:
    """Whether there are too few messages or pairs to call anything fine."""
    few_pairs = 0 < audit.num_pairs < FEW_PAIRS
    return audit.states.get("messages", 0) < FEW_MESSAGES or few_pairs


def _written(value: object, language: str) -> str:
    if isinstance(value, Number):
        return number_text(value, language)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _state(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    pending = audit.states.get("pending", 0) + audit.states.get("failed", 0)
    if pending:
        yield say("unfinished", "look", pending=pending, messages=audit.states["messages"])
    if is_few(audit):
        yield say(
            "too_few",
            "look",
            messages=audit.states["messages"],
            pairs=audit.num_pairs,
            least=FEW_MESSAGES,
            least_pairs=FEW_PAIRS,
        )
    if not audit.num_pairs:
        yield say("no_pairs", "look")
    if audit.vetoed:
        reasons = wording("drops", audit.language)
        counts = (f"{reasons.get(reason, reason)} {number:,}" for reason, number in audit.vetoed.items())
        yield say("vetoed", "note", counts=listed(counts, audit.language))
    if audit.rehearsal or (audit.second_opinion and audit.second_opinion.rehearsal):
        text = wording("report.page", audit.language)["rehearsal"]
        yield AuditFinding(code="rehearsal", weight="note", text=text)


def _chosen_levels(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    for level in OFF_TARGET:
        number = audit.chosen_levels.get(level, 0)
        share = number / audit.num_pairs if audit.num_pairs else 0.0
        if share > LEVEL_CHOSEN:
            word = wording("audit.levels", audit.language)[level]
            yield say(
                "chosen_level", "look", level=word, number=number, pairs=audit.num_pairs, share=_share(share)
            )


def _confounds(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    confounds = audit.confounds
    if confounds is None:
        return
    names = _without_twins(confounds.flagged)
    for name in names[:NUM_CONFOUNDS]:
        yield _confound(audit, confounds.run, name, say)
    if len(names) > NUM_CONFOUNDS:
        yield say("more_confounds", "look", number=len(names) - NUM_CONFOUNDS)
    if not names:
        large = _without_twins(
            tuple(row.name for row in confounds.run.features if abs(row.effect) >= confounds.threshold)
        )
        threshold = Number(confounds.threshold, digits=1)
        if large:
            yield say("unproven", "note", names=_names(large, audit.language), threshold=threshold)
        else:
            yield say("unconfounded", "fine", threshold=threshold)
    yield from _trait_confounds(audit, names, say)
    yield from _surface(audit, say)
    if names and audit.balanced:
        yield from _balance(audit, say)


def _without_twins(flagged: tuple[str, ...]) -> list[str]:
    """Leave out the length in tokens where that in characters is there: it says the same."""
    return [name for name in flagged if name != "tokens" or "characters" not in flagged]


def _confound(audit: RunAudit, scope: ConfoundScope, name: str, say: _Say) -> AuditFinding:
    if name.startswith("opener:"):
        row = next(row for row in scope.openers if f"opener:{row.opener}" == name)
        shares = {"chosen": _share(row.share_chosen), "rejected": _share(row.share_rejected)}
        return say("opener", "look", opener=row.opener, **shares)
    effect = next(row for row in scope.features if row.name == name)
    sides = next(row for row in audit.sides if row.name == name)
    more = effect.effect > 0
    words = wording("audit.sides", audit.language)
    return say(
        "longer" if name in ("characters", "tokens") else "more_of",
        "look",
        side=words["chosen" if more else "rejected"],
        other=words["other_rejected" if more else "other_chosen"],
        feature=feature_word(name, audit.language),
        share=_share(sides.chosen if more else sides.rejected),
        rest=_share(sides.rejected if more else sides.chosen),
        effect=Number(effect.effect, effect.low, effect.high, "signed"),
    )


def _trait_confounds(audit: RunAudit, told: list[str], say: _Say) -> Iterator[AuditFinding]:
    scopes = audit.confounds.by_trait if audit.confounds else {}
    if len(scopes) < 2:
        return
    own = {
        trait: [n for n in _without_twins(scope.flagged) if n not in told] for trait, scope in scopes.items()
    }
    for trait, names in sorted(own.items(), key=lambda item: -len(item[1]))[:NUM_TRAITS]:
        if names:
            yield say("trait_confound", "note", trait=trait, names=_names(names, audit.language))


def _names(names: list[str] | tuple[str, ...], language: str) -> str:
    return listed((feature_word(name, language) for name in names), language)


def _surface(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    classifier = audit.confounds.classifier if audit.confounds else None
    if classifier is None or classifier.accuracy is None or classifier.low is None:
        return
    accuracy = Number(classifier.accuracy, classifier.low, classifier.high, "share")
    weight: Weight = "look" if classifier.low > SURFACE_ACCURACY else "note"
    yield (
        say("surface", weight, accuracy=accuracy)
        if classifier.low > 0.5
        else say("no_surface", "fine", accuracy=accuracy)
    )


def _balance(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    balanced = audit.balanced
    if balanced is None:
        return
    yield say(
        "balance",
        "note",
        kept=balanced.num_kept,
        pairs=balanced.num_pairs,
        share=_share(balanced.share),
        threshold=Number(balanced.threshold, digits=1),
    )
    if balanced.unreached:
        yield say("unreached", "look", names=_names(balanced.unreached, audit.language))


def _rankings(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    rankings = audit.rankings
    total = sum(rankings.statuses.values())
    for status in ("unsuitable", "unranked"):
        share = rankings.statuses.get(status, 0) / total if total else 0.0
        if share:
            yield say(status, "look" if share >= MANY_SET_ASIDE else "note", share=_share(share))
    if rankings.consistency is not None:
        weight = _grade(rankings.consistency.estimate, CONSISTENT, INCONSISTENT)
        code = f"{'inconsistent' if weight == 'look' else 'consistent'}_{rankings.measure}"
        yield say(code, weight, consistency=_number(rankings.consistency))
    elif rankings.statuses.get("ranked") and not rankings.repeated:
        yield say("one_pass", "note")
    if rankings.intended is not None:
        weight = _grade(rankings.intended.estimate, INTENDED_WELL, INTENDED_BADLY)
        yield say("intended", weight, share=_number(rankings.intended, "share"))
    for row in rankings.levels:
        if row.level == "overdone" and row.best.estimate > OVERDONE_FIRST:
            yield say("overdone", "look", share=_number(row.best, "share"))
    if rankings.unsure:
        weight = "look" if rankings.unsure >= MANY_UNSURE else "note"
        yield say("unsure", weight, share=_share(rankings.unsure), probability=Number(UNSURE, digits=1))
    if rankings.saved_calls:
        yield say("saved", "note", number=rankings.saved_calls, share=_share(rankings.saved_share))


def _judges(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    rankings = audit.rankings
    if rankings.alpha is not None:
        weight = _grade(rankings.alpha.estimate, ALPHA_GOOD, ALPHA_POOR)
        weight = "note" if weight == "fine" and rankings.same_model else weight
        yield say("jurors", weight, alpha=_number(rankings.alpha))
    if rankings.same_model:
        yield say("same_model", "look", models=listed(rankings.same_model, audit.language))
    biased = [
        row for row in rankings.places if row.effect.excludes(0) and abs(row.effect.estimate) >= PLACE_EFFECT
    ]
    for judge, shown in dict.fromkeys((row.judge, row.num_shown) for row in biased):
        rows = [row for row in biased if (row.judge, row.num_shown) == (judge, shown)]
        row = max(rows, key=lambda row: abs(row.effect.estimate))
        code = "place" if row.effect.estimate > 0 else "place_against"
        yield say(
            code, "look", judge=judge, place=row.place, shown=shown, effect=_number(row.effect, "signed")
        )
    if rankings.places and not biased:
        yield say("no_place", "fine", threshold=Number(PLACE_EFFECT))


def _second_opinion(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    opinion = audit.second_opinion
    if opinion is None:
        return
    if opinion.num_seen:
        yield say("second_opinion_seen", "note", number=opinion.num_seen, pairs=opinion.num_pairs)
    if opinion.not_fitted:
        names = listed(opinion.not_fitted, audit.language)
        yield say("second_opinion_not_fitted", "look", names=names)
    if opinion.agreement is not None:
        share = opinion.agreement
        agreement = Number(share.value, share.low, share.high, "share")
        yield say("second_opinion", "note", agreement=agreement, number=len(opinion.disagreements))


def _dropped(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    for stage, reasons in audit.dropped.items():
        reason, number = max(reasons.items(), key=lambda item: item[1], default=("", 0))
        if number:
            stage_word = wording("audit.stages", audit.language).get(stage, stage)
            reason_word = wording("drops", audit.language).get(reason, reason)
            yield say("dropped", "note", stage=stage_word, reason=reason_word, number=number)


def _grade(value: float, good: float, poor: float) -> Weight:
    return "fine" if value >= good else "note" if value >= poor else "look"


def _share(value: float) -> Number:
    return Number(value, style="share")


def _number(interval: Interval, style: Literal["number", "signed", "share"] = "number") -> Number:
    return Number(interval.estimate, interval.low, interval.high, style)
