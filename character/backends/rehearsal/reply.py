"""From a prompt to a reply: text in, text out, and nothing else is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from character.backends.rehearsal import generic
from character.backends.rehearsal.chat_prompt import read_chat
from character.backends.rehearsal.judge import care_of, judgement, odds_of, read_degrees, tell_trait
from character.backends.rehearsal.messages import check_messages, write_messages
from character.backends.rehearsal.prompt import Assignment, Prompt, read_prompt
from character.backends.rehearsal.responses import LEANINGS, choose, compose, respond, respond_at_each
from character.text import detect_language, stable_seed

NOISE, POSITION_BIAS = 0.08, 0.06
_TASKS: tuple[tuple[str, set[str], Callable[[Assignment], dict[str, Any]]], ...] = (
    ("responses", {"degrees"}, read_degrees),
    ("traits", {"shown"}, tell_trait),
    ("traits", {"response"}, choose),
    ("responses", {"scores", "score", "order", "verdict"}, judgement),
    ("briefs", {"messages"}, write_messages),
    ("messages", {"reveals"}, check_messages),
    ("expressions", {"responses"}, respond_at_each),
    ("conversation", {"response"}, respond),
)
"""The tasks that are known, told apart by an input and by outputs, of which one will do; the first fits."""


def rehearse(
    system: str,
    messages: list[dict[str, str]],
    *,
    seed: int = 0,
    temperature: float | None = None,
    as_json: bool = False,
    noise: float = NOISE,
    position_bias: float = POSITION_BIAS,
    leanings: Mapping[str, float] = LEANINGS,
) -> str:
    """Return the reply to a prompt: the same for the same arguments, in every process.

    ``messages`` are dicts with ``role`` and ``content``, the last one the user's. Another ``seed`` or
    ``temperature`` gives another sample; examples before the last message of a program's prompt do not.
    Where it is asked for figures or a letter, it draws them by its ``odds``.
    ``as_json`` asks for a JSON object even where the prompt does not.
    ``noise`` is the standard deviation of a score, ``position_bias`` what the response shown first gains
    and the last one loses; ``leanings`` the log-odds by concept of showing a trait rather than another one.
    """
    prompt = read_prompt(system, messages) or read_chat(system, messages)
    whole = prompt is None or prompt.layout.chat  # else examples change no score, so no noise either
    read = messages if whole else messages[-1:]
    parts = [part for message in read for part in (message["role"], message["content"])]
    rng = Random(stable_seed("rehearsal", seed, temperature, system, *parts))
    if prompt is None:
        return _plain(messages[-1]["content"], rng)
    asked = _assignment(prompt, rng, noise, position_bias, leanings)
    if prompt.layout.is_short:
        odds = rehearsed_odds(system, messages, noise=noise, position_bias=position_bias)
        return " ".join(_drawn(each, asked.rng, temperature) for each in odds)
    tasks = (
        task for given, wanted, task in _TASKS if given in asked.values and wanted & asked.outputs.keys()
    )
    task = next(tasks, None)
    outputs = task(asked) if task else {}
    answer = {
        name: outputs[name] if name in outputs else generic.fill(field, asked)
        for name, field in asked.outputs.items()
    }
    if prompt.layout.chat:
        return str(answer["response"] if "response" in answer else answer["messages"][0])
    if as_json or prompt.layout.json:
        return json.dumps(answer, ensure_ascii=False, indent=2)
    sections = [f"[[ ## {name} ## ]]\n{_written(value)}" for name, value in answer.items()]
    return "\n\n".join([*sections, "[[ ## completed ## ]]"])


def rehearsed_odds(
    system: str, messages: list[dict[str, str]], *, noise: float = NOISE, position_bias: float = POSITION_BIAS
) -> list[dict[str, float]]:
    """Return the probabilities of each figure or letter of an answer, none where it is asked for none.

    They depend on the prompt alone, no seed: a model would give the same ones each time.
    """
    prompt = read_prompt(system, messages)
    if prompt is None or not prompt.layout.is_short:
        return []
    rng = Random(stable_seed("rehearsal", "odds", system, messages[-1]["content"]))
    return odds_of(_assignment(prompt, rng, noise, position_bias, LEANINGS))


def _assignment(
    prompt: Prompt, rng: Random, noise: float, position_bias: float, leanings: Mapping[str, float]
) -> Assignment:
    care = care_of(prompt.layout.instruction)
    return Assignment(
        values=prompt.values,
        outputs={field.name: field for field in prompt.layout.outputs},
        demos=prompt.demos,
        language=_language(prompt.values),
        rng=rng,
        noise=noise * care.noise,
        position_bias=position_bias * care.position,
        overdoing=care.overdoing,
        leanings=leanings,
    )


def _drawn(odds: Mapping[str, float], rng: Random, temperature: float | None) -> str:
    if temperature == 0:
        return max(odds, key=lambda word: odds[word])
    return rng.choices(list(odds), list(odds.values()))[0]


def _language(values: dict[str, Any]) -> str:
    named = str(values.get("language", "")).casefold()
    if named:
        return "zh" if any(sign in named for sign in ("zh", "chinese", "中文", "汉语", "普通话")) else "en"
    return detect_language(" ".join(str(value) for value in values.values()))


def _plain(text: str, rng: Random) -> str:
    """Return the reply to a bare message; an instruction in a code block comes back reworded."""
    fenced = generic.fenced(text)
    if fenced is not None:
        return f"```\n{generic.reword(fenced, rng)}\n```"
    return compose(text, None, "absent", detect_language(text), rng)


def _written(value: Any) -> str:
    if isinstance(value, str):
        # A line that looks like a header would end the field for whoever reads the reply.
        return value.replace("[[ ##", "[ [ ##")
    return str(value) if isinstance(value, bool) or value is None else json.dumps(value, ensure_ascii=False)
