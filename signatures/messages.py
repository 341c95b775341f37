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
