"""The driver that only measures: steps run on stand-in replies, their calls are counted, nothing is sent."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from statistics import fmean
from typing import Any, NamedTuple, TypeVar

import dspy

from character.backends.adapter import CharacterAdapter
from character.backends.call import Call, Reply
from character.backends.drivers import Branch, ModuleCall, Steps, Work, drive
from character.backends.prices import price_of
from character.config import BackendConfig, Config
from character.records import Message, Turn, Usage
from character.text import count_tokens
from signatures.ranking import BEST_SCORE

T = TypeVar("T")

MESSAGE_TOKENS, RESPONSE_TOKENS, RANKING_TOKENS, CHECK_TOKENS, VERDICT_TOKENS = 45, 220, 260, 40, 120
"""Assumed lengths of replies, in tokens: one message, one response, one judgement of responses with its
reasons, what a check says of one message, and a verdict, with its reasons, on two responses or on which of
two traits shows."""
_ADAPTER = CharacterAdapter()
_OWN_CANDIDATES = 4
"""How many candidates a responder of one's own is taken to give."""


@dataclass(frozen=True)
class Estimate(Mapping[str, Usage]):
    """What work will take, before anything is sent: calls, tokens and USD by stage, ``all`` included.

    ``backends`` has the same by the name of the backend that is asked. ``unmeasured`` names modules of
    one's own, which nothing is known of: what they take comes on top. A cost is None where no price is known.
    """

    stages: Mapping[str, Usage]
    backends: Mapping[str, Usage] = field(default_factory=dict)
    unmeasured: tuple[str, ...] = ()

    def __getitem__(self, stage: str) -> Usage:
        return self.stages[stage]

    def __iter__(self) -> Iterator[str]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)


class UnsentLM(dspy.BaseLM):
    """Stands for the model of a backend where nothing is sent; called, it raises NotImplementedError."""

    def __init__(self, name: str, backend: BackendConfig) -> None:
        super().__init__(backend.model_name)
        self.name, self.backend = name, backend


def unsent_lms(backends: Mapping[str, BackendConfig]) -> dict[str, Any]:
    """Return what stands for the models of these backends, as ``build_lms`` returns the models themselves."""
    return {name: UnsentLM(name, backend) for name, backend in backends.items()}


def with_all_passes(config: Config) -> Config:
    """Return the configuration under which a ranker makes every pass it may, and no reply is too long."""
    ranking = config.ranking.model_copy(update={"min_gain": 0.0})
    responses = config.responses.model_copy(update={"max_response_tokens": None})
    return config.model_copy(update={"ranking": ranking, "responses": responses})


class Tokens(NamedTuple):
    """What calls take: their number, the tokens of their prompts and replies, and of the longest prompt."""

    calls: int = 0
    prompt: int = 0
    completion: int = 0
    longest: int = 0

    def plus(self, calls: int, prompt: int, completion: int) -> Tokens:
        """Return the sum with so many calls that are alike."""
        return Tokens(
            self.calls + calls,
            self.prompt + calls * prompt,
            self.completion + calls * completion,
            max(self.longest, prompt),
        )

    def usage(self, backend: BackendConfig) -> Usage:
        """Return what they take of a backend; the cost is None where its price is unknown."""
        price = price_of(backend)
        cost = 0.0 if not self.calls else None
        if price is not None:
            cost = self.prompt * price.prompt + self.completion * price.completion
        return Usage(
            calls=self.calls, prompt_tokens=self.prompt, completion_tokens=self.completion, cost_usd=cost
        )


@dataclass(frozen=True)
class Meter:
    """Drives steps as if all went well, and counts ``times`` over what the calls take, by stage and model.

    Prompts are rendered and measured, lengths of replies assumed; nothing is asked again. ``lm`` is the model
    of calls that name none, ``stage`` replaces the calls' own. Meters made by ``dataclasses.replace`` count
    together.
    """

    lm: Any = None
    times: int = 1
    stage: str = ""
    tokens: dict[tuple[str, UnsentLM], Tokens] = field(default_factory=dict)
    unmeasured: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=count)

    def drive(self, steps: Steps[T]) -> T:
        """Run a module's logic on stand-in replies, and count its calls."""
        return drive(steps, lambda work: [self.measure(item) for item in work])

    def usage(self, stage: str) -> Usage:
        """Return what a stage takes of all models."""
        return self._sum(lambda key: key[0] == stage)

    def estimate(self, stages: Mapping[str, str]) -> Estimate:
        """Return the estimate of these stages, each under the name it is to have, and of ``all`` together."""
        by_stage = {name: self.usage(stage) for name, stage in stages.items()}
        names = dict.fromkeys(lm.name for _stage, lm in self.tokens)

        def usage_of(name: str) -> Usage:
            return self._sum(lambda key: key[1].name == name)

        return Estimate(
            {**by_stage, "all": sum(by_stage.values(), Usage())},
            {name: usage_of(name) for name in names},
            tuple(sorted(self.unmeasured)),
        )

    def _sum(self, counts: Callable[[tuple[str, UnsentLM]], bool]) -> Usage:
        usages = (tokens.usage(key[1].backend) for key, tokens in self.tokens.items() if counts(key))
        return sum(usages, Usage())

    def measure(self, work: Work) -> Any:
        """Count the calls of one piece of work, and return what stands in for its result."""
        match work:
            case Branch(steps):
                return self.drive(steps)
            case ModuleCall(module, _, lm):
                inside = replace(self, lm=lm or self.lm)
                own_steps: Any = getattr(module, "steps", None)
                if inspect.isgeneratorfunction(getattr(type(module), "steps", None)):
                    return inside.drive(own_steps(**work.accepted()))
                self.unmeasured.add(getattr(module, "__name__", type(module).__name__))
                return inside._own_result(work.arguments)
            case Call():
                return self._reply(work)
        raise TypeError(f"a {type(work).__name__} cannot be measured")

    def _reply(self, call: Call) -> Reply:
        """Count a call, and return a reply that lets the steps go on."""
        lm: Any = call.lm or self.lm
        outputs = call.predict.signature.output_fields
        value, length = self._value(list(outputs)[-1], call.inputs)
        prompt = prompt_tokens(call.predict.signature, call.inputs, call.predict.demos)
        key = self.stage or call.stage, lm
        self.tokens[key] = self.tokens.get(key, Tokens()).plus(self.times, prompt, length)
        return Reply({"reasoning": "", "suitable": True, list(outputs)[-1]: value}, model=lm.model)

    def _value(self, name: str, inputs: Mapping[str, Any]) -> tuple[Any, int]:
        """Return what stands in for a signature's last output, and the assumed length of the whole reply."""
        number = len(inputs.get("responses", ()))
        match name:
            case "messages":
                turns, briefs = inputs["turns"], inputs["briefs"]
                messages = [[self.text(MESSAGE_TOKENS) for _ in range(turns)] for _ in briefs]
                return messages, MESSAGE_TOKENS * turns * len(briefs)
            case "reveals":
                return [True] * len(inputs["messages"]), CHECK_TOKENS * len(inputs["messages"])
            case "responses":
                texts = [self.text(RESPONSE_TOKENS) for _ in inputs["expressions"]]
                return texts, RESPONSE_TOKENS * len(texts)
            case "verdict":
                return "tie", VERDICT_TOKENS
            case "shown":
                return "neither", VERDICT_TOKENS
            case "scores":
                return [BEST_SCORE] * number, RANKING_TOKENS
            case "score":
                return BEST_SCORE, RANKING_TOKENS
            case "order":
                return " = ".join(str(place + 1) for place in range(number)), RANKING_TOKENS
            case "degrees":
                return ["natural"] * number, RANKING_TOKENS
        return self.text(RESPONSE_TOKENS), RESPONSE_TOKENS

    def _own_result(self, arguments: Mapping[str, Any]) -> dspy.Prediction:
        """Return what stands in for the result of a module of one's own, for whichever step it stands."""
        candidates = arguments["candidates"].items if "candidates" in arguments else ()
        return dspy.Prediction(
            messages=[self.text(MESSAGE_TOKENS) for _ in range(arguments.get("num_messages", 0))],
            responses=[self.text(RESPONSE_TOKENS) for _ in range(_OWN_CANDIDATES)],
            response=self.text(RESPONSE_TOKENS),
            scores=[1.0] * len(candidates),
            degrees=["natural"] * len(arguments.get("responses", ())),
        )

    def text(self, tokens: int) -> str:
        """Return a text of about so many tokens, unlike every other one.

        It is made of digits, which are in no script: they are nowhere taken for another language.
        """
        return digits(tokens, next(self._numbers))


def digits(tokens: int, number: int = 0) -> str:
    """Return a text of about so many tokens: twelve digits drawn by the number, repeated."""
    word = f"{Random(number).randrange(10**12):012}"
    return " ".join([word] * max(1, round(4 * tokens / (len(word) + 1))))


def mean_message(messages: Sequence[Message]) -> Message:
    """Return a message that stands for messages of as many turns: each turn has the mean length of theirs."""
    first = messages[0]
    turns = tuple(
        Turn(role=turn.role, content=digits(round(fmean(count_tokens(m.turns[i].content) for m in messages))))
        for i, turn in enumerate(first.turns)
    )
    return Message(trait=first.trait, kind=first.kind, turns=turns, language=first.language)


def prompt_tokens(signature: Any, inputs: Mapping[str, Any], demos: Iterable[Any] = ()) -> int:
    """Return the tokens of a rendered prompt, by the count that estimates go by."""
    messages = _ADAPTER.format(signature, list(demos), dict(inputs))
    return sum(count_tokens(message["content"]) for message in messages)
