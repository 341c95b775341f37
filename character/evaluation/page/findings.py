"""What stands out among the effects of traits, in plain words: what asks for attention first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from character.evaluation.conditions import INTENDED
from character.evaluation.page.opinion import opinion_notes
from character.evaluation.page.revealed import revealed_notes
from character.evaluation.page.writing import changed_word, condition_word, is_sure, written
from character.evaluation.records import EffectFigure, EffectReport
from character.locale import listed, wording
from character.report import Note
from character.report.parts import Weight

MANY_OVERDONE = 0.1
"""Share of overdone responses, surely passed at the low end of its interval, that asks for attention."""
LONGER = 1.25
"""Ratio of lengths, up or down, from which a change of length is told."""
GIVES_WAY = 0.5
"""Share of a shift left under pressure, surely missed at the interval's high end, that asks for attention."""
FEW_MESSAGES = 12
EVEN = 0.5
"""Degrees within which the whole interval of a shift must lie for nothing to have changed."""
CONTRADICTS = 0.5
"""Share of comparisons alike in both orders below which a judge of quality is said to contradict itself."""
MANY = 3
"""Findings of one kind from which they share a sentence."""
_ORDER = ("look", "note", "fine")
_WEIGHTS: Mapping[str, Weight] = {"found": "fine", "unsure": "note", "missing": "look", "backwards": "look"}


def findings(report: EffectReport, language: str) -> list[Note]:
    """Return what stands out, the most urgent first; many findings of one kind share a note."""
    judged = (_intended, _side_effects, _caricature, _coherence, _agreement, _robustness)
    folded = (each for found in (*judged, _measured, _everyday) for each in found(report, language))
    notes = [
        *_state(report, language),
        *told(folded, wording("effect.page", language)),
        *revealed_notes(report, language),
        *opinion_notes(report, language),
    ]
    return sorted(notes, key=lambda note: _ORDER.index(note.weight))


@dataclass(frozen=True)
class Found:
    """A finding: its ``kind`` names the sentence that tells it, ``said`` fills that in.

    ``where`` parts it from others of its kind.
    """

    kind: str
    weight: Weight
    said: Mapping[str, str]
    where: str = ""


def told(found: Iterable[Found], words: Mapping[str, str]) -> list[Note]:
    """Return findings as notes, in the order in which each kind comes first: a few of a kind each its own.

    ``words`` hold the sentence of a kind under its name, and where many may share one, that one under
    ``KIND_many`` and an item of the list below it under ``KIND_item``.
    """
    kinds: dict[tuple[str, Weight, str], list[Found]] = {}
    for each in found:
        kinds.setdefault((each.kind, each.weight, each.where), []).append(each)
    notes: list[Note] = []
    for (kind, weight, where), alike in kinds.items():
        if len(alike) < MANY or f"{kind}_many" not in words:
            notes += [Note(words[kind].format(where=where, **each.said), weight) for each in alike]
            continue
        items = tuple(words[f"{kind}_item"].format(**each.said) for each in alike)
        notes.append(Note(words[f"{kind}_many"].format(where=where, count=len(alike)), weight, items))
    return notes


def _state(report: EffectReport, language: str) -> Iterator[Note]:
    words = wording("effect.page", language)
    if report.rehearsal:
        yield Note(words["rehearsal"], "look")
    missing = [trait for trait in report.traits if not report.num_messages.get(trait)]
    if missing:
        yield Note(words["unmeasured"].format(traits=listed(missing, language)), "look")
    fewest = min((n for group, n in report.num_messages.items() if group), default=0)
    if 0 < fewest < FEW_MESSAGES:
        yield Note(words["few"].format(number=fewest), "note")
    if report.dropped:
        reason, number = next(iter(report.dropped.items()))
        yield Note(words["lost_some"].format(reason=reason, number=f"{number:,}"), "note")


def _intended(report: EffectReport, language: str) -> Iterator[Found]:
    for shift in report.shifts:
        question = shift.contrast.question
        if not shift.is_intended or question not in INTENDED:
            continue
        values = {
            "trait": shift.trait,
            "shift": written(shift.shift, language),
            "number": str(report.num_messages[shift.contrast.group]),
        }
        where = wording("effect.page", language)[f"{question}_where"]
        figure = shift.shift
        # It leans where it is above 0 as far as its interval says, if there were messages enough for one.
        leans = figure.estimate > 0 and (figure.low is None or figure.low > 0)
        if is_sure(shift, report):
            kind = "found" if figure.estimate >= 0 else "backwards"
        else:
            kind = "unsure" if leans else "missing"
        yield Found(kind, _WEIGHTS[kind], values, where)


def _side_effects(report: EffectReport, language: str) -> Iterator[Found]:
    judged = [
        shift
        for shift in report.shifts
        if shift.contrast.question in INTENDED and shift.contrast.group and not shift.is_intended
    ]
    sure = [shift for shift in judged if is_sure(shift, report)]
    for shift in sorted(sure, key=lambda shift: -abs(shift.shift.estimate)):
        values = {
            "changed": changed_word(shift.contrast, language),
            "group": shift.contrast.group,
            "trait": shift.trait,
            "shift": written(shift.shift, language),
        }
        yield Found("leak" if shift.contrast.question == "models" else "side_effect", "look", values)
    if judged and not sure:
        few = min(report.num_messages.get(shift.contrast.group, 0) for shift in judged) < FEW_MESSAGES
        key = "side_effects_unknown" if few else "no_side_effects"
        yield Found(f"{key}_models" if report.design == "models" else key, "note" if few else "fine", {})


def _caricature(report: EffectReport, language: str) -> Iterator[Found]:
    many = [share for share in report.overdone if (share.overdone.low or 0.0) > MANY_OVERDONE]
    for share in many:
        values = {
            "trait": share.trait,
            "share": written(share.overdone, language, "share"),
            "condition": condition_word(share.condition, language),
        }
        yield Found("caricature_found", "look", values)
    highs = [share.overdone.high for share in report.overdone if share.overdone.high is not None]
    highest = max(highs, default=None)
    if highest is not None and highest <= MANY_OVERDONE:
        yield Found("no_caricature", "fine", {"share": _share(MANY_OVERDONE, language)})
    elif highest is not None and not many:
        yield Found("caricature_unknown", "note", {"share": _share(highest, language)})


def _share(value: float, language: str) -> str:
    return written(EffectFigure(estimate=value), language, "share")


def _coherence(report: EffectReport, language: str) -> Iterator[Found]:
    for each in report.coherence:
        if is_sure(each, report) and each.points.estimate < 0:
            changed, points = changed_word(each.contrast, language), written(each.points, language)
            yield Found("less_coherent", "look", {"condition": changed, "points": points})


def _agreement(report: EffectReport, language: str) -> Iterator[Found]:
    """Tell where the judge of quality mostly says another thing when the order is turned."""
    number = sum(each.num_messages for each in report.coherence)
    if number < FEW_MESSAGES:
        return
    share = sum(each.agreement * each.num_messages for each in report.coherence) / number
    if share < CONTRADICTS:
        yield Found("contradicts", "note", {"share": _share(share, language), "number": f"{number:,}"})


def _robustness(report: EffectReport, language: str) -> Iterator[Found]:
    for left in report.robustness:
        if left.share is not None and left.share.high is not None and left.share.high < GIVES_WAY:
            values = {
                "trait": left.contrast.group,
                "pressure": wording("effect.pressures", language)[left.contrast.pressure],
                "share": written(left.share, language, "share"),
            }
            yield Found("gives_way", "look", values)


def _measured(report: EffectReport, language: str) -> Iterator[Found]:
    for each in report.measures:
        about_one = each.contrast.question in ("alone", "models") or not each.contrast.group
        if not about_one or not is_sure(each, report):
            continue
        changed = changed_word(each.contrast, language)
        if each.measure == "characters":
            if not 1 / LONGER < each.difference.estimate < LONGER:
                ratio = written(each.difference, language, "number")
                yield Found("longer", "look", {"changed": changed, "ratio": ratio})
            continue
        values = {
            "changed": changed,
            "measure": wording("effect.measures", language)[each.measure],
            "difference": written(each.difference, language),
        }
        urgent = each.measure in ("refusal", "repetition", "other_language")
        yield Found("measure_moved", "look" if urgent else "note", values)


def _everyday(report: EffectReport, language: str) -> Iterator[Found]:
    judged = [shift for shift in report.shifts if not shift.contrast.group]
    sure = [shift for shift in judged if is_sure(shift, report)]
    for shift in sure:
        values = {"trait": shift.trait, "shift": written(shift.shift, language)}
        yield Found("everyday_moved", "note", values, condition_word(shift.contrast.condition, language))
    if judged and not sure:
        still = all(_is_even(shift.shift) for shift in judged)
        yield Found("everyday_still", "fine", {}) if still else Found("everyday_unknown", "note", {})


def _is_even(figure: EffectFigure) -> bool:
    """Whether a shift is surely next to none; a wide interval around 0 says nothing."""
    return figure.low is not None and figure.high is not None and max(-figure.low, figure.high) <= EVEN
