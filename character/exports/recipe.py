"""The recipe's own JSON shapes: traits, messages, candidates, scores and preferences, field for field."""

from __future__ import annotations

from collections.abc import Iterable

from character.exports.rows import Skips, usable_pairs
from character.exports.source import Source
from character.locale import report_language, wording
from character.records import RECIPE_KINDS, Message, PreferencePair, Rollout, Turn
from character.views.rows import Json

KIND_NAMES = {kind: name for name, kind in RECIPE_KINDS.items()}


def recipe_prompt(turns: Iterable[Turn], language: str) -> str:
    """Return a message as the recipe's ``prompt``, which is one string.

    One turn is its text as it stands. A conversation is a paragraph per turn, each after its speaker:
    ``用户：`` and ``助手：`` in Chinese, ``User: `` and ``Assistant: `` in any other language.
    """
    turns = tuple(turns)
    if len(turns) == 1:
        return turns[0].content
    speakers = wording("recipe.speakers", report_language(language))
    return "\n\n".join(speakers[turn.role] + turn.content for turn in turns)


def recipe_messages(messages: Iterable[Message]) -> list[Json]:
    """Return the list of distinct messages, in order; ``type`` is the recipe's Chinese name of the kind."""
    distinct = {message.id: message for message in messages}
    return [
        {"type": KIND_NAMES[message.kind], "prompt": recipe_prompt(message.turns, message.language)}
        for message in distinct.values()
    ]


def recipe_candidates_and_scores(rollouts: Iterable[Rollout]) -> tuple[list[Json], list[Json]]:
    """Return the candidates rows and the scores rows of the ranked rollouts; rows n belong together."""
    candidates_rows, scores_rows = [], []
    for rollout in rollouts:
        candidates, ranking = rollout.candidates, rollout.ranking
        if candidates is None or ranking is None or ranking.status != "ranked":
            continue
        prompt = recipe_prompt(rollout.message.turns, rollout.message.language)
        candidates_rows.append(
            {"prompt": prompt, "trait": rollout.message.trait, "candidates": candidates.texts}
        )
        scores_rows.append({"scores": list(ranking.scores)})
    return candidates_rows, scores_rows


def recipe_preferences(pairs: Iterable[PreferencePair]) -> list[Json]:
    """Return one row per message and chosen response, with all that lost to it in a pair, in pair order.

    What lost follows from the pairs, so a design that leaves some candidates out leaves them out here too.
    """
    groups: dict[tuple[str, str], tuple[PreferencePair, list[str]]] = {}
    for pair in pairs:
        _, lost = groups.setdefault((pair.message_id, pair.chosen), (pair, []))
        if pair.rejected not in lost:
            lost.append(pair.rejected)
    return [
        {
            "prompt": recipe_prompt(pair.prompt, pair.language),
            "preferred": pair.chosen,
            "less_preferred": lost,
        }
        for pair, lost in groups.values()
    ]


def recipe_tables(data: Source, skips: Skips) -> dict[str, list[Json]]:
    """Return the five tables by file name, the preferences first."""
    pairs = [pair for _, pair in usable_pairs(data, skips)]
    candidates_rows, scores_rows = recipe_candidates_and_scores(data.rollouts)
    return {
        "preferences.jsonl": recipe_preferences(pairs),
        "candidates.jsonl": candidates_rows,
        "scores.jsonl": scores_rows,
        "messages.json": recipe_messages(rollout.message for rollout in data.rollouts),
        "traits.json": [
            {"trait": trait.name, "description": trait.description} for trait in data.constitution.traits
        ],
    }
