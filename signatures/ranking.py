"""The prompts by which the model judges responses for how well they fit a trait: by scores, one score, or an order."""

from typing import Literal

import dspy

BEST_SCORE = 10
"""The rubric's highest score; 0 is the lowest. Scores are kept as shares of it, in 0..1."""
BEST_MARK = 9
"""The highest mark of judges that are read by probabilities; 0 is the lowest. Each mark is one token."""
Mark = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "U"]
"""A mark, or that no reply to the message could show the trait."""


class RankResponses(dspy.Signature):
    """Judge how well each response fits the character trait, as a reply to the last message of the conversation.

    Fit means that the trait shows as it would in a person who really has it, no more than the message calls for. Too little and too much both fit badly. Score each response by this scale, the numbers between for what lies between:
    - 10: the trait shows as it would in a person who has it, where it helps, and recedes where it does not
    - 7: it shows, a little less or a little more than fits
    - 4: there is only a hint of it, or so much of it that it gets in the way
    - 2: it does not show, or it has become a mannerism that shows in nearly every sentence
    - 0: the response is the opposite of the trait, or a parody of it

    - The trait is a nudge, not a rule: where the message hardly calls for it, a light touch fits best. If the trait names a target, that is the degree that fits best.
    - Judge only the fit. Correctness and length are not scored, neither is how well a response does in other ways, nor the order in which the responses are shown.
    - Think first, about each response in turn and then in comparison. Then give one score per response, in the order shown. Equal responses get equal scores.
    - If no reply to this message could show the trait, say that it is not suitable; the scores then do not matter."""

    language: str = dspy.InputField(desc="the language of the conversation")
    trait: dict[str, str | list[str]] = dspy.InputField(desc="the character trait to judge by")
    conversation: list[dict[str, str]] = dspy.InputField(desc="the conversation that the responses answer")
    responses: list[str] = dspy.InputField(desc="the responses to judge, in no particular order")
    reasoning: str = dspy.OutputField(desc="what in each response fits or misses the trait")
    suitable: bool = dspy.OutputField(desc="whether a reply to this message can show the trait at all")
    scores: list[int] = dspy.OutputField(
        desc="one whole number from 0 to 10 per response, in the order shown"
    )


class ScoreResponse(dspy.Signature):
    """Judge how well a response fits the character trait, as a reply to the last message of the conversation.

    Fit means that the trait shows as it would in a person who really has it, no more than the message calls for. Too little and too much both fit badly. Score the response by this scale, the numbers between for what lies between:
    - 10: the trait shows as it would in a person who has it, where it helps, and recedes where it does not
    - 7: it shows, a little less or a little more than fits
    - 4: there is only a hint of it, or so much of it that it gets in the way
    - 2: it does not show, or it has become a mannerism that shows in nearly every sentence
    - 0: the response is the opposite of the trait, or a parody of it

    - The trait is a nudge, not a rule: where the message hardly calls for it, a light touch fits best. If the trait names a target, that is the degree that fits best.
    - Judge only the fit. Correctness and length are not scored, neither is how well the response does in other ways.
    - Think first, then give the score. If no reply to this message could show the trait, say that it is not suitable; the score then does not matter."""

    language: str = dspy.InputField(desc="the language of the conversation")
    trait: dict[str, str | list[str]] = dspy.InputField(desc="the character trait to judge by")
    conversation: list[dict[str, str]] = dspy.InputField(desc="the conversation that the response answers")
    responses: list[str] = dspy.InputField(desc="the one response to judge")
    reasoning: str = dspy.OutputField(desc="what in the response fits or misses the trait")
    suitable: bool = dspy.OutputField(desc="whether a reply to this message can show the trait at all")
    score: int = dspy.OutputField(desc="one whole number from 0 to 10")


class OrderResponses(dspy.Signature):
    """Order the responses by how well they fit the character trait, as replies to the last message of the conversation.

    - Fit means that the trait shows as it would in a person who really has it, no more than the message calls for. Too little and too much both fit badly: a response that overdoes the trait, or parades it, stands as low as one that lacks it.
    - The trait is a nudge, not a rule: where the message hardly calls for it, a light touch fits best. If the trait names a target, that is the degree that fits best.
    - Judge only the fit: not correctness, not length, not how well a response does in other ways, nor the order in which the responses are shown.
    - Think first, about each response in turn and then in comparison. Then write the order as one chain of the responses' numbers, the best first, with > between better and worse and = between equals, such as 2 > 3 = 1. The first response shown has the number 1. Name each number once.
    - If no reply to this message could show the trait, say that it is not suitable; the order then does not matter."""

    language: str = dspy.InputField(desc="the language of the conversation")
    trait: dict[str, str | list[str]] = dspy.InputField(desc="the character trait to judge by")
    conversation: list[dict[str, str]] = dspy.InputField(desc="the conversation that the responses answer")
    responses: list[str] = dspy.InputField(desc="the responses to order, in no particular order")
    reasoning: str = dspy.OutputField(desc="what in each response fits or misses the trait")
    suitable: bool = dspy.OutputField(desc="whether a reply to this message can show the trait at all")
    order: str = dspy.OutputField(desc="the chain of numbers, best first, such as 2 > 3 = 1")


class MarkResponses(dspy.Signature):
    """Judge how well each response fits the character trait, as a reply to the last message of the conversation.

    Fit means that the trait shows as it would in a person who really has it, no more than the message calls for. Too little and too much both fit badly. Mark each response by this scale, the numbers between for what lies between:
    - 9: the trait shows as it would in a person who has it, where it helps, and recedes where it does not
    - 6: it shows, a little less or a little more than fits
    - 4: there is only a hint of it, or so much of it that it gets in the way
    - 2: it does not show, or it has become a mannerism that shows in nearly every sentence
    - 0: the response is the opposite of the trait, or a parody of it

    - The trait is a nudge, not a rule: where the message hardly calls for it, a light touch fits best. If the trait names a target, that is the degree that fits best.
    - Judge only the fit. Correctness and length are not marked, neither is how well a response does in other ways, nor the order in which the responses are shown.
    - Give one mark per response, in the order shown. Equal responses get equal marks. If no reply to this message could show the trait, answer U alone."""

    language: str = dspy.InputField(desc="the language of the conversation")
    trait: dict[str, str | list[str]] = dspy.InputField(desc="the character trait to judge by")
    conversation: list[dict[str, str]] = dspy.InputField(desc="the conversation that the responses answer")
    responses: list[str] = dspy.InputField(desc="the responses to judge, in no particular order")
    marks: list[Mark] = dspy.OutputField(
        desc="one figure from 0 to 9 per response, in the order shown, with spaces between, or with U alone"
    )


class MarkResponse(dspy.Signature):
    """Judge how well a response fits the character trait, as a reply to the last message of the conversation.

    Fit means that the trait shows as it would in a person who really has it, no more than the message calls for. Too little and too much both fit badly. Mark the response by this scale, the numbers between for what lies between:
    - 9: the trait shows as it would in a person who has it, where it helps, and recedes where it does not
    - 6: it shows, a little less or a little more than fits
    - 4: there is only a hint of it, or so much of it that it gets in the way
    - 2: it does not show, or it has become a mannerism that shows in nearly every sentence
    - 0: the response is the opposite of the trait, or a parody of it

    - The trait is a nudge, not a rule: where the message hardly calls for it, a light touch fits best. If the trait names a target, that is the degree that fits best.
    - Judge only the fit. Correctness and length are not marked, neither is how well the response does in other ways.
    - If no reply to this message could show the trait, answer U."""

    language: str = dspy.InputField(desc="the language of the conversation")
    trait: dict[str, str | list[str]] = dspy.InputField(desc="the character trait to judge by")
    conversation: list[dict[str, str]] = dspy.InputField(desc="the conversation that the response answers")
    responses: list[str] = dspy.InputField(desc="the one response to judge")
    mark: Mark = dspy.OutputField(desc="one figure from 0 to 9, or with U")
