"""Steps of somebody else's: what they are given, what they took, and that a fault costs one message alone.

Our own steps run as they are. Any other module or callable is called at one boundary: it gets what it has
parameters for, a module that is a signature's alone gets plain texts, and an error that it raises becomes a
fault that is counted. What stops a run (a cap, a server that is down, a wrong configuration) goes through it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

import dspy
from dspy.utils.exceptions import AdapterParseError, LMError

from character.backends.arguments import parameters_of, signature_of
from character.backends.call import SERVER_FAULTS, classify, lean_settings
from character.backends.drivers import ModuleCall
from character.backends.observe import Unit, entering, observation_of, taken_by
from character.backends.plain import plain, turns_of
from character.backends.reading.reasoning import split_reasoning
from character.backends.step_faults import STEP_ERROR, STEP_UNREADABLE, raise_what_stops, said_of
from character.backends.step_faults import STEP_FAULTS as STEP_FAULTS
from character.backends.step_faults import STEP_INVALID as STEP_INVALID
from character.backends.waiting import blocking, run_blocking
from character.constitution import Trait
from character.errors import InputError, InvalidReplyError, StepFailedError, UnusableModelError
from character.files import toml_beside
from character.records import Candidates, Drop, Message, Ranking, Rollout, Stage, Usage
from character.text import detect_language, fingerprint, language_name

WORTH_ANOTHER_SITTING = STEP_FAULTS | SERVER_FAULTS
"""Faults that the same message may not have another time: the step may be mended, the server be there."""
S = TypeVar("S", Message, Candidates)
R = TypeVar("R", Candidates, Ranking)


@dataclass(frozen=True)
class Outcome:
    """What a step gave, or why it gave nothing: a countable ``fault`` with its ``detail`` and its ``error``.

    ``usage`` is what the step's calls took, where it is not ours; records of our own steps say it themselves.
    """

    result: Any = None
    fault: str = ""
    detail: str = ""
    usage: Usage | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class StepCall(ModuleCall):
    """One call of a step for one message (or of a generator for one kind), which gives an ``Outcome``.

    ``role`` is what the step is called in errors (``ranker``), ``stage`` and ``trait`` label its calls in the
    accounts. ``takes`` are the inputs of our own step in this place: a wrapper that takes any is given these.
    ``about`` says which message the call is for; in a run its calls are kept by it, so that a second start
    finds them again.
    """

    role: str = ""
    stage: str = ""
    trait: str = ""
    takes: tuple[str, ...] = ()
    about: tuple[Any, ...] = field(default=())

    def run(self) -> Outcome:
        """Call the step in this thread."""
        return run_blocking(self._outcome(blocking(super().run)))

    async def arun(self) -> Outcome:
        """Call the step on the event loop."""
        return await self._outcome(super().arun)

    async def _outcome(self, call: Callable[[], Awaitable[Any]]) -> Outcome:
        if self.runs_by_steps:
            return Outcome(await call())
        unit = Unit(fingerprint([self.stage, *self.about]), self.stage, self.trait)
        # It stands among DSPy's calling modules, to get what every call writes.
        probe = SimpleNamespace(history=[])
        self._accepted()  # what the step cannot be given is no message's fault
        around = lean_settings() | {"trace": []}
        around["caller_modules"] = [*(dspy.settings.caller_modules or []), probe]
        with dspy.context(**around), entering(unit):
            try:
                outcome = Outcome(await call())
            except Exception as error:  # noqa: BLE001 - the one boundary at which others' steps are called
                outcome = self._fault(error)
        if unit.stop is not None:
            raise unit.stop
        seen = unit.seen or [observation_of(entry, str(entry.get("model", ""))) for entry in probe.history]
        usage = sum((taken_by(each) for each in seen), Usage())
        return Outcome(outcome.result, outcome.fault, outcome.detail, usage, outcome.error)

    def _fault(self, error: Exception) -> Outcome:
        raise_what_stops(error)
        word = STEP_ERROR
        if isinstance(error, AdapterParseError):
            word = STEP_UNREADABLE
        elif isinstance(error, LMError):
            word = classify(error, paced=True).word
        return Outcome(fault=word, detail=said_of(error, self.role), error=error)

    def _accepted(self) -> dict[str, Any]:
        signature = signature_of(self.module)
        if signature is None:
            return self._taken(self.takes)
        values = plain_values(self.arguments)
        _check_names(signature.input_fields, values, f"the {self.role}'s signature asks for")
        return {name: values[name] for name in signature.input_fields}


_OF_STEPS = {
    "generator": ("trait", "kind", "num_messages", "constitution", "existing", "seed"),
    "responder": ("message", "trait", "constitution", "seed"),
    "ranker": ("message", "candidates", "trait", "constitution", "seed"),
}
_SHOWN_TOO = {
    "generator": ("language",),
    "responder": ("conversation", "language"),
    "ranker": ("conversation", "language", "responses"),
}
"""What a signature is shown besides, made of these."""


def check_step(role: str, step: Any) -> None:
    """Raise InputError where a step is none, or asks for an input that its place does not have."""
    if not callable(step) or isinstance(step, type):
        what = f"the class {step.__name__}" if isinstance(step, type) else f"a {type(step).__name__}"
        raise InputError(
            f"the {role} is {what}.",
            expected="a dspy.Module or a callable",
            fix=f"make one: {step.__name__}(…)." if isinstance(step, type) else "",
        )
    signature, names = signature_of(step), _OF_STEPS[role]
    if signature is None:
        _check_names(parameters_of(step).required, names, f"the {role} takes")
    else:
        shown = (*names[:-1], *_SHOWN_TOO[role])  # no seed
        _check_names(signature.input_fields, shown, f"the {role}'s signature asks for")


def _check_names(asked: Iterable[str], names: Collection[str], what: str) -> None:
    missing = [name for name in asked if name not in names]
    if missing:
        raise InputError(
            f"{what} {', '.join(missing)}, which this step does not have.",
            expected=f"inputs among {', '.join(names)}",
            fix="name the inputs so, or write a module whose forward passes them on.",
        )


def plain_values(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step's inputs as a judge is to see them: texts, a trait's fields; no level or model."""
    values: dict[str, Any] = {name: plain(value) for name, value in arguments.items() if name != "seed"}
    for value in arguments.values():
        match value:
            case Message():
                values |= {"conversation": turns_of(value), "language": language_name(value.language)}
            case Candidates():
                values["responses"] = value.texts
            case Trait():
                values.setdefault("language", language_name(detect_language(value.description)))
    return values


class FailureWatch:
    """Raises where messages are lost one after the other for one same reason: the first ones, or many later.

    StepFailedError where a step of somebody else's fails, UnusableModelError where a model's replies cannot
    be used.
    """

    FIRST, LATER = 5, 25

    def __init__(self, *, has_succeeded: bool = False) -> None:
        self.has_succeeded, self.reason, self.number = has_succeeded, "", 0

    def see(self, rollout: Rollout) -> None:
        """Note how a message fared."""
        lost = None if rollout.pairs or (rollout.ranking and rollout.ranking.scores) else _why_lost(rollout)
        if lost is None or lost.reason in _OF_ONE_MESSAGE:
            self.has_succeeded |= lost is None
            self.reason, self.number = "", 0
            return
        self.number = self.number + 1 if self.reason == lost.reason else 1
        self.reason = lost.reason
        if self.number < (self.LATER if self.has_succeeded else self.FIRST):
            return
        if lost.reason in STEP_FAULTS:
            raise StepFailedError(
                f"a step failed for each of the first {self.number} messages: {lost.detail}",
                fix="try the step by itself on one message; what was finished is kept.",
            )
        raise unusable(f"the model cannot be used: at least {self.number} messages in a row were", lost)


_OF_ONE_MESSAGE = SERVER_FAULTS | {"content_filter", "context_overflow", "too_few_candidates"}
"""What may befall a message whatever the model: the server's faults stop a run by themselves."""
_REMEDIES = toml_beside(__file__, "own_steps")["remedies"]
UNREADABLE = frozenset({"unreadable", "cut_off", "empty", "refusal"})
"""Why a reply cannot be used at all, where it is the model's doing."""


def unusable(what: str, lost: Drop) -> UnusableModelError:
    """Return the error that ends a run in which ``what`` was lost, with what may help where it was."""
    before, _, says = lost.detail.partition("; it says ")
    _, thoughts = split_reasoning(says.removesuffix(".")[1:-1])  # as it is quoted
    said = f"{before}; it begins with thoughts: {thoughts!r}" if thoughts else lost.detail
    fix = _REMEDIES["thoughts" if thoughts else lost.reason if lost.reason in _REMEDIES else lost.stage]
    return UnusableModelError(
        f"{what} lost by {lost.reason} in {lost.stage}: {said}", fix=f"{fix} {_REMEDIES['besides']}"
    )


def _why_lost(rollout: Rollout) -> Drop | None:
    stages = ("ranking", "responses")
    lost = [drop for drop in rollout.drops if not drop.recovered and drop.stage in stages]
    return next((drop for stage in stages for drop in lost if drop.stage == stage), None)


def taken(outcome: Outcome, stage: Stage, read: Callable[[Any, S], R], of: S) -> R | Drop:
    """Return what a step gave as a record, with what it took; or the drop that says why it cannot be used."""
    fault, detail = outcome.fault, outcome.detail
    if not fault:
        try:
            record = read(outcome.result, of)
        except InvalidReplyError as error:
            fault, detail = STEP_INVALID, " ".join(str(error).split())
        else:
            if outcome.usage is None:
                return record
            usage = outcome.usage.model_copy(update={"reasks": record.usage.reasks})
            return record.model_copy(update={"usage": usage})
    message = of.id if isinstance(of, Message) else of.message_id
    return Drop(stage=stage, reason=fault, detail=detail, message_id=message)
