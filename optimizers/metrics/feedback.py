"""What went wrong in a judgement, in words: for the models that reword instructions, and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optimizers.labelled.records import LabelledItem

_MOST_MISPLACED = 3
_MOST_RATERS = 4
_QUOTE = 60
_BIAS = 0.1

_EN = {
    "scale": "Scores are given as shares of the highest one, from 0 to 1.",
    "right": "In the raters' order: {right} of {all} pairs of responses.",
    "misplaced": "Response {low} ({low_text}) got {low_score:.2f} and stood above response {high} ({high_text}) with {high_score:.2f}. "
    "The raters put it the other way round: {low_label:.2f} against {high_label:.2f}, with {share:.0%} of their votes.",
    "tied": "Response {low} ({low_text}) and response {high} ({high_text}) got the same score, {low_score:.2f}. "
    "The raters put response {high} first: {high_label:.2f} against {low_label:.2f}, with {share:.0%} of their votes.",
    "more": "{number} more pairs are not in the raters' order.",
    "orders": "The raters' order, best first: {labels}. This judgement's: {scores}.",
    "rater": "Rater {number} said: {said}.",
    "score": "response {place}: {value:.2f}",
    "bias_high": "On average the scores are {value:.2f} too high.",
    "bias_low": "On average the scores are {value:.2f} too low.",
    "nothing": "The raters tell none of these responses apart.",
    "fault": "The reply could not be used: {said}.",
    "wrong_count": "it does not have one score for each response shown",
    "out_of_range": "a score lies outside the scale",
    "unreadable_order": "the order is no chain that names each response once, such as 2 > 3 = 1",
    "unsuitable": "it says that no reply to this message can show the trait, but the raters could tell the responses apart",
    "incomplete": "a field of the reply is missing",
    "comma": ", ",
}
_ZH = {
    "scale": "分数都按最高分折算为 0 到 1。",
    "right": "与评分者顺序一致的：{all} 对回复中有 {right} 对。",
    "misplaced": "第 {low} 条（{low_text}）得 {low_score:.2f}，排在得 {high_score:.2f} 的第 {high} 条（{high_text}）前面。"
    "评分者的看法相反：前者 {low_label:.2f}，后者 {high_label:.2f}，{share:.0%} 的票认为后者更好。",
    "tied": "第 {low} 条（{low_text}）和第 {high} 条（{high_text}）得分相同，都是 {low_score:.2f}。"
    "评分者认为第 {high} 条更好：{high_label:.2f} 对 {low_label:.2f}，占 {share:.0%} 的票。",
    "more": "另有 {number} 对与评分者的顺序不一致。",
    "orders": "评分者的顺序（从好到差）：{labels}。这次判断的顺序：{scores}。",
    "rater": "评分者 {number}：{said}。",
    "score": "第 {place} 条 {value:.2f}",
    "bias_high": "分数平均偏高 {value:.2f}。",
    "bias_low": "分数平均偏低 {value:.2f}。",
    "nothing": "评分者没有分出这些回复的高下。",
    "fault": "这个答复无法使用：{said}。",
    "wrong_count": "分数的个数和回复的条数不一致",
    "out_of_range": "有分数超出了评分范围",
    "unreadable_order": "顺序不是每条回复恰好出现一次的序列，例如 2 > 3 = 1",
    "unsuitable": "它说对这条消息的任何回复都体现不出这个特质，可是评分者分出了高下",
    "incomplete": "答复里缺了字段",
    "comma": "，",
}


def feedback(item: LabelledItem, scores: Sequence[float | None], shown: Sequence[int] | None = None) -> str:
    """Return what a judgement got wrong, in the item's language: what was misplaced, against what, what the raters said.

    ``shown`` are the candidates' indices in the order the judge saw them: responses are numbered by it, from
    1, as the judge numbers them. At most three misplaced pairs are told, those the raters are surest of first.
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
        self.words: Mapping[str, str] = _ZH if item.language.casefold().startswith("zh") else _EN

    def lines(self) -> list[str]:
        pairs = [pair for pair in self.item.pairs() if self._is_judged(pair[0]) and self._is_judged(pair[1])]
        if not pairs:
            return [self.words["nothing"]]
        wrong = sorted(
            (pair for pair in pairs if self._lead(pair) <= 0), key=lambda pair: -abs(pair[2] - 0.5)
        )
        told = [self._told(pair) for pair in wrong[:_MOST_MISPLACED]]
        rest = len(wrong) - len(told)
        right = self.words["right"].format(right=len(pairs) - len(wrong), all=len(pairs))
        more = [self.words["more"].format(number=rest)] if rest else []
        return [self.words["scale"], right, *told, *more, self._orders(), *self.raters(), *self._bias()]

    def raters(self) -> list[str]:
        """Return what each of the first raters said of what was shown."""
        lines = []
        for number, label in enumerate(self.item.labels[:_MOST_RATERS], start=1):
            said = ""
            if any(score is not None for score in label.scores):
                said = self.words["comma"].join(
                    self.words["score"].format(place=place, value=label.scores[index])
                    for index, place in self.place.items()
                    if label.scores[index] is not None
                )
            elif label.order:
                said = " > ".join(
                    " = ".join(self._numbers(group)) for group in label.order if self._numbers(group)
                )
            elif label.choices:
                said = self.words["comma"].join(
                    self._choice(i, j, share)
                    for i, j, share in label.choices
                    if i in self.place and j in self.place
                )
            if said:
                lines.append(self.words["rater"].format(number=number, said=said))
        return lines

    def _is_judged(self, index: int) -> bool:
        return self.scores[index] is not None and index in self.place

    def _numbers(self, group: Sequence[int]) -> list[str]:
        return [str(self.place[index]) for index in group if index in self.place]

    def _choice(self, i: int, j: int, share: float) -> str:
        sign = "=" if share == 0.5 else ">" if share > 0.5 else "<"
        return f"{self.place[i]} {sign} {self.place[j]}"

    def _lead(self, pair: tuple[int, int, float]) -> float:
        """Return by how much the scores put the raters' better one of a pair first; 0 for a tie."""
        i, j, share = pair
        lead = (self.scores[i] or 0.0) - (self.scores[j] or 0.0)
        return lead if share > 0.5 else -lead

    def _told(self, pair: tuple[int, int, float]) -> str:
        i, j, share = pair
        high, low = (i, j) if share > 0.5 else (j, i)
        return self.words["tied" if self._lead(pair) == 0 else "misplaced"].format(
            low=self.place[low],
            high=self.place[high],
            low_text=self._quoted(low),
            high_text=self._quoted(high),
            low_score=self.scores[low],
            high_score=self.scores[high],
            low_label=self.labels[low] or 0.0,
            high_label=self.labels[high] or 0.0,
            share=max(share, 1 - share),
        )

    def _quoted(self, index: int) -> str:
        text = " ".join(self.item.candidates[index].split())
        short = text if len(text) <= _QUOTE else text[:_QUOTE].rstrip() + "…"
        return f"“{short}”" if self.words is _ZH else f'"{short}"'

    def _orders(self) -> str:
        return self.words["orders"].format(labels=self._chain(self.labels), scores=self._chain(self.scores))

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
