"""What went wrong in a judgement, in words: for the models that reword instructions, and for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from character.locale import report_language, wording

if TYPE_CHECKING:
    from optimizers.labelled.records import LabelledItem

_MOST_MISPLACED = 3
_MOST_RATERS = 4
_QUOTE = 60
_BIAS = 0.1


def feedback(item: LabelledItem, scores: Sequence[float | None], shown: Sequence[int] | None = None) -> str:
    """Return what a judgement got wrong, in the item's language: what was misplaced, and what raters said.

    ``shown`` are the candidates' indices in the order the judge saw them: responses are numbered by it, from
    1, as the judge numbers them. At most three misplaced pairs are told, those the raters are surest of
    first.
    """
    return "\n".join(_Teller(item, list(scores), shown).lines())


def fault_feedback(item: LabelledItem, fault: str, shown: Sequence[int] | None = None) -> str:
    """Return why a reply could not be used, given its one-word fault, and what the raters said instead."""
    teller = _Teller(item, [None] * len(item.candidates), shown)
    words = teller.words
    return "\n".join([words["fault"].format(said=words.get(fault, fault)), words["scale"], *teller.raters()])


class _Teller:
    def __init__(self, item: LabelledItem, scores: list[float | None], shown: Sequence[int] | None) -> None:
        self.item, self.scores, self.labels = item, scores, item.consensus()
        order = range(len(item.candidates)) if shown is None else shown
        self.place = {index: place for place, index in enumerate(order, start=1)}
        self.language = report_language(item.language)
        self.words = wording("feedback", self.language)

    def lines(self) -> list[str]:
        pairs = [pair for pair in self.item.pairs() if self._is_judged(pair[0]) and self._is_judged(pair[1])]
        if not pairs:
            return [self.words["nothing"]]
        wrong = sorted((pair for pair in pairs if self._lead(pair) <= 0), key=lambda pair: -pair[2])
        misplaced = [self._told(pair) for pair in wrong[:_MOST_MISPLACED]]
        rest = len(wrong) - len(misplaced)
        right = self.words["right"].format(right=len(pairs) - len(wrong), all=len(pairs))
        more = [self.words["more"].format(number=rest)] if rest else []
        chains = {"labels": self._chain(self.labels), "scores": self._chain(self.scores)}
        orders = self.words["orders"].format(**chains)
        return [self.words["scale"], right, *misplaced, *more, orders, *self.raters(), *self._bias()]

    def raters(self) -> list[str]:
        """Return what each of the first raters said of what was shown."""
        lines = []
        for number, label in enumerate(self.item.labels[:_MOST_RATERS], start=1):
            if any(score is not None for score in label.scores):
                verdict = self.words["comma"].join(
                    self.words["score"].format(place=place, value=label.scores[index])
                    for index, place in self.place.items()
                    if label.scores[index] is not None
                )
            elif label.order:
                verdict = " > ".join(filter(None, map(self._equals, label.order)))
            else:
                verdict = self.words["comma"].join(
                    self._choice(i, j, share)
                    for i, j, share in label.choices
                    if i in self.place and j in self.place
                )
            if verdict:
                lines.append(self.words["rater"].format(number=number, said=verdict))
        return lines

    def _is_judged(self, index: int) -> bool:
        return self.scores[index] is not None and index in self.place

    def _equals(self, group: Sequence[int]) -> str:
        return " = ".join(str(self.place[index]) for index in group if index in self.place)

    def _choice(self, i: int, j: int, share: float) -> str:
        sign = "=" if share == 0.5 else ">" if share > 0.5 else "<"
        return f"{self.place[i]} {sign} {self.place[j]}"

    def _lead(self, pair: tuple[int, int, float]) -> float:
        """Return by how much the scores put the raters' better one of a pair first; 0 for a tie."""
        better, worse, _share = pair
        return (self.scores[better] or 0.0) - (self.scores[worse] or 0.0)

    def _told(self, pair: tuple[int, int, float]) -> str:
        high, low, share = pair
        return self.words["tied" if self._lead(pair) == 0 else "misplaced"].format(
            low=self.place[low],
            high=self.place[high],
            low_text=self._quoted(low),
            high_text=self._quoted(high),
            low_score=self.scores[low],
            high_score=self.scores[high],
            low_label=self.labels[low] or 0.0,
            high_label=self.labels[high] or 0.0,
            share=share,
        )

    def _quoted(self, index: int) -> str:
        text = " ".join(self.item.candidates[index].split())
        short = text if len(text) <= _QUOTE else text[:_QUOTE].rstrip() + "…"
        return f"“{short}”" if self.language == "zh" else f'"{short}"'

    def _chain(self, values: Sequence[float | None]) -> str:
        groups: dict[float, list[str]] = {}
        for index, place in self.place.items():
            value = values[index]
            if value is not None:
                groups.setdefault(value, []).append(str(place))
        return " > ".join(" = ".join(groups[value]) for value in sorted(groups, reverse=True))

    def _bias(self) -> list[str]:
        gaps = [
            a - b for a, b in zip(self.scores, self.labels, strict=True) if a is not None and b is not None
        ]
        mean = sum(gaps) / len(gaps) if gaps else 0.0
        if abs(mean) < _BIAS:
            return []
        return [self.words["bias_high" if mean > 0 else "bias_low"].format(value=abs(mean))]
