"""What a run will take, before anything is sent: calls counted from the configuration, prompts rendered and measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dspy

from character.backends.adapter import CharacterAdapter
from character.backends.prices import price_of
from character.config import BackendConfig, Config
from character.constitution import Constitution, Trait
from character.messages.briefs import briefs, take
from character.messages.generator import NUM_SHOWN
from character.messages.slices import MESSAGES_PER_SLICE, slice_shares
from character.ranking.saved import build_ranker
from character.ranking.strategies import calls_per_pass
from character.records import Kind, Usage
from character.responses.responder import spread_levels
from character.runs.preflight import check_design
from character.text import count_tokens, language_name
from signatures.messages import KIND_DESCRIPTIONS, CheckMessages, GenerateMessages
from signatures.responses import EXPRESSIONS, RespondAtEachExpression, RespondInCharacter

if TYPE_CHECKING:
    from character.messages.files import MessageSource

MESSAGE_TOKENS, RESPONSE_TOKENS, RANKING_TOKENS, CHECK_TOKENS = 45, 220, 260, 40
"""Assumed lengths of replies, in tokens: one message, one response, one judgement with its reasons, and what
a check says of one message."""


def estimate(
    constitution: Constitution, config: Config, messages: MessageSource | None = None
) -> dict[str, Usage]:
    """Return per stage, and as ``all``, the calls, tokens and USD a run will take; an unknown price is None.

    Prompts are rendered for each trait and measured (about four Latin letters or one and a half Han
    characters to a token); lengths of replies are assumed; re-asks and refills are left out. Ranking counts all
    the passes that may be needed.
    """
    check_design(constitution, config)
    stages = {name: Usage() for name in ("messages", "responses", "ranking")}
    for trait in constitution.traits:
        if messages is None:
            stages["messages"] += messages_usage(trait, constitution, config)
        number = config.messages.per_trait if messages is None else messages.count(trait.name)
        stages["responses"] += _responses(trait, constitution, config, number)
        stages["ranking"] += _ranking(trait, constitution, config, number)
    return {**stages, "all": sum(stages.values(), Usage())}


def messages_usage(trait: Trait, constitution: Constitution, config: Config) -> Usage:
    """Return what the generation of a trait's messages takes."""
    settings = config.messages
    share, rest = divmod(settings.per_trait, len(settings.kinds))
    missing: dict[Kind, int] = {kind: share + (number < rest) for number, kind in enumerate(settings.kinds)}
    existing = list(trait.questions)
    total = Usage()
    while any(missing.values()):
        for kind, wanted in slice_shares(missing, MESSAGES_PER_SLICE).items():
            total += _slice(trait, constitution, config, kind, wanted, existing)
            missing[kind] -= wanted
        existing = ["word " * MESSAGE_TOKENS] * NUM_SHOWN
    return total


def _slice(
    trait: Trait, constitution: Constitution, config: Config, kind: Kind, wanted: int, existing: list[str]
) -> Usage:
    """Return what the calls for one kind of message of one slice take, their checks included."""
    settings = config.messages
    number = math.ceil(wanted * settings.oversample)
    size = min(settings.batch_size, number)
    shared = {
        "language": language_name(constitution.language),
        "trait": trait.brief(),
        "kind": KIND_DESCRIPTIONS[kind],
    }
    asked = take(briefs(constitution.language, 0), size)
    inputs = {**shared, "turns": settings.turns, "existing_messages": existing, "briefs": asked}
    calls = -(-number // settings.batch_size)
    length = MESSAGE_TOKENS * settings.turns
    used = usage_of(
        config.backend("messages"), calls, calls * prompt_tokens(GenerateMessages, inputs), number * length
    )
    if settings.check:
        prompt = prompt_tokens(CheckMessages, {**shared, "messages": ["word " * length] * size})
        used += usage_of(config.backend("messages"), calls, calls * prompt, number * CHECK_TOKENS)
    return used


def _responses(trait: Trait, constitution: Constitution, config: Config, messages: int) -> Usage:
    shown = constitution.traits if config.responses.conditioning == "character" else (trait,)
    levels = config.responses.levels or spread_levels(
        config.responses.candidates, has_opposite=bool(trait.opposite)
    )
    shared = {
        "language": language_name(constitution.language),
        "assistant_name": constitution.assistant_name,
        "character": [each.brief() for each in shown],
        "focus_trait": trait.name,
    }
    roles = config.responses.backends or ("responses",)
    total = Usage()
    for i, role in enumerate(roles):
        asked = [EXPRESSIONS[level] for level in levels[i :: len(roles)]]
        if not asked:
            continue
        each: dict[str, Any] = {"expression": EXPRESSIONS["natural"]}
        signature, calls = RespondInCharacter, messages * len(asked)
        if config.responses.calls == "per_message":
            each, signature, calls = {"expressions": asked}, RespondAtEachExpression, messages
        prompt = prompt_tokens(signature, {**shared, **each, "conversation": _conversation(config)})
        total += usage_of(
            config.backend(role), calls, calls * prompt, messages * len(asked) * RESPONSE_TOKENS
        )
    return total


def _ranking(trait: Trait, constitution: Constitution, config: Config, messages: int) -> Usage:
    inputs = {
        "language": language_name(constitution.language),
        "trait": trait.brief(),
        "conversation": _conversation(config),
        "responses": ["word " * RESPONSE_TOKENS] * _shown(config),
    }
    settings, number = config.ranking, config.responses.candidates
    each = calls_per_pass(settings.strategy, number, settings.tournament) * settings.most_passes
    rank = build_ranker(settings, {}).rank
    prompt = prompt_tokens(rank.signature, inputs, rank.demos)
    parts = [
        usage_of(
            config.backend(role), messages * each, messages * each * prompt, messages * each * RANKING_TOKENS
        )
        for role in settings.backends or ("ranking",)
    ]
    return sum(parts, Usage())


def _shown(config: Config) -> int:
    """Return how many responses one judgement shows."""
    return {"pairwise": 2, "pointwise": 1}.get(config.ranking.strategy, config.responses.candidates)


def _conversation(config: Config) -> list[dict[str, str]]:
    return [{"role": "user", "content": "word " * MESSAGE_TOKENS}] * config.messages.turns


def prompt_tokens(signature: type[dspy.Signature], inputs: dict[str, Any], demos: Sequence[Any] = ()) -> int:
    """Return the tokens of a rendered prompt, by the count that estimates go by."""
    messages = CharacterAdapter().format(signature, list(demos), inputs)
    return sum(count_tokens(message["content"]) for message in messages)


def usage_of(backend: BackendConfig, calls: int, prompt: int, completion: int) -> Usage:
    """Return what so many calls with so many tokens take of a backend; the cost is None where its price is unknown."""
    price = price_of(backend)
    cost = None if price is None else prompt * price.prompt + completion * price.completion
    if not calls:
        cost = 0.0
    return Usage(calls=calls, prompt_tokens=prompt, completion_tokens=completion, cost_usd=cost)
