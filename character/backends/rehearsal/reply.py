"""From a prompt to a reply: text in, text out, and nothing else is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

from character.backends.rehearsal import generic
from character.backends.rehearsal.choosing import LEANINGS, choose, tell_trait
from character.backends.rehearsal.guidance import care_of
from character.backends.rehearsal.judge import (
    Conditions,
    chain,
    judge,
    quotation,
    read_degrees,
    reasoning,
    suitable,
    verdict,
    whole,
)
from character.backends.rehearsal.messages import check_messages, write_messages
from character.backends.rehearsal.prompt import Field, Prompt, read_prompt
from character.backends.rehearsal.responses import compose, join, respond, respond_at_each
from character.text import detect_language, stable_seed

NOISE, POSITION_BIAS = 0.08, 0.06
_JUDGEMENTS = {"scores", "score", "order", "verdict"}


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
    ``as_json`` asks for a JSON object even where the prompt does not.
    ``noise`` is the standard deviation of a score, ``position_bias`` what the response shown first gains
    and the last one loses; ``leanings`` the log-odds by concept of showing a trait rather than another one.
    """
    prompt = read_prompt(system, messages)
    asked = messages if prompt is None else messages[-1:]  # examples change no score, so no noise either
    parts = [part for message in asked for part in (message["role"], message["content"])]
    rng = Random(stable_seed("rehearsal", seed, temperature, system, *parts))
    if prompt is None:
        return _plain(messages[-1]["content"], rng)
    conditions = Conditions(noise, position_bias, care_of(prompt.layout.instruction), rng)
    outputs = _task_outputs(prompt, conditions, leanings)
    language = _language(prompt)
    answer = {
        field.name: outputs[field.name]
        if field.name in outputs
        else generic.fill(field, prompt, language, rng)
        for field in prompt.layout.outputs
    }
    return _as_json(answer) if as_json or prompt.layout.json else _as_chat(answer)


def _task_outputs(prompt: Prompt, conditions: Conditions, leanings: Mapping[str, float]) -> dict[str, Any]:
    """Return the outputs of the tasks that are known, told apart by their fields; empty for any other."""
    values, language = prompt.values, _language(prompt)
    outputs = {field.name: field for field in prompt.layout.outputs}
    if "responses" in values and "degrees" in outputs:
        return read_degrees(values, language, conditions)
    if "traits" in values and "shown" in outputs:
        return tell_trait(values, language, conditions)
    if "traits" in values and "response" in outputs:
        return {"response": choose(values, language, conditions.rng, leanings)}
    if "responses" in values and outputs.keys() & _JUDGEMENTS:
        return _judgement(outputs, values, prompt, conditions)
    if "messages" in outputs and "briefs" in values:
        return {"messages": write_messages(values, language, conditions.rng)}
    if "messages" in values and "reveals" in outputs:
        return check_messages(values, language, conditions.rng)
    if "responses" in outputs and "expressions" in values:
        return {"responses": respond_at_each(values, language, conditions.rng)}
    if "response" in outputs and "conversation" in values:
        return {"response": respond(values, language, conditions.rng)}
    return {}


def _judgement(
    outputs: dict[str, Field], values: dict[str, Any], prompt: Prompt, conditions: Conditions
) -> dict[str, Any]:
    """Return a judgement as the signature asks for it: as scores, one score, an order or a verdict."""
    language = _language(prompt)
    scores = judge(values, language, conditions)
    notes = [quotation(values, prompt.demos, language), reasoning(values, language)]
    thoughts = join([note for note in notes if note], language)
    answer: dict[str, Any] = {"reasoning": thoughts, "suitable": suitable(values)}
    if "scores" in outputs:
        answer["scores"] = whole(scores) if "int" in outputs["scores"].type else scores
    if "score" in outputs:
        answer["score"] = whole(scores)[0] if "int" in outputs["score"].type else scores[0]
    if "order" in outputs:
        answer["order"] = chain(whole(scores))
    if "verdict" in outputs:
        better = verdict(scores) if answer["suitable"] else "unsuitable"
        allowed = outputs["verdict"].allowed
        answer["verdict"] = better if not allowed or better in allowed else allowed[0]
    return answer


def _language(prompt: Prompt) -> str:
    asked = str(prompt.values.get("language", "")).casefold()
    if asked:
        return "zh" if any(sign in asked for sign in ("zh", "chinese", "中文", "汉语", "普通话")) else "en"
    return detect_language(" ".join(str(value) for value in prompt.values.values()))


def _plain(text: str, rng: Random) -> str:
    """Return the reply to a bare message; an instruction in a code block comes back reworded."""
    fenced = generic.fenced(text)
    if fenced is not None:
        return f"```\n{generic.improved(fenced, rng)}\n```"
    return compose(text, None, "absent", detect_language(text), rng)


def _as_json(answer: dict[str, Any]) -> str:
    return json.dumps(answer, ensure_ascii=False, indent=2)


def _as_chat(answer: dict[str, Any]) -> str:
    sections = [f"[[ ## {name} ## ]]\n{_written(value)}" for name, value in answer.items()]
    return "\n\n".join([*sections, "[[ ## completed ## ]]"])


def _written(value: Any) -> str:
    if isinstance(value, str):
        # A line that looks like a header would end the field for whoever reads the reply.
        return value.replace("[[ ##", "[ [ ##")
    return str(value) if isinstance(value, bool) or value is None else json.dumps(value, ensure_ascii=False)
