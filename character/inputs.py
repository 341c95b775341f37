"""What a step may be given and may give back: our records, or plain values that are made into records."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    Turn,
)
from character.text import detect_language

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


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

    Raises InvalidReplyError for anything that is not surely a message.
    """
    if isinstance(result, MessageBatch):
        return result

    def read(item: Any) -> Message:
        if isinstance(item, Message):
            return item
        turns = [item] if isinstance(item, Mapping) else item
        if isinstance(item, str):
            turns = [{"role": "user", "content": item}]
        return Message(
            trait=trait.name, kind=kind, turns=tuple(Turn.model_validate(t) for t in turns), language=language
        )

    given = _field(result, "messages", "generator", "a MessageBatch")
    return MessageBatch(messages=tuple(_each(given, read, "generator", "messages", "a text, or chat turns")))


def as_candidates(result: Any, message: Message) -> Candidates:
    """Return a responder's result as candidates: texts, or texts with their levels.

    An empty text and one that is there already are left out, and counted. Raises InvalidReplyError for
    anything that is not surely a response.
    """
    if isinstance(result, Candidates):
        return result

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
    items = list(_each(given, read, "responder", "responses", "a text, or a text with its level"))
    kept = {item.text: item for item in reversed(items) if item is not None}
    distinct = tuple(item for item in items if item is not None and kept[item.text] is item)
    reasons = {"empty": items.count(None), "duplicate": len(items) - items.count(None) - len(distinct)}
    drops = [
        Drop(stage="responses", reason=reason, message_id=message.id)
        for reason, number in reasons.items()
        for _ in range(number)
    ]
    return Candidates(message_id=message.id, trait=message.trait, items=distinct, drops=tuple(drops))


def as_ranking(result: Any, candidates: Candidates) -> Ranking:
    """Return a ranker's result as a ranking of these candidates; InvalidReplyError where it is none."""
    if isinstance(result, Ranking):
        if result.status == "ranked" and len(result.scores) != len(candidates.items):
            raise _broken(
                "ranker", f"a ranking of {len(result.scores)} candidates for {len(candidates.items)}"
            )
        return result
    scores = _field(result, "scores", "ranker", "a Ranking")
    reason = result.get("reasoning") if isinstance(result, dspy.Prediction) else ""
    if any(isinstance(score, bool | str) for score in scores):
        raise _broken("ranker", f"scores {scores!r:.80}")
    try:
        return Ranking.from_scores(candidates, list(scores), reason=reason if isinstance(reason, str) else "")
    except (ValidationError, ValueError, TypeError) as error:
        raise _broken("ranker", f"scores {scores!r} ({_first_line(error)})") from None


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


def _each(given: Iterable[Any], read: Callable[[Any], T], step: str, name: str, expected: str) -> Iterator[T]:
    """Yield what each item is; raises InvalidReplyError at the first that is none."""
    for item in given:
        try:
            yield read(item)
        except (ValueError, TypeError, AttributeError) as error:
            found = f"{item!r:.80} among its {name} ({_first_line(error)})"
            raise _broken(step, found, f"{expected}, each") from None


def _field(result: Any, name: str, step: str, record: str) -> Any:
    """Return a list that a step gave: by itself, or by name in a prediction or a dictionary, or as JSON."""
    values = result
    if isinstance(result, dspy.Prediction | Mapping):
        if name not in result:
            raise _broken(step, f"{type(result).__name__} without {name}", f"dspy.Prediction({name}=[…])")
        values = result[name]
    if isinstance(values, str):
        with suppress(ValueError):
            values = json.loads(values)
    if isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping):
        return list(values)
    shown = f"{name}={values!r:.60}" if values is not result else f"a {type(result).__name__}"
    kind = "float" if name == "scores" else "str"
    typed = f"; a signature's field that is to be a list is written {name}: list[{kind}]"
    hint = typed if isinstance(values, str) else ""
    raise _broken(step, shown, f"{record}, or dspy.Prediction({name}=[…]){hint}")


def _broken(
    step: str, found: str, expected: str = "one score in 0..1 per candidate, in their order"
) -> InvalidReplyError:
    return InvalidReplyError(f"the {step} returned {found}.", expected=expected)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors()[0]["msg"])
    return str(error).split("\n")[0]
