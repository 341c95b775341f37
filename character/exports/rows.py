"""Records to rows: one function per format, and the choice of what gets a row; what does not is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from character.exports.source import Source
from character.locale import report_language, wording
from character.pairs.designs import distinct_pairs, why_no_pairs
from character.records import RECIPE_KINDS, Message, PreferencePair, Rollout, Turn
from character.views.rows import Json, chat, reply, sides
from character.views.rows import trl_row as trl_row

KIND_NAMES = {kind: name for name, kind in RECIPE_KINDS.items()}
Skips = Counter[str]


class Row(NamedTuple):
    """One row, its message, and where it is a pair's, its margin and its weight (1 unless weighed)."""

    message: Message
    data: Json
    margin: float | None = None
    weight: float = 1.0


RowSource = Callable[[Source, Skips], Iterator[Row]]
"""Yields the rows of a format in rollout order and counts what it leaves out."""


def usable_pairs(data: Source, skips: Skips) -> Iterator[tuple[Message, PreferencePair]]:
    """Yield each distinct pair with its message.

    A pair that came twice, has equal sides or was left out by balancing is counted instead.
    """
    for message, pair in distinct_pairs(data.rollouts, skips):
        if data.weights is not None and pair.id not in data.weights:
            skips["confounded"] += 1
        else:
            yield message, pair


def pair_rows(build: Callable[[PreferencePair], Json]) -> RowSource:
    """Return the source that gives one row per pair."""

    def rows(data: Source, skips: Skips) -> Iterator[Row]:
        for message, pair in usable_pairs(data, skips):
            weight = 1.0 if data.weights is None else data.weights[pair.id]
            yield Row(message, build(pair), pair.margin, weight)

    return rows


def parquet_row(pair: PreferencePair) -> Json:
    """Return the same row with the rest of the pair's provenance; a probability nobody knows is null.

    Parquet types its columns, so a column that is null throughout still loads.
    """
    names = ("probability", "ranking_id", "chosen_model", "rejected_model")
    return trl_row(pair) | {name: getattr(pair, name) for name in names}


def openai_row(pair: PreferencePair) -> Json:
    """Return the preference row that OpenAI-style fine-tuning services take; they refuse further keys."""
    return {
        "input": {"messages": chat(pair.prompt), "tools": [], "parallel_tool_calls": True},
        "preferred_output": [reply(pair.chosen)],
        "non_preferred_output": [reply(pair.rejected)],
    }


def axolotl_row(pair: PreferencePair) -> Json:
    """Return the row of axolotl's ``chat_template.default`` for DPO.

    Responses are stripped: axolotl looks the response up in the templated text, and many chat templates strip
    it, so that one with outer blanks would not be found and be cut to its last character.
    """
    return {
        "messages": chat(pair.prompt),
        "chosen": reply(pair.chosen.strip()),
        "rejected": reply(pair.rejected.strip()),
        "pair_id": pair.id,
    }


def llamafactory_row(pair: PreferencePair) -> Json:
    """Return LLaMA-Factory's ShareGPT preference row."""
    names = {"user": "human", "assistant": "gpt"}
    return {
        "conversations": [{"from": names[turn.role], "value": turn.content} for turn in pair.prompt],
        "chosen": {"from": "gpt", "value": pair.chosen},
        "rejected": {"from": "gpt", "value": pair.rejected},
        "pair_id": pair.id,
    }


def openrlhf_row(pair: PreferencePair) -> Json:
    """Return the row that OpenRLHF's loaders join and template (prompt + chosen, prompt + rejected)."""
    return sides(pair) | {"pair_id": pair.id}


def kto_rows(data: Source, skips: Skips) -> Iterator[Row]:
    """Yield each distinct response of a message once, labelled by its side; one on both sides is counted."""
    sides: dict[str, tuple[Message, PreferencePair, dict[str, set[bool]]]] = {}
    for message, pair in usable_pairs(data, skips):
        labels = sides.setdefault(pair.message_id, (message, pair, {}))[2]
        labels.setdefault(pair.chosen, set()).add(True)
        labels.setdefault(pair.rejected, set()).add(False)
    for message, pair, labels in sides.values():
        for text, on_sides in labels.items():
            if len(on_sides) > 1:
                skips["chosen_and_rejected"] += 1
                continue
            row = {"prompt": chat(pair.prompt), "completion": [reply(text)], "label": on_sides == {True}}
            yield Row(message, row | {"message_id": pair.message_id, "trait": pair.trait})


def sft_rows(data: Source, skips: Skips) -> Iterator[Row]:
    """Yield one row per message with pairs: the chosen response that scored highest, as its completion."""
    best: dict[str, tuple[Message, PreferencePair]] = {}
    for message, pair in usable_pairs(data, skips):
        earlier = best.get(pair.message_id)
        if earlier is None or pair.score_chosen > earlier[1].score_chosen:
            best[pair.message_id] = message, pair
    for message, pair in best.values():
        row = {"prompt": chat(pair.prompt), "completion": [reply(pair.chosen)]}
        yield Row(message, row | _message_columns(message))


def prompt_rows(data: Source, skips: Skips) -> Iterator[Row]:
    """Yield one row per message, ranked or not; unsuitable messages are counted instead."""
    seen: set[str] = set()
    for rollout in data.rollouts:
        message = rollout.message
        if message.id in seen:
            skips["duplicate_message"] += 1
        elif rollout.ranking and rollout.ranking.status == "unsuitable":
            skips["unsuitable"] += 1
        else:
            yield Row(message, {"prompt": chat(message.turns), **_message_columns(message)})
        seen.add(message.id)


def reward_rows(data: Source, skips: Skips) -> Iterator[Row]:
    """Yield one row per ranked message: all its candidates and their scores, in the candidates' own order."""
    for rollout in data.rollouts:
        if rollout.candidates is None or rollout.ranking is None or rollout.ranking.status != "ranked":
            skips[why_no_pairs(rollout)] += 1
            continue
        row = {
            "prompt": chat(rollout.message.turns),
            "completions": [[reply(text)] for text in rollout.candidates.texts],
            "scores": list(rollout.ranking.scores),
            "levels": [item.level or "" for item in rollout.candidates.items],
        }
        yield Row(rollout.message, row | _message_columns(rollout.message))


def _message_columns(message: Message) -> Json:
    return {"message_id": message.id, **message.model_dump(include={"trait", "kind", "language"})}


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
    """Return the five tables by file name, the preferences first; ``type`` is a kind's name in the recipe."""
    pairs = [pair for _, pair in usable_pairs(data, skips)]
    candidates_rows, scores_rows = recipe_candidates_and_scores(data.rollouts)
    return {
        "preferences.jsonl": recipe_preferences(pairs),
        "candidates.jsonl": candidates_rows,
        "scores.jsonl": scores_rows,
        "messages.json": [
            {"type": KIND_NAMES[message.kind], "prompt": recipe_prompt(message.turns, message.language)}
            for message in {rollout.message.id: rollout.message for rollout in data.rollouts}.values()
        ],
        "traits.json": [
            {"trait": trait.name, "description": trait.description} for trait in data.constitution.traits
        ],
    }
