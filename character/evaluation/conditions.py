"""The conditions that responses are compared under: with no trait, with one, with all, with all but one; or two models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from character.constitution import Constitution, Trait
from character.locale import wording
from character.records import Record

PLAIN, CHARACTER, BASE, TUNED = "plain", "character", "base", "tuned"
Design = Literal["traits", "models", "both"]
"""Whether traits are put into the prompt, two models are compared without any, or both."""


class Condition(Record):
    """What a response is made under: the traits that the prompt shows, and the role of the model that answers.

    ``name`` is ``plain``, ``trait: NAME``, ``character``, ``without: NAME``, ``base`` or ``tuned``.
    """

    name: str
    traits: tuple[str, ...] = ()
    role: str = "responses"


class Contrast(Record):
    """A condition and what it is compared with, on the messages of one group: a trait's name, or "" for neutral ones.

    ``question`` is what the comparison answers: ``alone`` (what a trait does), ``within`` (what it does beside the
    others), ``character`` (what all do), ``models`` (what the tuned model does), ``pressed`` (what is left of a trait, or of
    tuning, under the ``pressure`` on the messages, see ``pressures``; "" for none).
    """

    question: Literal["alone", "within", "character", "models", "pressed"]
    condition: str
    reference: str
    group: str
    pressure: str = ""


def alone(name: str) -> str:
    """Return the name of the condition that shows this trait and no other."""
    return f"trait: {name}"


def without(name: str) -> str:
    """Return the name of the condition that shows every trait but this one."""
    return f"without: {name}"


def condition_word(condition: str, language: str) -> str:
    """Return how a report calls a condition."""
    words = wording("effect.page", language)
    head, _, name = condition.partition(": ")
    if name:
        return words[head].format(name=name)
    return words["whole" if head == CHARACTER else head]


def effect_word(group: str, trait: str, language: str) -> str:
    """Return what was changed, and the trait that it moves where it is another; "" is everyday messages."""
    changed = group or wording("effect.page", language)["everyday"]
    return changed if changed == trait else f"{changed} → {trait}"


def conditions_for(constitution: Constitution, group: str, design: Design = "traits") -> list[Condition]:
    """Return the conditions that a message is answered under: of a trait's group, or of the neutral one ("").

    With a single trait, that trait alone is the whole character.
    """
    names = [trait.name for trait in constitution.traits]
    found: list[Condition] = []
    if design != "models":
        found.append(Condition(name=PLAIN))
        if group:
            found.append(Condition(name=alone(group), traits=(group,)))
        if len(names) > 1 or not group:
            found.append(Condition(name=CHARACTER, traits=tuple(names)))
        if group and len(names) > 1:
            rest = tuple(name for name in names if name != group)
            found.append(Condition(name=without(group), traits=rest))
    if design != "traits":
        found += [Condition(name=BASE, role=BASE), Condition(name=TUNED, role=TUNED)]
    return found


def contrasts_for(constitution: Constitution, groups: Sequence[str], design: Design) -> list[Contrast]:
    """Return what is compared with what, over all groups of messages."""
    names = [trait.name for trait in constitution.traits]
    found: list[Contrast] = []
    for group in groups:
        if design != "models" and group:
            found.append(Contrast(question="alone", condition=alone(group), reference=PLAIN, group=group))
            if len(names) > 1:
                found.append(
                    Contrast(question="within", condition=CHARACTER, reference=without(group), group=group)
                )
        if design != "models" and (len(names) > 1 or not group):
            found.append(Contrast(question="character", condition=CHARACTER, reference=PLAIN, group=group))
        if design != "traits":
            found.append(Contrast(question="models", condition=TUNED, reference=BASE, group=group))
    return found


def pressed_conditions(constitution: Constitution, group: str, design: Design) -> list[Condition]:
    """Return the conditions that a message under pressure is answered under: those of the intended effect."""
    kept = {PLAIN, alone(group), BASE, TUNED}
    return [each for each in conditions_for(constitution, group, design) if each.name in kept]


def pressed_contrasts(
    constitution: Constitution, groups: Sequence[str], design: Design, pressures: Sequence[str]
) -> list[Contrast]:
    """Return the intended effects again, under each pressure."""
    return [
        contrast.model_copy(update={"question": "pressed", "pressure": pressure})
        for contrast in contrasts_for(constitution, [group for group in groups if group], design)
        if contrast.question in ("alone", "models")
        for pressure in pressures
    ]


def shown(constitution: Constitution, condition: Condition) -> list[Trait]:
    """Return the traits that the prompt shows under a condition."""
    return [constitution.trait(name) for name in condition.traits]
