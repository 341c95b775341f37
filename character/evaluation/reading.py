"""An evaluation in its folder: report and responses read back, and the report written there for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from character.constitution import Constitution
from character.errors import MessagesError, StoreError
from character.evaluation.page.cards import write_cards
from character.evaluation.page.page import effect_page
from character.evaluation.records import EffectReport, Probed
from character.files import problem
from character.locale import Language
from character.messages.files import GivenMessages
from character.records import KeptRecord, Message, MessageBatch
from character.report import write
from character.runs.session import reading, stored_constitution

REPORT_NAME, RESPONSES_NAME = "effect.json", "responses.jsonl"
PAGE_NAME, CARDS_NAME = "effect.html", "cards"


class EffectResult(KeptRecord, EffectReport):
    """The report of an evaluation in a folder, which can be written there as a page with its cards."""

    def write_report(self, language: Language | None = None) -> Path:
        """Write ``effect.html`` and the cards in this language, the constitution's where none is given.

        Raises StoreError where they cannot be written.
        """
        path = self.folder / PAGE_NAME
        with reading(self.folder) as store:
            constitution = stored_constitution(store)
        try:
            write(effect_page(self, language), path)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from None
        write_cards(self, constitution, self.folder / CARDS_NAME, language)
        return path


def read_report(folder: Path | str) -> EffectReport:
    """Return the report of an evaluation in a folder; raises StoreError where there is none."""
    path = Path(folder) / REPORT_NAME
    with _reading(path):
        return EffectReport.model_validate_json(path.read_text(encoding="utf-8"))


def read_effect(folder: Path | str) -> tuple[EffectReport, list[Probed]]:
    """Return the report of an evaluation in a folder, and its responses; raises StoreError without one."""
    report = read_report(folder)
    path, probed = Path(folder) / RESPONSES_NAME, []
    with _reading(path):
        lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        with _reading(path, f", line {number}"):
            probed += [Probed.model_validate_json(line)] if line else []
    return report, probed


def messages_of(folder: Path | str, constitution: Constitution) -> GivenMessages:
    """Return the messages of an evaluation for a constitution's traits: on these, two are compared one by
    one.

    Raises StoreError where there is no finished evaluation, and MessagesError where it has no messages of
    some trait.
    """
    _report, probed = read_effect(folder)
    messages: dict[str, list[Message]] = {trait.name: [] for trait in constitution.traits}
    for each in probed:
        if each.group in messages and not each.pressure:
            messages[each.group].append(each.message)
    missing = [name for name, own in messages.items() if not own]
    if missing:
        values = {"folder": folder, "missing": ", ".join(missing), "traits": ", ".join(messages)}
        raise problem(__file__, "no_messages", MessagesError, **values)
    return GivenMessages({name: MessageBatch(messages=tuple(own)) for name, own in messages.items()})


@contextmanager
def _reading(path: Path, line: str = "") -> Iterator[None]:
    """Raise StoreError for what goes wrong with a file of an evaluation."""
    folder = path.parent
    try:
        yield
    except FileNotFoundError:
        raise problem(__file__, "no_evaluation", StoreError, folder=folder) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        fault = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise problem(__file__, "not_read", StoreError, place=f"{path}{line}", fault=fault) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{folder} cannot be read as an evaluation: {str(error).splitlines()[0]}") from None
