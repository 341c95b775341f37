"""What a step may be given and may give back: our records, or plain values that are made into records."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import dspy
from pydantic import ValidationError

from character.config import Config
from character.constitution import Constitution, Trait, load_constitution
from character.errors import InputError, InvalidReplyError, UnknownNameError, UnknownOptionError
from character.records import (
    KINDS,
    RECIPE_KINDS,
    Candidate,
    Candidates,
    Drop,
    Kind,
    Message,
    MessageBatch,
    Ranking,
    Stage,
    Turn,
)
from character.text import detect_language

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
R = TypeVar("R", Candidates, Ranking)


def as_trait(given: Trait | Mapping[str, Any] | str, constitution: Constitution | None = None) -> Trait:
    """Return a trait given as a record, its fields, its name in the constitution, or ``name: text``."""
    if isinstance(given, Trait):
        return given
    if isinstance(given, Mapping):
        return Trait.model_validate(dict(given))
    if isinstance(given, str) and given.strip():
        return constitution.trait(given) if constitution else Trait.of(given)
    raise _wrong(
        "a trait", given, "a Trait, its fields, or a text such as 'patience: takes the time it needs'"
    )


def as_constitution(given: Constitution | Path | str) -> Constitution:
    """Return a constitution given as a record or as the path of a file."""
    if isinstance(given, Constitution):
        return given
    if isinstance(given, str | Path):
        return load_constitution(given)
    raise _wrong("a constitution", given, "a Constitution, or the path of a file")


def as_message(given: Message | Sequence[Mapping[str, str]] | str, trait: Trait | None) -> Message:
    """Return a message given as a record, a text of the user's, or turns with ``role`` and ``content``."""
    name = trait.name if trait else ""
    if isinstance(given, Message):
        return given
    if isinstance(given, Sequence) and not isinstance(given, str) and given:
        turns = tuple(Turn.model_validate(dict(turn)) for turn in given)
        language = detect_language(turns[-1].content)
        return Message(trait=name, turns=turns, language=language)
    if isinstance(given, str) and given.strip():
        return Message.of(given, trait=name, language=detect_language(given))
    raise _wrong("a message", given, "a Message, a text, or turns with role and content")


def as_kind(given: str) -> Kind:
    """Return a kind given by our name or by the recipe's."""
    kinds: dict[str, Kind] = {**{kind: kind for kind in KINDS}, **RECIPE_KINDS}
    if not isinstance(given, str) or given not in kinds:
        raise UnknownNameError("kind of message", str(given), kinds)
    return kinds[given]


def as_candidate_set(given: Candidates | Sequence[str], message: Message) -> Candidates:
    """Return candidates given as a record or as texts."""
    if isinstance(given, Candidates):
        return given
    if (
        isinstance(given, Sequence)
        and not isinstance(given, str)
        and all(isinstance(item, str) for item in given)
    ):
        items = tuple(Candidate(text=item) for item in given)
        return Candidates(message_id=message.id, trait=message.trait, items=items)
    raise _wrong("candidates", given, "Candidates or a list of texts")


def as_batch(result: Any, trait: Trait, kind: Kind, language: str) -> MessageBatch:
    """Return a generator's result as a batch; texts and turns become messages of this trait, kind and
    language.

    What is no message of this trait, or has no text, is left out, and counted. Raises InvalidReplyError where
    there are no messages to be found.
    """

    def read(item: Any) -> Message | None:
        if isinstance(item, Message):
            if item.trait not in ("", trait.name):
                raise ValueError(f"a message of the trait {item.trait!r}")
            made = (
                item if item.trait else Message.model_validate({**dict(item), "trait": trait.name, "id": ""})
            )
        else:
            turns = [item] if isinstance(item, Mapping) else item
            turns = [{"role": "user", "content": item}] if isinstance(item, str) else _list(turns)
            said = tuple(Turn.model_validate(turn) for turn in turns)
            made = Message(trait=trait.name, kind=kind, turns=said, language=language)
        return made if made.text.strip() else None

    batch = result if isinstance(result, MessageBatch) else MessageBatch(messages=())
    given: Sequence[Any] = batch.messages
    if batch is not result:
        given = _field(result, "messages", "generator", "a MessageBatch")
    messages, drops = _each(given, read, "generator", "messages", "a text, or chat turns")
    return batch.model_copy(update={"messages": tuple(messages), "drops": (*batch.drops, *drops)})


def as_candidates(result: Any, message: Message) -> Candidates:
    """Return a responder's result as candidates: texts, or texts with their levels.

    An empty text, one that is there already and what is no response is left out, and counted. Raises
    InvalidReplyError where there are no responses to be found, or those to another message.
    """
    if isinstance(result, Candidates):
        return _of_message(result, message.id, message.trait, "responder", "the responses alone, as a list")

    def read(item: Any) -> Candidate | None:
        if isinstance(item, Candidate):
            return item
        fields = item
        if isinstance(item, str):
            fields = {"text": item}
        elif isinstance(item, tuple) and len(item) == 2:
            fields = dict(zip(("text", "level"), item, strict=True))
        if not isinstance(fields.get("text"), str):
            raise TypeError("no text")
        return Candidate.model_validate(fields) if fields["text"].strip() else None

    given = _field(result, "responses", "responder", "Candidates")
    items, drops = _each(given, read, "responder", "responses", "a text, or a text with its level")
    kept = {item.text: item for item in reversed(items)}
    distinct = tuple(item for item in items if kept[item.text] is item)
    drops += [Drop(stage="responses", reason="duplicate")] * (len(items) - len(distinct))
    told = tuple(drop.model_copy(update={"message_id": message.id}) for drop in drops)
    return Candidates(message_id=message.id, trait=message.trait, items=distinct, drops=told)


def as_ranking(result: Any, candidates: Candidates) -> Ranking:
    """Return a ranker's result as a ranking of these candidates; InvalidReplyError where it is none."""
    if isinstance(result, Ranking):
        if result.status == "ranked" and len(result.scores) != len(candidates.items):
            raise _broken(
                "ranker", f"a ranking of {len(result.scores)} candidates for {len(candidates.items)}"
            )
        ranking = _of_message(result, candidates.message_id, candidates.trait, "ranker", "the scores alone")
        if ranking.candidates_id == candidates.id:
            return ranking
        return ranking.model_copy(update={"candidates_id": candidates.id})
    scores = _field(result, "scores", "ranker", "a Ranking")
    reason = result.get("reasoning") if isinstance(result, dspy.Prediction) else ""
    if any(isinstance(score, bool | str) for score in scores):
        raise _broken("ranker", f"scores {scores!r:.80}")
    try:
        return Ranking.from_scores(candidates, scores, reason=reason if isinstance(reason, str) else "")
    except (ValidationError, ValueError, TypeError) as error:
        raise _broken("ranker", f"scores {scores!r} ({_first_line(error)})") from None


def _of_message(record: R, message_id: str, trait: str, step: str, expected: str) -> R:
    """Return a step's record with the trait worked on; raises InvalidReplyError for another message's."""
    if record.message_id != message_id:
        found = f"{type(record).__name__} of the message {record.message_id!r} for {message_id!r}"
        raise _broken(step, found, f"those of the message that it was given, or {expected}")
    return record if record.trait == trait else record.model_copy(update={"trait": trait})


def spelled_out(options: type, defaults: Mapping[str, Any] | None = None) -> Callable[[F], F]:
    """Let a function show the keywords of a TypedDict that it takes in its signature, and take no others.

    It raises UnknownOptionError at once for any other keyword.
    """
    values = defaults or {}

    def spell(function: F) -> F:
        signature = inspect.signature(function)
        plain = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        keywords = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=values.get(name), annotation=annotation
            )
            for name, annotation in options.__annotations__.items()
        ]
        names = [each.name for each in (*plain, *keywords)]

        def check(given: Mapping[str, Any]) -> None:
            for name in given.keys() - names:
                raise _unknown_option(function, name, names)

        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def checked(*args: Any, **given: Any) -> Any:
                check(given)
                return await function(*args, **given)

        else:

            @wraps(function)
            def checked(*args: Any, **given: Any) -> Any:
                check(given)
                return function(*args, **given)

        checked.__signature__ = signature.replace(parameters=[*plain, *keywords])  # type: ignore[attr-defined]
        return checked  # type: ignore[return-value]

    return spell


def _unknown_option(function: Callable[..., Any], name: str, names: Iterable[str]) -> UnknownOptionError:
    names, called = set(names) - {"self"}, function.__qualname__.removesuffix(".__init__")
    sections = [key for key, section in Config().__dict__.items() if hasattr(section, name)]
    setting = f"it is a setting: config={{{sections[0]!r}: {{{name!r}: …}}}}." if sections else ""
    return UnknownOptionError(f"{called}: the option", name, names, hint=setting if "config" in names else "")


def _wrong(what: str, found: object, expected: str) -> InputError:
    return InputError(f"{what} was expected, found a {type(found).__name__}.", expected=expected)


def _each(
    given: Iterable[Any], read: Callable[[Any], T | None], step: str, name: str, expected: str
) -> tuple[list[T], list[Drop]]:
    """Return what the items are, and a drop for each that is empty or none; InvalidReplyError where all are
    none.
    """
    stage: Stage = "messages" if step == "generator" else "responses"
    made: list[T] = []
    drops: list[Drop] = []
    wrong = ""
    for item in given:
        try:
            value = read(item)
        except (ValueError, TypeError, AttributeError) as error:
            found = f"{item!r:.80} among its {name} ({_first_line(error)})"
            wrong = wrong or found
            drops.append(Drop(stage=stage, reason="unreadable", detail=f"the {step} returned {found}"))
        else:
            if value is None:
                drops.append(Drop(stage=stage, reason="empty"))
            else:
                made.append(value)
    if wrong and not made:
        raise _broken(step, wrong, f"{expected}, each")
    return made, drops


def _field(result: Any, name: str, step: str, record: str) -> list[Any]:
    """Return a list that a step gave: by itself, or by name in a prediction or a dictionary, or as JSON."""
    values = result
    if isinstance(result, dspy.Example | Mapping):
        if name not in result:
            raise _broken(step, f"{type(result).__name__} without {name}", f"dspy.Prediction({name}=[…])")
        values = result[name]
    if isinstance(values, str):
        with suppress(ValueError):
            values = json.loads(values)
    with suppress(TypeError):
        return _list(values)
    shown = f"{name}={values!r:.60}" if values is not result else f"a {type(result).__name__}"
    kind = "float" if name == "scores" else "str"
    typed = f"; a signature's field that is to be a list is written {name}: list[{kind}]"
    hint = typed if isinstance(values, str) else ""
    raise _broken(step, shown, f"{record}, or dspy.Prediction({name}=[…]){hint}")


def _list(values: Any) -> list[Any]:
    """Return what has an order as a list: also arrays and what is lazy, but no set, table or text."""
    if not isinstance(values, str | bytes) and isinstance(values, Sequence | Iterator | ValuesView):
        return list(values)
    items = values.tolist() if hasattr(values, "tolist") else None
    if not isinstance(items, list):
        raise TypeError(f"a {type(values).__name__} is no list")
    return items


def _broken(
    step: str, found: str, expected: str = "one score in 0..1 per candidate, in their order"
) -> InvalidReplyError:
    return InvalidReplyError(f"the {step} returned {found}.", expected=expected)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors()[0]["msg"])
    return str(error).split("\n")[0]
