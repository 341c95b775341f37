"""A session: one sitting at a kept folder of any kind, from what it is to the closing of what was opened.

A kept folder is a store with facts about itself: its kind, its identity, the constitution and the
configuration it was made with. Whoever works in one opens a session; whoever reads one goes through
``reading``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from character._version import __version__
from character.backends.secrets import redact
from character.backends.waits import Wait, hearing_waits
from character.config import BackendConfig, Config
from character.constitution import Constitution
from character.errors import StoreError
from character.files import write_whole
from character.records import Usage
from character.runs.endings import was_of_no_use
from character.runs.identity import described, differences
from character.store.errors import another_version
from character.store.run_store import RunStore

if TYPE_CHECKING:
    from character.backends.own_models import Router

M = TypeVar("M", bound=BaseModel)
_ASKING = ("messages", "responses")
"""The sections that say how a model is asked to write: as a chat, or in a form."""
_EARLIER_KINDS = {"identity": "run", "effect": "effect", "optimization": "optimization"}
"""What a folder without a written kind (by versions up to 0.1) is, by the fact that holds its identity."""


@dataclass(frozen=True)
class FolderKind:
    """One kind of kept folder, in the words of the verb that makes it.

    ``name`` goes into the store and ``identity_key`` is the fact that holds the identity. ``noun`` is what
    errors call the folder. Where it was made with another identity, the error says so with ``otherwise``,
    ``expected`` and ``fix``, and ``describe`` puts what differs into words.
    """

    name: str
    identity_key: str
    noun: str
    otherwise: str
    expected: str
    fix: str = "go on with the old settings, or name another folder with --out."
    describe: Callable[[Mapping[str, tuple[Any, Any]]], list[str]] = described


class RunLog:
    """Appends events to a folder's log, one JSON object per line, without secrets and without texts."""

    def __init__(self, path: Path) -> None:
        self._logger = logging.Logger(f"character.run.{path.parent.name}")  # two runs never mix
        try:
            self._handler = logging.FileHandler(path, encoding="utf-8", delay=False)
        except OSError as error:
            raise StoreError(
                f"{path} cannot be written ({error.strerror}).", fix="check the run folder's permissions."
            ) from None
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._logger.addHandler(self._handler)

    def write(self, event: str, **facts: object) -> None:
        """Append an event with its facts; the time is UTC."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "event": event, **facts}, ensure_ascii=False, default=str)
        self._logger.info("%s", redact(line))

    def close(self) -> None:
        """Close the file, and write nothing more."""
        self._logger.removeHandler(self._handler)
        self._handler.close()


class Session:
    """One sitting at a kept folder, open for writing. Use it as a context manager.

    Opening takes the folder's lock, refuses a folder of another kind or another identity, and writes down
    what it is before anything is called. Raises StoreError where the folder is in use, cannot be written or
    holds something else.
    """

    def __init__(
        self,
        kind: FolderKind,
        out: Path | str,
        config: Config,
        identity: Mapping[str, Any],
        *,
        constitution: Constitution | None = None,
        reuse: Iterable[Path | str] = (),
    ) -> None:
        self.kind, self.config, self.identity, self.constitution = kind, config, identity, constitution
        self._out, self._reuse = Path(out), tuple(reuse)
        self._built: list[Any] = []

    def __enter__(self) -> Self:
        from character.runs.event_loop import heed_interrupts  # it brings dspy, which readers do without

        with contextlib.ExitStack() as stack:
            stack.callback(heed_interrupts)
            # DSPy's line per cut-off reply is not for the user's log: calls count them as ``cut_off``.
            dspy_logger = logging.getLogger("dspy.clients.lm")
            dspy_logger.addFilter(_is_no_truncation)
            stack.callback(dspy_logger.removeFilter, _is_no_truncation)
            others = [stack.enter_context(RunStore(folder)) for folder in self._reuse]
            for other in filter(was_of_no_use, others):
                other.leave_out_of_no_use()
            created = RunStore.create(self._out, url=self.config.store.url, reuse=others)
            self.store = store = stack.enter_context(created)
            self._check()
            if store.meta(self.kind.identity_key) is None or store.is_untouched():
                write_down(store, self.kind, self.identity, self.config, self.constitution)
            self.log = stack.enter_context(contextlib.closing(RunLog(self.folder / "log.jsonl")))
            stack.enter_context(hearing_waits(self._log_wait, least_s=0.5))
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._opened.__exit__(*error)

    @property
    def folder(self) -> Path:
        """The folder, as it was given."""
        return self.store.folder

    @property
    def created_at(self) -> str:
        """When the folder was begun."""
        return str(self.store.meta("created_at"))

    def spent(self) -> Usage:
        """Return what the finished calls of this and earlier sittings took."""
        return sum(self.store.usage("stage").values(), Usage())

    @cached_property
    def router(self) -> Router:
        """What gives every model its place here, configured or not: journaled, and under the caps."""
        from character.backends.budget import Budget
        from character.backends.own_models import Router

        caps = self.config.budget
        is_capped = any(cap is not None for cap in (caps.max_calls, caps.max_tokens, caps.max_cost))
        return Router(self.store, Budget(caps, self.store.spent()) if is_capped else None, self._tell)

    def lms(self, more: Mapping[str, BackendConfig] | None = None) -> dict[str, Any]:
        """Return one model per configured backend and name of ``more``, journaled here and under the caps.

        Those of the kind ``own`` are DSPy's configured model.
        """
        from character.backends import build_lm
        from character.backends.own_models import own_lm

        router, lms = self.router, {}
        for name, backend in {**self.config.backends, **(more or {})}.items():
            if backend.kind == "own":
                lms[name] = router(own_lm(backend), name)
            else:
                lms[name] = build_lm(backend, journal=self.store, budget=router.budget, name=name)
                lms[name].engine.backend.tell = self._tell
                self._built.append(lms[name])
        return lms

    @contextlib.asynccontextmanager
    async def working(self, on_interrupt: Callable[[], None]) -> AsyncIterator[None]:
        """Work under the settings of a run, and close the connections of its models in the end.

        Whatever model is called inside, it is journaled here and under the caps. The first Ctrl-C calls
        ``on_interrupt``, which is to begin nothing more; the second raises KeyboardInterrupt.
        """
        import dspy

        from character.backends.call import lean_settings
        from character.backends.dspy_compat import close_async_engine, routing
        from character.runs.event_loop import finishing_on_interrupt

        try:
            # History and trace would keep every prompt in memory; the journal has them on disk.
            lean = dspy.context(disable_history=True, trace=None, **lean_settings())
            with lean, routing(self.router), finishing_on_interrupt(on_interrupt):
                yield
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            for lm in self._built:
                await close_async_engine(lm)
            await self.router.aclose()

    def _tell(self, note: str) -> None:
        """Say what was found out about a backend, in the log and on the screen."""
        self.log.write("backend", note=note)
        logging.getLogger("character.backends").warning("%s", redact(note))

    def write(self, name: str, text: str) -> Path:
        """Write a file of the folder, whole or not at all; raises StoreError where the disk refuses."""
        path = self.folder / name
        try:
            write_whole(text, path)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from None
        return path

    def _log_wait(self, wait: Wait) -> None:
        until = datetime.fromtimestamp(wait.until, UTC).isoformat(timespec="milliseconds")
        self.log.write("waiting", model=wait.model, why=wait.why, until=until)

    def _check(self) -> None:
        kind, store = kind_of(self.store), self.store
        if kind != self.kind.name and (kind or not store.is_untouched()):
            held = article(kind) if kind else "something else"
            raise StoreError(
                f"{store.folder} holds {held}, not {self.kind.noun}.", fix="name another folder with --out."
            )
        stored = store.meta(self.kind.identity_key)
        if stored is None or store.is_untouched():
            return
        changes = self.kind.describe(differences(json.loads(stored), self.identity))
        if changes:
            more = f" and {len(changes) - 5} more" if len(changes) > 5 else ""
            raise StoreError(
                f"{store.folder} holds {self.kind.otherwise}{'; '.join(changes[:5])}{more}.",
                expected=self.kind.expected,
                fix=self.kind.fix.format(folder=store.folder),
            )


def write_down(
    store: RunStore,
    kind: FolderKind,
    identity: Mapping[str, Any],
    config: Config,
    constitution: Constitution | None = None,
) -> None:
    """Write into a store, and beside it as run.json, what it is and what it is made with."""
    readable: dict[str, Any] = {"config": config.model_dump(mode="json")}
    if constitution is not None:
        readable = {"constitution": constitution.model_dump(mode="json", by_alias=True), **readable}
        store.set_meta("constitution", constitution.model_dump_json(by_alias=True))
    store.set_meta("config", config.model_dump_json())
    store.set_meta("version", __version__)
    store.set_meta("created_at", datetime.now(UTC).isoformat(timespec="seconds"))
    store.set_meta("kind", kind.name)
    text = json.dumps({**readable, "version": __version__}, ensure_ascii=False, indent=2)
    write_whole(text + "\n", store.folder / "run.json")
    store.set_meta(kind.identity_key, json.dumps(identity, ensure_ascii=False))


def as_begun(config: Config, *folders: Path | str) -> Config:
    """Return a configuration that asks for messages and replies as the first of these folders that was begun.

    So a folder is gone on with, or reused, that was begun before there were chats, or before pairs of one
    pass went by their margin alone. What is set stands.
    """
    unsaid = [name for name in _ASKING if "prompting" not in getattr(config, name).model_fields_set]
    for folder in filter(Path.is_dir, (Path(each) for each in folders if str(each))):
        with contextlib.suppress(StoreError), RunStore(folder) as store:
            if store.meta("config"):
                then = stored_config(store)
                update = {name: _asking_as(config, then, name) for name in unsaid}
                return config.model_copy(update=update | _pairs_as(config, then))
    return config


def _pairs_as(config: Config, then: Config) -> dict[str, Any]:
    """Return the pairs' section with the probability that held then for one pass, where none is said."""
    passes = config.ranking.most_passes, then.ranking.most_passes
    if passes != (1, 1) or "min_probability" in config.pairs.model_fields_set:
        return {}
    return {"pairs": config.pairs.model_copy(update={"min_probability": then.pairs.min_probability})}


def _asking_as(config: Config, then: Config, name: str) -> Any:
    """Return a section that asks as another did, where both ask for the same in a call."""
    ours, theirs = getattr(config, name), getattr(then, name)
    is_alike = all(getattr(ours, each, None) == getattr(theirs, each, None) for each in ("calls", "turns"))
    return ours.model_copy(update={"prompting": theirs.prompting} if is_alike else {})


def reading(folder: Path | str, kind: str = "") -> RunStore:
    """Return a kept folder's store, open for reading: a context manager.

    Raises StoreError where the folder holds none, or one of another kind than named.
    """
    store = RunStore(folder)
    try:
        if kind:
            require_kind(store, kind)
    except StoreError:
        store.close()
        raise
    return store


def require_kind(store: RunStore, kind: str) -> None:
    """Raise StoreError where a store is that of another kind of folder."""
    other = kind_of(store)
    if other not in ("", kind):
        raise StoreError(
            f"{store.folder} holds {article(other)}, not {article(kind)}.",
            expected=f"the folder given to `character {kind} … --out`",
        )


def kind_of(store: RunStore) -> str:
    """Return the kind of a kept folder; nothing where nothing was begun in it."""
    kind = store.meta("kind")
    return kind or next((name for key, name in _EARLIER_KINDS.items() if store.meta(key) is not None), "")


def article(noun: str) -> str:
    """Return a noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def stored_constitution(store: RunStore) -> Constitution:
    """Return the constitution a folder was made with."""
    return _stored(store, "constitution", Constitution, store.meta("constitution") or "{}")


def stored_config(store: RunStore) -> Config:
    """Return the configuration a folder was made with; one without a ``prompting`` asked for fields."""
    kept = json.loads(store.meta("config") or "{}")
    for name in _ASKING:
        kept[name] = {"prompting": "fields", **kept.get(name, {})}
    return _stored(store, "configuration", Config, json.dumps(kept))


def _stored(store: RunStore, noun: str, record: type[M], kept: str) -> M:
    try:
        return record.model_validate_json(kept)
    except ValidationError as error:
        raise another_version(str(store.folder), noun, error) from None


def _is_no_truncation(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("LM response was truncated")
