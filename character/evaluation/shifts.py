"""What changed between conditions, how surely: paired by message, bootstrap intervals, sign-flip tests.

The p-values are each test's own; ``reporting`` adjusts them for their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import nlargest
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from character.evaluation.conditions import BASE, CHARACTER, PLAIN, TUNED, Contrast, alone, own_effects
from character.evaluation.figures import figure_of, mean_figure, share_figure
from character.evaluation.measures import MEASURES, comparable
from character.evaluation.records import (
    DEGREE_SCORES,
    Coherence,
    EffectFigure,
    MeasureShift,
    Moved,
    OpinionShift,
    OverdoneShare,
    Probed,
    Response,
    Shift,
    Survival,
)
from character.records import KINDS
from character.statistics.arrays import Floats
from character.statistics.intervals import interval_of_sums

MOST_MOVED = 3


class Paired(NamedTuple):
    """A message with its responses under a condition and under the reference."""

    probed: Probed
    condition: Response
    reference: Response


def paired(probed: Iterable[Probed], contrast: Contrast) -> list[Paired]:
    """Return the messages of a contrast's group that have a response on both sides."""
    pairs = []
    for each in probed:
        if each.group != contrast.group or each.pressure != contrast.pressure:
            continue
        by_name = {response.condition: response for response in each.responses}
        if contrast.condition in by_name and contrast.reference in by_name:
            pairs.append(Paired(each, by_name[contrast.condition], by_name[contrast.reference]))
    return pairs


def degrees_apart(pair: Paired, trait: str) -> float | None:
    """Return by how many degrees the condition's response shows more of a trait; None without a judgement."""
    one, other = pair.condition.degrees.get(trait), pair.reference.degrees.get(trait)
    return None if one is None or other is None else float(DEGREE_SCORES[one] - DEGREE_SCORES[other])


def odds_apart(pair: Paired, trait: str) -> float | None:
    """Return by how many log-odds the condition's response fits a trait better; None without a model."""
    one, other = pair.condition.odds.get(trait), pair.reference.odds.get(trait)
    return None if one is None or other is None else one - other


def apart_by_message(
    probed: Iterable[Probed],
    contrast: Contrast,
    trait: str,
    apart: Callable[[Paired, str], float | None] = degrees_apart,
) -> dict[str, float]:
    """Return how far each message's responses lie apart, by the id that the message has without pressure."""
    return {
        pair.probed.pressed_from or pair.probed.message.id: value
        for pair in paired(probed, contrast)
        if (value := apart(pair, trait)) is not None
    }


def shifts_of(
    probed: Sequence[Probed], contrasts: Sequence[Contrast], traits: Sequence[str], seed: int
) -> Iterator[Shift]:
    """Yield the shift of every trait under every contrast that was judged on both sides of any message."""
    for contrast in contrasts:
        pairs = paired(probed, contrast)
        for trait in traits:
            yield from _shift(pairs, contrast, trait, seed)


def shifts_by_kind(probed: Sequence[Probed], contrasts: Sequence[Contrast], seed: int) -> Iterator[Shift]:
    """Yield the intended shifts again, for each kind of message alone."""
    for contrast in own_effects(contrasts):
        pairs = paired(probed, contrast)
        for kind in KINDS:
            yield from _shift(pairs, contrast, contrast.group, seed, kind)


def _shift(
    pairs: Sequence[Paired], contrast: Contrast, trait: str, seed: int, kind: str = ""
) -> Iterator[Shift]:
    """Yield the shift on messages of a kind ("" for all), if any of them was judged on both sides."""
    counted = [pair for pair in pairs if kind in ("", pair.probed.message.kind)]
    differences = [apart for pair in counted if (apart := degrees_apart(pair, trait)) is not None]
    if differences:
        figure, p = mean_figure(differences, seed)
        yield Shift(
            contrast=contrast,
            trait=trait,
            kind=kind,
            shift=figure,
            p=p,
            adjusted_p=p,
            num_messages=len(differences),
            is_intended=trait == contrast.group,
        )


def of_question(shift: Shift | OpinionShift) -> tuple[str, bool]:
    """p-values are adjusted (Holm 1979) among the intended shifts, and among the others, of one question."""
    return shift.contrast.question, shift.is_intended


def measures_shifted(
    probed: Sequence[Probed], contrasts: Sequence[Contrast], seed: int
) -> Iterator[MeasureShift]:
    """Yield how each measure that was ever other than 0 differs under each contrast."""
    for contrast in contrasts:
        pairs = paired(probed, contrast)
        for name in MEASURES if pairs else ():
            sides = [(pair.condition.measures[name], pair.reference.measures[name]) for pair in pairs]
            if not any(value for side in sides for value in side):
                continue
            figure, p = mean_figure([comparable(name, a) - comparable(name, b) for a, b in sides], seed)
            yield MeasureShift(
                contrast=contrast,
                measure=name,
                condition=float(np.mean([a for a, _ in sides])),
                reference=float(np.mean([b for _, b in sides])),
                difference=_as_ratio(figure) if name == "characters" else figure,
                p=p,
                adjusted_p=p,
            )


def overdone_shares(probed: Sequence[Probed], traits: Sequence[str]) -> Iterator[OverdoneShare]:
    """Yield how strongly each trait shows in responses to its messages, by condition that may show it."""
    for trait in traits:
        for condition in (PLAIN, alone(trait), CHARACTER, BASE, TUNED):
            seen = [
                response.degrees[trait]
                for each in probed
                if each.group == trait and not each.pressure
                for response in each.responses
                if response.condition == condition and trait in response.degrees
            ]
            if seen:
                yield OverdoneShare(
                    trait=trait,
                    condition=condition,
                    overdone=share_figure(seen.count("overdone"), len(seen)),
                    num_messages=len(seen),
                    degrees={degree: seen.count(degree) for degree in DEGREE_SCORES},
                )


def most_moved(probed: Sequence[Probed], contrasts: Sequence[Contrast]) -> Iterator[Moved]:
    """Yield, for each intended effect, the messages whose two responses lie farthest apart, up to three.

    By the judge; where there is none, by the preference model.
    """
    for contrast in own_effects(contrasts):
        trait, pairs = contrast.group, paired(probed, contrast)
        distances = [(apart, pair) for pair in pairs if (apart := _apart(pair, trait)) is not None]
        for _, pair in nlargest(MOST_MOVED, distances, key=itemgetter(0)):
            yield Moved(
                contrast=contrast,
                trait=trait,
                message=pair.probed.message,
                condition_text=pair.condition.text,
                reference_text=pair.reference.text,
                condition_degree=pair.condition.degrees.get(trait),
                reference_degree=pair.reference.degrees.get(trait),
                odds=odds_apart(pair, trait),
            )


def coherences(probed: Sequence[Probed], contrasts: Sequence[Contrast], seed: int) -> Iterator[Coherence]:
    """Yield how good replies are under each condition beside its reference."""
    for contrast in contrasts:
        verdicts = [
            each.coherence[contrast.condition]
            for each in probed
            if each.group == contrast.group and contrast.condition in each.coherence
        ]
        if verdicts and contrast.question != "within":
            points, p = mean_figure([sum(pair) / 2 for pair in verdicts], seed)
            yield Coherence(
                contrast=contrast,
                points=points,
                p=p,
                adjusted_p=p,
                agreement=float(np.mean([first == second for first, second in verdicts])),
                num_messages=len(verdicts),
            )


def survivals(probed: Sequence[Probed], contrasts: Sequence[Contrast], seed: int) -> Iterator[Survival]:
    """Yield what is left of each intended effect under the pressure of each contrast.

    Shifts with and without pressure are compared on the messages that have both; the share's interval
    resamples those.
    """
    for contrast in contrasts:
        without_pressure = contrast.model_copy(update={"pressure": ""})
        calm = apart_by_message(probed, without_pressure, contrast.group)
        pressed = apart_by_message(probed, contrast, contrast.group)
        shared = [message for message in pressed if message in calm]
        if not shared:
            continue
        before, after = (np.array([side[message] for message in shared]) for side in (calm, pressed))
        calm_figure, _ = mean_figure(list(before), seed)
        is_there = (calm_figure.low or 0.0) > 0
        share = interval_of_sums(_share, np.column_stack([before, after]), seed=seed) if is_there else None
        yield Survival(
            contrast=contrast,
            calm=calm_figure,
            pressed=mean_figure(list(after), seed)[0],
            share=share and figure_of(share, len(shared)),
            num_messages=len(shared),
        )


def _share(sums: Floats) -> Floats:
    before, after = sums.T
    return np.where(before > 0, after / before, np.nan)


def _apart(pair: Paired, trait: str) -> float | None:
    """Return how far two responses lie apart: in degrees, or by the preference model where no judge spoke."""
    by_model = not pair.condition.degrees and not pair.reference.degrees
    apart = odds_apart(pair, trait) if by_model else degrees_apart(pair, trait)
    return None if apart is None else abs(apart)


def _as_ratio(figure: EffectFigure) -> EffectFigure:
    low, high = (None if end is None else float(np.exp(end)) for end in (figure.low, figure.high))
    return EffectFigure(estimate=float(np.exp(figure.estimate)), low=low, high=high)
