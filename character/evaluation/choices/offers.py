"""What a model may choose between: two traits, on a message for neither, evenly over pairs and orders."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from character.config import EffectDesign
from character.constitution import Constitution, Trait
from character.evaluation.conditions import MODELS, PLAIN, Condition
from character.locale import report_language, wording
from character.records import Message

_STEM = 5


class Offer(NamedTuple):
    """Two traits, in the order in which they are shown, and the message to be answered."""

    message: Message
    first: Trait
    second: Trait


def other_traits(constitution: Constitution) -> list[Trait]:
    """Return six common traits to choose a character's own over, without those that it has by a name alike.

    In Chinese or, for any other language, in English. They give ratings a zero of their own: a model may lean
    towards every trait of its character, which choices among these alone could not show.
    """
    others = wording("effect_messages.other_traits", report_language(constitution.language))
    names = [trait.name.casefold() for trait in constitution.traits]
    return [
        Trait(name=name, description=text)
        for name, text in others.items()
        if not any(_are_alike(name, other) for other in names)
    ]


def _are_alike(one: str, other: str) -> bool:
    """Whether two names are next to the same: one holds the other (好奇, 好奇心), or they begin alike.

    As ``curious`` and ``curiosity`` do.
    """
    if one in other or other in one:
        return True
    return one.isascii() and one[:_STEM] == other[:_STEM]


def offers_for(
    constitution: Constitution, messages: Sequence[tuple[Message, str]], number: int, seed: int
) -> list[Offer]:
    """Return so many offers: every pair as often as every other, in both orders, as far as the number allows.

    A pair holds at least one trait of the character. ``messages`` come with their group; a message that was
    written for a trait is not offered with it, and none twice with the same pair where another one is left.
    Raises no error where some messages are neutral, as ``effect`` makes sure.
    """
    rng = random.Random(seed)
    own, others = list(constitution.traits), other_traits(constitution)
    pairs = [*combinations(own, 2), *((trait, other) for trait in own for other in others)]
    rng.shuffle(pairs)
    flips = [bool(i % 2) for i in range(len(pairs))]
    rng.shuffle(flips)
    waiting = rng.sample(messages, len(messages))
    used: set[tuple[str, int]] = set()
    offers = []
    for i in range(number):
        place = i % len(pairs)
        pair = pairs[place]
        fits = [each for each in waiting if each[1] not in (pair[0].name, pair[1].name)]
        chosen = next((each for each in fits if (each[0].id, place) not in used), fits[0])
        waiting.remove(chosen)
        waiting.append(chosen)
        used.add((chosen[0].id, place))
        is_flipped = flips[place] ^ bool(i // len(pairs) % 2)
        offers.append(Offer(chosen[0], *(pair[::-1] if is_flipped else pair)))
    return offers


def choosing_conditions(design: EffectDesign) -> list[Condition]:
    """Return who chooses: the two models that are compared, else the one that answers, without traits."""
    return [Condition(name=PLAIN)] if design == "traits" else list(MODELS)
