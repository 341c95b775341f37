"""A field's text as the value that was asked for: strictly first, then in the ways in which models write it.

Nothing that can be read in two ways is read. A figure beside the value, a word that may take it back, a count
that does not go through: each makes the text unreadable, and the model is asked again.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from dspy.adapters.utils import parse_value

from character.backends.reading.words import AGAINST, AGAINST_ZH, CHOICES, NO, PLACES, YES

_FENCED = re.compile(r"^```[A-Za-z]*\n(.*)\n```$", re.DOTALL)
_FENCE_LINE = re.compile(r"^```([A-Za-z]*)[ \t]*$", re.MULTILINE)
_DIGITS = re.compile(r"[-+]?\d+(?:\.\d+)?")
_FIGURE = re.compile(r"\d*\.?\d+\.?(?:[eE][-+]?\d+)?")  # no 0x8, no 1_0
_POLITE = re.compile(
    r"\b(?:let me know|feel free|please tell me)\b[^.!?\n]{0,120}|如(?:果|有)[^。！？\n]{0,40}告诉我"
    r"|\bin (?:the )?(?:same )?order (?:shown|given|asked|presented|of the responses)\b"
)
_MARKUP = "*_`\"'“”‘’「」 \t\n"
_ITEM = re.compile(r"^[ \t]*(?:[-*•·]|\(?(\d{1,3})[.)、:：）])[ \t]+(.+)$")
_NUMBER = re.compile(r"^(\d+(?:\.\d+)?)\s*(?:/\s*10|out of 10|分|points?)?$", re.IGNORECASE)
_FAULTS = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError)


_SAID = re.compile(r"([a-z]+|[\u4e00-\u9fff]+)(?:\s*(?:[.,;:!—(。，；：！（]|\s-\s)(?!\.)(.*))?", re.DOTALL)
_NEGATED = re.compile(r"\b(?:not|never|hardly|cannot)\b|n['’]t\b|\bun(?=suit|like|fit)|[不没未非]")
_PLACED = re.compile(
    rf"[ \t*_`•-]*(?:{'|'.join(PLACES)})[ ]*(\d{{1,2}})[*_`]*[ ]*:[ *_`]*(.+)", re.IGNORECASE
)


class TwiceError(ValueError):
    """A field, or a key within one, occurs twice, and says two things."""


def once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of these keys and values; raises TwiceError for a key that says two things."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if found.setdefault(key, value) != value:
            raise TwiceError(key)
    return found


def fences(text: str) -> list[tuple[int, int, str]]:
    """Return the code fences of a text: where each begins and ends, and what is in it."""
    found, opened = [], None
    for match in _FENCE_LINE.finditer(text):
        if opened is None:
            opened = match
        elif not match[1] and match.start() > opened.end() + 1:
            found.append((opened.start(), match.end(), text[opened.end() + 1 : match.start() - 1]))
            opened = None
    return found


def read_value(text: str, annotation: Any) -> Any:
    """Return a field's text as a value of the annotated type; raises ValueError where it is not well formed.

    A code fence around the whole value is taken off. Scalars are read as DSPy reads them.
    """
    if annotation is str:
        return text
    fenced = _FENCED.match(text)
    body = fenced.group(1) if fenced else text
    if annotation is bool and body in ("True", "False"):  # DSPy makes a validator for each
        return body == "True"
    if annotation in (int, float) and not _DIGITS.fullmatch(body):
        raise ValueError(f"{body[:60]!r} is no number")
    if get_origin(annotation) not in (list, dict) and not body.startswith(("[", "{")):
        return parse_value(body, annotation)
    value = _literal(body)
    if not isinstance(value, list | dict):
        raise TypeError(f"found a {type(value).__name__}, expected a list or an object")
    if get_args(annotation)[:1] in ((int,), (float,)) and any(isinstance(item, bool) for item in value):
        raise TypeError("a truth value is no number")
    return _type_adapter(annotation).validate_python(value)


def read_loosely(text: str, annotation: Any) -> Any:
    """Return what a text that ``read_value`` refuses plainly means; ValueError where that is not plain."""
    if annotation is bool:
        return _truth(text)
    if annotation in (int, float):
        return _number(_plain(text))
    if get_origin(annotation) is Literal:
        return _choice(text, get_args(annotation))
    if get_origin(annotation) is not list:
        raise ValueError(text)
    inner = get_args(annotation)[0]
    if inner in (int, float):
        items = _listed(_signs(text))
        whole = items[0] if len(items) == 1 and isinstance(items[0], list) else items  # a list in a list
        return [_number(_sole(item)) for item in whole]
    if inner is bool:
        return [item if isinstance(item, bool) else _truth(str(item)) for item in _listed(text)]
    if get_origin(inner) is Literal:
        return [_choice(str(item), get_args(inner)) for item in _listed(text)]
    return _type_adapter(annotation).validate_python([_text_of(item) for item in _listed(text)])


def shape_of(annotation: Any) -> str:
    """Return in a model's words what a value of a type looks like."""
    inner = get_args(annotation)[0] if get_origin(annotation) is list else annotation
    named = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}
    if get_origin(inner) is Literal:
        word = f"one of {', '.join(map(str, get_args(inner)))}"
    else:
        word = named.get(inner, "a text")
    return word if inner is annotation else f"a list in square brackets, each item {word}"


def _literal(text: str) -> Any:
    try:
        # Models put raw line breaks into strings.
        return json.loads(text, strict=False, object_pairs_hook=once)
    except json.JSONDecodeError:
        tree = ast.parse(text.strip(), mode="eval")
        _check_tokens(text.strip())
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                keys, values = map(ast.unparse, filter(None, node.keys)), map(ast.unparse, node.values)
                once(zip(keys, values, strict=False))
        return ast.literal_eval(tree)


def _check_tokens(text: str) -> None:
    """Raise ValueError for a comment, which may take a value back, texts without a comma, odd numbers."""
    before = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            is_odd = token.type == tokenize.NUMBER and not _FIGURE.fullmatch(token.string)
            if is_odd or token.type == tokenize.COMMENT or token.type == before == tokenize.STRING:
                raise ValueError("it is no plain list")
            before = token.type if token.type != tokenize.NL else before
    except (tokenize.TokenError, IndentationError) as error:
        raise ValueError("it is no plain list") from error


def _listed(text: str) -> list[Any]:
    """Return the items of a list in whichever way it is written, with what stands round it harmless."""
    fenced = fences(text)
    if len(fenced) == 1:
        start, end, inside = fenced[0]
        _check_remark(text[:start] + text[end:])
        text = inside
    label = re.match(r"[*`]*\w+[*`]*\s*[=:：]\s*(?=[\[{])", text.strip())
    if label:
        _check_remark(label[0])
    body = text.strip()[label.end() if label else 0 :].strip(_MARKUP)
    start = min((place for sign in "[{" if (place := body.find(sign)) >= 0), default=-1)
    if start < 0:
        return _lines(body)
    end = max(body.rfind("]"), body.rfind("}")) + 1
    _check_remark(body[:start])
    _check_remark(body[end:])
    value = _literal(body[start:end])
    if isinstance(value, Mapping):
        return _by_place(value)
    if not isinstance(value, list):
        raise TypeError("no list is there")
    return _in_order(value)


def _lines(text: str) -> list[Any]:
    """Return the items of a list written in lines, or of numbers with commas between them."""
    lines = [line for line in text.split("\n") if line.strip()]
    items = [_ITEM.match(line) for line in lines]
    found = [match for match in items if match]
    if found and len(found) == len(lines):
        numbers = [match.group(1) for match in found if match.group(1)]
        if numbers and numbers != [str(place + 1) for place in range(len(found))]:
            raise ValueError("the lines are not numbered in order")
        return [match.group(2).strip() for match in found]
    placed = [_PLACED.fullmatch(part.strip()) for part in re.split(r"[,;\n]", text) if part.strip()]
    if placed and all(placed):
        named = [(int(match[1]), match[2]) for match in placed if match]
        return _sorted_by([place for place, _ in named], [said for _, said in named])
    parts = [part.strip() for part in re.split(r"[,\s]+", text.strip()) if part.strip()]
    if len(lines) > 1 and re.search(r",\d", text):
        raise ValueError("a comma in a line may be a decimal one")
    if parts and all(_NUMBER.match(part) for part in parts):
        return parts
    raise ValueError("no list is there")


def _by_place(value: Mapping[str, Any]) -> list[Any]:
    """Return the items of an object whose keys are places: 1 to n, 0 to n-1, or words that end in these."""
    for key in value:
        _check_remark(re.sub(r"\d+$", "", str(key)))
    if len(value) == 1 and isinstance(next(iter(value.values())), list):
        return _in_order(list(next(iter(value.values()))))
    places = [re.search(r"(\d+)$", str(key)) for key in value]
    numbers = [int(match.group(1)) for match in places if match]
    return _sorted_by(numbers, list(value.values()))


def _sorted_by(numbers: Sequence[int], items: list[Any]) -> list[Any]:
    first = min(numbers, default=-1)
    if first not in (0, 1) or sorted(numbers) != list(range(first, first + len(items))):
        raise ValueError("the items do not say their places")
    return [item for _, item in sorted(zip(numbers, items, strict=True), key=lambda pair: pair[0])]


def _in_order(items: list[Any]) -> list[Any]:
    """Return the items of a list, those that say their place in an object of two put there."""
    if not items or not all(isinstance(item, Mapping) and len(item) == 2 for item in items):
        return items
    keys = list(items[0])
    places = [key for key in keys if all(type(item.get(key)) is int for item in items)]
    named = [key for key in places if re.search(r"(?i)response|index|id|number|candidate", key)]
    if len(named) != 1 or any(list(item) != keys for item in items):
        return items
    other = next(key for key in keys if key != named[0])
    _check_remark(other)
    return _sorted_by([item[named[0]] for item in items], [item[other] for item in items])


def _sole(item: Any) -> Any:
    """Return the only value of an object, anything else as it is."""
    if not isinstance(item, Mapping) or len(item) != 1:
        return item
    _check_remark(next(iter(item)))
    return next(iter(item.values()))


def _number(value: Any) -> float:
    """Return a number that is one, or is written as one of ten; never a truth value or a span."""
    match = None if isinstance(value, bool) else _NUMBER.match(_plain(str(value)))
    if match is None:
        raise ValueError(f"{value!r} is no number")
    number = float(match.group(1))
    return int(number) if number.is_integer() else number


def _truth(text: str) -> bool:
    match = _SAID.fullmatch(_plain(text).strip("<>[]").casefold()) if len(text) < 200 else None
    if match is None or match[1] not in YES | NO:
        raise ValueError("no yes or no is there")
    said, remark = match[1] in YES, match[2] or ""
    words = re.findall(r"[a-z]+|[\u4e00-\u9fff]+", remark)
    is_negated = bool(_NEGATED.search(remark))
    against = AGAINST if said else AGAINST - {"not", "never", "hardly", "unlikely"}
    others = NO if said else YES - {"suitable", "可以", "能", "合适", "适合"} if is_negated else YES
    if len(words) > 7 or "?" in remark or (said and is_negated) or (against | others).intersection(words):
        raise ValueError("no yes or no is there")
    return said


def _choice(text: str, choices: Sequence[Any]) -> Any:
    word = re.sub(r"[.。!！]+$", "", _plain(text)).strip(_MARKUP).casefold()
    for choice in choices:
        if word == str(choice).casefold() or (CHOICES.get(word) == choice):
            return choice
    raise ValueError(f"{text[:60]!r} is none of the choices")


def _text_of(item: Any) -> Any:
    """Return the text that an item is: itself, or the only one in it; turns of a conversation stay a list."""
    if isinstance(item, Mapping):
        texts = [value for key, value in item.items() if key != "role" and isinstance(value, str)]
        others = [key for key, value in item.items() if not isinstance(value, str | int)]
        if len(texts) != 1 or others:
            raise ValueError("an item is no text")
        return texts[0]
    if isinstance(item, list):
        texts = [_text_of(part) for part in item]
        return texts[0] if len(texts) == 1 else texts
    return item


def may_change(text: str, *, figures: bool = True) -> bool:
    """Whether what stands beside a value may take it back: by a word of the kind, a figure, or its length."""
    if len(text) > 2_000:
        return True
    said = _POLITE.sub("", unicodedata.normalize("NFKC", text).casefold().replace("’", "'")).strip(_MARKUP)
    if figures and (re.search(r"\d", said) or len(said) > 300):
        return True
    return bool(AGAINST.intersection(re.findall(r"[a-z]+", said))) or any(sign in said for sign in AGAINST_ZH)


def _check_remark(text: str) -> None:
    if may_change(text):
        raise ValueError("a remark beside the value may change it")


def _signs(text: str) -> str:
    """Return a text with full-width digits, commas and brackets as plain ones; ValueError for raised ones."""
    if not text.isascii() and any(unicodedata.category(sign) == "No" for sign in text):
        raise ValueError("a raised or circled figure may be read in two ways")
    return unicodedata.normalize("NFKC", text).translate(str.maketrans("【】、〔〕", "[],[]"))


def _plain(text: str) -> str:
    return _signs(text).strip(_MARKUP)


@lru_cache(maxsize=256)
def _type_adapter(annotation: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(annotation)
