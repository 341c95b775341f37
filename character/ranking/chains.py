"""Reading an order written as a chain, such as ``2 > 3 = 1``: ties are kept; what is not full is no order."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LINK = re.compile(r"\s*(>{1,2}|＞|≻|=|＝|≈|~)\s*")
_BETTER = frozenset({">", ">>", "＞", "≻"})


def parse_chain(text: str, names: Sequence[str]) -> tuple[tuple[int, ...], ...] | None:
    """Return the order that a chain says, as groups of indices into ``names``, best first; None without one.

    ``>`` stands between better and worse, ``=`` between equals. A chain counts only where it names each of
    ``names`` exactly once. Where a text holds several chains they have to say the same, else it is not
    readable: nothing is guessed.
    """
    orders = {order for chain in _chains(text, names) if (order := _order(chain, names)) is not None}
    return orders.pop() if len(orders) == 1 else None


def _chains(text: str, names: Sequence[str]) -> list[list[str]]:
    """Return each maximal run of names and links in the text, as a list name, link, name, …"""
    longest_first = sorted(names, key=len, reverse=True)
    # "1" must not be found inside "10" or "1.5", nor a name inside a longer word.
    any_name = "|".join(map(re.escape, longest_first))
    name = rf"[\[(（【\"'“*]*(?<![\w.])(?:{any_name})(?!\w|\.\d)[\])）】\"'”*]*"
    whole = re.compile(f"{name}(?:{_LINK.pattern}{name})+", re.IGNORECASE)
    return [
        [part.strip(" \t[]()（）【】\"'“”*") for part in _LINK.split(match.group())]
        for match in whole.finditer(text)
    ]


def _order(chain: list[str], names: Sequence[str]) -> tuple[tuple[int, ...], ...] | None:
    index = {name.casefold(): i for i, name in enumerate(names)}
    groups = [[index[chain[0].casefold()]]]
    for link, name in zip(chain[1::2], chain[2::2], strict=True):
        if link in _BETTER:
            groups.append([])
        groups[-1].append(index[name.casefold()])
    flat = [i for group in groups for i in group]
    if sorted(flat) != list(range(len(names))):
        return None
    return tuple(tuple(sorted(group)) for group in groups)
