"""Short answers, read by the probabilities that the model gives each word that they may be."""

from __future__ import annotations

import json
import logging
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, get_args, get_origin
from weakref import WeakKeyDictionary

import dspy

from character.backends.adapter import CharacterAdapter, unreadable
from character.backends.dspy_compat import routed
from character.backends.observe import note_reading
from character.config import BackendConfig
from character.errors import ConfigError

Odds = dict[str, float]
"""The probability of each word that is an answer; they sum to 1."""
LEAST_MASS = 0.5
"""An answer is read where at least this share of the model's probability lies on the words it may be."""
ALTERNATIVES = 20
"""How many words are asked for with their probabilities: the most that servers commonly give."""
NO_ODDS = "no_probabilities"
_log = logging.getLogger("character.backends")
_AROUND = " \t\r\n\u2581\u0120\u010a\"'`“”‘’*_()[]{}<>.,:;，。：；【】（）"


class NoOddsError(ConfigError):
    """A model answered without the probabilities that it was asked for."""


def no_odds(model: str) -> NoOddsError:
    """Return the error of a model that gives no probabilities of what it writes."""
    return NoOddsError(
        f"the server of {model} gives no probabilities of what it writes.",
        expected="logprobs with alternatives, as vLLM, SGLang, llama.cpp and OpenAI give them",
        fix='set ranking.read = "text", or "auto" to do so where a server gives none.',
    )


class OddsAdapter(CharacterAdapter):
    """Asks for an answer of a few words without headers, so that the first word written is the answer.

    The system message holds the instruction and what the inputs mean, the user message the inputs.
    """

    def format_system_message(self, signature: type[dspy.Signature]) -> str:
        """Return the system message, the same for every call with this signature."""
        text = self._system.get(signature)
        if text is None:
            inputs = self.format_field_description(signature).partition("\nYour output fields are:")[0]
            text = self._system[signature] = f"{signature.instructions}\n\n{inputs}"
        return text

    def user_message_output_requirements(self, signature: type[dspy.Signature]) -> str:
        """Return the request that closes the user message."""
        return f"Answer with {_output(signature)[1].json_schema_extra['desc']}, and nothing else."

    def format_assistant_message_content(
        self, signature: type[dspy.Signature], outputs: dict[str, Any], missing_field_message: Any = None
    ) -> str:
        """Return the answer of an example."""
        value = outputs.get(_output(signature)[0], missing_field_message)
        return " ".join(value) if isinstance(value, list) else str(value)

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """Return the answer as it was written, which its probabilities replace."""
        name, field = _output(signature)
        words = [word for part in re.split(r"[\s,，]+", completion) if (word := _plain(part))]
        note_reading([], closed=True, as_asked=True)
        return {name: words if get_origin(field.annotation) is list else "".join(words[:1])}


_ADAPTER = OddsAdapter()


class OddsPredict(dspy.Predict):
    """A predictor whose one output is a word of a ``Literal``, or a list of such words, one per response.

    The prediction also has ``odds``: for each word the probabilities of all that it may be. The output is the
    likeliest of them. Raises NoOddsError where the model gives no probabilities, and AdapterParseError where
    more than half of them lie on other words.
    """

    def forward(self, **given: Any) -> Any:
        """Return the answer and its probabilities."""
        with dspy.context(adapter=_ADAPTER):
            return self._with_odds(super().forward(**self._asked(given)), given)

    async def aforward(self, **given: Any) -> Any:
        """Return the answer and its probabilities."""
        with dspy.context(adapter=_ADAPTER):
            return self._with_odds(await super().aforward(**self._asked(given)), given)

    def _number(self, given: Mapping[str, Any]) -> int:
        is_list = get_origin(_output(self.signature)[1].annotation) is list
        return len(given["responses"]) if is_list else 1

    def _asked(self, given: dict[str, Any]) -> dict[str, Any]:
        number = self._number(given)
        # At 0 the likeliest is written, and servers give the probabilities of before, or at 1.
        config = {"logprobs": True, "top_logprobs": ALTERNATIVES, "temperature": 0.0}
        config["max_tokens"] = 2 if number == 1 else 3 * number + 2
        usual = {name: value for name, value in (given.get("config") or {}).items() if name != "rollout_id"}
        return {**given, "config": {**usual, **config}}

    def _with_odds(self, prediction: Any, given: Mapping[str, Any]) -> Any:
        tokens = tokens_of(prediction.get("logprobs"))
        if not any(alternatives for _, alternatives in tokens):
            raise no_odds("the judge")
        name, field = _output(self.signature)
        is_list = get_origin(field.annotation) is list
        odds, fault = read_odds(tokens, words_of(field.annotation), self._number(given))
        if fault:
            raise unreadable(self.signature, "".join(token for token, _ in tokens), fault)
        words = [max(each, key=lambda word: each[word]) for each in odds]
        del prediction["logprobs"]
        prediction[name], prediction["odds"] = words if is_list else words[0], odds
        return prediction


def _output(signature: Any) -> tuple[str, Any]:
    name = next(iter(signature.output_fields))
    return name, signature.output_fields[name]


@lru_cache(maxsize=64)
def words_of(annotation: Any) -> tuple[str, ...]:
    """Return the words of a ``Literal``, or of a list of one."""
    return get_args(get_args(annotation)[0] if get_origin(annotation) is list else annotation)


def _plain(token: str) -> str:
    """Return a token without what stands around it: `` 7``, ``７`` and ``"7"`` are all ``7``."""
    return unicodedata.normalize("NFKC", token).strip(_AROUND).upper()


def tokens_of(given: Any) -> list[tuple[str, dict[str, float]]]:
    """Return (token, alternatives with their probabilities) for each token that a reply has them for.

    A token that is not among its alternatives is one more of them; without any there are none.
    """
    tokens = []
    for entry in (given or {}).get("content") or ():
        shares = {top["token"]: math.exp(top["logprob"]) for top in entry["top_logprobs"] or ()}
        if shares:
            shares.setdefault(entry["token"], math.exp(entry["logprob"]))
        tokens.append((entry["token"], shares))
    return tokens


def read_odds(
    tokens: Sequence[tuple[str, Mapping[str, float]]], words: Sequence[str], number: int
) -> tuple[list[Odds], str]:
    """Return (the odds of each of so many answers, fault) from the tokens of a reply.

    What stands between answers is passed over. A single answer is read where it is expected even if chance
    had another token written; of several each has to be written, as the next depend on it. They end with a
    word that is no figure.
    """
    found: list[Odds] = []
    for token, alternatives in tokens:
        shares = dict.fromkeys(words, 0.0)
        for other, share in alternatives.items():
            if (word := _plain(other)) in shares:
                shares[word] += share
        mass, is_written = sum(shares.values()), _plain(token) in shares
        if mass >= LEAST_MASS and (is_written or number == 1):
            found.append({word: share / mass for word, share in shares.items()})
            if len(found) == number or not _plain(token).isdigit():
                return found, ""
        elif _plain(token):
            fault = f"{min(mass, 1):.0%} of the probability lies on {', '.join(words)}; it wrote {token!r}"
            return [], fault
    written = "".join(token for token, _ in tokens)
    return [], f"expected {number} of {', '.join(words)}, found {len(found)} in {written[:60]!r}"


class Probabilities:
    """Whether a model gives probabilities of its words: taken to, until a reply shows that it does not.

    What was found is kept as a fact of the run's store, so that the next sitting does not ask again.
    """

    def __init__(
        self,
        of: BackendConfig | None = None,
        journal: Any = None,
        name: str = "",
        tell: Callable[[str], None] = _log.warning,
    ) -> None:
        self._of, self._store, self._key, self._tell = of, journal, f"probabilities/{name}", tell
        self.is_open, self.given = True, True
        kept = getattr(journal, "meta", lambda _key: None)(self._key)
        found = json.loads(kept or "{}")
        if of is not None and found.get("backend") == of.identity:
            self.is_open, self.given = False, bool(found["given"])

    def settle(self, given: bool, why: str = "") -> None:
        """Keep to this from now on where nothing is settled yet; where there are none, tell why."""
        if not self.is_open:
            return
        self.is_open, self.given = False, given
        if self._of is not None and hasattr(self._store, "set_meta"):
            self._store.set_meta(self._key, json.dumps({"backend": self._of.identity, "given": given}))
        if not given:
            model = self._of.model_name if self._of else "the judge"
            self._tell(f"{model} is asked for judgements in words, not read by probabilities: {why}.")


_OTHERS: WeakKeyDictionary[Any, Probabilities] = WeakKeyDictionary()
"""What is known of models that no backend of ours asks."""


def probabilities_of(lm: Any) -> Probabilities:
    """Return what is known of whether a model gives probabilities of its words."""
    if lm is None:
        return Probabilities()
    engine = getattr(routed(lm), "engine", None)
    backend = getattr(getattr(engine, "judge", engine), "backend", None)  # a judge's calls may be counted
    found = getattr(backend, "probabilities", None)
    return found if isinstance(found, Probabilities) else _OTHERS.setdefault(lm, Probabilities())
