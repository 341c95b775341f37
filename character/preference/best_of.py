"""Best of n: any program asked several times, and the answer that a preference model likes best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dspy
import numpy as np
from pydantic import Field

from character.backends.arguments import names_argument
from character.backends.drivers import ModuleCall, Steps, by_tasks, by_threads
from character.constitution import Trait
from character.errors import InputError
from character.files import problem
from character.inputs import as_trait
from character.preference.protocol import Conversation, Judged, PreferenceModel
from character.records import Candidate, Candidates, Record, Usage
from character.text import stable_seed

MOST_TRIES = 64


class BestOf(Record):
    """What a choice was made from: every response in the order of coming, its score, and which was taken.

    ``scores`` are in log-odds, so the better of two is so with probability 1 / (1 + exp(difference)).
    """

    texts: tuple[str, ...] = Field(min_length=1)
    scores: tuple[float, ...]
    taken: int


class BestOfCharacter(dspy.Module):
    """Asks a program ``n`` times; returns the result whose response a preference model finds fitting best.

    ``program`` is any ``dspy.Module`` or callable whose result is a text, a record ``Candidates``, or a
    ``dspy.Prediction`` with the response in the field ``response``. What comes back is of the same type, so
    that it stands where the program stood: the text, the prediction, or ``Candidates`` of all tries with the
    best one alone. A prediction gets one field more, ``best_of``, with all responses and scores.

    ``message`` names the argument that holds what is answered (a text, turns or a ``Message``); a program
    without such an argument is judged by its response alone. ``trait`` is that of every call, unless a call
    gives one by the name ``trait``. Every try runs under a copy of the model of the context with its own
    ``rollout_id``, ``seed`` and ``temperature`` (None keeps the model's own), and is given its own ``seed``
    where the program takes one. Ties go to the try made first. Raises InputError for what cannot be used, and
    whatever the program raises.
    """

    def __init__(
        self,
        program: Any,
        model: PreferenceModel,
        *,
        n: int = 4,
        trait: Trait | str | None = None,
        message: str = "message",
        response: str = "response",
        temperature: float | None = 1.0,
    ) -> None:
        if not callable(getattr(model, "scores", None)):
            raise problem(__file__, "no_model", kind=type(model).__name__)
        super().__init__()
        if not isinstance(n, int) or not 1 <= n <= MOST_TRIES:
            raise InputError(f"n is {n!r}.", expected=f"a whole number from 1 to {MOST_TRIES}")
        if not callable(program):
            raise problem(__file__, "no_program", kind=type(program).__name__)
        self.program = program
        self.n, self.trait, self.temperature = n, trait, temperature
        self.message, self.response = message, response
        self._model = _Held(model)

    @property
    def model(self) -> PreferenceModel:
        """The preference model."""
        return self._model.value

    def _steps(self, seed: int = 0, **inputs: Any) -> Steps[Any]:
        """Return the best of n results of the program for these inputs; another ``seed`` samples anew."""
        trait = inputs.get("trait") or self.trait
        if trait is None:
            raise problem(__file__, "no_trait")
        takes_seed = names_argument(self.program, "seed")
        calls = []
        for number in range(self.n):
            own = stable_seed("best of", seed, number)
            given = {**inputs, "seed": own} if takes_seed else {**inputs}
            calls.append(ModuleCall(self.program, given, self._sampling(own)))
        results = yield calls
        return self._best(results, inputs.get(self.message) or (), trait)

    forward = by_threads(_steps)
    aforward = by_tasks(_steps)

    def _sampling(self, seed: int) -> Any:
        lm = dspy.settings.lm
        if lm is None:
            return None
        warm = {} if self.temperature is None else {"temperature": self.temperature}
        return lm.copy(rollout_id=seed, seed=seed, **warm)

    def _best(self, results: Sequence[Any], asked: Conversation, trait: Trait | str) -> Any:
        texts = [(place, text) for place, result in enumerate(results) for text in self._texts(result)]
        if not texts:
            return results[0]  # every try came back empty, which the program's own record says
        judged_by = trait if isinstance(trait, str) else as_trait(trait)
        scores = self.model.scores([Judged(asked, text, judged_by) for _, text in texts])
        taken = int(np.argmax(scores))
        if isinstance(results[0], Candidates):
            return _pooled(results, taken)
        best = results[texts[taken][0]]
        if isinstance(best, dspy.Prediction):
            tried = tuple(text for _, text in texts)
            best["best_of"] = BestOf(texts=tried, scores=tuple(scores.tolist()), taken=taken)
        return best

    def _texts(self, result: Any) -> list[str]:
        if isinstance(result, Candidates):
            return result.texts
        if isinstance(result, Candidate):
            return [result.text]
        text = result.get(self.response) if isinstance(result, dspy.Prediction) else result
        if isinstance(text, str):
            return [text]
        kind = f"a {type(result).__name__}"
        if isinstance(result, dspy.Prediction):
            kind = f"a prediction with the fields {', '.join(result.keys())}"
        raise problem(__file__, "no_response", kind=kind, field=self.response)


@dataclass(frozen=True)
class _Held:
    """Keeps the preference model out of what DSPy saves, copies and shows of a module."""

    value: PreferenceModel

    def __deepcopy__(self, _memo: dict[int, Any]) -> _Held:
        return self


def _pooled(results: Sequence[Candidates], taken: int) -> Candidates:
    items = [item for result in results for item in result.items]
    return Candidates(
        message_id=results[0].message_id,
        trait=results[0].trait,
        items=(items[taken],),
        drops=tuple(drop for result in results for drop in result.drops),
        usage=sum((result.usage for result in results), Usage()),
    )
