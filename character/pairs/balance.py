"""Pairs balanced against confounds: by leaving some out, or by a weight for each, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from pydantic import Field

from character.errors import InputError, UnknownNameError
from character.files import toml_beside
from character.pairs.balance_solvers import groups_of, problem, reachable_share, search_subset, search_weights
from character.pairs.feature_words import HasWords
from character.pairs.features import FEATURES
from character.pairs.table import PairTable, pair_table
from character.records import PreferencePair, Record
from character.statistics.arrays import Floats

BalanceMethod = Literal["subset", "weights"]
BALANCE_METHODS: tuple[BalanceMethod, ...] = get_args(BalanceMethod)
BALANCE_THRESHOLD = 0.1
"""The effect that balancing leaves at most, unless told otherwise."""
MIN_SHARE = 0.2
"""The share of pairs that balancing keeps at least, unless told otherwise."""
FEW_PAIRS, SMALL_SHARE, MIX_SHIFT = 30, 0.5, 0.1
"""With fewer pairs, a smaller share kept, or a trait's share moved by more, balancing warns."""
_ROUNDING = 1e-6
_Column = tuple[str, Floats]
"""One number per pair whose mean is to be near 0, after the row of the report it belongs to."""
Contrasts = Mapping[str, Mapping[str, float]]
"""What else to even out, by name: per pair id how much more of it the chosen side has than the rejected one.

In -1..1."""


class BalanceRow(Record):
    """One feature, one opener (``opener:well``) or one contrast (``trait:humour``), before and after.

    ``effect`` is the win share, P(chosen has more) - P(rejected has more), in -1..1; of an opener, the
    difference of shares. ``difference`` is the mean of the paired differences, on the feature's scale, over
    their root mean square before balancing, in -1..1 (None for an opener). ``reached`` is false where one
    of them stays beyond the threshold. ``reachable_share`` is the largest share of pairs that balancing
    this alone could keep, in 0..1. ``ignored`` is true where balancing was told to leave it alone.
    """

    name: str
    effect_before: float
    effect_after: float
    difference_before: float | None = None
    difference_after: float | None = None
    reached: bool
    reachable_share: float
    ignored: bool = False


class Balanced(Record):
    """What balancing keeps, and what it costs.

    ``kept`` are the ids of the pairs that stay, in their order; ``weights`` the weight of each by id, of
    mean 1 (empty for the method ``subset``). ``share`` is the share of pairs kept, ``effective_pairs`` what
    weighted pairs are worth in equal ones (Kish: (Σw)² / Σw²). ``unreached`` names what could not be brought
    below the threshold, and ``notes`` says so in words. ``traits`` are the shares of each trait before and
    after, ``within`` the traits balanced by themselves (40 pairs or more each), ``warnings`` what speaks
    against using the result.
    """

    method: BalanceMethod
    threshold: float
    seed: int
    kept: tuple[str, ...] = ()
    weights: dict[str, float] = Field(default_factory=dict)
    rows: tuple[BalanceRow, ...] = ()
    num_pairs: int = 0
    num_kept: int = 0
    num_messages: int = 0
    num_messages_kept: int = 0
    share: float = 0.0
    effective_pairs: float = 0.0
    unreached: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    traits: dict[str, tuple[float, float]] = Field(default_factory=dict)
    within: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def balance(
    pairs: Iterable[PreferencePair] | PairTable,
    *,
    traits: Iterable[HasWords] | None = None,
    threshold: float = BALANCE_THRESHOLD,
    seed: int = 0,
    method: BalanceMethod = "subset",
    min_share: float = MIN_SHARE,
    ignore: Iterable[str] = (),
    contrasts: Contrasts = MappingProxyType({}),
) -> Balanced:
    """Return which pairs to keep, or how to weigh them, so that no feature tells chosen from rejected.

    Every feature of ``FEATURES`` and every common opener is to have an effect of at most ``threshold``
    either way, in 0..1, in which side has more and in how much more: over all pairs, and within each trait
    of 40 pairs or more (there within two standard errors where that is more). ``subset`` leaves out as few
    pairs as a greedy search finds; ``weights`` keeps all, weighs each between 0 and 5, brings the effects to
    about 0 and leaves each large trait its share. No effect ends beyond the threshold or where it was,
    whichever is more. What cannot be reached so, or would leave less than ``min_share`` of the pairs or fewer
    than 10, is given up, named in ``unreached``, and the rest is balanced without it. A pair that comes twice
    counts once.

    ``ignore`` names features to leave alone (or ``openers``): those that the trait itself consists of, such
    as ``questions`` for curiosity; to balance them would balance the trait away. ``contrasts`` are evened
    out like features: what a judge says of the other traits, say. A pair they do not name has none of them.
    ``traits`` give the words that count as a trait's own; the ``pairs`` may have been counted before (see
    ``pair_table``). Raises InputError for a threshold or share outside 0..1 and UnknownNameError for the
    method or an ignored name.
    """
    ignored = _refuse(threshold, min_share, method, ignore)
    table = pairs if isinstance(pairs, PairTable) else pair_table(pairs, traits)
    _, first = np.unique(np.array(table.ids, dtype=object), return_index=True)
    table = table.at(np.sort(first))
    nothing = Balanced(method=method, threshold=threshold, seed=seed)
    if not table.ids:
        return nothing
    columns = _columns(table, contrasts)
    values = np.column_stack([each for _, each in columns]) if columns else np.zeros((len(table.ids), 0))
    if "openers" in ignored:
        ignored |= {name for name, _ in columns if name.startswith("opener:")}
    left_alone = np.array([name in ignored for name, _ in columns], dtype=bool)
    group, within = groups_of(table.traits)
    asked = problem(
        values, group, ignored=left_alone, threshold=threshold, min_share=min_share, num_own=len(within)
    )
    if method == "subset":
        weights = search_subset(asked, seed=seed)
    else:
        weights = search_weights(asked, ignored=left_alone, threshold=threshold)
    rows = tuple(_rows(columns, weights, threshold, ignored))
    facts = {"rows": rows, "within": within, **_facts(table, rows, weights)}
    result = nothing.model_copy(update=facts | ({"weights": {}} if method == "subset" else {}))
    return result.model_copy(update={"warnings": tuple(_warnings(result, min_share))})


def _facts(table: PairTable, rows: Sequence[BalanceRow], weights: Floats) -> dict[str, Any]:
    """Return what stays, with what weight, and what it costs, by the fields of ``Balanced``."""
    unreached = [row for row in rows if not (row.reached or row.ignored)]
    stays, column = np.flatnonzero(weights > 0), np.array(table.traits, dtype=object)
    kept = tuple(table.ids[i] for i in stays)
    return {
        "kept": kept,
        "weights": dict(zip(kept, weights[stays].tolist(), strict=True)),
        "num_pairs": len(table.ids),
        "num_kept": len(stays),
        "num_messages": table.num_messages,
        "num_messages_kept": len(np.unique(table.message[stays])),
        "share": len(stays) / len(table.ids),
        "effective_pairs": float(weights.sum() ** 2 / (weights**2).sum()),
        "unreached": tuple(row.name for row in unreached),
        "notes": tuple(_note(row) for row in unreached),
        "traits": {
            name: (float((column == name).mean()), float(weights[column == name].sum() / weights.sum()))
            for name in sorted(set(table.traits))
        },
    }


def _warnings(result: Balanced, min_share: float) -> Iterator[str]:
    texts, is_subset = toml_beside(__file__, "balance")["warnings"], result.method == "subset"
    if result.num_pairs < FEW_PAIRS:
        yield texts["few"].format(result=result, few=FEW_PAIRS)
    if is_subset and result.share < SMALL_SHARE:
        yield texts["small_share"].format(result=result)
    if not is_subset and result.effective_pairs < SMALL_SHARE * result.num_pairs:
        yield texts["worth_few"].format(result=result)
    if is_subset and result.unreached and result.num_kept == result.num_pairs:
        yield texts["nothing_changed"].format(min_share=min_share)
    for name, (before, after) in result.traits.items():
        if abs(after - before) > MIX_SHIFT:
            yield texts["mix_moved"].format(name=name, before=before, after=after)


def _refuse(threshold: float, min_share: float, method: str, ignore: Iterable[str]) -> frozenset[str]:
    """Return the names to ignore; raises for what cannot be asked for."""
    ignored = frozenset(ignore)
    for name in sorted(ignored - {*FEATURES, "openers"}):
        raise UnknownNameError("feature", name, [*FEATURES, "openers"])
    if method not in BALANCE_METHODS:
        raise UnknownNameError("balance method", method, BALANCE_METHODS)
    for name, value in (("threshold", threshold), ("min_share", min_share)):
        if not 0.0 < value <= 1.0:
            raise InputError(f"{name} is {value}.", expected="a number above 0 and at most 1")
    return ignored


def _columns(table: PairTable, contrasts: Contrasts) -> list[_Column]:
    """Return the columns that are not 0 throughout: what no pair differs in needs no balancing."""
    signs, differences = table.signs(), table.differences()
    columns = []
    for place, name in enumerate(FEATURES):
        columns += _both(name, signs[:, place], differences[:, place])
    places = table.common_openers()
    opened = table.opener_signs(places)
    columns += [(f"opener:{table.openers[place]}", opened[:, i]) for i, place in enumerate(places)]
    for name, by_pair in contrasts.items():
        values = np.array([by_pair.get(pair_id, 0.0) for pair_id in table.ids])
        columns += _both(name, np.sign(values), values)
    return [(name, values) for name, values in columns if values.any()]


def _both(name: str, signs: Floats, differences: Floats) -> list[_Column]:
    """Return a feature's two columns: which side has more, and how much more over the root mean square."""
    spread = float(np.sqrt((differences**2).mean()))
    return [(name, signs), (name, differences / (spread or 1.0))]


def _rows(
    columns: list[_Column], weights: Floats, threshold: float, ignored: frozenset[str]
) -> Iterator[BalanceRow]:
    """Yield what became of each name: its effect, and its difference where it has one."""
    for name, named in groupby(columns, key=itemgetter(0)):
        own = [values for _, values in named]
        before = [float(values.mean()) for values in own]
        after = [float(weights @ values / weights.sum()) for values in own]
        yield BalanceRow(
            name=name,
            effect_before=before[0],
            effect_after=after[0],
            difference_before=before[1] if len(own) > 1 else None,
            difference_after=after[1] if len(own) > 1 else None,
            reached=all(abs(mean) <= threshold + _ROUNDING for mean in after),
            reachable_share=min(reachable_share(values, threshold) for values in own),
            ignored=name in ignored,
        )


def _note(row: BalanceRow) -> str:
    """Say what stays confounded, by the net effect, and by the mean difference where that is more."""
    texts, difference = toml_beside(__file__, "balance")["unreached"], row.difference_after
    is_more = difference is not None and abs(difference) > abs(row.effect_after)
    return str(texts["by_difference" if is_more else "by_effect"].format(row=row))
