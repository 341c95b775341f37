"""A run: the program over a whole constitution, every finished call and record kept, stopped and resumed at will."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from character._version import __version__
from character.config import Config
from character.constitution import Constitution, Trait
from character.errors import CharacterError
from character.program import CharacterProgram
from character.records import Candidates, Drop, Message, MessageBatch, Ranking, Rollout, Usage
from character.run_log import RunLog
from character.run_summary import RunSummary, check_identity, summarize, write_down
from character.store import RunStore, rollout_status

_ORDINALS_PER_TRAIT = 10_000_000


@dataclass
class RunState:
    """What a run has done so far, for whoever shows it. Counts are over the whole run, earlier sittings included."""

    messages_wanted: int = 0
    messages: int = 0
    answered: int = 0
    ranked: int = 0
    finished: int = 0
    pairs: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    stopping: bool = False


OnProgress = Callable[[RunState], None]


def run(
    constitution: Constitution,
    out: Path | str,
    *,
    config: Config | None = None,
    messages: Mapping[str, MessageBatch] | None = None,
    program: CharacterProgram | None = None,
    on_progress: OnProgress | None = None,
) -> RunSummary:
    """Run the program over a constitution and keep everything in the folder ``out``; return what came of it.

    Called again with the same arguments it goes on where it stopped: finished calls are not made again.
    ``messages`` (see ``load_messages``) replaces the generation of messages. ``program`` replaces the one
    the configuration describes; it gets the configured models unless it brings its own. Ctrl-C once
    finishes the messages being worked on, twice stops at once. Raises StoreError where the folder is in
    use or holds another run, BackendUnavailableError where a backend is down or refuses the key, and
    KeyboardInterrupt after Ctrl-C; everything finished is kept in each case.
    """
    return asyncio.run(
        arun(constitution, out, config=config, messages=messages, program=program, on_progress=on_progress)
    )


async def arun(
    constitution: Constitution,
    out: Path | str,
    *,
    config: Config | None = None,
    messages: Mapping[str, MessageBatch] | None = None,
    program: CharacterProgram | None = None,
    on_progress: OnProgress | None = None,
) -> RunSummary:
    """Do as ``run`` does, on the event loop."""
    config = config or Config()
    with RunStore.create(out) as store, RunLog(store.folder / "log.jsonl") as log:
        check_identity(store, constitution, config, messages)
        write_down(store, constitution, config, messages)
        job = _Run(
            store, log, constitution, config, _with_models(program, config, store), messages, on_progress
        )
        log.write("started", version=__version__, constitution=constitution.fingerprint, seed=config.seed)
        try:
            with _stop_on_interrupt(job):
                await job.all_traits()
        except CharacterError as error:
            log.write("stopped", error=type(error).__name__, message=str(error))
            raise
        except asyncio.CancelledError:
            log.write("stopped", error="KeyboardInterrupt", message="Ctrl-C twice")
            raise KeyboardInterrupt from None
        finally:
            await job.close()
        if job.state.stopping:
            log.write("stopped", error="KeyboardInterrupt", message="Ctrl-C")
            raise KeyboardInterrupt
        log.write("finished", **store.counts())
        return summarize(store)


def _with_models(program: CharacterProgram | None, config: Config, store: RunStore) -> CharacterProgram:
    from character.backends import build_lms

    lms = build_lms(config, journal=store)
    if program is None:
        return CharacterProgram.from_config(config, lms)
    if not program.lms:
        program = program.deepcopy()
        program.lms = lms
    return program


class _Run:
    """One sitting of a run: makes what is missing of each trait's messages, then works on what is pending."""

    def __init__(
        self,
        store: RunStore,
        log: RunLog,
        constitution: Constitution,
        config: Config,
        program: CharacterProgram,
        given: Mapping[str, MessageBatch] | None,
        on_progress: OnProgress | None,
    ) -> None:
        self.store, self.log, self.constitution, self.config = store, log, constitution, config
        self.program, self.given = program, given
        self.state = RunState()
        self._tell = on_progress or (lambda _state: None)
        self._slots = asyncio.Semaphore(config.concurrency)

    async def all_traits(self) -> None:
        """Work on every trait at once, within the bound on messages in flight."""
        import dspy

        self._count_earlier()
        # History and trace would keep every prompt of the run in memory; the journal has them on disk.
        with dspy.context(disable_history=True, trace=None):
            try:
                async with asyncio.TaskGroup() as group:
                    for number, trait in enumerate(self.constitution.traits):
                        group.create_task(self._trait(trait, number))
            except BaseExceptionGroup as errors:
                raise _first(errors) from None

    async def _trait(self, trait: Trait, number: int) -> None:
        batch = self.store.batch(trait.name)
        if batch is None:
            if self.state.stopping:
                return
            batch = await self._make_messages(trait)
            self.store.add_batch(trait.name, batch, number * _ORDINALS_PER_TRAIT)
            self.log.write("messages", trait=trait.name, kept=len(batch.messages), dropped=len(batch.drops))
            self._count_batch(batch)
        self._tell(self.state)
        finished = {
            message_id for message_id, _trait, status in self.store.message_ids() if status != "pending"
        }
        waiting = [message for message in batch.messages if message.id not in finished]
        async with asyncio.TaskGroup() as group:
            for message in waiting:
                await self._slots.acquire()
                if self.state.stopping:
                    self._slots.release()
                    return
                group.create_task(self._message(message, trait))

    async def _make_messages(self, trait: Trait) -> MessageBatch:
        if self.given is not None:
            return self.given.get(trait.name, MessageBatch(messages=()))
        return await self.program.agenerate(trait, self.constitution)

    async def _message(self, message: Message, trait: Trait) -> None:
        try:
            rollout = await self.program.arollout(message, trait, self.constitution, on_step=self._count_step)
            await self.store.add_rollout(rollout)
        finally:
            self._slots.release()
        self._count_rollout(rollout)
        self.log.write("rollout", message=message.id, trait=trait.name, status=rollout_status(rollout))
        self._tell(self.state)

    # -- counting ----------------------------------------------------------------------------------------

    def _count_earlier(self) -> None:
        state = self.state
        per_trait = self.config.messages.per_trait
        for trait in self.constitution.traits:
            given = self.given.get(trait.name) if self.given is not None else None
            state.messages_wanted += per_trait if self.given is None else len(given.messages) if given else 0
            batch = self.store.batch(trait.name)
            if batch is not None:
                self._count_batch(batch)
        for rollout in self.store.rollouts():
            state.answered += rollout.candidates is not None
            state.ranked += rollout.ranking is not None
            self._count_rollout(rollout)
        state.usage = sum(self.store.usage().values(), Usage())
        self._tell(state)

    def _count_batch(self, batch: MessageBatch) -> None:
        self.state.messages += len(batch.messages)
        self.state.usage += batch.usage
        self._count_drops(batch.drops)

    def _count_step(self, result: Candidates | Ranking) -> None:
        self.state.answered += isinstance(result, Candidates)
        self.state.ranked += isinstance(result, Ranking)
        self.state.usage += result.usage
        self._tell(self.state)

    def _count_rollout(self, rollout: Rollout) -> None:
        self.state.finished += 1
        self.state.pairs += len(rollout.pairs)
        self._count_drops(rollout.drops)

    def _count_drops(self, drops: tuple[Drop, ...]) -> None:
        self.state.drops.update(drop.reason for drop in drops if not drop.recovered)

    async def close(self) -> None:
        """Close the connections of the models on this event loop."""
        for lm in self.program.lms.values():
            engine: Any = getattr(lm, "_async_engine_spec", None)
            if hasattr(engine, "aclose"):
                await engine.aclose()


@contextlib.contextmanager
def _stop_on_interrupt(job: _Run) -> Iterator[None]:
    """Let the first Ctrl-C finish what is in flight, and the second cancel it."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def interrupted() -> None:
        if job.state.stopping and task:
            task.cancel()
        job.state.stopping = True
        job._tell(job.state)

    try:
        loop.add_signal_handler(signal.SIGINT, interrupted)
    except (NotImplementedError, ValueError, RuntimeError):  # Windows, or not the main thread
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error to show of several: one of ours where there is one."""
    leaves: list[BaseException] = []
    stack: list[BaseException] = [errors]
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup):
            stack.extend(error.exceptions)
        else:
            leaves.append(error)
    return next((error for error in leaves if isinstance(error, CharacterError)), leaves[-1])
