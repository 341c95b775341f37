"""The conditions that responses are compared under: no trait, one, all, all but one; or two models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from character.config import EffectDesign
from character.constitution import Constitution
from character.records import Record

PLAIN, CHARACTER, BASE, TUNED = "plain", "character", "base", "tuned"
QUESTIONS = ("alone", "within", "character", "models")
"""What comparisons answer, where nothing presses; see ``Contrast``."""
INTENDED = ("alone", "within", "models")
"""Of these, what is asked of one trait and its own messages."""
Question = Literal["alone", "within", "character", "models", "pressed"]


class Condition(Record):
    """What a response is made under: the traits in its prompt, and the role of the model that answers.

    ``name`` is ``plain``, ``trait: NAME``, ``character``, ``without: NAME``, ``base`` or ``tuned``.
    """

    name: str
    traits: tuple[str, ...] = ()
    role: str = "responses"


class Contrast(Record):
    """A condition and what it is compared with, on one group's messages: a trait's name, or "" for neutral.

    ``question`` is what the comparison answers: ``alone`` (what a trait does), ``within`` (what it does
    beside the others), ``character`` (what all do), ``models`` (what the tuned model does), ``pressed`` (what
    is left of a trait, or of tuning, under the ``pressure`` on the messages, see ``pressures``; "" for none).
    """

    question: Question
    condition: str
    reference: str
    group: str
    pressure: str = ""


MODELS = (Condition(name=BASE, role=BASE), Condition(name=TUNED, role=TUNED))
"""The two models that are compared, which see no trait."""


def alone(name: str) -> str:
    """Return the name of the condition that shows this trait and no other."""
    return f"trait: {name}"


def without(name: str) -> str:
    """Return the name of the condition that shows every trait but this one."""
    return f"without: {name}"


def conditions_for(
    constitution: Constitution, group: str, design: EffectDesign = "traits", *, is_pressed: bool = False
) -> list[Condition]:
    """Return the conditions that a message is answered under: of a trait's group, or of the neutral one ("").

    With a single trait, that trait alone is the whole character. Under pressure they are those of the
    intended effect.
    """
    contrasts = contrasts_for(constitution, [group], design)
    compared = own_effects(contrasts) if is_pressed else contrasts
    names = {name for contrast in compared for name in (contrast.condition, contrast.reference)}
    traits = tuple(trait.name for trait in constitution.traits)
    conditions = (
        Condition(name=PLAIN),
        Condition(name=alone(group), traits=(group,)),
        Condition(name=CHARACTER, traits=traits),
        Condition(name=without(group), traits=tuple(name for name in traits if name != group)),
        *MODELS,
    )
    return [condition for condition in conditions if condition.name in names]


def contrasts_for(constitution: Constitution, groups: Sequence[str], design: EffectDesign) -> list[Contrast]:
    """Return what is compared with what, over all groups of messages."""
    with_traits, with_models = design != "models", design != "traits"
    has_others = len(constitution.traits) > 1
    contrasts: list[Contrast] = []
    for group in groups:
        compared: list[tuple[Question, str, str, object]] = [
            ("alone", alone(group), PLAIN, with_traits and group),
            ("within", CHARACTER, without(group), with_traits and group and has_others),
            ("character", CHARACTER, PLAIN, with_traits and (has_others or not group)),
            ("models", TUNED, BASE, with_models),
        ]
        contrasts += [
            Contrast(question=question, condition=condition, reference=reference, group=group)
            for question, condition, reference, is_asked in compared
            if is_asked
        ]
    return contrasts


def own_effects(contrasts: Iterable[Contrast]) -> Iterator[Contrast]:
    """Yield the contrasts that show what a trait, alone or tuned for, does on its own messages."""
    return (each for each in contrasts if each.group and each.question in ("alone", "models"))


def pressed_contrasts(
    constitution: Constitution, groups: Sequence[str], design: EffectDesign, pressures: Sequence[str]
) -> list[Contrast]:
    """Return the intended effects again, under each pressure."""
    return [
        contrast.model_copy(update={"question": "pressed", "pressure": pressure})
        for contrast in own_effects(contrasts_for(constitution, groups, design))
        for pressure in pressures
    ]
