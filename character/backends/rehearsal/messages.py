"""Writes messages that people could send, from a grammar and what the trait calls for, and checks them."""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from character.backends.rehearsal.phrases import GRAMMARS, Grammar, Phrases, read
from character.backends.rehearsal.prompt import Assignment
from character.backends.rehearsal.responses import compose, join
from character.backends.rehearsal.words import capitalized, either_language
from character.text import jaccard, shingles, stable_seed

_SLOT = re.compile(r"\{(\w+)\}")
_HAN = re.compile(r"[\u3400-\u9fff]")
_CHECKS = {language: words["checks"] for language, words in read("judging").items()}
_ATTEMPTS = 12
_ALIKE = 0.55
_LEAST_LETTERS = 4
_FUSSINESS = 0.08
_AROUND = {"short": (0, 1), "medium": (1, 2), "long": (3, 4)}
_LENGTHS, _REGISTERS, _SENDERS = (either_language(table) for table in ("lengths", "registers", "senders"))


class Scene(NamedTuple):
    """What one message is about and how it is to sound."""

    grammar: Grammar
    phrases: Phrases
    kind: str
    topic: str
    sender: str
    language: str
    length: str
    register: str


def write_messages(asked: Assignment) -> dict[str, Any]:
    """Return one message per brief, in order: a string for one turn, else a list of turns.

    A message too much like an existing or an earlier one is drawn again, up to twelve times.
    """
    kind, turns = _kind(str(asked.values.get("kind", ""))), asked.values.get("turns")
    if not isinstance(turns, int) or turns % 2 == 0 or turns < 0:
        turns = 1
    earlier = [_grams(str(text)) for text in asked.values.get("existing_messages") or []]
    messages: list[str | list[str]] = []
    for brief in asked.listed("briefs"):
        scene = _scene(brief if isinstance(brief, dict) else {"topic": str(brief)}, kind, asked)
        message = _fresh(scene, turns, earlier, asked.rng)
        earlier.append(_grams(_key(message)))
        messages.append(message)
    return {"messages": messages}


def check_messages(asked: Assignment) -> dict[str, Any]:
    """Return for each message whether it passes, with a sentence of reasoning on each.

    A message fails that has hardly a letter, or that names the trait though its kind is not self-reflection,
    and about one in twelve of the others.
    """
    trait = asked.values.get("trait")
    name = str(trait.get("name", "")) if isinstance(trait, dict) else ""
    may_name = "reflect" in str(asked.values.get("kind", "")).casefold()
    texts = [str(message) for message in asked.listed("messages")]
    reveals = [_passes(text, "" if may_name else name.casefold(), asked.rng) for text in texts]
    words = _CHECKS[asked.language]
    lines = [
        words["message"].format(number=number, verdict=words["passes" if passes else "fails"])
        for number, passes in enumerate(reveals, 1)
    ]
    return {"reasoning": join(lines, asked.language), "reveals": reveals}


def _passes(text: str, name: str, rng: Random) -> bool:
    fussy = rng.random() < _FUSSINESS
    says_something = sum(char.isalpha() for char in text) >= _LEAST_LETTERS
    return says_something and not fussy and not (name and name in text.casefold())


def _fresh(scene: Scene, turns: int, earlier: list[frozenset[str]], rng: Random) -> str | list[str]:
    for _ in range(_ATTEMPTS):
        message = _message(scene, turns, rng)
        own = _grams(_key(message))
        if all(jaccard(own, other) < _ALIKE for other in earlier):
            break
    return message


def _message(scene: Scene, turns: int, rng: Random) -> str | list[str]:
    first = _first_turn(scene, rng)
    if turns == 1:
        return first
    texts = [first]
    while len(texts) < turns:
        texts.append(compose(texts[-1], None, "absent", scene.language, rng))
        texts.append(_fill(rng.choice(scene.grammar.followups), _choose(scene, rng)))
    return texts


def _first_turn(scene: Scene, rng: Random) -> str:
    around, tails = _around(scene, rng)
    asks = scene.grammar.asks[scene.kind]
    if scene.kind == "self_reflection" and rng.random() < 0.25:
        asks = scene.phrases.mirrors
    ask = rng.choice(asks)
    place = 0 if rng.random() < 0.35 else len(around)
    parts = [*around[:place], ask, *around[place:], *tails]
    chosen = _choose(scene, rng)
    filled = []
    for part in parts:
        filled.append(_fill(part, chosen))
        if "{topic}" in part:
            chosen["topic"] = scene.grammar.pronoun
    return _sound(join(filled, scene.language), scene, rng)


def _around(scene: Scene, rng: Random) -> tuple[list[str], list[str]]:
    """Return the sentences around the core: none to one in a short message, three to five in a long one."""
    grammar = scene.grammar
    # All three are drawn, so that the length of a message changes nothing else of it.
    count = {name: rng.randint(*bounds) for name, bounds in _AROUND.items()}
    pool = [*rng.sample(grammar.leads, count[scene.length])]
    if pool and rng.random() < 0.5:
        pool[rng.randrange(len(pool))] = rng.choice(scene.phrases.calls)
    if scene.sender and scene.length != "short" and rng.random() < 0.5:
        pool.insert(rng.randint(min(1, len(pool)), len(pool)), rng.choice(grammar.senders))
    chance = {"short": 0.15, "medium": 0.4, "long": 0.9}[scene.length]
    return pool, [rng.choice(grammar.tails)] if rng.random() < chance else []


def _choose(scene: Scene, rng: Random) -> dict[str, str]:
    """Return what the slots of a message hold, so that it speaks of one person, place and time throughout."""
    chosen = {name: rng.choice(values) for name, values in scene.grammar.slots.items()}
    return {**chosen, "topic": scene.topic, "sender": scene.sender}


def _fill(template: str, chosen: dict[str, str]) -> str:
    return capitalized(_SLOT.sub(lambda match: chosen.get(match[1], match[0]), template))


def _sound(text: str, scene: Scene, rng: Random) -> str:
    """Give a text its register.

    Casual ones may lose capitals and the last stop, formal ones may get an address.
    """
    if scene.register == "casual":
        if rng.random() < 0.5:
            text = text.removesuffix(".").removesuffix("。")
        if rng.random() < 0.3:
            greeting = rng.choice(scene.grammar.greetings)
            return greeting + (text if text.startswith(("I ", "I'")) else text[:1].lower() + text[1:])
    if scene.register == "formal" and rng.random() < 0.3:
        return rng.choice(scene.grammar.addresses) + text
    return text


def _scene(brief: dict[str, Any], kind: str, asked: Assignment) -> Scene:
    language, grammar = asked.language, GRAMMARS[asked.language]
    is_chinese = language == "zh"
    topic = str(brief.get("topic", "")).strip().rstrip(".。")
    if not topic or bool(_HAN.search(topic)) != is_chinese:
        topic = grammar.topics[stable_seed(topic) % len(grammar.topics)]
    sender = str(brief.get("sender") or brief.get("audience") or "").strip()
    if len(sender) > 40 or _SENDERS["anyone"].fullmatch(sender) or bool(_HAN.search(sender)) != is_chinese:
        sender = ""
    register = str(brief.get("register", ""))
    return Scene(
        grammar=grammar,
        phrases=asked.sense.phrases,
        kind=kind,
        topic=_nominal(topic) if is_chinese else topic,
        sender=_with_article(sender) if sender and not is_chinese else sender,
        language=language,
        length=_length(str(brief.get("length", ""))),
        register=next((name for name, words in _REGISTERS.items() if words.search(register)), "plain"),
    )


def _length(text: str) -> str:
    """Return short, medium or long by the word that comes first ("long: a short paragraph" is long)."""
    starts = {name: match.start() for name, words in _LENGTHS.items() if (match := words.search(text))}
    return min(starts, key=lambda name: starts[name], default="medium")


def _nominal(topic: str) -> str:
    """Return a Chinese topic as something templates can speak about; a clause becomes 这件事."""
    return f"{topic}这件事" if "的" not in topic and re.search(r"了$|不|太|觉得", topic) else topic


def _with_article(sender: str) -> str:
    if re.match(r"(?:an?|the|my|one|some\w*|two|your) ", sender, re.I):
        return sender
    return f"{'an' if sender[:1].casefold() in 'aeiou' else 'a'} {sender}"


def _kind(text: str) -> str:
    folded = text.casefold()
    if "reflect" in folded or "反思" in folded:
        return "self_reflection"
    return "situation" if "situation" in folded or "情境" in folded else "question"


def _key(message: str | list[str]) -> str:
    return message if isinstance(message, str) else message[-1] + message[0]


_grams = lru_cache(maxsize=8192)(shingles)
