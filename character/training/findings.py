"""What a check found, in the words of ``findings.toml``, and how sure a share of the rows makes it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from character.files import toml_beside
from character.statistics.intervals import UNSEEN, Interval
from character.training.reports import Check, CheckWeight

TEXTS: dict[str, dict[str, str]] = toml_beside(__file__, "findings")


def check(
    code: str,
    weight: CheckWeight,
    numbers: Mapping[str, float] = MappingProxyType({}),
    *,
    case: str = "",
    **values: object,
) -> Check:
    """Return what a check found, its text filled in with its numbers and ``values``.

    The text is that of the part of ``code`` before a colon, and of ``case``: the weight, unless named.
    """
    texts, values = TEXTS[code.partition(":")[0]], {**numbers, **values}
    case_text = texts[case or weight].format(**values)
    text = texts.get("text", "{case}").format(case=case_text, **values)
    return Check(code=code, weight=weight, text=text, numbers=dict(numbers))


def weight_of(interval: Interval, center: float, bar: float, num_prompts: int) -> CheckWeight:
    """Return ``look`` for what is surely off the center by ``bar`` and more, ``fine`` for what surely is not.

    Else it is ``note``. Where all values are alike the bootstrap gives no width; then what was seen in none
    of n prompts may still be in 3 / n of them (the rule of three, at 95 %).
    """
    if interval.excludes(center) and abs(interval.estimate - center) >= bar:
        return "look"
    reach = max(abs(interval.low - center), abs(interval.high - center))
    return "fine" if max(reach, UNSEEN / num_prompts) <= bar else "note"


def written(interval: Interval) -> str:
    """Return a share with its interval, in per cent."""
    return f"{interval.estimate:.0%} [{interval.low:.0%}, {interval.high:.0%}]"


def rows_of(number: int) -> str:
    """Return a number of rows in words."""
    return f"{number:,} row" if number == 1 else f"{number:,} rows"
