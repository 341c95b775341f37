"""A run: the program over a whole constitution, every finished call and record kept, stopped and resumed at will."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from character._version import __version__
from character.backends.budget import Budget
from character.backends.dspy_compat import close_async_engine
from character.config import Config
from character.constitution import Constitution, Trait
from character.errors import BudgetReachedError, CharacterError
from character.event_loop import finishing_on_interrupt, heed_interrupts, run_on_own_loop
from character.feasibility import check_design
from character.message_files import GivenMessages
from character.modules.calls import SERVER_FAULTS, lean_settings
from character.modules.inputs import as_constitution
from character.program import CharacterProgram
from character.records import Candidates, Drop, Message, MessageBatch, Ranking, Rollout, Usage
from character.run_log import RunLog
from character.run_slices import StoredSlices
from character.run_summary import RunSummary, check_identity, summarize, write_down
from character.store import FAILED, RunStore
from character.tuned_ranker import keep_ranker, ranker_notes, with_tuned_ranker

_ORDINALS_PER_TRAIT = 10_000_000


class MessageSource(Protocol):
    """Where a run gets messages that are not generated: a MessageFile, or GivenMessages in memory."""

    fingerprint: str

    def count(self, trait: str) -> int:
        """Return how many different messages there are for a trait."""

    def messages(self, trait: str) -> Iterator[Message]:
        """Yield the messages for a trait, in order."""

    def drops(self, trait: str) -> tuple[Drop, ...]:
        """Return what was left out for a trait."""


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
    constitution: Constitution | Path | str,
    out: Path | str,
    *,
    config: Config | None = None,
    messages: Mapping[str, MessageBatch] | MessageSource | None = None,
    program: CharacterProgram | None = None,
    reuse: Sequence[Path | str] = (),
    on_progress: OnProgress | None = None,
) -> RunSummary:
    """Run the program over a constitution and keep everything in the folder ``out``; return what came of it.

    ``constitution`` is a record or the path of a file. Called again with the same arguments it goes on where it stopped: finished calls are not made again, and
    messages whose server failed are tried again. ``messages`` (a MessageFile, or batches per trait name)
    replaces the generation of messages. ``program`` replaces the one the configuration describes; it gets
    the configured models unless it brings its own. ``reuse`` names folders of other runs: calls that are
    finished there are not made again here. Ctrl-C once finishes the messages being worked on, twice stops
    at once. Raises StoreError where the folder is in use, cannot be written or holds another run,
    BackendUnavailableError where a backend is down or refuses the key, BudgetReachedError at a cap, and
    KeyboardInterrupt after Ctrl-C; everything finished is kept in each case.
    """
    return run_on_own_loop(
        partial(
            arun,
            constitution,
            out,
            config=config,
            messages=messages,
            program=program,
            reuse=reuse,
            on_progress=on_progress,
        )
    )


async def arun(
    constitution: Constitution | Path | str,
    out: Path | str,
    *,
    config: Config | None = None,
    messages: Mapping[str, MessageBatch] | MessageSource | None = None,
    program: CharacterProgram | None = None,
    reuse: Sequence[Path | str] = (),
    on_progress: OnProgress | None = None,
) -> RunSummary:
    """Do as ``run`` does, on the event loop."""
    config = with_tuned_ranker(config or Config())
    constitution = as_constitution(constitution)
    given = GivenMessages(dict(messages)) if isinstance(messages, Mapping) else messages
    if program is None:
        check_design(constitution, config)
    with contextlib.ExitStack() as stack:
        stack.callback(heed_interrupts)
        stack.enter_context(_without_truncation_warnings())
        others = [stack.enter_context(RunStore(folder)) for folder in reuse]
        store = stack.enter_context(RunStore.create(out, url=config.store.url, reuse=others))
        check_identity(store, constitution, config, given.fingerprint if given else None)
        log = stack.enter_context(RunLog(store.folder / "log.jsonl"))
        write_down(store, constitution, config, given.fingerprint if given else None)
        job = _Run(store, log, constitution, config, given, on_progress)
        log.write("started", version=__version__, constitution=constitution.fingerprint, seed=config.seed)
        for note in ranker_notes(config, constitution.language):
            log.write("ranker", note=note)
        await job.sit(_with_models(program, keep_ranker(store.folder, config), store))
        log.write("finished", **store.counts())
        return summarize(store)


@contextlib.contextmanager
def _without_truncation_warnings() -> Iterator[None]:
    """Keep DSPy's line per cut-off reply out of the user's log: runs count them and report them as ``cut_off``."""

    def is_other(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("LM response was truncated")

    logger = logging.getLogger("dspy.clients.lm")
    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def _with_models(program: CharacterProgram | None, config: Config, store: RunStore) -> CharacterProgram:
    from character.backends import build_lms

    caps = config.budget
    capped = (caps.max_calls, caps.max_tokens, caps.max_cost) != (None, None, None)
    lms = build_lms(config, journal=store, budget=Budget(caps, store.spent()) if capped else None)
    if program is None:
        return CharacterProgram.from_config(config, lms)
    if not program.lms:
        program = program.deepcopy()
        program.lms = lms
    return program


class _Run:
    """One sitting of a run: makes what is missing of each trait's messages, then works on what is waiting."""

    def __init__(
        self,
        store: RunStore,
        log: RunLog,
        constitution: Constitution,
        config: Config,
        given: MessageSource | None,
        on_progress: OnProgress | None,
    ) -> None:
        self.store, self.log, self.constitution, self.config = store, log, constitution, config
        self.given = given
        self.state = RunState()
        self._tell = on_progress or (lambda _state: None)
        self._slots = asyncio.Semaphore(config.concurrency)
        self._budget_reached: BudgetReachedError | None = None

    async def sit(self, program: CharacterProgram) -> None:
        """Work until everything is finished; raise what stopped it before that."""
        self.program = program
        try:
            with finishing_on_interrupt(self._stop):
                await self._all_traits()
        except CharacterError as error:
            self.log.write("stopped", error=type(error).__name__, message=str(error))
            raise
        except asyncio.CancelledError:
            self.log.write("stopped", error="KeyboardInterrupt", message="Ctrl-C twice")
            raise KeyboardInterrupt from None
        finally:
            await self._close()
        if self._budget_reached:
            self.log.write("stopped", error="BudgetReachedError", message=str(self._budget_reached))
            raise self._budget_reached
        if self.state.stopping:
            self.log.write("stopped", error="KeyboardInterrupt", message="Ctrl-C")
            raise KeyboardInterrupt

    def _stop(self) -> None:
        """Begin nothing more, as Ctrl-C asks."""
        self.state.stopping = True
        self._tell(self.state)

    async def _all_traits(self) -> None:
        import dspy

        self._count_earlier()
        # History and trace would keep every prompt of the run in memory; the journal has them on disk.
        with dspy.context(disable_history=True, trace=None, **lean_settings()):
            try:
                async with asyncio.TaskGroup() as group:
                    for number, trait in enumerate(self.constitution.traits):
                        group.create_task(self._trait(trait, number * _ORDINALS_PER_TRAIT))
            except BaseExceptionGroup as errors:
                raise _first(errors) from None

    async def _trait(self, trait: Trait, first_ordinal: int) -> None:
        async with asyncio.TaskGroup() as group:
            if not self.store.has_batch(trait.name) and self.given is None:
                await self._generate_and_answer(trait, first_ordinal, group)
                return
            if not self.store.has_batch(trait.name) and self.given is not None:
                self._add_given(self.given, trait, first_ordinal)
            await self._answer(trait, self.store.waiting(trait.name), group)

    async def _generate_and_answer(self, trait: Trait, first_ordinal: int, group: asyncio.TaskGroup) -> None:
        """Work on one slice of messages while the next one is made, and on no more than that."""
        source = StoredSlices(self.store, self.program.slices(trait, self.constitution), trait, first_ordinal)
        upcoming = group.create_task(self._next_slice(source))
        await self._answer(trait, self.store.waiting(trait.name), group)  # those of an earlier sitting
        while (batch := await upcoming) is not None:
            fresh = source.keep(batch)
            self._count_batch(trait, batch, len(fresh))
            upcoming = group.create_task(self._next_slice(source))
            await self._answer(trait, fresh, group)

    async def _next_slice(self, source: StoredSlices) -> MessageBatch | None:
        if self.state.stopping or source.is_done:
            return None
        try:
            return await source.anext()
        except BudgetReachedError as error:
            self._stop_at_budget(error)
            return None

    async def _answer(self, trait: Trait, messages: Iterable[Message], group: asyncio.TaskGroup) -> None:
        for message in messages:
            await self._slots.acquire()
            if self.state.stopping:
                self._slots.release()
                return
            group.create_task(self._message(message, trait))

    def _add_given(self, given: MessageSource, trait: Trait, first_ordinal: int) -> None:
        if self.state.stopping:
            return
        number = given.count(trait.name)
        self.store.add_messages(trait.name, given.messages(trait.name), first_ordinal)
        batch = MessageBatch(messages=(), drops=given.drops(trait.name))
        self.store.finish_batch(trait.name, batch)
        self._count_batch(trait, batch, number)

    def _count_batch(self, trait: Trait, batch: MessageBatch, number: int) -> None:
        self.log.write("messages", trait=trait.name, kept=number, dropped=len(batch.drops))
        self.state.messages += number
        self.state.usage += batch.usage
        self._count_drops(batch.drops)
        self._tell(self.state)

    async def _message(self, message: Message, trait: Trait) -> None:
        try:
            rollout = await self.program.arollout(message, trait, self.constitution, on_step=self._count_step)
            status, reason = outcome(rollout)
            await self.store.add_rollout(rollout, status, reason)
        except BudgetReachedError as error:
            self._stop_at_budget(error)
            return
        finally:
            self._slots.release()
        self.state.finished += 1
        self.state.pairs += len(rollout.pairs)
        self._count_drops(rollout.drops)
        self.log.write("rollout", message=message.id, trait=trait.name, status=status, reason=reason)
        self._tell(self.state)

    def _stop_at_budget(self, error: BudgetReachedError) -> None:
        self._budget_reached = error
        self.state.stopping = True

    def _count_earlier(self) -> None:
        state, counts = self.state, self.store.counts()
        per_trait = self.config.messages.per_trait
        for trait in self.constitution.traits:
            state.messages_wanted += self.given.count(trait.name) if self.given else per_trait
        unfinished = counts.get("pending", 0) + counts.get(FAILED, 0)
        state.messages, state.pairs = counts["messages"], counts["pairs"]
        state.finished = state.ranked = state.answered = counts["messages"] - unfinished
        for reasons in self.store.drops(recovered=False).values():
            state.drops.update(reasons)
        state.usage = sum(self.store.usage("stage").values(), Usage())
        self._tell(state)

    def _count_step(self, result: Candidates | Ranking) -> None:
        self.state.answered += isinstance(result, Candidates)
        self.state.ranked += isinstance(result, Ranking)
        self.state.usage += result.usage
        self._tell(self.state)

    def _count_drops(self, drops: tuple[Drop, ...]) -> None:
        self.state.drops.update(drop.reason for drop in drops if not drop.recovered)

    async def _close(self) -> None:
        """Close the connections of the models on this event loop."""
        for lm in self.program.lms.values():
            await close_async_engine(lm)


def outcome(rollout: Rollout) -> tuple[str, str]:
    """Return the state a message reached, and why where it made no pair.

    ``paired``; ``unpaired``, ``unranked``, ``unsuitable``, ``unanswered`` (fewer than two usable candidates);
    or ``failed`` where that came of a failing server, so that trying again may help.
    """
    if rollout.pairs:
        return "paired", ""
    lost = [drop.reason for drop in rollout.drops if not drop.recovered]
    ranking = rollout.ranking
    if ranking is None or ranking.status == "unranked":
        server = [reason for reason in lost if reason in SERVER_FAULTS]
        if server:
            return FAILED, server[0]
    if ranking is None:
        return "unanswered", lost[0] if lost else ""
    if ranking.status == "ranked":
        return "unpaired", lost[-1] if lost else ""
    return ranking.status, ranking.reason


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
