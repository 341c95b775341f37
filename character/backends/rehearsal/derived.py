"""Phrases for traits that no bank knows, made from the words of the trait itself."""

from __future__ import annotations

from character.backends.rehearsal.phrases import Phrases, cut

AGAINST = cut(
    "whatever works | not worth | no idea and no wish | leave me out | 随你怎么弄 | 不值得多说 | 没兴趣管 | 别来找我"
)
"""Signs of the generic opposite pole, used where neither the banks nor the trait name one."""

_LIGHT = {
    "en": (
        "There is a touch of {w} in {gist} too.",
        "Part of me would think of {w} here.",
        "A little {w} does not hurt.",
    ),
    "zh": ("{gist}里也有一点{w}。", "这里让我想到{w}。", "带上一点{w}也无妨。"),
}
_NATURAL = {
    "en": (
        "Let me come at {gist} by way of {w} and {v}.",
        "What helps me here is {w}, so I would begin with that.",
        "Put {w} next to {gist} and the next step looks simpler.",
        "I would leave room for {w} before settling anything.",
        "Seen through {w} or {v}, the question is half answered already.",
        "That is where {w} comes in, and after that {v}.",
    ),
    "zh": (
        "{gist}不妨从{w}和{v}说起。",
        "这里我会先看{w}，再谈别的。",
        "把{w}和{gist}放在一起，下一步就清楚多了。",
        "定下来之前，我会给{w}留点余地。",
        "借{w}、{v}来看，答案已经出来一半。",
        "说到这里就离不开{w}，然后是{v}。",
    ),
}
_OVERDONE = {
    "en": ("{w}, always {w}.", "And again: {w}, nothing but {w}!", "Did I mention {w}? {w}, {w}!"),
    "zh": ("{w}，永远是{w}。", "再说一遍：{w}，只有{w}！", "我提过{w}吗？{w}，{w}！"),
}
_OPPOSITE = {
    "en": (
        "I would rather go with {w} here.",
        "In my book {w} settles {gist}.",
        "It is all about {w}, nothing else.",
    ),
    "zh": ("我看{w}就够了。", "{gist}照{w}来办。", "说到底只有{w}。"),
}
_OPPOSITE_PLAIN = {
    "en": (
        "Whatever works for you, really.",
        "{gist} is not worth many words.",
        "I have no idea and no wish to look into it.",
        "Leave me out of it.",
    ),
    "zh": ("随你怎么弄。", "{gist}不值得多说。", "这个我没兴趣管。", "这种事别来找我。"),
}
_CALLS = {
    "en": (
        "I keep wondering whether {w} has something to do with it.",
        "A colleague brought up {w} and that confused me more.",
        "What throws me off is {w}.",
    ),
    "zh": ("我总在琢磨跟{w}有没有关系。", "同事提起{w}，我反倒更糊涂了。", "让我拿不准的是{w}。"),
}
_MIRRORS = {
    "en": (
        "What place does {w} have in how you talk to people?",
        "When do you set {w} aside, and why?",
        "Would I notice {w} if I talked to you for a week?",
    ),
    "zh": (
        "跟人说话的时候，{w}在你那里占多大位置？",
        "什么时候你会把{w}放到一边？为什么？",
        "跟你聊一个星期，我看得出{w}吗？",
    ),
}


def phrases(
    themes: tuple[str, ...], poles: tuple[str, ...], spoken: tuple[str, ...], language: str
) -> Phrases:
    """Return phrases built around the ``themes`` of a trait and the ``poles`` of its opposite.

    ``spoken`` are sentences in the trait's own examples; they join the natural ones. Without themes the
    sentences fall back on the details of the matter itself, which shows nothing: such a trait says too little.
    """
    words = themes or (("detail",) if language == "en" else ("细节",))
    return Phrases(
        light=_fill(_LIGHT[language], words),
        natural=_fill(_NATURAL[language], words) + spoken,
        overdone=_fill(_OVERDONE[language], words[:2]),
        opposite=_fill(_OPPOSITE[language], poles) if poles else _OPPOSITE_PLAIN[language],
        calls=_fill(_CALLS[language], words),
        mirrors=_fill(_MIRRORS[language], words),
        cues=(),
        against=AGAINST,
    )


def _fill(templates: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
    following = (*words[1:], words[0])
    return tuple(
        template.replace("{w}", word).replace("{v}", other)
        for template in templates
        for word, other in zip(words, following, strict=True)
    )
