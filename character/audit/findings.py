"""What stands out in an audit, in plain words: what asks for attention first, what is fine last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import get_args

from character.audit.confounds import ConfoundScope, without_twins
from character.audit.messages.findings import message_findings
from character.audit.rankings import UNSURE
from character.audit.records import AuditFinding, RunAudit
from character.locale import counted, listed, wording
from character.pairs.balance import Balanced
from character.pairs.confound_classifier import ConfoundClassifier
from character.pairs.features import feature_word
from character.report import Number
from character.report.parts import Weight, share
from character.report.wording import number_text

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
"""Krippendorff's alpha from which conclusions may be drawn, and below which not (Krippendorff 2004)."""
MANY_UNSURE, MANY_SET_ASIDE = 0.3, 0.1
"""Shares of unsure pairs of candidates, and of messages without an order, that ask for attention."""
SURFACE_ACCURACY = 0.6
"""Held-out accuracy of surface features (low end of its interval) that asks for attention; 0.5 is chance."""

FEW_MESSAGES, FEW_PAIRS = 20, 30
"""With fewer nothing is called fine."""
LEVEL_CHOSEN = 0.1
"""Share of pairs whose chosen side was asked to miss the trait that asks for attention."""
OFF_TARGET = ("overdone", "absent", "opposite")

_WEIGHTS: tuple[Weight, ...] = get_args(Weight)
_Say = Callable[..., AuditFinding]


def findings(audit: RunAudit) -> tuple[AuditFinding, ...]:
    """Return what stands out, in the audit's language, the most urgent first."""

    def say(code: str, weight: Weight, **values: object) -> AuditFinding:
        written = {name: _written(value, audit.language) for name, value in values.items()}
        text = wording("audit.findings", audit.language)[code].format(**written)
        return AuditFinding(code=code, weight=weight, text=text)

    if not audit.states.get("messages"):
        return (say("nothing", "look"),)
    every = [
        *_copies(audit, say),
        *_state(audit, say),
        *_chosen_levels(audit, say),
        *_confounds(audit, say),
        *_rankings(audit, say),
        *_judges(audit, say),
        *_second_opinion(audit, say),
        *message_findings(audit),
        *_dropped(audit, say),
    ]
    weights = _WEIGHTS[:2] if is_few(audit) else _WEIGHTS
    return tuple(finding for weight in weights for finding in every if finding.weight == weight)


def is_few(audit: RunAudit) -> bool:
    """Whether there are too few messages or pairs to call anything fine."""
    return audit.states.get("messages", 0) < FEW_MESSAGES or 0 < audit.num_pairs < FEW_PAIRS


def _written(value: object, language: str) -> str:
    if isinstance(value, Number):
        return number_text(value, language)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _copies(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    for code, copies in (("copied", audit.copied), ("unfit", audit.unfit)):
        if copies.share:
            weight = "look" if copies.kept or copies.share >= MANY_SET_ASIDE else "note"
            counts = {name: counted(getattr(copies, name), audit.language) for name in ("dropped", "kept")}
            yield say(code, weight, share=share(copies.share), number=copies.number, **counts)


def _state(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    pending = audit.states.get("pending", 0) + audit.states.get("failed", 0)
    if pending:
        yield say("unfinished", "look", pending=pending, messages=audit.states["messages"])
    if is_few(audit):
        counts = {"messages": audit.states["messages"], "pairs": audit.num_pairs}
        yield say("too_few", "look", **counts, least=FEW_MESSAGES, least_pairs=FEW_PAIRS)
    if not audit.num_pairs:
        yield say("no_pairs", "look")
    if audit.vetoed:
        yield say("vetoed", "note", counts=counted(audit.vetoed, audit.language))
    if audit.rehearsal or (audit.second_opinion and audit.second_opinion.rehearsal):
        text = wording("report.page", audit.language)["rehearsal"]
        yield AuditFinding(code="rehearsal", weight="note", text=text)


def _chosen_levels(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    for level in OFF_TARGET:
        number = audit.chosen_levels.get(level, 0)
        part = number / audit.num_pairs if audit.num_pairs else 0.0
        if part > LEVEL_CHOSEN:
            word = wording("audit.levels", audit.language)[level]
            counts = {"number": number, "pairs": audit.num_pairs, "share": share(part)}
            yield say("chosen_level", "look", level=word, **counts)


def _confounds(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    confounds = audit.confounds
    if confounds is None:
        return
    names = without_twins(confounds.flagged)
    for name in names[:NUM_CONFOUNDS]:
        yield _confound(audit, confounds.run, name, say)
    if len(names) > NUM_CONFOUNDS:
        yield say("more_confounds", "look", number=len(names) - NUM_CONFOUNDS)
    if not names:
        effects = confounds.run.features
        large = without_twins(row.name for row in effects if abs(row.effect) >= confounds.threshold)
        threshold = Number(confounds.threshold, digits=1)
        if large:
            yield say("unproven", "note", names=_names(large, audit.language), threshold=threshold)
        else:
            yield say("unconfounded", "fine", threshold=threshold)
    yield from _trait_confounds(confounds.by_trait, names, audit.language, say)
    yield from _surface(confounds.classifier, say)
    if names and audit.balanced:
        yield from _balance(audit.balanced, audit.language, say)


def _confound(audit: RunAudit, scope: ConfoundScope, name: str, say: _Say) -> AuditFinding:
    if name.startswith("opener:"):
        row = next(row for row in scope.openers if f"opener:{row.opener}" == name)
        shares = {"chosen": share(row.share_chosen), "rejected": share(row.share_rejected)}
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
        share=share(sides.chosen if more else sides.rejected),
        rest=share(sides.rejected if more else sides.chosen),
        effect=Number(effect.effect, effect.low, effect.high, "signed"),
    )


def _trait_confounds(
    scopes: dict[str, ConfoundScope], of_run: list[str], language: str, say: _Say
) -> Iterator[AuditFinding]:
    own = {
        trait: [name for name in without_twins(scope.flagged) if name not in of_run]
        for trait, scope in scopes.items()
        if len(scopes) > 1
    }
    for trait, names in sorted(own.items(), key=lambda item: -len(item[1]))[:NUM_TRAITS]:
        if names:
            yield say("trait_confound", "note", trait=trait, names=_names(names, language))


def _names(names: list[str] | tuple[str, ...], language: str) -> str:
    return listed((feature_word(name, language) for name in names), language)


def _surface(classifier: ConfoundClassifier, say: _Say) -> Iterator[AuditFinding]:
    if classifier.accuracy is None or classifier.low is None:
        return
    accuracy = Number(classifier.accuracy, classifier.low, classifier.high, "share")
    if classifier.low > 0.5:
        yield say("surface", "look" if classifier.low > SURFACE_ACCURACY else "note", accuracy=accuracy)
    else:
        yield say("no_surface", "fine", accuracy=accuracy)


def _balance(balanced: Balanced, language: str, say: _Say) -> Iterator[AuditFinding]:
    counts = {"kept": balanced.num_kept, "pairs": balanced.num_pairs, "share": share(balanced.share)}
    yield say("balance", "note", **counts, threshold=Number(balanced.threshold, digits=1))
    if balanced.unreached:
        yield say("unreached", "look", names=_names(balanced.unreached, language))


def _rankings(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    rankings = audit.rankings
    total = sum(rankings.statuses.values())
    for status in ("unsuitable", "unranked"):
        part = rankings.statuses.get(status, 0) / total if total else 0.0
        if part:
            yield say(status, "look" if part >= MANY_SET_ASIDE else "note", share=share(part))
    if rankings.consistency is not None:
        weight = _grade(rankings.consistency.estimate, CONSISTENT, INCONSISTENT)
        code = f"{'inconsistent' if weight == 'look' else 'consistent'}_{rankings.measure}"
        yield say(code, weight, consistency=Number(*rankings.consistency))
    elif rankings.statuses.get("ranked") and not rankings.repeated:
        yield say("one_pass", "note")
    if rankings.intended is not None:
        weight = _grade(rankings.intended.estimate, INTENDED_WELL, INTENDED_BADLY)
        yield say("intended", weight, share=Number(*rankings.intended, "share"))
    for row in rankings.levels:
        if row.level == "overdone" and row.best.estimate > OVERDONE_FIRST:
            yield say("overdone", "look", share=Number(*row.best, "share"))
    if rankings.unsure:
        weight = "look" if rankings.unsure >= MANY_UNSURE else "note"
        yield say("unsure", weight, share=share(rankings.unsure), probability=Number(UNSURE, digits=1))
    if rankings.saved_calls:
        yield say("saved", "note", number=rankings.saved_calls, share=share(rankings.saved_share))


def _judges(audit: RunAudit, say: _Say) -> Iterator[AuditFinding]:
    rankings = audit.rankings
    if rankings.alpha is not None:
        weight = _grade(rankings.alpha.estimate, ALPHA_GOOD, ALPHA_POOR)
        weight = "note" if weight == "fine" and rankings.same_model else weight
        yield say("jurors", weight, alpha=Number(*rankings.alpha))
    if rankings.same_model:
        yield say("same_model", "look", models=listed(rankings.same_model, audit.language))
    biased = [
        row for row in rankings.places if row.effect.excludes(0) and abs(row.effect.estimate) >= PLACE_EFFECT
    ]
    for judge, number in dict.fromkeys((row.judge, row.num_shown) for row in biased):
        rows = [row for row in biased if (row.judge, row.num_shown) == (judge, number)]
        row = max(rows, key=lambda row: abs(row.effect.estimate))
        code = "place" if row.effect.estimate > 0 else "place_against"
        effect = Number(*row.effect, "signed")
        yield say(code, "look", judge=judge, place=row.place, shown=number, effect=effect)
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
        agreed = opinion.agreement
        agreement = Number(agreed.value, agreed.low, agreed.high, "share")
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
