"""A run: the program over a whole constitution, every call and record kept, stopped and resumed at will."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, overload

from character._version import __version__
from character.backends.measuring import Estimate
from character.backends.own_models import with_configured_lm
from character.backends.own_steps import FailureWatch
from character.config import Config, ConfigSource, as_config
from character.constitution import Constitution, Trait
from character.errors import (
    BudgetReachedError,
    CharacterError,
    InputError,
    StepFailedError,
    UnusableModelError,
)
from character.inputs import as_constitution, spelled_out
from character.messages.files import MessageSource, as_source
from character.program import CharacterProgram, lending
from character.ranking.acquaintance import Acquaintance, acquainting
from character.ranking.saved import keep_ranker, ranker_notes, with_tuned_ranker
from character.records import Candidates, Drop, Message, MessageBatch, Ranking, Rollout
from character.runs.attempts import failed_stages, outcome, tried
from character.runs.endings import set_stopped, try_lost_again
from character.runs.estimate import check_design, estimate
from character.runs.event_loop import run_on_own_loop
from character.runs.identity import run_identity
from character.runs.program_identity import noting_changes, program_identity
from character.runs.programs import OwnProgram, driven, is_driven_by_steps
from character.runs.progress import ProgressCallback, RunState, reporting
from character.runs.session import FolderKind, Session, as_begun
from character.runs.slices import StoredSlices
from character.runs.summary import RunSummary, num_finished, summarize, unsuitable_note
from character.store.run_store import FAILED

RUN = FolderKind(
    name="run",
    identity_key="identity",
    noun="a run",
    otherwise="a run that was made otherwise: ",
    expected="the same constitution, messages and settings as before",
    fix="go on with the old settings, or start a new run with another --out; --reuse {folder} "
    "then takes over every call that is still the same.",
)
_ORDINALS_PER_TRAIT = 10_000_000


class RunOptions(TypedDict, total=False):
    """What a run takes besides its constitution, its folder and its configuration; see ``run``."""

    messages: Mapping[str, MessageBatch] | MessageSource | Path | str | None
    traits: Sequence[str]
    program: Any
    reuse: Sequence[Path | str]
    on_progress: ProgressCallback[RunState]


@overload
def run(
    constitution: Constitution | Path | str,
    out: Path | str,
    config: ConfigSource = None,
    *,
    dry_run: Literal[False] = False,
    **options: Unpack[RunOptions],
) -> RunSummary: ...
@overload
def run(
    constitution: Constitution | Path | str,
    out: Path | str,
    config: ConfigSource = None,
    *,
    dry_run: Literal[True],
    **options: Unpack[RunOptions],
) -> Estimate: ...
@spelled_out(RunOptions)
def run(
    constitution: Constitution | Path | str,
    out: Path | str,
    config: ConfigSource = None,
    *,
    dry_run: bool = False,
    **options: Unpack[RunOptions],
) -> RunSummary | Estimate:
    """Run the program over a constitution and keep everything in the folder ``out``; return what came of it.

    ``constitution`` is a record or the path of a file, ``config`` a Config or the path of its TOML file.
    Called again with the same arguments it goes on where it stopped: finished calls are not made again, and
    messages whose server failed are tried again. ``messages`` (a file's path, a MessageFile, or batches per
    trait name) replaces the generation of messages; where the configuration says ``messages.from_questions``,
    the constitution's own questions do. ``traits`` names those to work on. ``program`` replaces the one that
    the configuration describes; it gets the configured models unless it brings its own. ``reuse`` names
    folders of other runs: calls that are finished there are not made again here. ``on_progress`` is called
    with each new state; by default a line on stderr says how far the run is, and False says nothing. With
    ``dry_run`` nothing is sent or written, and the estimate is returned: calls, tokens and USD per stage and
    as ``all``.

    Ctrl-C once finishes the messages being worked on, twice stops at once. Raises StoreError where the folder
    is in use, cannot be written or holds another run, BackendUnavailableError where a backend is down or
    refuses the key, BudgetReachedError at a cap, and KeyboardInterrupt after Ctrl-C; everything finished is
    kept in each case.
    """
    job = _planned(constitution, out, config, options)
    if dry_run and options.get("program") is not None:
        raise InputError(
            "an estimate is made of what the configuration describes, and a program of its own is given.",
            fix="leave out program= for an estimate; [budget] max_calls caps what a program may ask.",
        )
    if dry_run:
        return estimate(job.constitution, job.config, job.given)
    return run_on_own_loop(partial(_sitting, job, out, options))


@spelled_out(RunOptions)
async def arun(
    constitution: Constitution | Path | str,
    out: Path | str,
    config: ConfigSource = None,
    **options: Unpack[RunOptions],
) -> RunSummary:
    """Do as ``run`` does, on the event loop."""
    return await _sitting(_planned(constitution, out, config, options), out, options)


@dataclass(frozen=True)
class _Plan:
    """What is run: the traits to work on, the settings with a saved ranker's, and messages that are given."""

    constitution: Constitution
    config: Config
    given: MessageSource | None


def _planned(
    constitution: Constitution | Path | str, out: Path | str, config: ConfigSource, options: RunOptions
) -> _Plan:
    config = with_configured_lm(with_tuned_ranker(as_config(config)))
    config = as_begun(config, out, *options.get("reuse", ()))
    constitution = as_constitution(constitution)
    if options.get("traits"):
        constitution = constitution.only(list(options["traits"]))
    given = as_source(options.get("messages"), constitution, from_questions=config.messages.from_questions)
    program = options.get("program")
    if program is None:
        check_design(constitution, config)
    elif given is not None and not is_driven_by_steps(program) and not OwnProgram(program).takes_messages:
        raise InputError(
            f"messages are given, and the program {type(program).__name__} takes none.",
            expected="a forward with the parameter messages, or no messages",
        )
    return _Plan(constitution, config, given)


async def _sitting(plan: _Plan, out: Path | str, options: RunOptions) -> RunSummary:
    """Work on the run in a folder until it is finished or something stops it."""
    constitution, config = plan.constitution, plan.config
    given = plan.given.fingerprint if plan.given else None
    own = options.get("program")
    identity = run_identity(constitution.fingerprint, config, given)
    made_by = program_identity(own)
    reuse = options.get("reuse", ())
    with Session(RUN, out, config, identity | made_by, constitution=constitution, reuse=reuse) as session:
        session.log.write(
            "started", version=__version__, constitution=constitution.fingerprint, seed=config.seed
        )
        for note in ranker_notes(config, constitution.language):
            session.log.write("ranker", note=note)
        lms = session.lms()
        program = driven(own, keep_ranker(session.folder, config), lms)
        tells = reporting(options.get("on_progress"), f"run {out}")
        with lending(lms), noting_changes(own, made_by, session.store), tells as tell:
            await _Run(session, plan, program, tell).sit()
        session.log.write("finished", **session.store.counts())
        return summarize(session.store)


class _Run:
    """One sitting of a run: makes what is missing of each trait's messages, then works on what is waiting."""

    def __init__(
        self,
        session: Session,
        plan: _Plan,
        program: CharacterProgram | OwnProgram,
        tell: Callable[[RunState], None],
    ) -> None:
        self.session, self.store, self.log, self.program = session, session.store, session.log, program
        self.constitution, self.config, self.given = plan.constitution, plan.config, plan.given
        self.state = RunState()
        self._tell, self._judge = tell, Acquaintance(session.store)
        self._slots = asyncio.Semaphore(plan.config.concurrency)
        self._stopped_by: CharacterError | None = None
        if again := try_lost_again(self.store):
            self.log.write("trying again", messages=again)
        set_stopped(self.store)
        counts = self.store.counts()
        self._watch = FailureWatch(has_succeeded=bool(counts.get("paired")))
        self._has_failed, self._is_noted = FAILED in counts, False

    async def sit(self) -> None:
        """Work until everything is finished; raise what stopped it before that."""
        try:
            async with self.session.working(self._stop):
                with acquainting(self._judge):
                    await self._all_traits()
        except (CharacterError, KeyboardInterrupt) as error:
            said = str(error) or "Ctrl-C twice"
            self.log.write("stopped", error=type(error).__name__, message=said)
            set_stopped(self.store, type(error).__name__, said)
            raise

    def _stop(self) -> None:
        self.state.stopping = True
        self._tell(self.state)

    async def _all_traits(self) -> None:
        self._count_earlier()
        try:
            async with asyncio.TaskGroup() as group:
                for number, trait in enumerate(self.constitution.traits):
                    group.create_task(self._trait(trait, number * _ORDINALS_PER_TRAIT))
        except BaseExceptionGroup as errors:
            ours = errors.subgroup(CharacterError)
            error: BaseException = ours or errors
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[-1 if ours else 0]
            raise error from None
        if self._stopped_by:
            raise self._stopped_by
        if self.state.stopping:
            raise KeyboardInterrupt("Ctrl-C")

    async def _trait(self, trait: Trait, first_ordinal: int) -> None:
        if isinstance(self.program, OwnProgram) and not self.program.takes_messages:
            await self._whole_trait(self.program, trait, first_ordinal)
            return
        async with asyncio.TaskGroup() as group:
            if not self.store.has_batch(trait.name):
                if self.given is None:
                    await self._generate_and_answer(trait, first_ordinal, group)
                    return
                self._add_given(self.given, trait, first_ordinal)
            await self._answer(trait, self.store.waiting(trait.name), group)

    async def _whole_trait(self, program: OwnProgram, trait: Trait, first_ordinal: int) -> None:
        """Have a program that takes no messages make all of a trait, and keep what it made."""
        if self.store.has_batch(trait.name) or self.state.stopping:
            return
        try:
            result = await program.whole(trait, self.constitution)
        except (BudgetReachedError, StepFailedError) as error:
            self._stop_by(error)
            return
        self.store.add_messages(trait.name, result.messages, first_ordinal)
        for rollout in result.rollouts:
            await self._keep(rollout)
        batch = MessageBatch(messages=(), drops=result.message_drops, usage=result.message_usage)
        self.store.finish_batch(trait.name, batch)
        self._count_batch(trait, batch, len(result.messages))

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
        if self.state.stopping or source.slices.is_done:
            return None
        try:
            return await source.anext()
        except BudgetReachedError as error:
            self._stop_by(error)
            return None

    async def _answer(self, trait: Trait, messages: Iterable[Message], group: asyncio.TaskGroup) -> None:
        if self.program.is_adaptive:
            of_trait = self.store.messages(trait.name, before=_ORDINALS_PER_TRAIT**2)
            self._judge.number(trait.name, of_trait, self._finished)
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
        self._count_drops(batch.drops)
        self._show()

    async def _message(self, message: Message, trait: Trait) -> None:
        try:
            rollout = await self._rollout(message, trait)
            await self._keep(rollout)
        except BudgetReachedError as error:
            self._stop_by(error)
            return
        finally:
            self._slots.release()
        try:
            self._watch.see(rollout)
        except (StepFailedError, UnusableModelError) as error:
            self._stop_by(error)

    async def _rollout(self, message: Message, trait: Trait) -> Rollout:
        """Return what the program makes of a message; where it failed before, told at the end."""
        key = f"failed/{message.id}"
        failed = json.loads((self.store.meta(key) if self._has_failed else None) or "{}")
        counted = self._count_step if not failed else (lambda _made: None)
        make = partial(self.program.arollout, message, trait, self.constitution, on_step=counted)
        rollout = await tried(self.store, key, dict(failed), make, failed_stages)
        for made in (rollout.candidates, rollout.ranking) if failed else ():
            if made is not None:
                self._count_step(made)
        return rollout

    def _finished(self, message_id: str) -> Rollout | None:
        rollout = next(self.store.rollouts(message_id), None)
        return None if rollout is None or outcome(rollout)[0] == FAILED else rollout

    async def _keep(self, rollout: Rollout) -> None:
        status, reason = outcome(rollout)
        await self.store.add_rollout(rollout, status, reason)
        self.state.finished += status != FAILED
        self.state.unsuitable += status == "unsuitable"
        if self.state.finished >= FailureWatch.FIRST:
            counts = self.state.unsuitable, self.state.finished
            self.state.note = unsuitable_note(*counts, self.constitution.language)
            if self.state.note and not self._is_noted:
                self._is_noted = True
                self.log.write("unsuitable", note=self.state.note)
        self.state.pairs += len(rollout.pairs)
        self._count_drops(rollout.drops)
        message = rollout.message
        self.log.write("rollout", message=message.id, trait=message.trait, status=status, reason=reason)
        self._show()

    def _stop_by(self, error: CharacterError) -> None:
        """Begin nothing more; what is in flight ends, and then the error is raised."""
        self._stopped_by = self._stopped_by or error
        self.state.stopping = True

    def _count_earlier(self) -> None:
        state, counts = self.state, self.store.counts()
        per_trait = self.config.messages.per_trait
        for trait in self.constitution.traits:
            state.messages_wanted += self.given.count(trait.name) if self.given else per_trait
        state.messages, state.pairs = counts["messages"], counts["pairs"]
        state.unsuitable = counts.get("unsuitable", 0)
        state.finished = state.ranked = state.answered = num_finished(counts)
        for reasons in self.store.drops(recovered=False).values():
            state.drops.update(reasons)
        self._spent_before = self.session.spent()
        self._show()

    def _count_step(self, result: Candidates | Ranking) -> None:
        self.state.answered += isinstance(result, Candidates)
        self.state.ranked += isinstance(result, Ranking)
        self._show()

    def _show(self) -> None:
        self.state.usage = self._spent_before + self.store.kept
        self._tell(self.state)

    def _count_drops(self, drops: tuple[Drop, ...]) -> None:
        self.state.drops.update(drop.reason for drop in drops if not drop.recovered)
