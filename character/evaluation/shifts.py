"""What changed between conditions and how surely: paired by message, intervals by the bootstrap, tests by sign flips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple, TypeVar

import numpy as np

from character.evaluation.conditions import BASE, CHARACTER, PLAIN, TUNED, Contrast, alone
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
from character.statistics.clusters import (
    LEAST_CLUSTERS,
    Floats,
    Ints,
    bootstrap_intervals,
    holm,
    sign_flip_p_values,
)
from optimizers.statistics import bootstrap

NUM_FLIPS = 9999
"""Sign flips per test: the least p-value is 1 / 10,000, so that a matrix of ten traits can still be significant."""
MOST_MOVED = 3
RULE_OF_THREE = 3
"""Over the number of messages, the most that may differ where none was seen to, at 95 %."""


_AnyShift = TypeVar("_AnyShift", Shift, OpinionShift)


class Paired(NamedTuple):
    """A message with its responses under a condition and under the reference."""

    probed: Probed
    condition: Response
    reference: Response


def paired(probed: Iterable[Probed], contrast: Contrast) -> list[Paired]:
    """Return the messages of a contrast's group that have a response on both sides."""
    found = []
    for each in probed:
        if each.group != contrast.group or each.pressure != contrast.pressure:
            continue
        by_name = {response.condition: response for response in each.responses}
        if contrast.condition in by_name and contrast.reference in by_name:
            found.append(Paired(each, by_name[contrast.condition], by_name[contrast.reference]))
    return found


def shifts_of(
    probed: Sequence[Probed], contrasts: Sequence[Contrast], traits: Sequence[str], *, seed: int = 0
) -> tuple[Shift, ...]:
    """Return the shift of every trait under every contrast that was judged on both sides of at least one message.

    p-values are adjusted (Holm 1979) among the intended shifts that answer the same question, and among its side effects.
    """
    found = [
        shift
        for contrast in contrasts
        for trait in traits
        if (shift := _shift(paired(probed, contrast), contrast, trait, seed)) is not None
    ]
    return tuple(adjusted(found))


def shifts_by_kind(
    probed: Sequence[Probed], contrasts: Sequence[Contrast], *, seed: int = 0
) -> tuple[Shift, ...]:
    """Return the intended shifts again, for each kind of message alone."""
    found = []
    for contrast in contrasts:
        if contrast.question not in ("alone", "models") or not contrast.group:
            continue
        pairs = paired(probed, contrast)
        for kind in KINDS:
            own = [pair for pair in pairs if pair.probed.message.kind == kind]
            shift = _shift(own, contrast, contrast.group, seed)
            if shift is not None:
                found.append(shift.model_copy(update={"kind": kind}))
    return tuple(adjusted(found))


def _shift(pairs: Sequence[Paired], contrast: Contrast, trait: str, seed: int) -> Shift | None:
    differences = [
        float(DEGREE_SCORES[pair.condition.degrees[trait]] - DEGREE_SCORES[pair.reference.degrees[trait]])
        for pair in pairs
        if trait in pair.condition.degrees and trait in pair.reference.degrees
    ]
    if not differences:
        return None
    figure, p = mean_figure(differences, seed)
    return Shift(
        contrast=contrast,
        trait=trait,
        shift=figure,
        p=p,
        adjusted_p=p,
        num_messages=len(differences),
        is_intended=trait == contrast.group,
    )


def adjusted(shifts: Sequence[_AnyShift]) -> list[_AnyShift]:
    """Return the shifts with p-values adjusted (Holm 1979) among the intended ones, and among the others, of one question."""
    families: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for place, shift in enumerate(shifts):
        families[shift.contrast.question, shift.is_intended].append(place)
    told: dict[int, float] = {}
    for places in families.values():
        values = holm(np.array([shifts[place].p for place in places]))
        told |= dict(zip(places, (float(value) for value in values), strict=True))
    return [shift.model_copy(update={"adjusted_p": told[place]}) for place, shift in enumerate(shifts)]


def measures_shifted(
    probed: Sequence[Probed], contrasts: Sequence[Contrast], *, seed: int = 0
) -> tuple[MeasureShift, ...]:
    """Return how every measure that was ever other than 0 differs under every contrast, adjusted among all of them."""
    found = []
    for contrast in contrasts:
        pairs = paired(probed, contrast)
        for name in MEASURES if pairs else ():
            sides = [(pair.condition.measures[name], pair.reference.measures[name]) for pair in pairs]
            if not any(value for side in sides for value in side):
                continue
            figure, p = mean_figure([comparable(name, a) - comparable(name, b) for a, b in sides], seed)
            found.append(
                MeasureShift(
                    contrast=contrast,
                    measure=name,
                    condition=float(np.mean([a for a, _ in sides])),
                    reference=float(np.mean([b for _, b in sides])),
                    difference=_as_ratio(figure) if name == "characters" else figure,
                    p=p,
                    adjusted_p=p,
                )
            )
    values = holm(np.array([each.p for each in found])) if found else np.array([])
    return tuple(
        each.model_copy(update={"adjusted_p": float(value)})
        for each, value in zip(found, values, strict=True)
    )


def overdone_shares(probed: Sequence[Probed], traits: Sequence[str]) -> tuple[OverdoneShare, ...]:
    """Return how strongly each trait shows in the responses to its own messages, per condition that may show it."""
    found = []
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
                figure = share_figure(seen.count("overdone"), len(seen))
                degrees = {degree: seen.count(degree) for degree in DEGREE_SCORES}
                found.append(
                    OverdoneShare(
                        trait=trait,
                        condition=condition,
                        overdone=figure,
                        num_messages=len(seen),
                        degrees=degrees,
                    )
                )
    return tuple(found)


def most_moved(probed: Sequence[Probed], contrasts: Sequence[Contrast]) -> tuple[Moved, ...]:
    """Return, for each intended effect, the messages whose two responses lie farthest apart, up to three.

    By the judge; where there is none, by the preference model.
    """
    found: list[Moved] = []
    for contrast in contrasts:
        trait = contrast.group
        if contrast.question not in ("alone", "models") or not trait:
            continue
        judged = [
            (pair, apart) for pair in paired(probed, contrast) if (apart := _apart(pair, trait)) is not None
        ]
        judged.sort(key=lambda each: each[1], reverse=True)
        found += [
            Moved(
                contrast=contrast,
                trait=trait,
                message=pair.probed.message,
                condition_text=pair.condition.text,
                reference_text=pair.reference.text,
                condition_degree=pair.condition.degrees.get(trait),
                reference_degree=pair.reference.degrees.get(trait),
                odds=odds_apart(pair, trait),
            )
            for pair, _ in judged[:MOST_MOVED]
        ]
    return tuple(found)


def coherences(
    probed: Sequence[Probed], contrasts: Sequence[Contrast], *, seed: int = 0
) -> tuple[Coherence, ...]:
    """Return how good replies are under each condition beside its reference, adjusted among all of them."""
    found = []
    for contrast in contrasts:
        verdicts = [
            each.coherence[contrast.condition]
            for each in probed
            if each.group == contrast.group and contrast.condition in each.coherence
        ]
        if verdicts and contrast.question != "within":
            points, p = mean_figure([sum(pair) / 2 for pair in verdicts], seed)
            found.append(
                Coherence(
                    contrast=contrast,
                    points=points,
                    p=p,
                    adjusted_p=p,
                    agreement=float(np.mean([first == second for first, second in verdicts])),
                    num_messages=len(verdicts),
                )
            )
    values = holm(np.array([each.p for each in found])) if found else np.array([])
    return tuple(
        each.model_copy(update={"adjusted_p": float(value)})
        for each, value in zip(found, values, strict=True)
    )


def survivals(
    probed: Sequence[Probed], contrasts: Sequence[Contrast], *, seed: int = 0
) -> tuple[Survival, ...]:
    """Return what is left of each intended effect under the pressure of each contrast.

    Shifts with and without pressure are compared on the messages that have both; the share's interval resamples those.
    """
    found = []
    for contrast in contrasts:
        calm = _by_message(probed, contrast.model_copy(update={"pressure": ""}))
        pressed = _by_message(probed, contrast)
        shared = [message for message in pressed if message in calm]
        if not shared:
            continue
        before, after = (np.array([side[message] for message in shared]) for side in (calm, pressed))
        calm_figure, _ = mean_figure(list(before), seed)
        share = (
            bootstrap(partial(_share, before, after), len(shared), num_samples=1000, seed=seed)
            if (calm_figure.low or 0.0) > 0
            else None
        )
        found.append(
            Survival(
                contrast=contrast,
                calm=calm_figure,
                pressed=mean_figure(list(after), seed)[0],
                share=None
                if share is None
                else EffectFigure(estimate=share.estimate, low=share.low, high=share.high),
                num_messages=len(shared),
            )
        )
    return tuple(found)


def _share(before: Floats, after: Floats, drawn: Ints) -> float | None:
    calm = float(before[drawn].mean())
    return float(after[drawn].mean()) / calm if calm > 0 else None


def _by_message(probed: Sequence[Probed], contrast: Contrast) -> dict[str, float]:
    """Return the shift of the intended trait on each message, by the id of the message without pressure."""
    trait = contrast.group
    return {
        pair.probed.pressed_from or pair.probed.message.id: float(
            DEGREE_SCORES[pair.condition.degrees[trait]] - DEGREE_SCORES[pair.reference.degrees[trait]]
        )
        for pair in paired(probed, contrast)
        if trait in pair.condition.degrees and trait in pair.reference.degrees
    }


def odds_apart(pair: Paired, trait: str) -> float | None:
    """Return by how much the condition's response fits a trait better by a preference model, in log-odds; None without one."""
    one, other = pair.condition.odds.get(trait), pair.reference.odds.get(trait)
    return None if one is None or other is None else one - other


def _apart(pair: Paired, trait: str) -> float | None:
    """Return how far two responses lie apart: in degrees, by the preference model where there is no judge, None without both."""
    if trait in pair.condition.degrees and trait in pair.reference.degrees:
        return abs(
            DEGREE_SCORES[pair.condition.degrees[trait]] - DEGREE_SCORES[pair.reference.degrees[trait]]
        )
    odds = odds_apart(pair, trait)
    return None if odds is None or pair.condition.degrees or pair.reference.degrees else abs(odds)


def mean_figure(values: Sequence[float], seed: int) -> tuple[EffectFigure, float]:
    """Return the mean with its interval, and the p-value of no difference; one value per message."""
    columns, messages = np.array(values)[:, None], np.arange(len(values))
    low, high = (float(end[0]) for end in bootstrap_intervals(columns, messages, seed=seed))
    p = float(sign_flip_p_values(columns, messages, seed=seed, num_flips=NUM_FLIPS)[0])
    if np.isfinite(low) and low == high:
        # Messages that all came out the same leave a bootstrap nothing to vary. As many as 3/n of them may yet lie a step away
        # (the rule of three, Hanley & Lippman-Hand 1983).
        low, high = low - RULE_OF_THREE / len(values), high + RULE_OF_THREE / len(values)
    known = {"low": low, "high": high} if np.isfinite(low) else {}
    return EffectFigure(estimate=float(columns.mean()), **known), p


def share_figure(hits: int, number: int) -> EffectFigure:
    """Return a share of ``number`` messages with its interval (Wilson 1927), none below as many as any interval takes."""
    share = hits / number
    if number < LEAST_CLUSTERS:
        return EffectFigure(estimate=share)
    z = NormalDist().inv_cdf(0.975)
    middle = (share + z * z / (2 * number)) / (1 + z * z / number)
    reach = z / (1 + z * z / number) * sqrt(share * (1 - share) / number + z * z / (4 * number * number))
    return EffectFigure(estimate=share, low=max(0.0, middle - reach), high=min(1.0, middle + reach))


def _as_ratio(figure: EffectFigure) -> EffectFigure:
    ends = (
        {}
        if figure.low is None or figure.high is None
        else {
            "low": float(np.exp(figure.low)),
            "high": float(np.exp(figure.high)),
        }
    )
    return EffectFigure(estimate=float(np.exp(figure.estimate)), **ends)
