"""What is under review: a run with its constitution, the items of an effect, or both in one folder."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from character.constitution import Constitution
from character.errors import StoreError
from character.files import problem
from character.records import Rollout
from character.review.effect_items import FILE_NAME, EffectItems, read_effect_items
from character.runs.session import reading, stored_constitution
from character.store.places import FILE_NAME as RUN_FILE
from character.store.places import POINTER

if TYPE_CHECKING:
    from character.evaluation.records import EffectReport
    from character.store.run_store import RunStore

_REPORT = "effect.json"


class Subject(NamedTuple):
    """A folder opened for review.

    ``run`` and ``constitution`` are None for effect items alone, ``report`` where no effect was measured.
    """

    folder: Path
    run: RunStore | None
    constitution: Constitution | None
    effects: EffectItems
    report: EffectReport | None = None

    def rollout(self, message_id: str) -> Rollout | None:
        """Return the rollout of a message, None where the run has none."""
        return next(self.run.rollouts(message_id), None) if self.run else None

    def trait(self, name: str) -> dict[str, Any]:
        """Return a trait as it is shown and exported: its fields; its name alone where there are none."""
        traits = self.constitution.traits if self.constitution else ()
        return next(
            (trait.brief() for trait in traits if trait.name == name), {"name": name, "description": ""}
        )

    def trait_names(self) -> list[str]:
        """Return the names of all traits, those of the constitution first, in its order."""
        names = [trait.name for trait in self.constitution.traits] if self.constitution else []
        return list(dict.fromkeys([*names, *sorted({item.trait for item in self.effects.items})]))

    @property
    def language(self) -> str:
        """The language of the constitution, else that of most effect items; English without either."""
        if self.constitution:
            return self.constitution.language
        languages = [item.language for item in self.effects.items]
        return max(languages, key=languages.count, default="en")

    def close(self) -> None:
        """Close the run."""
        if self.run:
            self.run.close()


def open_subject(folder: Path) -> Subject:
    """Return what a folder holds.

    Raises StoreError for neither a run nor a finished effect, InputError for items that cannot be read.
    """
    effects = read_effect_items(folder)
    if not any((folder / name).is_file() for name in (RUN_FILE, POINTER)):
        if not effects.items:
            files = {"run_file": RUN_FILE, "file_name": FILE_NAME}
            raise problem(__file__, "nothing_here", StoreError, folder=folder, **files)
        return Subject(folder, None, None, effects)
    has_report = (folder / _REPORT).is_file()
    with ExitStack() as opened:
        run = opened.enter_context(reading(folder))
        if run.meta("effect") is not None and not has_report:
            raise problem(__file__, "unfinished", StoreError, folder=folder, report=_REPORT)
        subject = Subject(folder, run, stored_constitution(run), effects)
        if has_report:
            from character.evaluation.reading import read_report  # dspy, which a run's review does without

            subject = subject._replace(report=read_report(folder))
        opened.pop_all()
    return subject
