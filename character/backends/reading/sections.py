"""Where the fields of a reply are: under the headers asked for, or in another form that names them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any, NamedTuple

from character.backends.reading.values import TwiceError, fences, may_change, once
from character.backends.reading.words import FIELDS

_STRICT = re.compile(r"^\s*\[\[ ## (\w+) ## \]\]\s?")
_DECOR = r"[ \t>*_`#~-]*"
_OPEN, _CLOSE = r"(?:\[\[|［［|【【|【|\{\{(?=\s*#))", r"(?:\]\]|］］|】】|】|\}\})"
_LOOSE = re.compile(rf"^{_DECOR}{_OPEN}\s*(?:#+\s*)?(\w+)\s*(?:#+\s*)?{_CLOSE}[*_`]*\s?[:：]?[*_`]*\s?")
_INLINE = re.compile(rf"{_OPEN}\s*##\s*(\w+)\s*##\s*{_CLOSE}[:：]?\s?")
_LAST = re.compile(
    rf"(?:{_OPEN}\s*(?:#+\s*)?completed\s*(?:#+\s*)?{_CLOSE}|(?<=\n)#+ *completed *#+)[*_`:：]*$",
    re.IGNORECASE,
)
_LONGEST_LAST = 80  # characters
_COMMAS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|,(?=\s*[}\]])', re.DOTALL)
_OBJECT = re.compile(r'\{\s*(?:"[^"\n]{0,80}"\s*:|\})')
_MOST_OBJECTS = 1_000
COMPLETED = "completed"
HEADERS, ONE_OBJECT, NO_HEADER = "headers", "one JSON object", "no header"
"""The forms that replies are asked for in."""


class Sections(NamedTuple):
    """The fields of a reply: their texts (of JSON their values), in which form, and whether it was closed."""

    fields: Mapping[str, Any]
    form: str = HEADERS
    closed: bool = False


def find_fields(text: str, wanted: Sequence[str], needed: Set[str], shown: Collection[str]) -> Sections:
    """Return the fields of a reply in the first form in which all that are ``needed`` are there.

    ``wanted`` are all output fields, ``shown`` the names of the input fields, which a model may go on with.
    ``form`` is the one in which they were found. Where no form has them all, what the first one has is
    returned. Raises TwiceError for a field that occurs twice otherwise.
    """
    asked = _under_headers(text, wanted, shown, _STRICT)
    if needed <= asked.fields.keys():
        return asked
    for form, look in _FORMS.items():
        found = look(text, wanted, shown)
        if found is not None and needed <= found.fields.keys():
            return found._replace(form=form)
    whole = _without_end(text)
    if len(needed) == 1 and not asked.fields and not _INLINE.search(whole) and whole.strip():
        name = next(iter(needed))  # alone, it may stand over the text as a heading
        if re.match(rf"""[`\w\s]*\{{\s*["']{name}["']\s*:""", whole[:200]):
            return asked  # an object that is broken
        said = _without_heading(whole.lstrip(), (name, *FIELDS.get(name, ()))).strip()
        return Sections({name: said}, NO_HEADER, whole != text)
    return asked


def _without_heading(text: str, called: Sequence[str]) -> str:
    """Return a text without the name of its one field over it, or as a numbered label before it.

    Behind a line that announces it, any label will do.
    """
    names = "|".join(map(re.escape, called))
    ended = r"[*_`]*[ \t]*(?:#+[ \t]*)?"
    over = rf"{_DECOR}(?:{names}){ended}[:：]?[*_` \t]*\n"
    label = rf"{_DECOR}(?:{names}){ended}[:：][*_`]*[ \t]*"
    announced = r"[^\n]{1,160}[:：][ \t]*\n\s*\n"
    forms = (
        rf"(?:\d[.)][ \t]*)?{over}",
        rf"\d[.)][ \t]*{label}",
        rf"{announced}(?:\d[.)][ \t]*)?(?:{over}|{label})",
    )
    match = next(filter(None, (re.match(form, text, re.IGNORECASE) for form in forms)), None)
    return text[match.end() :] if match else text


def _under_headers(
    text: str, wanted: Collection[str], shown: Collection[str], header: re.Pattern[str]
) -> Sections:
    lines = text.split("\n")
    by_name = {name.casefold(): name for name in wanted}
    called = {} if header is _STRICT else _named(tuple(wanted))
    matches = [header.match(line) for line in lines]
    names = [match.group(1).casefold() if match else "" for match in matches]
    names = [called[name].casefold() if name in called else name for name in names] if called else names
    ends = [place for place, name in enumerate(names) if name == COMPLETED]
    end = _end_of_answer(names, ends, by_name.keys(), shown) if ends else len(lines)
    places = [place for place in range(end) if names[place] in by_name]
    if (
        header is _STRICT and {names[place] for place in places} == by_name.keys()
    ):  # it may go on with an input
        end = min((place for place in range(places[-1], end) if names[place] in shown), default=end)
    found: dict[str, str] = {}
    for place, next_place in pairwise([*places, end]):
        match = matches[place]
        begun = lines[place][match.end() if match else 0 :]
        begun = "" if begun.strip() in (":", "：") else begun
        _put(found, by_name[names[place]], "\n".join([begun, *lines[place + 1 : next_place]]))
    if ends and end < ends[-1]:  # what follows is the prompt said again, perhaps with the answer once more
        rest = _under_headers("\n".join(lines[end + 1 :]), wanted, shown, header).fields
        for name in rest.keys() - {"reasoning"}:
            _put(found, name, rest[name])
    return Sections(found, HEADERS, bool(ends) or without_last(text) != text)


def _end_of_answer(
    names: Sequence[str], ends: Sequence[int], wanted: Set[str], shown: Collection[str]
) -> int:
    """Return the line of the closing header: the last one, or the first one where a whole answer stood before
    it and the prompt's own fields after it, with which a model goes on.
    """
    first = ends[0]
    after = next((name for name in names[first + 1 :] if name in wanted or name in shown), "")
    return first if wanted <= set(names[:first]) and after in shown else ends[-1]


def without_last(text: str) -> str:
    """Return a text without a closing header at its end, and what stands round that."""
    said = text.rstrip()
    end = said[-_LONGEST_LAST:]
    match = _LAST.search(end) if COMPLETED in end.lower() else None
    if match is None:
        return text
    return said[: len(said) - len(end) + match.start()].rstrip(" \t>*_`#~-").rstrip()


def _without_end(text: str) -> str:
    """Return a text without a closing header at its end, nor the fence around both, where one is."""
    said = text.strip()
    inside = next((inner for start, end, inner in fences(said) if end - start == len(said)), "")
    return without_last(inside) if without_last(inside) != inside else without_last(text)


def _put(found: dict[str, str], name: str, text: str) -> None:
    said = without_last(text).strip()
    if said == f"{{{name}}}":  # the prompt's own place for it
        return
    if found.get(name, said) != said:
        raise TwiceError(name)
    found[name] = said


def _loose_headers(text: str, wanted: Sequence[str], shown: Collection[str]) -> Sections | None:
    return _under_headers(text, wanted, shown, _LOOSE)


def _inline_headers(text: str, wanted: Sequence[str], _shown: Collection[str]) -> Sections | None:
    """Headers in the middle of lines, each once."""
    known = {*(name.casefold() for name in wanted), COMPLETED}
    found = _between([match for match in _INLINE.finditer(text) if match.group(1).casefold() in known], text)
    if found is None:
        return None
    closed = found.pop(COMPLETED, None) is not None
    found = {name: said for name, said in found.items() if said != f"{{{name}}}"}
    return Sections(found, HEADERS, closed)


def _between(places: list[re.Match[str]], text: str) -> dict[str, str] | None:
    """Return what stands after each header, up to the next one; None where one comes twice."""
    names = [match.group(1).casefold() for match in places]
    if len(set(names)) != len(names):
        return None
    starts = [*(match.start() for match in places), len(text)]
    texts = [text[match.end() : end].strip() for match, end in zip(places, starts[1:], strict=True)]
    return dict(zip(names, texts, strict=True))


def _json_object(text: str, wanted: Sequence[str], _shown: Collection[str]) -> Sections | None:
    """One JSON object with the fields as keys, in a fence or with prose round it."""
    names = _named(tuple(wanted))
    for said in dict.fromkeys((text, _COMMAS.sub(_no_comma, text))):
        objects = [found for found in _objects(said) if names.keys() & found[2].keys()]
        if objects:
            break
    else:
        inside = [inner for _, _, inner in fences(text)] or [text]
        objects = [(0, len(text), each) for part in inside for each in _literal(part)]
    if len(objects) != 1:
        return None
    start, end, keys = objects[0]
    found = once((names[key], value) for key, value in keys.items() if key in names)
    before, after = said[:start].rpartition("\n")[2], said[end:]
    others = {key: value for key, value in keys.items() if key not in names}
    is_second = any(  # final_scores, or another answer inside
        name in key or (isinstance(value, Mapping) and names.keys() & value.keys())
        for key, value in others.items()
        for name in found
    )
    is_foreign = len(wanted) == 1 and len(keys) > 1 and bool((said[:start] + after).strip("` \t\njson"))
    if is_second or is_foreign or may_change(before, figures=False) or may_change(after):
        return None
    return Sections(found, HEADERS, not after.strip("` \n"))


def _no_comma(match: re.Match[str]) -> str:
    return match[0] if match[0] != "," else ""


@lru_cache(maxsize=256)
def _named(wanted: tuple[str, ...]) -> dict[str, str]:
    """Return the fields by what they are called in either language."""
    others = {word: name for name in (*wanted, COMPLETED) for word in FIELDS.get(name, ())}
    return {**others, **{name.casefold(): name for name in wanted}}


def _literal(text: str) -> list[dict[str, Any]]:
    """Return the one object that a text is, written as Python does (True, 'text'), none where it is not."""
    try:
        said = ast.parse(text.strip(), mode="eval").body if text.lstrip().startswith("{") else None
        if not isinstance(said, ast.Dict):
            return []
        keys, values = (list(map(ast.literal_eval, part)) for part in (filter(None, said.keys), said.values))
        named = zip(map(str, keys), values, strict=True)  # one without a key takes another object in
        return [once((name.casefold(), value) for name, value in named)]
    except TwiceError:
        raise
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []


def _objects(text: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield the outermost JSON objects in a text and where they are; none after one that breaks off."""
    decoder, end = json.JSONDecoder(strict=False, object_pairs_hook=once), 0
    for match in islice(_OBJECT.finditer(text), _MOST_OBJECTS):
        if match.start() < end:
            continue
        try:
            value, end = decoder.raw_decode(text, match.start())
        except TwiceError:
            raise
        except (ValueError, RecursionError):  # a number may have more digits than can be read
            return  # what is within it is none of its own
        yield match.start(), end, once((key.casefold(), each) for key, each in value.items())


def _tags(text: str, wanted: Sequence[str], _shown: Collection[str]) -> Sections | None:
    """XML tags, each once."""
    found: dict[str, str] = {}
    folded, begun, end = text.lower(), len(text), 0
    if len(folded) != len(text):  # a letter that is two in lower case
        return None
    for called, name in _named(tuple(wanted)).items():
        opening, closing = f"<{called}>", f"</{called}>"
        if folded.count(opening) == 1 == folded.count(closing):
            start, stop = folded.find(opening), folded.find(closing)
            line = text[:start].rpartition("\n")[2]
            if start > stop or name in found or (line.strip() and len(wanted) == 1):
                continue
            found[name] = text[start + len(opening) : stop].strip()
            begun, end = min(begun, start), max(end, stop + len(closing))
    before = text[:begun].rpartition("\n")[2]
    if not found or may_change(before, figures=False) or may_change(text[end:]):
        return None
    return Sections(found, HEADERS, True)


def _labels(text: str, wanted: Sequence[str], _shown: Collection[str]) -> Sections | None:
    """Lines that begin with a field's name and a colon, or are headings of it, each once; for two or more."""
    if len(wanted) < 2:
        return None
    named = {**_named(tuple(wanted)), COMPLETED: COMPLETED}
    name = "|".join(map(re.escape, sorted(named, key=len, reverse=True)))
    begun = rf"^{_DECOR}(?:\d{{1,2}}[.)、][ \t*_`]*)?({name})[*_`]*"
    label = rf"{begun}(?:[ \t]*[:：][*_`]*|[ \t]*#*[ \t]*$)[ \t]*"
    found = _between(list(re.finditer(label, text, re.IGNORECASE | re.MULTILINE)), text)
    names = [named[said] for said in found or ()]
    if found is None or len({*names}) < len(names) or COMPLETED in names[:-1]:
        return None
    fields = dict(zip(names, found.values(), strict=True))
    closed = fields.pop(COMPLETED, None) is not None
    return Sections(fields, HEADERS, closed)


_FORMS = {
    "other headers": _loose_headers,
    "headers within lines": _inline_headers,
    ONE_OBJECT: _json_object,
    "XML tags": _tags,
    "labels": _labels,
}
