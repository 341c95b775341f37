"""The prompt by which the model says how strongly a trait shows in responses, whoever wrote them and why."""

from typing import Literal, get_args

import dspy

Degree = Literal["opposite", "absent", "subtle", "natural", "overdone"]
DEGREES: tuple[Degree, ...] = get_args(Degree)
"""How strongly a trait shows, from its opposite pole to its caricature."""


class GaugeTrait(dspy.Signature):
    """Say how strongly the character trait shows in each response to the last message of the conversation, by this scale:

    - opposite: the response comes from the other pole of the trait
    - absent: the trait does not show; the response is neutral in this respect
    - subtle: the trait colours one choice of words or emphasis; most readers would only just notice
    - natural: the trait shows the way it would in a person who has it
    - overdone: the trait takes over and becomes a mannerism; it shows in nearly every sentence

    - Judge each response by this trait alone, by what it does and how it says it. Whether it is right, useful or long does not matter, nor do other traits, nor the order in which the responses are shown.
    - The responses need not differ: several may have the same degree.
    - Think first, about each response in turn. Then give one degree per response, in the order shown."""

    language: str = dspy.InputField(desc="the language of the conversation")
    trait: dict[str, str | list[str]] = dspy.InputField(desc="the character trait to look for")
    conversation: list[dict[str, str]] = dspy.InputField(desc="the conversation that the responses answer")
    responses: list[str] = dspy.InputField(desc="the responses, in no particular order")
    reasoning: str = dspy.OutputField(desc="where in each response the trait shows, or does not")
    degrees: list[Degree] = dspy.OutputField(desc="one degree per response, in the order shown")
