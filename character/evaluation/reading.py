"""An evaluation read back from its folder: the report, and the responses with what was found in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from character.constitution import Constitution
from character.errors import MessagesError, StoreError
from character.evaluation.records import EffectReport, Probed
from character.messages.files import GivenMessages
from character.records import Message, MessageBatch

REPORT_NAME, RESPONSES_NAME = "effect.json", "responses.jsonl"


def read_report(folder: Path | str) -> EffectReport:
    """Return the report of an evaluation in a folder; raises StoreError where there is none."""
    with _reading(Path(folder)):
        return EffectReport.model_validate_json((Path(folder) / REPORT_NAME).read_text(encoding="utf-8"))


def read_effect(folder: Path | str) -> tuple[EffectReport, list[Probed]]:
    """Return the report of an evaluation in a folder and its responses; raises StoreError where there is none."""
    report = read_report(folder)
    path = Path(folder) / RESPONSES_NAME
    with _reading(Path(folder)):
        lines = path.read_text(encoding="utf-8").split("\n")
    return report, [_probed(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line]


def messages_of(folder: Path | str, constitution: Constitution) -> GivenMessages:
    """Return the messages of an evaluation, for the traits of a constitution: measured on these, two are compared one by one.

    Raises StoreError where there is no finished evaluation, and MessagesError where it has no messages of some trait.
    """
    _report, probed = read_effect(folder)
    found: dict[str, list[Message]] = {trait.name: [] for trait in constitution.traits}
    for each in probed:
        if each.group in found and not each.pressure:
            found[each.group].append(each.message)
    missing = [name for name, messages in found.items() if not messages]
    if missing:
        raise MessagesError(
            f"{folder} holds no messages of {', '.join(missing)}.",
            expected=f"an evaluation of {', '.join(found)}",
            fix="measure the traits that both have with --trait, or give the messages as a file.",
        )
    return GivenMessages({name: MessageBatch(messages=tuple(messages)) for name, messages in found.items()})


def _probed(line: str, where: str) -> Probed:
    try:
        return Probed.model_validate_json(line)
    except ValidationError as error:
        raise _unreadable(where, error) from None


def _unreadable(where: str, error: ValidationError) -> StoreError:
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return StoreError(
        f"{where} cannot be read{f': {field}' if field else ''}: {first['msg']}.",
        expected="the file as `character effect` wrote it",
        fix="run the same `character effect` command again: no finished call is repeated, and the file is written anew.",
    )


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise StoreError(
            f"{folder} holds no finished evaluation.",
            expected=f"a folder with {REPORT_NAME} and {RESPONSES_NAME}",
            fix="make one with `character effect`.",
        ) from None
    except ValidationError as error:
        raise _unreadable(str(folder / REPORT_NAME), error) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{folder} cannot be read as an evaluation: {str(error).splitlines()[0]}") from None
