"""Two models whose differences are known: servers that answer at given degrees, in words of the rehearsal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from character import Constitution, Trait
from character.backends.rehearsal import rehearse
from character.backends.rehearsal.phrases import REPLIES
from character.backends.rehearsal.responses import compose
from character.backends.rehearsal.sense import sense_of
from signatures.chat import WORDS

PATIENCE = Trait(
    name="patience",
    description="Takes the time an explanation needs and starts again as often as it takes.",
    opposite="Hurried and curt.",
)
HUMOUR = Trait(
    name="humour", description="Finds what is funny where that helps.", opposite="Dry and humourless."
)
PAIR = Constitution(name="pair", traits=(PATIENCE, HUMOUR))


def answering(levels: Mapping[str, str], *, extra_sentences: int = 0) -> Callable[[dict[str, Any]], str]:
    """Return a server's script that shows each trait at its level, and adds so many neutral sentences."""
    senses = {trait.name: sense_of(trait.brief(), "en") for trait in PAIR.traits}

    def script(request: dict[str, Any]) -> str:
        digest = hashlib.blake2b(json.dumps(request, sort_keys=True).encode(), digest_size=8).hexdigest()
        rng = Random(digest)
        message = request["messages"][-1]["content"]
        parts = [compose(message, None, "absent", "en", rng)]
        for name, level in levels.items():
            phrases = getattr(senses[name].phrases, level)
            parts += rng.sample(phrases, min(2, len(phrases)))
        parts += rng.sample(REPLIES["en"].bodies, extra_sentences)
        rng.shuffle(parts)
        return " ".join(part.replace("{gist}", "it") for part in parts)

    return script


def choosing(leanings: Mapping[str, float]) -> Callable[[dict[str, Any]], str]:
    """Return a server's script that chooses by these leanings and answers plainly else."""
    plainly = answering({})

    def script(request: dict[str, Any]) -> str:
        system, *rest = request["messages"]
        if system["role"] != "system" or WORDS["en"]["traits"] not in system["content"]:
            return plainly(request)
        return rehearse(system["content"], rest, seed=request.get("seed") or 0, leanings=leanings)

    return script
