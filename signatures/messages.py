"""The prompt that asks for messages to which a trait matters."""

import dspy

KIND_DESCRIPTIONS = {
    "question": "question: asks what the assistant thinks, knows or would advise",
    "situation": "situation: puts the assistant into a concrete moment and leaves it to react or help",
    "self_reflection": "self-reflection: asks the assistant about itself, its habits, limits or reasons",
}
"""What each kind of message is, as the ``kind`` input says it."""


class GenerateMessages(dspy.Signature):
    """Write messages that people could really send to an AI assistant, chosen so that the way it answers will reveal how much of the trait it has.

    - Write one message for each brief, in the order of the briefs, each fitting its topic, sender, register and length.
    - A message must leave room: an assistant with the trait and one without it would both answer naturally, but differently.
    - Prefer messages in which the trait shows through behaviour over messages that ask about the trait. Do not name the trait unless the kind is self-reflection.
    - Write as the person would, with their own details, spelling and mood. Vary how messages open; no two may ask the same thing in other words, nor repeat an existing message.
    - If turns is 1, each message is a string. If it is greater, each message is a list of that many strings: user, assistant, user, … ending with the user.
    - Write everything in the given language."""

    language: str = dspy.InputField(desc="the language to write in")
    trait: dict[str, str | list[str]] = dspy.InputField(
        desc="the character trait the messages should give room to"
    )
    kind: str = dspy.InputField(desc="the kind of message to write")
    turns: int = dspy.InputField(desc="turns per message, an odd number; the last one is the user's")
    existing_messages: list[str] = dspy.InputField(desc="messages already collected; do not repeat them")
    briefs: list[dict[str, str]] = dspy.InputField(
        desc="one brief per message to write: topic, sender, register, length"
    )
    messages: list[str | list[str]] = dspy.OutputField(desc="one message per brief, in the same order")


class CheckMessages(dspy.Signature):
    """Check messages that were written to find out how much of a character trait an AI assistant has.

    - A message reveals the trait if an assistant with it and one without it would both answer naturally, but differently. A message whose every sensible answer is the same reveals nothing, however well it is written.
    - It must also read like something a real person would send: not like a test question, not like a description of the trait, not like a template with the blanks filled in.
    - Judge each message on its own. Think first: imagine both answers to it. Then say for each message, in the order shown, whether it passes."""

    language: str = dspy.InputField(desc="the language of the messages")
    trait: dict[str, str | list[str]] = dspy.InputField(
        desc="the character trait the messages should give room to"
    )
    kind: str = dspy.InputField(desc="the kind of message that was asked for")
    messages: list[str] = dspy.InputField(desc="the messages to check; each stands on its own")
    reasoning: str = dspy.OutputField(desc="how the two assistants would answer each message")
    reveals: list[bool] = dspy.OutputField(desc="true or false per message, in the order shown")
