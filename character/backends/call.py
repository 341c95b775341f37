"""One call of a predictor: its seed, its labels, its re-asks and all that can be wrong with the reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import dspy
from dspy.utils import exceptions as dspy_errors

from character.backends.adapter import CharacterAdapter, SchemaAdapter, schema_of
from character.backends.arguments import signature_of
from character.backends.backend import Backend
from character.backends.chat import ConversationAdapter, MessageAdapter, answers_conversation, writes_message
from character.backends.drivers import ModuleCall
from character.backends.dspy_compat import routed
from character.backends.faults import CUT_SHORT, KIND_OF_ERROR, OF_THE_PROMPT, OPEN, UNSAID_IN_CHAT
from character.backends.faults import SERVER_FAULTS as SERVER_FAULTS
from character.backends.faults import Fault as Fault
from character.backends.observe import Observation, Scope, current_scope, observation_of, observing, taken_by
from character.backends.odds import NO_ODDS, NoOddsError, OddsPredict
from character.backends.plain_errors import no_such_model, plain_error, unavailable
from character.backends.predictors import MAY_LACK, core_of, fits
from character.backends.reasking import AskingAgain
from character.backends.seam import SeamEngine
from character.backends.secrets import first_line
from character.backends.step_faults import STEP_ERROR, STEP_INVALID, raise_what_stops, said_of
from character.backends.waiting import blocking, run_blocking
from character.config import Prompting
from character.errors import CharacterError, ConfigError
from character.protocols import LanguageModel
from character.records import Usage
from character.text import storable

_FAULT_DESCRIPTION = "what was wrong with your previous reply; answer again without that fault"
_UNUSABLE = (
    dspy_errors.LMConfigurationError,
    dspy_errors.LMUnsupportedFeatureError,
    dspy_errors.LMUnsupportedModelError,
)


class _Adapter(CharacterAdapter):
    """Has a judge whose calls are counted asked as a run asks it, also where an optimizer calls it."""

    def __call__(self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any) -> Any:
        """Ask by a JSON schema, or under headers."""
        backend = None if current_scope() or _seam_of(lm) else _backend_of(lm)
        if not (backend and backend.form.by_schema and (schema := schema_of(signature))):
            return super().__call__(lm, lm_kwargs, signature, demos, inputs)
        with observing() as scope:
            try:
                return _BY_SCHEMA(lm, {**lm_kwargs, "response_format": schema}, signature, demos, inputs)
            finally:
                _settle_form(backend, scope, Fault())


_ADAPTER, _BY_SCHEMA = _Adapter(), SchemaAdapter()
_CHAT, _MESSAGE = ConversationAdapter(), MessageAdapter()


@dataclass(frozen=True)
class Reply:
    """What a call gave. ``fault`` is empty for a usable reply, else one countable word, with ``detail``.

    ``habits`` are the forms other than the one asked for in which it was read, and what it was asked without.
    ``kept`` are those fields of an unusable reply that stand, ``found`` those that do not; ``as_json`` says
    that one object was asked for. ``before`` is the reply that the model was told of. ``note`` keeps (fault,
    detail, habits) beside the call in the journal, the latest alone; None where no call was seen.
    """

    outputs: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    detail: str = ""
    model: str = ""
    seed: int | None = None
    usage: Usage = field(default_factory=Usage)
    habits: tuple[str, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)
    as_json: bool = False
    before: Reply | None = None
    note: Callable[..., None] | None = field(default=None, repr=False, compare=False)

    @property
    def is_final(self) -> bool:
        """Whether the server refuses the prompt, so that asking again comes to the same."""
        return self.fault in OF_THE_PROMPT

    def became(self, fault: str = "", detail: str = "") -> None:
        """Keep beside the call that what it gave is used, or cannot be, and why."""
        if self.note:
            self.note(fault, detail, self.habits)

    def refused(self, fault: Fault) -> Reply:
        """Return the reply as unusable for a fault; of its outputs those stand that a step can do without."""
        if self.fault:
            return self
        self.became(fault.word, fault.detail)
        kept = {name: value for name, value in self.outputs.items() if name in MAY_LACK}
        found = {name: value for name, value in self.outputs.items() if name not in MAY_LACK}
        return replace(self, fault=fault.word, detail=fault.detail, kept=kept, found=found)

    def text(self, name: str) -> str:
        """Return an output field as text."""
        return str(self.outputs.get(name, ""))


@dataclass(frozen=True)
class Call:
    """One call of a predictor, or of a module of somebody's own in its place.

    ``seed`` tells apart calls that would else be identical. ``before`` is the reply before, which could not
    be used: the model is told why, and the call counts as a re-ask. ``lm`` overrides the model of the
    context. ``stage`` and ``trait`` label the call for accounts. ``prompting`` is how a conversation is
    answered.
    """

    predict: dspy.Module
    inputs: dict[str, Any]
    stage: str
    trait: str = ""
    seed: int = 0
    before: Reply | None = None
    lm: LanguageModel | None = None
    needs: Mapping[str, Any] = field(default_factory=dict)
    prompting: Prompting = "fields"

    @property
    def adapter(self) -> CharacterAdapter:
        """What renders the prompt, and reads the reply: a chat where that is one text."""
        signature = signature_of(self.predict) if self.prompting == "chat" else None
        if signature is None:
            return _ADAPTER
        if answers_conversation(signature):
            return _CHAT
        return _MESSAGE if writes_message(signature) else _ADAPTER

    def run(self) -> Reply:
        """Make the call in this thread."""
        if self._asks_by_itself:
            return run_blocking(self._reply(blocking(lambda **given: ModuleCall(self.predict, given).run())))
        return run_blocking(self._reply(blocking(self.predict)))

    async def arun(self) -> Reply:
        """Make the call on the event loop."""
        if self._asks_by_itself:
            return await self._reply(lambda **given: ModuleCall(self.predict, given).arun())
        return await self._reply(self.predict.acall)

    @property
    def _told(self) -> Reply | None:
        """What the model said last, of which it is told: not a reply that never came."""
        lost = self.before if self.adapter is _ADAPTER else None
        return lost.before if lost and lost.fault in SERVER_FAULTS | OF_THE_PROMPT else lost

    @property
    def _in_words(self) -> bool:
        """Whether fields are asked for in words, and not read by their odds."""
        return not isinstance(self.predict, OddsPredict)

    @property
    def _asks_by_itself(self) -> bool:
        """Whether the predictor is a module of somebody's own, which calls the model of the context."""
        return signature_of(self.predict) is None

    async def _reply(self, predict: Callable[..., Awaitable[Any]]) -> Reply:
        core = core_of(self.predict)
        lm = routed(self.lm or getattr(core, "lm", None) or dspy.settings.lm)
        if lm is None:
            raise ConfigError(
                "no language model is configured.",
                fix="dspy.configure(lm=character.build_lm()) for the rehearsal model, or any other dspy.LM.",
            )
        arguments, around = self._arguments(lm)
        paced = _seam_of(lm) is not None
        # It stands among DSPy's calling modules, to get the history entry that every model writes.
        probe = SimpleNamespace(history=[])
        prediction, fault, kept = None, Fault(), dict[str, Any]()
        settings = lean_settings() | around
        again = None
        adapter = settings.get("adapter") or dspy.settings.adapter
        if adapter is _ADAPTER and self.adapter is not _ADAPTER:
            adapter = settings["adapter"] = self.adapter
        if self._told and adapter is _ADAPTER and self._in_words and not self._asks_by_itself:
            again = AskingAgain(_ADAPTER, self._told, self.inputs, self.seed)
        if not paced:
            settings["caller_modules"] = [*(dspy.settings.caller_modules or []), probe]
        surroundings = dspy.context(**settings) if settings else nullcontext()
        with surroundings, observing(self.stage, self.trait) as scope:
            try:
                prediction = await self._predicted(predict, arguments, again, scope)
            except Exception as error:  # noqa: BLE001 - a predictor of somebody's own raises anything
                read = getattr(error, "parsed_result", None) or {}
                fault, kept = self._fault_of(error, paced), {n: read[n] for n in read if n in MAY_LACK}
        if scope.stop is not None:
            raise scope.stop
        observed = scope.seen or [observation_of(entry, lm.model) for entry in probe.history]
        by_schema = "response_format" in arguments.get("config", ())
        if by_schema and (backend := _backend_of(lm)):
            _settle_form(backend, scope, fault)
        last = observed[-1] if observed else Observation(model=lm.model)
        is_whole = prediction is not None and scope.closed  # its closing header came before the limit did
        cut = "" if is_whole and last.finish_reason in OPEN else last.finish_reason
        word, detail = CUT_SHORT.get(cut, fault)
        if cut == "unsaid" and adapter in (_CHAT, _MESSAGE):
            detail = UNSAID_IN_CHAT
        if cut in CUT_SHORT and fault.detail:
            detail = f"{detail}. {fault.detail}"
        reasks = int(self.before is not None)
        usage = sum((taken_by(observation) for observation in observed), Usage(reasks=reasks))
        outputs: dict[str, Any] = {}
        if not word:
            outputs, (word, detail) = self._read(prediction)
        elif word == "cut_off" and "reasoning" in getattr(signature_of(self.predict), "output_fields", ()):
            kept = {"reasoning": str(kept.get("reasoning", ""))}  # it is what took the room
        as_json = again.as_json if again else by_schema
        habits = (*scope.habits, *(f"sent without {name}" for name in sorted(scope.sent_without)))
        if scope.note and (word or habits):
            scope.note(word, detail, habits)
        taken = (last.model, self.seed, usage, habits, kept)
        return Reply(outputs, word, detail, *taken, as_json=as_json, note=scope.note, before=self._told)

    async def _predicted(
        self, predict: Callable[..., Awaitable[Any]], arguments: dict[str, Any], again: Any, scope: Scope
    ) -> Any:
        """Make the call; a folder may hold the reply to a repeated one in the words of earlier versions."""
        if self._told is None:
            return await predict(**arguments)
        told = self._told_before(self._told)
        if again is None:
            return await predict(**self._with_fault(arguments, told[0]))
        seam = _seam_of(arguments["lm"])
        scope.only_replayed = seam is not None and seam.backend.journal is not None
        for fault in told if scope.only_replayed else ():
            try:
                return await predict(**self._with_fault(arguments, fault))
            except dspy_errors.LMError:
                pass
        scope.only_replayed = False
        with dspy.context(adapter=again):
            return await predict(**arguments)

    def _told_before(self, failed: Reply) -> list[str]:
        """Return what earlier versions told a model of a reply that could not be used."""
        said = failed.detail or failed.fault
        shorter = CUT_SHORT.get(failed.fault, failed).detail, said.partition("; it says ")[0] + "."
        told = list(dict.fromkeys([said, *filter(said.startswith, shorter)]))
        return [f"{failed.fault}: {each}" for each in told] + told if self.stage == "messages" else told

    def _fault_of(self, error: Exception, paced: bool) -> Fault:
        is_models = isinstance(error, dspy_errors.LMError | dspy_errors.AdapterParseError)
        if self._asks_by_itself and not is_models:
            raise_what_stops(error)
            return Fault(STEP_ERROR, said_of(error, "predictor"))
        if isinstance(error, NoOddsError):
            return Fault(NO_ODDS, error.found)
        if isinstance(error, dspy_errors.DSPyError):
            return classify(error, paced=paced)
        raise error

    def _read(self, prediction: Any) -> tuple[dict[str, Any], Fault]:
        """Return the outputs of a prediction, none of them where one that is needed cannot be used."""
        if not isinstance(prediction, dspy.Example | Mapping):
            return {}, Fault(STEP_INVALID, f"the predictor returned a {type(prediction).__name__}")
        outputs = storable(dict(prediction.items()))
        if missing := [name for name in self.needs if name not in outputs]:
            return outputs, Fault("unreadable", f"the reply lacks the field {', '.join(missing)}")
        for name, kind in self.needs.items():
            if not fits(outputs[name], kind):
                return {}, Fault(STEP_INVALID, f"the predictor returned {name}={outputs[name]!r:.80}")
        return outputs, Fault()

    def _arguments(self, lm: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what the predictor is called with, and the DSPy settings that it is called under."""
        signature, sampling = signature_of(self.predict), _sampling(lm, self.seed)
        if signature is None:  # a module of somebody's own: it calls the model of the context, with this seed
            # DSPy's tools want a trace to write to, which a run switches off.
            trace: Any = [] if dspy.settings.trace is None else dspy.settings.trace
            return self.inputs, {"lm": lm.copy(**sampling), "trace": trace}
        inputs = {name: value for name, value in self.inputs.items() if name in signature.input_fields}
        schema = schema_of(signature) if self._in_words and not self._told and _takes_schema(lm) else None
        if schema is not None:
            sampling["response_format"] = schema
        settings = {} if schema is None else {"adapter": _BY_SCHEMA}
        return {**inputs, "config": sampling, "lm": lm}, settings

    def _with_fault(self, arguments: dict[str, Any], fault: str) -> dict[str, Any]:
        """Return the arguments with one more input, last: what was wrong with the reply before."""
        signature = signature_of(self.predict)
        if signature is None:
            return arguments
        more = signature.append("previous_fault", dspy.InputField(desc=_FAULT_DESCRIPTION), str)
        return {**arguments, "signature": more, "previous_fault": fault}


def _takes_schema(lm: LanguageModel) -> bool:
    """Whether lists and scores are asked of a model by a JSON schema; a user's own adapter goes first."""
    backend, adapter = _backend_of(lm), dspy.settings.adapter
    if backend is None or not backend.form.by_schema or adapter in (None, _ADAPTER):
        return backend is not None and backend.form.by_schema
    why = f"the adapter {type(adapter).__name__}, which is your own, says how to ask"
    backend.learn_left_out("structured", why)
    return False


def _settle_form(backend: Backend, scope: Scope, fault: Fault) -> None:
    """Settle in which form a backend is asked, by a reply that was to keep to a schema."""
    ended = scope.seen[-1].finish_reason if scope.seen else "content_filter"
    if fault.word in ("", "unreadable") and ended != "content_filter":
        is_cut = ended in OPEN and not scope.closed
        if scope.is_empty and not is_cut and not backend.form.gives_up_on_empty():
            return  # it may be the server's fault
        kept = not (is_cut or fault.word) and scope.as_asked
        why = "was cut off" if is_cut else f"kept to {'it' if kept else 'no schema'}"
        backend.form.settle(kept, f"its first reply {why}", backend.tell)


def lean_settings() -> dict[str, Any]:
    """Return the DSPy settings of our calls: our adapter where the user set none, no check of inputs."""
    needed: dict[str, Any] = {}
    if dspy.settings.adapter is None:
        needed["adapter"] = _ADAPTER
    if dspy.settings.warn_on_type_mismatch:
        # Inputs fit their fields by construction; the check is a tenth of a call.
        needed["warn_on_type_mismatch"] = False
    return needed


def classify(error: Exception, *, paced: bool = False) -> Fault:
    """Return the fault of an error that concerns one call; raise a clear error where it stops everything.

    ``paced`` says that a backend of ours made the call: it retries, and stops the run itself when the
    server is down.
    """
    if isinstance(error.__cause__, CharacterError):
        raise error.__cause__  # the journal or the budget stopped the call; DSPy wraps what an engine raises
    detail = first_line(getattr(error, "message", "") or str(error))
    if isinstance(error, dspy_errors.AdapterParseError):
        return Fault("unreadable", detail)
    if isinstance(error, dspy_errors.ContextWindowExceededError):
        return Fault("context_overflow", detail)
    if not paced:
        _stop_where_unavailable(error, detail)
    _stop_where_misconfigured(error, detail)
    if isinstance(error, dspy_errors.LMInvalidRequestError):
        return Fault("invalid_request", detail)
    if isinstance(error, dspy_errors.LMError):
        return Fault(KIND_OF_ERROR.get(type(error), "server_error"), detail)
    raise error


def _stop_where_unavailable(error: Exception, detail: str) -> None:
    if isinstance(error, dspy_errors.LMAuthError | dspy_errors.LMBillingError):
        what = "account" if isinstance(error, dspy_errors.LMBillingError) else "key"
        raise unavailable(f"refuses the {what}", error.model, detail) from None
    if isinstance(error, dspy_errors.LMTransportError):
        raise unavailable("cannot be reached", error.model, detail) from None


def _stop_where_misconfigured(error: Exception, detail: str) -> None:
    if isinstance(error, _UNUSABLE):
        plain = plain_error(detail)
        raise ConfigError(
            f"the backend cannot be used (model {error.model}): {plain.found}",
            expected=plain.expected,
            fix=plain.fix,
        ) from None
    if getattr(error, "status", None) in (404, 405):
        raise no_such_model(getattr(error, "model", ""), detail) from None


def _seam_of(lm: Any) -> SeamEngine | None:
    """Return the engine of a model that a backend of ours makes the calls of."""
    engine = getattr(lm, "engine", None)
    return engine if isinstance(engine, SeamEngine) else None


def _backend_of(lm: LanguageModel) -> Backend | None:
    """Return the backend of ours that a model asks, also where its calls are counted on the way."""
    seam = _seam_of(lm) or _seam_of(getattr(getattr(lm, "engine", None), "judge", None))
    return seam.backend if seam else None


def _sampling(lm: LanguageModel, seed: int) -> dict[str, Any]:
    # rollout_id keeps DSPy's cache from answering two samples with one; seed reaches the server where it may.
    config: dict[str, Any] = {}
    if lm.kwargs.get("temperature") != 0:
        config["rollout_id"] = seed
    if "seed" in (_seam_of(lm) or lm).supported_params:
        config["seed"] = seed
    return config
