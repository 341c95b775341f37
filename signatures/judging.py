"""The prompt by which the model compares two responses for how well they fit a trait."""

from typing import Literal

import dspy


class CompareResponses(dspy.Signature):
    """Decide which of two responses fits the character trait better, as a reply to the last message of the conversation.

    - Fit means the trait shows as it would in a person who really has it. Too little and too much both fit badly.
    - Judge only the fit: not correctness, not length, not the order in which the responses are shown.
    - Think first. Say "tie" where neither fits better, and "unsuitable" where no reply to this message could show the trait."""

    language: str = dspy.InputField(desc="the language of the conversation")
    trait: dict[str, str | list[str]] = dspy.InputField(desc="the character trait to judge by")
    conversation: list[dict[str, str]] = dspy.InputField(desc="the conversation that the responses answer")
    responses: list[str] = dspy.InputField(desc="the two responses to compare")
    reasoning: str = dspy.OutputField(desc="what in each response fits or misses the trait")
    verdict: Literal["first", "second", "tie", "unsuitable"] = dspy.OutputField(
        desc="which response fits better"
    )


class CompareCoherence(dspy.Signature):
    """Decide which of two responses is the better reply to the last message of the conversation: more coherent, more complete, more useful.

    - Character, tone and style do not matter unless they get in the way of the reply. Nor do length and the order in which the responses are shown.
    - Think first. Say "tie" where neither is better."""

    language: str = dspy.InputField(desc="the language of the conversation")
    conversation: list[dict[str, str]] = dspy.InputField(desc="the conversation that the responses answer")
    responses: list[str] = dspy.InputField(desc="the two responses to compare")
    reasoning: str = dspy.OutputField(desc="what makes one response the better reply")
    verdict: Literal["first", "second", "tie"] = dspy.OutputField(desc="which response is the better reply")


class PickResponse(dspy.Signature):
    """Decide which of two responses fits the character trait better, as a reply to the last message of the conversation.

    - Fit means the trait shows as it would in a person who really has it. Too little and too much both fit badly.
    - Judge only the fit: not correctness, not length, not the order in which the responses are shown.
    - Answer A where the first response fits better, B where the second does, T where neither fits better, and U where no reply to this message could show the trait."""

    language: str = dspy.InputField(desc="the language of the conversation")
    trait: dict[str, str | list[str]] = dspy.InputField(desc="the character trait to judge by")
    conversation: list[dict[str, str]] = dspy.InputField(desc="the conversation that the responses answer")
    responses: list[str] = dspy.InputField(desc="the two responses to compare, A and then B")
    better: Literal["A", "B", "T", "U"] = dspy.OutputField(desc="one letter: A, B, T or U")
