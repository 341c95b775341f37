"""What sets chosen apart from rejected besides the trait: length, Markdown, openers, emoji and the like.

A model trained on pairs learns whatever tells their sides apart. Where the chosen sides are longer in most
pairs, it learns to be long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from pydantic import Field

from character.pairs.confound_classifier import ConfoundClassifier, fit_classifier
from character.pairs.feature_words import HasWords
from character.pairs.features import FEATURES, SCALES, Scale
from character.pairs.table import PairTable, most_common, pair_table, without_nan
from character.records import PreferencePair, Record
from character.statistics.arrays import Floats
from character.statistics.intervals import bootstrap_intervals
from character.statistics.significance import holm, sign_flip_p_values

THRESHOLD = 0.2
"""The effect from which a confound is flagged."""
ERROR_RATE = 0.05
"""The chance of flagging anything in a scope where nothing is confounded, at most."""


class FeatureEffect(Record):
    """How much more of a feature the chosen sides have.

    ``effect`` is the win share, P(chosen has more) - P(rejected has more), in -1..1, with its 95 % interval
    ``low`` … ``high`` by bootstrap over messages (None for fewer than five). ``standardized`` is Cohen's
    d_z, the mean of the paired differences over their standard deviation, on the feature's ``scale``: of
    logarithms (``log``), of log(1 + count) (``count``) or as they are (``share``); None where all
    differences are the same and not 0. ``p_value`` is that of swapping sides by message, adjusted by Holm
    over all features and openers of the scope.
    """

    name: str
    scale: Scale
    mean_chosen: float
    mean_rejected: float
    standardized: float | None
    effect: float
    low: float | None
    high: float | None
    p_value: float
    flagged: bool


class OpenerEffect(Record):
    """How much more often chosen sides begin with an opener.

    ``effect`` is ``share_chosen - share_rejected``, with interval and adjusted p-value as of a feature.
    """

    opener: str
    share_chosen: float
    share_rejected: float
    effect: float
    low: float | None
    high: float | None
    p_value: float
    flagged: bool


class ConfoundScope(Record):
    """The confounds of some pairs: of all, of one trait, or of one language.

    ``openers`` are those whose shares differ most, the largest difference first. ``common_chosen`` and
    ``common_rejected`` are the commonest opener of each side, and what share of that side it begins.
    ``flagged`` names what is flagged, the largest effect first; an opener as ``opener:well``.
    """

    num_pairs: int
    num_messages: int
    features: tuple[FeatureEffect, ...]
    openers: tuple[OpenerEffect, ...]
    common_chosen: str = ""
    common_chosen_share: float = 0.0
    common_rejected: str = ""
    common_rejected_share: float = 0.0
    flagged: tuple[str, ...] = ()


class ConfoundAudit(Record):
    """The confounds of a set of pairs, over the run, per trait and per language.

    A confound is flagged where its interval excludes 0, its adjusted p-value is at most 0.05 and its effect
    at least ``threshold`` either way. The error rate holds per scope. ``classifier`` sees nothing but
    these features: its held-out accuracy is the bar that real preference must beat. ``flagged`` is that of
    the run; each trait and language has its own.
    """

    run: ConfoundScope
    by_trait: dict[str, ConfoundScope] = Field(default_factory=dict)
    by_language: dict[str, ConfoundScope] = Field(default_factory=dict)
    classifier: ConfoundClassifier = ConfoundClassifier()
    threshold: float = THRESHOLD
    seed: int = 0
    flagged: tuple[str, ...] = ()


def audit_confounds(
    pairs: Iterable[PreferencePair] | PairTable,
    traits: Iterable[HasWords] | None = None,
    seed: int = 0,
    *,
    threshold: float = THRESHOLD,
) -> ConfoundAudit:
    """Return what sets chosen apart from rejected besides the trait.

    ``pairs`` are read once; they may have been counted before (see ``pair_table``). ``traits`` (a
    constitution's) give the words that count as the trait's own; without them the words of the trait's name
    do. ``threshold`` is the effect from which a confound is flagged, in 0..1. The same seed gives the same
    intervals, p-values and folds.
    """
    table = pairs if isinstance(pairs, PairTable) else pair_table(pairs, traits)

    def scopes(names: tuple[str, ...]) -> dict[str, ConfoundScope]:
        every = sorted(set(names))
        column = np.array(names, dtype=object)
        if len(every) == 1:
            return {every[0]: run}
        return {name: _scope(table.at(np.flatnonzero(column == name)), seed, threshold) for name in every}

    run = _scope(table, seed, threshold)
    return ConfoundAudit(
        run=run,
        by_trait=scopes(table.traits),
        by_language=scopes(table.languages),
        classifier=fit_classifier(table, seed=seed),
        threshold=threshold,
        seed=seed,
        flagged=run.flagged,
    )


def _scope(table: PairTable, seed: int, threshold: float) -> ConfoundScope:
    if not table.ids:
        return ConfoundScope(num_pairs=0, num_messages=0, features=(), openers=())
    places = table.common_openers()
    columns = np.column_stack([table.signs(), table.opener_signs(places)])
    tested = _tested(columns, table, seed, threshold)
    features = _features(table, tested)
    openers = [_opener(table, *row) for row in zip(places, tested[len(FEATURES) :], strict=True)]
    openers.sort(key=lambda row: (-abs(row.effect), row.opener))
    common_chosen, chosen_share = most_common(table.openers, table.opener_chosen)
    common_rejected, rejected_share = most_common(table.openers, table.opener_rejected)
    return ConfoundScope(
        num_pairs=len(table.ids),
        num_messages=table.num_messages,
        features=features,
        openers=tuple(openers),
        common_chosen=common_chosen,
        common_chosen_share=chosen_share,
        common_rejected=common_rejected,
        common_rejected_share=rejected_share,
        flagged=_flagged(features, openers),
    )


def _flagged(features: Iterable[FeatureEffect], openers: Iterable[OpenerEffect]) -> tuple[str, ...]:
    names = [(-abs(row.effect), row.name) for row in features if row.flagged]
    names += [(-abs(row.effect), f"opener:{row.opener}") for row in openers if row.flagged]
    return tuple(name for _, name in sorted(names))


def without_twins(flagged: Iterable[str]) -> list[str]:
    """Leave out the length in tokens where that in characters is there: it says the same."""
    names = list(flagged)
    return [name for name in names if name != "tokens" or "characters" not in names]


def _tested(columns: Floats, table: PairTable, seed: int, threshold: float) -> list[dict[str, Any]]:
    """Return of each column the fields of its record that say what it was found to be."""
    effects = columns.mean(axis=0)
    low, high = bootstrap_intervals(columns, table.message, seed=seed)
    p_values = sign_flip_p_values(columns, table.message, seed=seed)
    differs = columns.any(axis=0)  # what never differs can never be flagged, so it is no part of the family
    p_values[differs] = holm(p_values[differs])
    flagged = (p_values <= ERROR_RATE) & ((low > 0) | (high < 0)) & (np.abs(effects) >= threshold)
    figures = (effects.tolist(), without_nan(low), without_nan(high), p_values.tolist(), flagged.tolist())
    names = ("effect", "low", "high", "p_value", "flagged")
    return [dict(zip(names, row, strict=True)) for row in zip(*figures, strict=True)]


def _features(table: PairTable, tested: list[dict[str, Any]]) -> tuple[FeatureEffect, ...]:
    differences = table.differences()
    chosen, rejected = table.chosen.mean(axis=0), table.rejected.mean(axis=0)
    return tuple(
        FeatureEffect(
            name=name,
            scale=SCALES.get(name, "count"),
            mean_chosen=float(chosen[place]),
            mean_rejected=float(rejected[place]),
            standardized=_standardized(differences[:, place]),
            **tested[place],
        )
        for place, name in enumerate(FEATURES)
    )


def _standardized(differences: Floats) -> float | None:
    mean = float(differences.mean())
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    if abs(mean) < 1e-12:
        return 0.0
    return mean / spread if spread > 1e-9 * abs(mean) else None


def _opener(table: PairTable, place: int, tested: dict[str, Any]) -> OpenerEffect:
    return OpenerEffect(
        opener=table.openers[place],
        share_chosen=float((table.opener_chosen == place).mean()),
        share_rejected=float((table.opener_rejected == place).mean()),
        **tested,
    )
