"""How steps run: logic is a generator of work, run by one driver in threads, by another in tasks.

A module writes its logic once, as a generator that yields lists of work (all of a list may run at the
same time) and receives the list of results. ``drive`` runs it for ``forward``, ``adrive`` for
``aforward``; a third, ``measuring.Meter``, only measures it. So they never differ, no event loop is started
behind the user's back, and models that can only be called one way still work.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial, wraps
from typing import Any, ParamSpec, Protocol, TypeVar

import dspy

from character.backends.dspy_compat import without_usage_note
from character.backends.predictions import as_prediction
from character.backends.saving import KeptModule
from character.backends.waiting import blocking, having, run_blocking
from character.protocols import LanguageModel

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])


class Work(Protocol):
    """Something a driver can run: in this thread, or as a coroutine."""

    def run(self) -> Any:
        """Run it and return its result."""

    async def arun(self) -> Any:
        """Run it and return its result."""


Steps = Generator[Sequence[Work], list[Any], T]
"""A module's logic: yields work that may run at the same time, receives the results in order, returns T."""


Run = Callable[[Sequence[Work]], list[Any]]
"""What runs a list of work, and returns the results in order."""
_RUN: contextvars.ContextVar[Run | None] = contextvars.ContextVar("run", default=None)


def running_by(run: Run) -> AbstractContextManager[object]:
    """Have ``drive`` hand each list of work to a function, in modules that are called from here as well."""
    return having(_RUN, run)


def drive(steps: Steps[T]) -> T:
    """Run a module's logic in this thread, each list of work in parallel threads (see ``running_by``)."""
    run = _RUN.get() or (lambda work: parallel([item.run for item in work], limit=_limit_of(work) or 16))
    return run_blocking(_driven(steps, blocking(run)))


async def adrive(steps: Steps[T]) -> T:
    """Run a module's logic on the event loop, each list of work in concurrent tasks."""
    return await _driven(steps, lambda work: aparallel([item.arun for item in work], limit=_limit_of(work)))


def _limit_of(work: Sequence[Work]) -> int | None:
    return work.limit if isinstance(work, Branches) else None


async def _driven(steps: Steps[T], run: Callable[[Sequence[Work]], Awaitable[list[Any]]]) -> T:
    results: Any = None  # as a generator that begins wants it
    try:
        while True:
            results = await run(steps.send(results))
    except StopIteration as stop:
        value: T = stop.value
        return value


def by_threads(steps: Callable[P, Steps[T]]) -> Callable[P, T]:
    """Return the ``forward`` of a module whose logic these steps are."""

    steps.__qualname__ = _called(steps, "forward")  # what Python's own errors say

    @wraps(steps)
    def forward(*args: P.args, **inputs: P.kwargs) -> T:
        return drive(steps(*args, **inputs))

    return _that_returns_the_result(forward)


def by_tasks(steps: Callable[P, Steps[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return the ``aforward`` of a module whose logic these steps are: ``forward`` on the event loop."""

    @wraps(steps)
    async def aforward(*args: P.args, **inputs: P.kwargs) -> T:
        return await adrive(steps(*args, **inputs))

    return _that_returns_the_result(aforward)


def _called(steps: Callable[..., Any], name: str) -> str:
    return f"{steps.__qualname__.rpartition('.')[0]}.{name}"


def _that_returns_the_result(function: F) -> F:
    """Have a function that runs steps show their result as its own, where they are annotated ``Steps[…]``."""
    signature = inspect.signature(function)
    result = str(signature.return_annotation).removeprefix("Steps[").removesuffix("]")
    function.__signature__ = signature.replace(return_annotation=result)  # type: ignore[attr-defined]
    return function


def parallel(functions: Sequence[Callable[[], T]], *, limit: int = 16) -> list[T]:
    """Return the functions' results in order, run in at most ``limit`` threads that share this context.

    After an error, or an interrupt, nothing more is started; what is in flight ends, and then it is raised.
    """
    if len(functions) <= 1:
        return [function() for function in functions]
    stopped = threading.Event()

    def unless_stopped(function: Callable[[], T]) -> T:
        if stopped.is_set():
            raise CancelledError
        try:
            return function()
        except BaseException:
            stopped.set()
            raise

    with ThreadPoolExecutor(max_workers=min(limit, len(functions))) as pool:
        # One copy of the context each: DSPy's settings travel in it, and a copy cannot be entered twice.
        futures = [
            pool.submit(contextvars.copy_context().run, unless_stopped, partial(_unstreamed, function))
            for function in functions
        ]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            failed = next(
                (f for f in futures if f.done() and not f.cancelled() and _is_real(f.exception())), None
            )
            if failed is not None:
                failed.result()
            return [future.result() for future in futures]
        except BaseException:
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _is_real(error: BaseException | None) -> bool:
    return error is not None and not isinstance(error, CancelledError)


def _unstreamed(function: Callable[[], T]) -> T:
    """Call a function whose replies come whole: DSPy can stream from the thread of its own alone."""
    if dspy.settings.send_stream is None:
        return function()
    with dspy.context(send_stream=None):
        return function()


async def aparallel(functions: Sequence[Callable[[], Any]], *, limit: int | None = None) -> list[Any]:
    """Return the coroutine functions' results in order.

    After an error nothing more is started, what is in flight finishes (a call that was sent is paid for), and
    then the error is raised. Cancelling cancels what is in flight.
    """
    if len(functions) <= 1:
        return [await function() for function in functions]
    semaphore = asyncio.Semaphore(limit or len(functions))
    errors: list[BaseException] = []

    async def bounded(function: Callable[[], Any]) -> Any:
        async with semaphore:
            if errors:
                return None
            try:
                return await function()
            except BaseException as error:
                errors.append(error)
                raise

    results = await asyncio.gather(*(bounded(function) for function in functions), return_exceptions=True)
    if errors:
        raise errors[0]
    return results


async def _awaited(result: Awaitable[T]) -> T:
    return await result


def names_argument(module: Any, name: str) -> bool:
    """Whether a callable, or a module's ``forward`` (else ``aforward``), names this parameter itself."""
    return name in _parameters(module)


def required_arguments(module: Any) -> list[str]:
    """Return the parameters that a step must be given: those without a default."""
    single = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = list(_parameters(module).items())[isinstance(module, dspy.Module) :]  # without self
    return [name for name, each in parameters if each.kind in single and each.default is each.empty]


def _parameters(module: Any) -> Mapping[str, inspect.Parameter]:
    called: Any = module
    if isinstance(module, dspy.Module):
        kind: Any = type(module)
        called = kind.forward if "forward" in ways(kind) else kind.aforward
    return _signature(called).parameters


def _names_taken(module: Any, names: Collection[str]) -> Collection[str]:
    """Return the names that a module takes: its parameters', and where it takes any, those of what it wraps.

    A wrapper is a module that takes any argument and holds one other module; without one it gets ``names``.
    """
    parameters = _parameters(module)
    named = [name for name, each in parameters.items() if each.kind is not each.VAR_KEYWORD]
    if len(named) == len(parameters):
        return named
    held = vars(module).values() if isinstance(module, dspy.Module) else ()
    wrapped = [each for each in held if isinstance(each, dspy.Module) and not isinstance(each, dspy.Predict)]
    return {*named, *(_names_taken(wrapped[0], names) if len(wrapped) == 1 else names)}


def ways(kind: type) -> frozenset[str]:
    """Return how a class of modules is called: by ``forward``, by ``aforward``, or by either.

    The class nearest to the module's own that defines one of them decides: what it overrides is what runs.
    """
    both = ("forward", "aforward")
    defined = ([name for name in both if name in vars(each)] for each in kind.__mro__)
    return frozenset(next((names for names in defined if names), both[:1]))


_signature = lru_cache(maxsize=256)(inspect.signature)


class Forward(Protocol[P, T_co]):
    """A module as type checkers see it: its call takes and returns what its ``forward`` does."""

    def forward(self, *args: P.args, **inputs: P.kwargs) -> T_co: ...


class Aforward(Protocol[P, T_co]):
    """The same of ``acall`` and ``aforward``."""

    def aforward(self, *args: P.args, **inputs: P.kwargs) -> Awaitable[T_co]: ...


@without_usage_note
class RecipeModule(KeptModule):
    """Base of our steps: a subclass that overrides ``forward`` alone, or ``aforward`` alone, runs by it
    everywhere. What a call gives back is the record that ``forward`` made, and a ``dspy.Prediction`` too.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = vars(cls)
        if "forward" in own and "aforward" not in own:

            @wraps(own["forward"])
            async def aforward(self: Any, *args: Any, **kwargs: Any) -> Any:
                return await asyncio.to_thread(self.forward, *args, **kwargs)

            cls.aforward = aforward
        elif "aforward" in own and "forward" not in own:

            @wraps(own["aforward"])
            def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
                return run_to_end(partial(self.aforward, *args, **kwargs))

            cls.forward = forward

    def __call__(self: Forward[P, T], *args: P.args, **inputs: P.kwargs) -> T:
        result: T = as_prediction(dspy.Module.__call__(self, *args, **inputs))
        return result

    async def acall(self: Aforward[P, T], *args: P.args, **inputs: P.kwargs) -> T:
        result: T = as_prediction(await dspy.Module.acall(self, *args, **inputs))
        return result


def run_to_end(work: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function to its end in this thread, or beside the event loop that runs in it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_awaited(work()))
    with ThreadPoolExecutor(1) as pool:
        context = contextvars.copy_context()
        return pool.submit(lambda: context.run(lambda: asyncio.run(_awaited(work())))).result()


@dataclass(frozen=True)
class Branch:
    """Steps as one piece of work, so that several may run at the same time."""

    steps: Steps[Any]

    def run(self) -> Any:
        """Run them in this thread."""
        return drive(self.steps)

    async def arun(self) -> Any:
        """Run them on the event loop."""
        return await adrive(self.steps)


class Branches(list[Branch]):
    """Steps that run at the same time, at most ``limit`` of them where one is given."""

    def __init__(self, steps: Iterable[Steps[Any]], limit: int | None = None) -> None:
        super().__init__(map(Branch, steps))
        self.limit = limit


@dataclass(frozen=True)
class ModuleCall:
    """One call of a step: any callable or ``dspy.Module``, under the step's own model if it has one."""

    module: Any  # a dspy.Module, or any callable
    arguments: dict[str, Any]
    lm: LanguageModel | None = None

    @property
    def runs_by_steps(self) -> bool:
        """Whether the module is ours as it stands: its logic is a generator of work, in its ``_steps``."""
        kind = type(self.module)
        ours = str(getattr(getattr(kind, "forward", None), "__module__", "")).startswith("character.")
        return ours and inspect.isgeneratorfunction(getattr(kind, "_steps", None))

    def run(self) -> Any:
        """Call the module in this thread; one that only has ``aforward`` gets an event loop of its own."""
        with self._context():
            if isinstance(self.module, dspy.Module) and "forward" not in ways(type(self.module)):
                return run_to_end(partial(self.module.acall, **self._accepted()))
            result = self.module(**self._accepted())
            return run_to_end(lambda: result) if inspect.isawaitable(result) else result

    async def arun(self) -> Any:
        """Call the module on the event loop; one that only has ``forward`` runs in a thread."""
        with self._context():
            if isinstance(self.module, dspy.Module) and "aforward" in ways(type(self.module)):
                return await self.module.acall(**self._accepted())
            if inspect.iscoroutinefunction(self.module):
                return await self.module(**self._accepted())
            return await asyncio.to_thread(self.module, **self._accepted())

    def _accepted(self) -> dict[str, Any]:
        return self._taken(())

    def _taken(self, names: Collection[str]) -> dict[str, Any]:
        """Return the arguments that the module names; one that takes any gets what it wraps does."""
        taken = _names_taken(self.module, names or self.arguments)
        return {name: value for name, value in self.arguments.items() if name in taken}

    def _context(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.lm is None else dspy.context(lm=self.lm)
