"""A lexical judge: how strongly a response shows a trait by its words, and how well that fits."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from character.backends.rehearsal.phrases import read
from character.backends.rehearsal.prompt import Assignment, last_content
from character.backends.rehearsal.responses import join
from character.backends.rehearsal.sense import Sense, sense_of
from character.backends.rehearsal.words import either_language, sentences, size
from character.text import jaccard, shingles

_WORDS = {language: words["notes"] for language, words in read("judging").items()}
_CHOICES = {language: words["choices"] for language, words in read("judging").items()}
_HEEDED = either_language("care")
_USUAL_SIZE = 45.0
_SATURATION = 1.3
_PEAK = {"natural": 0.72, "subtle": 0.48}
_TIE_MARGIN = 0.03
_LEAST_STRENGTH, _LEAST_LEAD = 0.2, 0.08
_NEAR, _QUOTED = 0.3, 60
_SUBTLE, _NATURAL, _OVERDONE, _OPPOSED = 0.2, 0.62, 0.33, 0.35


class Care(NamedTuple):
    """How carefully the judge works: factors on noise and position bias, and the weight of overdoing."""

    noise: float = 1.0
    position: float = 1.0
    overdoing: float = 0.12


@lru_cache(maxsize=512)
def care_of(instruction: str) -> Care:
    """Return how carefully a judge works under an instruction; advice that it knows makes it better."""
    return Care(
        noise=0.7 if _HEEDED["evidence"].search(instruction) else 1.0,
        position=0.4 if _HEEDED["order"].search(instruction) else 1.0,
        overdoing=0.5 if _HEEDED["repeating"].search(instruction) else 0.12,
    )


class Features(NamedTuple):
    """What the judge measures: strength, excess and opposition in 0 … 1, and the words it saw.

    Strength grows with distinct cues and saturates; excess is repetition, cues in most sentences and naming
    the trait.
    """

    strength: float
    excess: float
    against: float
    seen: tuple[str, ...]
    opposed: tuple[str, ...]


@lru_cache(maxsize=8192)
def features_of(sense: Sense, text: str) -> Features:
    """Return what the judge measures in a response."""
    folded = text.casefold()
    cues, own = Counter(sense.cues.findall(folded)), Counter(sense.own.findall(folded))
    opposed = tuple(dict.fromkeys(sense.against.findall(folded)))
    distinct = len(cues) + sense.own_weight * len(own)
    total = cues.total() + sense.own_weight * own.total()
    parts = sentences(folded)
    showing = sum(bool(sense.cues.search(part) or sense.own.search(part)) for part in parts)
    density = showing / len(parts) if parts else 0.0
    repetition = max(0.0, total - distinct - 1.0) / total if total else 0.0  # once again is no mannerism yet
    # A reply of one or two sentences cannot show a trait in most of its sentences by habit.
    crowded = max(0.0, density - 0.5) * 2 * min(1.0, max(0, len(parts) - 2) / 3)
    named = min(1.0, len(sense.names.findall(folded)) / 2)
    evidence = distinct / (max(size(text), 20.0) / _USUAL_SIZE) ** 0.3 - 0.7 * len(opposed)
    return Features(
        strength=1.0 - math.exp(-max(0.0, evidence) / _SATURATION),
        excess=min(1.0, 0.7 * crowded + 0.9 * repetition + 0.2 * named),
        against=min(1.0, len(opposed) / 2),
        seen=(*cues, *own),
        opposed=opposed,
    )


def _fit(features: Features, target: str, overdoing: float) -> float:
    """Return how well a strength fits: a bump with its peak at the target, less excess and opposition."""
    peak = _PEAK.get(target, _PEAK["natural"])
    rise = min(1.0, features.strength / peak)
    beyond = max(0.0, features.strength - peak - 0.15) * (1.5 if target == "subtle" else 0.5)
    return 0.34 + 0.4 * rise - beyond - overdoing * features.excess - 0.15 * features.against


def judgement(asked: Assignment) -> dict[str, Any]:
    """Return a judgement as the signature asks for it: as scores, one score, an order or a verdict."""
    scores, outputs = _scores(asked), asked.outputs
    tens = [round(10 * score) for score in scores]
    notes = [_quotation(asked), _reasoning(asked)]
    thoughts = join([note for note in notes if note], asked.language)
    answer: dict[str, Any] = {"reasoning": thoughts, "suitable": _is_suitable(asked.message)}
    if "scores" in outputs:
        answer["scores"] = tens if "int" in outputs["scores"].type else scores
    if "score" in outputs:
        answer["score"] = tens[0] if "int" in outputs["score"].type else scores[0]
    if "order" in outputs:
        answer["order"] = _chain(tens)
    if "verdict" in outputs:
        better = _verdict(scores) if answer["suitable"] else "unsuitable"
        allowed = outputs["verdict"].allowed
        answer["verdict"] = better if not allowed or better in allowed else allowed[0]
    return answer


def odds_of(asked: Assignment) -> list[dict[str, float]]:
    """Return the probabilities of the figure for each response, or of the letter for two.

    Half of the noise (as variance) is in where they lie, half is how wide they are: a figure drawn from them
    is as noisy as one that is written.
    """
    half = math.sqrt(0.5)
    means = _scores(asked._replace(noise=asked.noise * half))
    spread = max(asked.noise * half, 0.02)
    if not _is_suitable(asked.message):
        return [{"U": 0.9, "0" if "marks" in asked.outputs else "T": 0.1}]
    if "marks" in asked.outputs:
        return [_around(9 * mean, 9 * spread) for mean in means]
    gap, wide = (means[0] - means[1] if len(means) > 1 else 0.0), spread * math.sqrt(2)
    second, first = (_below(edge - gap, wide) for edge in (-_TIE_MARGIN, _TIE_MARGIN))
    return [{"A": 1 - first, "B": second, "T": first - second}]


def _around(mean: float, spread: float) -> dict[str, float]:
    """Return a normal distribution over the figures 0 to 9, what is beyond them at the ends."""
    edges = [0.0, *(_below(figure + 0.5 - mean, spread) for figure in range(9)), 1.0]
    return {str(figure): max(edges[figure + 1] - edges[figure], 1e-6) for figure in range(10)}


def _below(value: float, spread: float) -> float:
    return 0.5 * (1 + math.erf(value / (spread * math.sqrt(2))))


def _scores(asked: Assignment) -> list[float]:
    """Return one score in 0 … 1 per response, two decimals, in the order shown.

    The first response shown gains the position bias, the last loses it, in between it slides evenly.
    """
    sense, texts, scores = asked.sense, asked.responses, []
    for index, text in enumerate(texts):
        score = _fit(features_of(sense, text), sense.target, asked.overdoing)
        place = 1 - 2 * index / (len(texts) - 1) if len(texts) > 1 else 0.0
        score += asked.position_bias * place
        score += asked.slip()
        scores.append(round(min(1.0, max(0.0, score)), 2))
    return scores


def _verdict(scores: list[float]) -> str:
    if len(scores) < 2 or abs(scores[0] - scores[1]) < _TIE_MARGIN:
        return "tie"
    return "first" if scores[0] > scores[1] else "second"


def _chain(scores: list[int]) -> str:
    """Return the order that scores amount to as a chain of numbers, such as ``2 > 3 = 1``."""
    best_first = sorted(range(len(scores)), key=lambda i: -scores[i])
    links = [" = " if scores[a] == scores[b] else " > " for a, b in pairwise(best_first)]
    return "".join(f"{i + 1}{link}" for i, link in zip(best_first, [*links, ""], strict=True))


def read_degrees(asked: Assignment) -> dict[str, Any]:
    """Return a degree for each response, in the order shown, with the words they were read from."""
    sense = asked.sense
    degrees = [_degree(features_of(sense, text), asked.slip()) for text in asked.responses]
    return {"reasoning": _reasoning(asked), "degrees": degrees}


def _degree(features: Features, slip: float) -> str:
    """Return the degree that fits the features best; ``slip`` is the error in reading the strength."""
    strength = features.strength + slip if features.strength else 0.0
    if features.against > 0 and strength < _OPPOSED:
        return "opposite"
    if features.excess + slip > _OVERDONE:
        return "overdone"
    if strength > _NATURAL:
        return "natural"
    return "subtle" if strength > _SUBTLE else "absent"


def _is_suitable(message: str) -> bool:
    """Whether any reply to a message could show a trait: not where it holds no words at all."""
    return sum(char.isalpha() for char in message) >= max(2, 0.2 * len(message))


def _reasoning(asked: Assignment) -> str:
    """Return what the judge saw in each response, in the language of the conversation."""
    notes = [_note(features_of(asked.sense, text), asked.language) for text in asked.responses]
    return " ".join(f"[{number}] {note}" for number, note in enumerate(notes, start=1))


def _quotation(asked: Assignment) -> str:
    """Return a sentence that quotes the example nearest to what is judged, "" where none is near.

    It is all that examples do: they show that they arrived, and move no score.
    """
    own = shingles(asked.message)
    messages = [last_content(demo.get("conversation")) for demo in asked.demos]
    nearness = {message: jaccard(shingles(message), own) for message in messages}
    nearest = max(nearness, key=lambda message: nearness[message], default="")
    if nearness.get(nearest, 0.0) < _NEAR:
        return ""
    return str(_WORDS[asked.language]["example"].format(message=nearest[:_QUOTED]))


def _note(features: Features, language: str) -> str:
    words = _WORDS[language]
    seen, opposed = (_listed(each, words) for each in (features.seen, features.opposed))
    line = words["seen"].format(words=seen) if seen else words["unseen"]
    often = words["often"] if features.excess > 0.4 else ""
    against = words["opposed"].format(words=opposed) if opposed else ""
    return f"{line}{often}{against}{words['stop']}"


def _listed(cues: tuple[str, ...], words: dict[str, str]) -> str:
    return words["between"].join(words["word"].format(word=word) for word in cues[:4])


def tell_trait(asked: Assignment) -> dict[str, Any]:
    """Return which of two traits shows more strongly in a response, "neither" where none does or both do."""
    text = str(asked.values.get("response", ""))
    readings = [features_of(sense_of(trait, asked.language), text) for trait in asked.pair]
    first, second = (each.strength + asked.slip() for each in readings)
    words, shown = _CHOICES[asked.language], "first" if first > second else "second"
    if max(first, second) < _LEAST_STRENGTH or abs(first - second) < _LEAST_LEAD:
        shown = "neither"
    notes = [
        words["trait"].format(number=number, words=" · ".join(each.seen[:4]) or words["unseen"])
        for number, each in enumerate(readings, start=1)
    ]
    return {"reasoning": join(notes, asked.language), "shown": shown}
