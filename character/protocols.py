"""What a part has to offer to stand in place of ours: any class or function that has it will do."""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from character.records import Candidates, MessageBatch, Ranking, Record

if TYPE_CHECKING:
    import dspy

Made_co = TypeVar("Made_co", covariant=True)


class LanguageModel(Protocol):
    """A language model that steps can call; every ``dspy.LM`` is one.

    ``model`` is its name with a provider prefix, ``kwargs`` what it sends with every call.
    """

    model: str
    kwargs: dict[str, Any]

    @property
    def supported_params(self) -> Collection[str]:
        """The names of the settings that reach the model."""


class RecipeStep(Protocol[Made_co]):
    """Any callable, ``async`` as well, that returns what a step makes, or a ``dspy.Prediction`` of it.

    It is given those of the step's inputs that it has parameters for.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Made_co | dspy.Prediction | Awaitable[Any]:
        """Return what the step makes."""


GeneratorStep = RecipeStep[MessageBatch]
"""``(trait, kind, num_messages, constitution, existing, seed)`` to messages.

A Prediction has their texts in ``messages``.
"""
ResponderStep = RecipeStep[Candidates | str]
"""``(message, trait, constitution, seed)`` to candidates, in a Prediction the texts in ``responses``.

In an evaluation ``(message, traits, seed)`` to one text, in a Prediction ``response``.
"""
RankerStep = RecipeStep[Ranking]
"""``(message, candidates, trait, constitution, seed)`` to a ranking.

A Prediction has one score in 0..1 per candidate in ``scores``, in their order.
"""
JudgeStep = RecipeStep[Record]
"""``(message, responses, trait, seed)`` to degrees.

A Prediction has one per response in ``degrees``, in the order shown.
"""
