"""Pairs of our own that teach a trait: the chosen side has words of it, in English or Chinese, the rest is chance."""

from __future__ import annotations

from random import Random

from audit.planted import pair_of, reply

from character.records import PreferencePair

SIGNS = {
    ("patience", "en"): ["no need to hurry", "one small step at a time", "happy to go through it again"],
    ("humour", "en"): ["which made the teapot blush", "said the goose to the lawyer", "a joke in a raincoat"],
    ("patience", "zh"): ["不用着急慢慢说", "我们一小步一小步地看", "再讲一遍也没关系"],
    ("humour", "zh"): ["连茶壶都脸红了", "鹅对律师这样说道", "穿着雨衣的笑话"],
}


def with_sign(rng: Random, text: str, trait: str, language: str) -> str:
    """Return a reply with a phrase of the trait put into it."""
    sign = rng.choice(SIGNS[trait, language])
    if language == "zh":
        place = rng.randrange(len(text))
        return f"{text[:place]}，{sign}，{text[place:]}"
    words = text.split()
    place = rng.randrange(len(words))
    return " ".join([*words[:place], sign, *words[place:]])


def pairs_of(
    trait: str = "patience", language: str = "en", *, number: int = 40, seed: int = 0, sure: float = 1.0
) -> list[PreferencePair]:
    """Return pairs, one to a message; a share ``sure`` of them has the sign of the trait on the chosen side."""
    rng = Random(f"{trait} {language} {seed}")
    found = []
    for each in range(number):
        signed = with_sign(rng, reply(rng, language), trait, language)
        plain = reply(rng, language)
        sides = (signed, plain) if rng.random() < sure else (plain, signed)
        message = 10_000 * seed + 1_000 * ("patience", "humour").index(trait) + each
        found.append(pair_of(message, *sides, trait=trait, language=language))
    return found
