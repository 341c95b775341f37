"""The other prompt adapter: a conversation is answered as an ordinary chat, not inside a form.

The system message says who answers, in plain sentences of the conversation's language; then come the turns as
they are, and the reply is taken as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import dspy

from character.backends.adapter import CharacterAdapter
from character.backends.reading.reasoning import split_reasoning, strip_template_tokens
from character.backends.reading.sections import NO_HEADER, Sections
from character.locale import report_language
from character.text import detect_language
from signatures import chat
from signatures.chat import WORDS
from signatures.responses import EXPRESSIONS

_LEVELS = {expression: level for level, expression in EXPRESSIONS.items()}
_OURS = {
    each.__name__: each
    for each in (chat.ReplyInCharacter, chat.ReplyAsCharacter, chat.ReplyWithOneTrait, chat.WriteMessage)
}
_BARE = chat.ReplyPlainly.instructions
_UNNAMED = ("", "the assistant")
_ENDS = tuple(".!?。！？…")
_TRAITS = ("character", "traits")
_BRIEF = {"sender", "topic", "register", "length"}
_FORMS = ("[[", "{", "```json")


class ConversationAdapter(CharacterAdapter):
    """Asks for a reply to a conversation in the turns of a chat, of whatever signature has these alone.

    The system message has the instruction, then what calls share (name, character), then the degree, so that
    a server's prefix cache serves many calls; the prompt of ``ReplyPlainly`` is the conversation alone. An
    instruction that is still ours is said in the conversation's language, one that was tuned or written
    stands as it is. Demos are earlier exchanges; one that shows another degree or trait than is asked for is
    left out. It takes the signatures of which ``answers_conversation`` is true.
    """

    asks_for = NO_HEADER

    def format(
        self, signature: type[dspy.Signature], demos: list[dict[str, Any]], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Return the messages of the chat."""
        system = _system(signature, inputs)
        messages = [{"role": "system", "content": system}] if system else []
        for demo in demos:
            messages += _exchange(demo, inputs, next(iter(signature.output_fields)))
        return messages + _turns(inputs["conversation"])

    def _found(
        self, signature: type[dspy.Signature], wanted: Mapping[str, Any], shown: Any, completion: str
    ) -> tuple[Sections, list[str]]:
        """Take the reply as it is, but for thoughts and template tokens, and a form that nobody asked for."""
        said, thoughts = split_reasoning(completion)
        text = strip_template_tokens(said)
        if not text.strip() or _is_form(text, "|".join(wanted)):
            return super()._found(signature, wanted, shown, completion)
        habits = ["thoughts before the reply"] * bool(thoughts) + ["template tokens"] * (text != said)
        return Sections({name: self._value(text.strip()) for name in wanted}, NO_HEADER), habits

    def _value(self, text: str) -> Any:
        return text


class MessageAdapter(ConversationAdapter):
    """Asks for one message of a person in a chat: what is wanted in a sentence, after examples.

    The system message is the instruction. It takes the signatures of which ``writes_message`` is true.
    """

    def format(
        self, signature: type[dspy.Signature], demos: list[dict[str, Any]], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Return the messages of the chat."""
        language = _language(inputs)
        words = WORDS[language]
        system = [_instruction(signature, words), *_other_language(inputs, language, words["message"])]
        messages = [{"role": "system", "content": "\n\n".join(system)}]
        for example in words["message"]["examples"]:
            asked = message_request(example["brief"], example["kind"], {}, words)
            messages += _pair(asked, example["message"])
        for demo in demos:
            if demo.get("briefs") and demo.get("messages"):
                messages += _pair(_request(demo, words), str(demo["messages"][0]))
        return [*messages, {"role": "user", "content": _request(inputs, words)}]

    def _value(self, text: str) -> Any:
        """Return the message in a list, which some models write themselves."""
        with suppress(ValueError, RecursionError):
            if text.startswith("[") and [type(each) for each in json.loads(text)] == [str]:
                return json.loads(text)
        return [text]


def _request(given: Mapping[str, Any], words: Mapping[str, Any]) -> str:
    kind = str(given.get("kind", "")).partition(":")[0].replace("-", "_")
    return message_request(given["briefs"][0], kind, given.get("trait") or {}, words)


def message_request(
    brief: Mapping[str, str], kind: str, trait: Mapping[str, Any], words: Mapping[str, Any]
) -> str:
    """Return the sentence that asks for a message of a kind, and what the answer to it should show."""
    asking = words["message"]
    given = {**brief, "kind": asking["kinds"].get(kind, kind)}
    if _BRIEF.issubset(brief):
        asked = str(asking["ask"]).format(**given)
    else:
        lines = [words["other"].format(name=name, value=value) for name, value in brief.items()]
        asked = "\n".join([asking["brief"].format(**given), *lines])
    if not trait:
        return asked
    told = words["other"].format(name=trait.get("name", ""), value=trait.get("description", ""))
    return f"{asked}\n\n{asking['reflects' if kind == 'self_reflection' else 'reveals'].format(trait=told)}"


def example_messages(language: str) -> list[str]:
    """Return the messages that the prompt for a message in a language (a BCP 47 tag) shows."""
    return [example["message"] for example in WORDS[report_language(language)]["message"]["examples"]]


def _pair(asked: str, answered: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]


def _is_form(text: str, names: str) -> bool:
    """Whether a reply is written as a form, or has one's headers in it, though nobody asked for it."""
    marked = rf"(?m)^\s*\[\[ ## (?:{names}) ## \]\]|\[\[ ## completed ## \]\]\s*\Z"
    return text.lstrip().startswith(_FORMS) or ("[[" in text and re.search(marked, text) is not None)


@lru_cache(maxsize=256)
def answers_conversation(signature: type[dspy.Signature]) -> bool:
    """Whether a signature has a conversation in and one text out."""
    outputs = list(signature.output_fields.values())
    return "conversation" in signature.input_fields and [each.annotation for each in outputs] == [str]


@lru_cache(maxsize=256)
def writes_message(signature: type[dspy.Signature]) -> bool:
    """Whether a signature has briefs in and a list of single messages out."""
    outputs = list(signature.output_fields.items())
    return "briefs" in signature.input_fields and [(name, each.annotation) for name, each in outputs] == [
        ("messages", list[str])
    ]


def _turns(conversation: Any) -> list[dict[str, Any]]:
    if isinstance(conversation, str):
        return [{"role": "user", "content": conversation}]
    return [{"role": str(turn["role"]), "content": str(turn["content"])} for turn in conversation]


def _exchange(demo: Mapping[str, Any], inputs: Mapping[str, Any], output: str) -> list[dict[str, Any]]:
    if not (demo.get("conversation") and demo.get(output)):
        return []
    if any(demo.get(name, inputs.get(name)) != inputs.get(name) for name in ("expression", "focus_trait")):
        return []
    return [*_turns(demo["conversation"]), {"role": "assistant", "content": str(demo[output])}]


def _system(signature: type[dspy.Signature], inputs: Mapping[str, Any]) -> str:
    """Return the system message, "" where the model is asked bare."""
    if signature.instructions == _BARE:
        return ""
    language = _language(inputs)
    words, apart = WORDS[language], ("conversation", "language")
    given = {name: inputs[name] for name in signature.input_fields if name in inputs and name not in apart}
    parts = [_instruction(signature, words), *_said(given, words), *_other_language(inputs, language, words)]
    return "\n\n".join(parts)


def _language(inputs: Mapping[str, Any]) -> str:
    """Return the language of the words round the inputs: the one that is named, else the conversation's."""
    named = str(inputs.get("language", "")).casefold()
    if not named:
        return "zh" if detect_language(str(inputs.get("conversation", ""))) == "zh" else "en"
    return "zh" if "chinese" in named or "zh" in named else "en"


def _other_language(inputs: Mapping[str, Any], language: str, words: Mapping[str, Any]) -> list[str]:
    """Return the line that names the language to write in, where it is not that of the words."""
    named = str(inputs.get("language", ""))
    is_other = named and language == "en" and "english" not in named.casefold()
    return [words["language"].format(value=named)] if is_other else []


def _instruction(signature: type[dspy.Signature], words: Mapping[str, Any]) -> str:
    for name, ours in _OURS.items():
        if signature.instructions == ours.instructions:
            return str(words["instructions"].get(name, ours.instructions))
    return str(signature.instructions)


def _said(given: dict[str, Any], words: Mapping[str, Any]) -> Iterator[str]:
    """Yield what each input says, the name and the character first, the degree last."""
    level = _LEVELS.get(str(given.get("expression", "")))
    if (called := given.pop("assistant_name", "")) not in _UNNAMED:
        yield words["assistant_name"].format(value=called)
    for name in _TRAITS:
        if traits := given.pop(name, None):
            lines = [_trait(trait, level == "opposite", words) for trait in traits]
            yield "\n".join([words[name], *lines])
    if level:
        trait = given.pop("focus_trait", "")
        del given["expression"]
        given[""] = words["expression"][level].format(trait=trait)
    for name, value in given.items():
        yield words["other"].format(name=name, value=value) if name else str(value)


def _trait(trait: Any, is_opposite: bool, words: Mapping[str, Any]) -> str:
    """Return a trait in one line; its opposite pole is told of where that is asked for alone."""
    if not isinstance(trait, Mapping):
        return f"- {trait}"
    sentences = [str(trait[name]) for name in ("description", "clarification") if trait.get(name)]
    for name, form in words["of_trait"].items():
        if trait.get(name) and (name != "opposite" or is_opposite):
            sentences.append(form.format(value=trait[name]))
    ended = [each if each.endswith(_ENDS) else each + words["full_stop"] for each in sentences]
    line: str = words["other"].format(name=trait.get("name", ""), value=words["between"].join(ended))
    return f"- {line}"
