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
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, ParamSpec, Protocol, TypeVar

import dspy

from character.backends.arguments import names_taken, ways
from character.backends.dspy_compat import without_usage_note
from character.backends.predictions import as_prediction
from character.backends.saving import KeptModule
from character.backends.waiting import blocking, having, in_thread, run_blocking, run_to_end, running_task
from character.protocols import LanguageModel
from character.records import Record

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
                return await in_thread(self.forward, *args, **kwargs)

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


@dataclass(frozen=True)
class Branch:
    """Steps as one piece of work, so that several may run at the same time; ``around`` them is a context."""

    steps: Steps[Any]
    around: AbstractContextManager[Any] = field(default_factory=nullcontext)

    def run(self) -> Any:
        """Run them in this thread."""
        with self.around:
            return drive(self.steps)

    async def arun(self) -> Any:
        """Run them on the event loop."""
        with self.around:
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
        """Call the module in this thread; what is to be awaited gets an event loop of its own."""
        with self._context(), _as_errors():
            result = self._made(self.module.acall if self._ways == {"aforward"} else self.module)
            return whole(run_to_end(lambda: _coming(result))) if _is_to_come(result) else result

    async def arun(self) -> Any:
        """Call the module on the event loop; what only blocks runs in a thread."""
        with self._context(), _as_errors():
            call = self.module.acall if "aforward" in self._ways else self.module
            is_awaited = call is not self.module or inspect.iscoroutinefunction(call)
            result = call(**self._accepted()) if is_awaited else await in_thread(self._made, call)
            if _is_to_come(result):
                result = await _coming(result)
            return await in_thread(whole, result) if is_lazy(result) else result

    @property
    def _ways(self) -> frozenset[str]:
        return ways(type(self.module)) if isinstance(self.module, dspy.Module) else frozenset()

    def _made(self, call: Callable[..., Any]) -> Any:
        return whole(call(**self._accepted()))

    def _accepted(self) -> dict[str, Any]:
        return self._taken(())

    def _taken(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return the arguments that the module names; one that takes any gets what it wraps does."""
        taken = names_taken(self.module, names or tuple(self.arguments))
        return {name: value for name, value in self.arguments.items() if name in taken}

    def _context(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.lm is None else dspy.context(lm=self.lm)


def is_lazy(value: Any) -> bool:
    """Whether some of what a step gave is still to be worked out: an iterator, by itself or in a field."""
    if isinstance(value, dspy.Example | dict) and not isinstance(value, Record):
        return any(isinstance(each, Iterator) for each in value.values())
    return isinstance(value, Iterator)


def whole(value: Any) -> Any:
    """Return what a step gave with everything worked out, here where it has its own model: lists."""
    if not is_lazy(value):
        return value
    if isinstance(value, Iterator):
        return [whole(each) for each in value]
    fields = {name: whole(each) for name, each in value.items()}
    return value.copy(**fields) if isinstance(value, dspy.Example) else fields


def _is_to_come(result: Any) -> bool:
    return inspect.isawaitable(result) or inspect.isasyncgen(result)


async def _coming(result: Any) -> Any:
    return [each async for each in result] if inspect.isasyncgen(result) else await result


@contextmanager
def _as_errors() -> Iterator[None]:
    """Have whatever a step raises be an error of it; Ctrl-C, and whoever stops this task, go through."""
    task = running_task()
    try:
        yield
    except (asyncio.CancelledError, GeneratorExit, SystemExit) as error:
        is_cancelled = isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling()
        if is_cancelled or (isinstance(error, GeneratorExit) and running_task() is not task):
            raise
        raise RuntimeError(f"{type(error).__name__} was raised") from error
