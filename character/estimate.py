"""What a run will take, before anything is sent: calls counted from the configuration, prompts rendered and measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy

from character.backends.adapter import CharacterAdapter
from character.backends.prices import price_of
from character.config import Config
from character.constitution import Constitution, Trait
from character.modules.briefs import briefs, take
from character.modules.responses import spread_levels
from character.records import Usage
from character.text import count_tokens, language_name
from signatures.messages import KIND_DESCRIPTIONS, GenerateMessages
from signatures.ranking import RankResponses
from signatures.responses import EXPRESSIONS, RespondInCharacter

if TYPE_CHECKING:
    from character.run import MessageSource

MESSAGE_TOKENS, RESPONSE_TOKENS, RANKING_TOKENS = 45, 220, 260
"""Assumed lengths of replies, in tokens: one message, one response, one judgement with its reasons."""


def estimate(
    constitution: Constitution, config: Config, messages: MessageSource | None = None
) -> dict[str, Usage]:
    """Return per stage, and as ``all``, the calls, tokens and USD a run will take; an unknown price is None.

    Prompts are rendered for each trait and measured (about four Latin letters or one and a half Han
    characters to a token); lengths of replies are assumed; re-asks and refills are left out.
    """
    stages = {name: Usage() for name in ("messages", "responses", "ranking")}
    for trait in constitution.traits:
        if messages is None:
            stages["messages"] += _messages(trait, constitution, config)
        number = config.messages.per_trait if messages is None else messages.count(trait.name)
        stages["responses"] += _responses(trait, constitution, config, number)
        stages["ranking"] += _ranking(trait, constitution, config, number)
    return {**stages, "all": sum(stages.values(), Usage())}


def _messages(trait: Trait, constitution: Constitution, config: Config) -> Usage:
    settings = config.messages
    share, rest = divmod(settings.per_trait, len(settings.kinds))
    total = Usage()
    for number, kind in enumerate(settings.kinds):
        wanted = share + (number < rest)
        size = min(settings.batch_size, wanted)
        inputs = {
            "language": language_name(constitution.language),
            "trait": trait.brief(),
            "kind": KIND_DESCRIPTIONS[kind],
            "turns": settings.turns,
            "existing_messages": list(trait.questions),
            "briefs": take(briefs(constitution.language, 0), size),
        }
        calls = -(-wanted // settings.batch_size)
        out = wanted * MESSAGE_TOKENS * settings.turns
        total += _usage(config, "messages", calls, calls * _prompt(GenerateMessages, inputs), out)
    return total


def _responses(trait: Trait, constitution: Constitution, config: Config, messages: int) -> Usage:
    shown = constitution.traits if config.responses.conditioning == "character" else (trait,)
    levels = config.responses.levels or spread_levels(
        config.responses.candidates, has_opposite=bool(trait.opposite)
    )
    inputs = {
        "language": language_name(constitution.language),
        "assistant_name": constitution.assistant_name,
        "character": [each.brief() for each in shown],
        "focus_trait": trait.name,
        "expression": EXPRESSIONS["natural"],
        "conversation": _conversation(config),
    }
    calls = messages * len(levels)
    roles = config.responses.backends or ("responses",)
    prompt = _prompt(RespondInCharacter, inputs)
    parts = [calls // len(roles) + (i < calls % len(roles)) for i in range(len(roles))]
    used = [
        _usage(config, role, n, n * prompt, n * RESPONSE_TOKENS) for role, n in zip(roles, parts, strict=True)
    ]
    return sum(used, Usage())


def _ranking(trait: Trait, constitution: Constitution, config: Config, messages: int) -> Usage:
    inputs = {
        "language": language_name(constitution.language),
        "trait": trait.brief(),
        "conversation": _conversation(config),
        "responses": ["word " * RESPONSE_TOKENS] * config.responses.candidates,
    }
    calls = messages * config.ranking.passes
    return _usage(config, "ranking", calls, calls * _prompt(RankResponses, inputs), calls * RANKING_TOKENS)


def _conversation(config: Config) -> list[dict[str, str]]:
    return [{"role": "user", "content": "word " * MESSAGE_TOKENS}] * config.messages.turns


def _prompt(signature: type[dspy.Signature], inputs: dict[str, Any]) -> int:
    return sum(
        count_tokens(message["content"]) for message in CharacterAdapter().format(signature, [], inputs)
    )


def _usage(config: Config, role: str, calls: int, prompt: int, completion: int) -> Usage:
    price = price_of(config.backend(role))
    cost = None if price is None else prompt * price.prompt + completion * price.completion
    if not calls:
        cost = 0.0
    return Usage(calls=calls, prompt_tokens=prompt, completion_tokens=completion, cost_usd=cost)
