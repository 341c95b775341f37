"""Phrases for traits that no bank knows, made from the words of the trait itself."""

from __future__ import annotations

from character.backends.rehearsal.phrases import Phrases, read

_TEMPLATES = read("derived")

AGAINST: tuple[str, ...] = _TEMPLATES["en"]["against"] + _TEMPLATES["zh"]["against"]
"""Signs of the generic opposite pole, used where neither the banks nor the trait name one."""


def phrases(
    themes: tuple[str, ...], poles: tuple[str, ...], spoken: tuple[str, ...], language: str
) -> Phrases:
    """Return phrases built around the ``themes`` of a trait and the ``poles`` of its opposite.

    ``spoken`` are sentences in the trait's own examples; they join the natural ones. Without themes the
    sentences fall back on the details of the matter itself, which show nothing: such a trait says too little.
    """
    templates = _TEMPLATES[language]
    words = themes or (templates["theme"],)
    return Phrases(
        light=_fill(templates["light"], words),
        natural=_fill(templates["natural"], words) + spoken,
        overdone=_fill(templates["overdone"], words[:2]),
        opposite=_fill(templates["opposite"], poles) if poles else templates["opposite_plain"],
        calls=_fill(templates["calls"], words),
        mirrors=_fill(templates["mirrors"], words),
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
