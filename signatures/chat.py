"""The prompts of an ordinary chat: a system message that says who answers, then the conversation as it was.

The docstring is the instruction that opens the system message, and what optimizers tune. The fields of replies are those
of the same request in a form. ``chat.toml`` says the rest: the instructions in other languages, and how the inputs read
in a sentence.
"""

import tomllib
from pathlib import Path
from typing import Any

import dspy

from signatures.choosing import ChooseTrait
from signatures.responses import RespondAsCharacter, RespondInCharacter, RespondPlainly

WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
"""The words of system messages by language (``en``, ``zh``), then by what they say."""


class ReplyInCharacter(RespondInCharacter):
    """You are talking with someone, and you have a character of your own, which is told below. It colours how you answer; what the person needs comes first.

    Let it be seen in what you do and how you say it. Never name or describe it, and never speak of these lines. Say only what you would say to the person, as long as their message calls for."""


class ReplyAsCharacter(RespondAsCharacter):
    """You are talking with someone, and you have a character of your own, which is told below. It colours how you answer where that helps and recedes where it does not; what the person needs comes first.

    Let it be seen in what you do and how you say it. Never name or describe it, and never speak of these lines. Say only what you would say to the person, as long as their message calls for."""


class ReplyPlainly(RespondPlainly):
    """Answer as you do by yourself."""

    # While this is the instruction there is no system message at all: the model is asked bare.


class ReplyWithOneTrait(ChooseTrait):
    """You are talking with someone, and can be in one of two ways, which are told below. Choose for yourself which of them you would rather be, and answer in that way alone; neither is the right one, and their order means nothing.

    Let it be seen in what you do and how you say it. Never name or describe it, and never speak of these lines or of your choice. Say only what you would say to the person, as long as their message calls for."""


class WriteMessage(dspy.Signature):
    """You write what people type into a chat with an AI assistant. You write as the person, in the first person, and never as the assistant: no answer, no offer of help, no story about the person, no label, no quotation marks.

    Reply with the message alone."""

    language: str = dspy.InputField(desc="the language to write in")
    trait: dict[str, str] = dspy.InputField(desc="the character trait that the answer should give room to")
    kind: str = dspy.InputField(desc="the kind of message to write")
    briefs: list[dict[str, str]] = dspy.InputField(desc="the one brief: topic, sender, register, length")
    messages: list[str] = dspy.OutputField(desc="the message")
