"""The steps of the recipe, one ``dspy.Module`` each."""

from character.modules.messages import MessageGenerator
from character.modules.ranking import Ranker
from character.modules.responses import Responder

__all__ = ["MessageGenerator", "Ranker", "Responder"]
