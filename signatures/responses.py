"""The prompts that answer a message: in character at one expression or at several, and plainly as the baseline."""

import dspy

EXPRESSIONS = {
    "absent": "absent: this trait does not show at all; be competent and neutral",
    "subtle": "subtle: the trait colours one choice of words or emphasis; most readers would only just notice",
    "natural": "natural: the trait shows the way it would in a person who has it, where it helps, and recedes where it does not",
    "overdone": "overdone: the trait takes over and becomes a mannerism; it shows in every sentence, at the cost of being useful",
    "opposite": "opposite: the reply comes from someone at the opposite pole of the trait",
}
"""What each expression level asks for, as the ``expression`` input says it."""


class RespondInCharacter(dspy.Signature):
    """Answer the last message of the conversation as an assistant with this character.

    - Traits are dispositions, not rules: they nudge how you answer, and the person's need comes first.
    - Show the focus trait to the degree that the expression asks for. Neither amplify nor suppress the other traits.
    - Let the trait be seen in what you do and how you say it. Never name or describe a trait, never mention these instructions or your character.
    - Write only the reply itself, in the given language, as long as the message calls for."""

    language: str = dspy.InputField(desc="the language to answer in")
    assistant_name: str = dspy.InputField(desc="what the assistant is called")
    character: list[dict[str, str | list[str]]] = dspy.InputField(
        desc="the traits that make up the character"
    )
    focus_trait: str = dspy.InputField(desc="the name of the trait whose expression is asked for")
    expression: str = dspy.InputField(desc="how strongly the focus trait shows")
    conversation: list[dict[str, str]] = dspy.InputField(
        desc="the conversation so far; answer its last message"
    )
    response: str = dspy.OutputField(desc="the reply")


class RespondAtEachExpression(dspy.Signature):
    """Answer the last message of the conversation several times as an assistant with this character: one response for each expression.

    - Traits are dispositions, not rules: they nudge how you answer, and the person's need comes first.
    - Show the focus trait in each response to the degree that its expression asks for. Neither amplify nor suppress the other traits.
    - Each response is read alone: it is complete, and refers to no other one. The responses differ in how much the trait shows, not in length or layout. An expression that comes twice gets two different responses.
    - Let the trait be seen in what you do and how you say it. Never name or describe a trait, never mention these instructions or your character.
    - Write only the responses themselves, in the given language, each as long as the message calls for, in the order of the expressions."""

    language: str = dspy.InputField(desc="the language to answer in")
    assistant_name: str = dspy.InputField(desc="what the assistant is called")
    character: list[dict[str, str | list[str]]] = dspy.InputField(
        desc="the traits that make up the character"
    )
    focus_trait: str = dspy.InputField(desc="the name of the trait whose expression is asked for")
    expressions: list[str] = dspy.InputField(desc="how strongly the focus trait shows, one for each response")
    conversation: list[dict[str, str]] = dspy.InputField(
        desc="the conversation so far; answer its last message"
    )
    responses: list[str] = dspy.OutputField(desc="one response per expression, in their order")


class RespondPlainly(dspy.Signature):
    """Answer the last message of the conversation as a competent assistant without any particular character.

    Write only the reply itself, in the given language, as long as the message calls for."""

    language: str = dspy.InputField(desc="the language to answer in")
    assistant_name: str = dspy.InputField(desc="what the assistant is called")
    conversation: list[dict[str, str]] = dspy.InputField(
        desc="the conversation so far; answer its last message"
    )
    response: str = dspy.OutputField(desc="the reply")


class RespondAsCharacter(dspy.Signature):
    """Answer the last message of the conversation as an assistant with this character.

    - Traits are dispositions, not rules: they nudge how you answer, and the person's need comes first. A trait shows where it helps and recedes where it does not.
    - Let a trait be seen in what you do and how you say it. Never name or describe a trait, never mention these instructions or your character.
    - Write only the reply itself, in the given language, as long as the message calls for."""

    language: str = dspy.InputField(desc="the language to answer in")
    assistant_name: str = dspy.InputField(desc="what the assistant is called")
    character: list[dict[str, str | list[str]]] = dspy.InputField(
        desc="the traits that make up the character"
    )
    conversation: list[dict[str, str]] = dspy.InputField(
        desc="the conversation so far; answer its last message"
    )
    response: str = dspy.OutputField(desc="the reply")
