"""Pairs with confounds planted on purpose: replies of ordinary words whose sides differ in nothing else."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from character.records import PreferencePair, Turn

Plant = Callable[[Random, str], str]
_WORDS = (
    "we can look at this from another side before we decide what matters here and then go on with the rest "
    "of it because a good plan leaves room for change while the weather stays dry along the coast road "
    "near town"
)
ENGLISH = _WORDS.split()
CHINESE = "先把事情分成几步再看看哪一步最难然后慢慢来做完以后回头检查一遍这样比较稳当也容易发现问题所在之处"


def reply(rng: Random, language: str = "en", *, mean_words: float = 40) -> str:
    """Return a reply of random words whose length varies by about a factor of two either way."""
    number = max(5, round(mean_words * rng.lognormvariate(0, 0.5)))
    if language == "zh":
        pieces = [CHINESE[i : i + 2] for i in (rng.randrange(0, len(CHINESE) - 2) for _ in range(number))]
        return "".join(pieces) + "。"
    return " ".join(rng.choice(ENGLISH) for _ in range(number)).capitalize() + "."


def pair_of(
    message: int, chosen: str, rejected: str, *, trait: str = "patience", language: str = "en"
) -> PreferencePair:
    """Return a pair of the numbered message."""
    return PreferencePair(
        trait=trait,
        message_id=f"message {message}",
        ranking_id=f"ranking {message}",
        kind="question",
        language=language,
        prompt=(Turn(role="user", content=f"question {message}"),),
        chosen=chosen,
        rejected=rejected,
        score_chosen=0.9,
        score_rejected=0.1,
        margin=0.8,
        design="best_rest",
    )


def planted(
    num_messages: int,
    *,
    seed: int = 0,
    per_message: int = 3,
    chosen: Plant = lambda _rng, text: text,
    rejected: Plant = lambda _rng, text: text,
    language: str = "en",
    trait: str = "patience",
) -> list[PreferencePair]:
    """Return pairs of one chosen reply against several, like ``best_rest``; each side has its plant."""
    rng = Random(seed)
    pairs = []
    for message in range(num_messages):
        best = chosen(rng, reply(rng, language))
        for _ in range(per_message):
            other = rejected(rng, reply(rng, language))
            pairs.append(pair_of(message, best, other, trait=trait, language=language))
    return pairs
