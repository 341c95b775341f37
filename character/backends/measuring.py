"""The driver that only measures: steps run on stand-in replies, and what their calls take is counted."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from statistics import fmean
from typing import Any, TypeVar

import dspy

from character.backends.adapter import CharacterAdapter
from character.backends.call import Call, Reply
from character.backends.drivers import ModuleCall, Steps, Work, drive, running_by
from character.backends.odds import OddsAdapter, OddsPredict
from character.backends.own_steps import Outcome, StepCall
from character.backends.prices import price_of
from character.config import BackendConfig, Config
from character.records import Message, Turn, Usage
from character.text import count_tokens
from signatures.ranking import BEST_MARK, BEST_SCORE

T = TypeVar("T")

MESSAGE_TOKENS, RESPONSE_TOKENS, RANKING_TOKENS, CHECK_TOKENS, VERDICT_TOKENS = 45, 220, 260, 40, 120
"""Assumed lengths of replies, in tokens: one message, one response, one judgement of responses with its
reasons, what a check says of one message, and a verdict on two responses or traits with its reasons."""
_OWN_CANDIDATES = 4
"""How many candidates a responder of one's own is taken to give."""
_ADAPTER, _BY_ODDS = CharacterAdapter(), OddsAdapter()


@dataclass(frozen=True)
class Estimate(Mapping[str, Usage]):
    """What work will take, before anything is sent: calls, tokens and USD by stage, ``all`` included.

    ``backends`` has the same by the name of the backend that is asked. ``unmeasured`` names modules of one's
    own: what they take comes on top. A cost is None where a price is unknown.
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


def with_all_passes(config: Config, candidates: Iterable[int]) -> Config:
    """Return the configuration under which so many candidates are judged in all the passes there may be.

    No reply is too long then. An odd candidate rests in a Swiss round, and where all replies are alike it is
    the same one each time, never judged: each is compared with each then.
    """
    update: dict[str, Any] = {"min_gain": 0.0}
    if config.ranking.tournament == "swiss" and any(number % 2 for number in candidates):
        update["tournament"] = "round_robin"
    ranking = config.ranking.model_copy(update=update)
    responses = config.responses.model_copy(update={"max_response_tokens": None})
    return config.model_copy(update={"ranking": ranking, "responses": responses})


_RENDERED = 30
"""So many prompts that each ask for one message of a trait are measured, and taken for the others."""


class Meter:
    """Drives steps as if all went well, and counts what their calls take: ``usages`` by stage and backend.

    Prompts are rendered and measured (``longest`` is the longest one), lengths of replies assumed; nothing is
    asked again. Modules that do not run by steps are not called, but named in ``unmeasured``.
    """

    def __init__(self) -> None:
        self.usages: dict[tuple[str, str], Usage] = {}
        self.unmeasured: set[str] = set()
        self.longest = 0
        self._alike: dict[str, list[int]] = {}
        self._numbers = count(1)  # a mean message has the number 0

    def drive(self, steps: Steps[T], *, times: int = 1, stage: str = "") -> T:
        """Run a module's logic on stand-in replies, and count its calls, so many times over.

        They count under their own stage, or under the one that is given.
        """
        with running_by(lambda work: [self._result(item, times, stage) for item in work]):
            return drive(steps)

    def text(self, tokens: int) -> str:
        """Return a text of about so many tokens, unlike every other one."""
        return digits(tokens, next(self._numbers))

    def estimate(self, stages: Mapping[str, str]) -> Estimate:
        """Return the estimate of these stages, each under the name it is to have, and of ``all`` together."""
        by_stage = {name: self._sum(0, stage) for name, stage in stages.items()}
        return Estimate(
            {**by_stage, "all": sum(by_stage.values(), Usage())},
            {name: self._sum(1, name) for name in dict.fromkeys(name for _stage, name in self.usages)},
            tuple(sorted(self.unmeasured)),
        )

    def _sum(self, place: int, name: str) -> Usage:
        return sum((usage for key, usage in self.usages.items() if key[place] == name), Usage())

    def _result(self, work: Work, times: int, stage: str) -> Any:
        if isinstance(work, Call):
            return self._reply(work, times, stage or work.stage)
        if isinstance(work, ModuleCall) and not work.runs_by_steps:
            self.unmeasured.add(getattr(work.module, "__name__", type(work.module).__name__))
            result = self._own_result(work.arguments)
            return Outcome(result) if isinstance(work, StepCall) else result
        return work.run()

    def _reply(self, call: Call, times: int, stage: str) -> Reply:
        """Count a call, and return a reply that lets the steps go on."""
        predict = call.predict
        lm: Any = call.lm or predict.lm or dspy.settings.lm
        last = list(predict.signature.output_fields)[-1]
        value, length = self._stand_in(last, call.inputs)
        adapter = _BY_ODDS if isinstance(predict, OddsPredict) else call.adapter
        alike = self._alike.setdefault(call.trait, []) if last == "messages" and value[1:] == [] else []
        if len(alike) < _RENDERED:
            alike.append(prompt_tokens(predict.signature, call.inputs, predict.demos, adapter))
            prompt = alike[-1]
        else:
            prompt = round(sum(alike) / len(alike))
        self.longest = max(self.longest, prompt)
        usage = usage_of(lm.backend, times, times * prompt, times * length)
        self.usages[stage, lm.name] = self.usages.get((stage, lm.name), Usage()) + usage
        outputs = {"reasoning": "", "suitable": True, last: value}
        if isinstance(predict, OddsPredict):
            outputs["odds"] = [{word: 1.0} for word in value]
        return Reply(outputs, model=lm.model)

    def _stand_in(self, output: str, inputs: Mapping[str, Any]) -> tuple[Any, int]:
        """Return a value for the last output of a signature, and the assumed length of the whole reply."""
        number = len(inputs.get("responses", ()))
        match output:
            case "messages":
                turns, briefs = range(inputs.get("turns", 1)), inputs["briefs"]
                messages = [[self.text(MESSAGE_TOKENS) for _ in turns] for _ in briefs]
                return messages, MESSAGE_TOKENS * len(turns) * len(briefs)
            case "reveals":
                return [True] * len(inputs["messages"]), CHECK_TOKENS * len(inputs["messages"])
            case "responses":
                responses = [self.text(RESPONSE_TOKENS) for _ in inputs["expressions"]]
                return responses, RESPONSE_TOKENS * len(responses)
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
            case "marks":
                return [str(BEST_MARK)] * number, 2 * number
            case "mark":
                return str(BEST_MARK), 2
            case "better":
                return "T", 2
            case "degrees":
                return ["natural"] * number, RANKING_TOKENS
        return self.text(RESPONSE_TOKENS), RESPONSE_TOKENS

    def _own_result(self, arguments: Mapping[str, Any]) -> dspy.Prediction:
        """Return what stands in for the result of a module of one's own, whichever step it replaces."""
        candidates = arguments["candidates"].items if "candidates" in arguments else ()
        return dspy.Prediction(
            messages=[self.text(MESSAGE_TOKENS) for _ in range(arguments.get("num_messages", 0))],
            responses=[self.text(RESPONSE_TOKENS) for _ in range(_OWN_CANDIDATES)],
            response=self.text(RESPONSE_TOKENS),
            scores=[1.0] * len(candidates),
            degrees=["natural"] * len(arguments.get("responses", ())),
        )


def digits(tokens: int, number: int = 0) -> str:
    """Return a text of about so many tokens, which no other number gives: twelve digits, repeated.

    Digits are in no script, so that a reply of them is never taken for one in another language.
    """
    word = f"{Random(number).randrange(10**12):012}"
    return " ".join([word] * max(1, round(4 * tokens / (len(word) + 1))))


def alike(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    """Return the items in groups of the same key."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def mean_message(messages: Sequence[Message]) -> Message:
    """Return a message for several of as many turns: each turn is as long as theirs are on average."""
    first = messages[0]
    turns = tuple(
        Turn(role=turn.role, content=digits(round(fmean(count_tokens(m.turns[i].content) for m in messages))))
        for i, turn in enumerate(first.turns)
    )
    return Message(trait=first.trait, kind=first.kind, turns=turns, language=first.language)


def prompt_tokens(
    signature: Any, inputs: Mapping[str, Any], demos: Iterable[Any] = (), adapter: CharacterAdapter = _ADAPTER
) -> int:
    """Return the tokens of a rendered prompt, by the count that estimates go by."""
    messages = adapter.format(signature, list(demos), dict(inputs))
    return sum(count_tokens(message["content"]) for message in messages)


def usage_of(backend: BackendConfig, calls: int, prompt: int, completion: int) -> Usage:
    """Return what so many calls and tokens take of a backend; the cost is None where its price is unknown."""
    price = price_of(backend)
    cost = None if price is None else prompt * price.prompt + completion * price.completion
    return Usage(calls=calls, prompt_tokens=prompt, completion_tokens=completion, cost_usd=cost)
