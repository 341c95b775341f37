"""From a document to traits: which of the known shapes it has, and what its keys mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, get_args

from character.constitution.models import Target, Trait
from character.constitution.nodes import (
    Members,
    Node,
    check_keys,
    problem,
    quote,
    read_items,
    read_string,
    read_strings,
    string_of,
    wrong_type,
)
from character.files import toml_beside
from character.text import detect_language, split_named

HEADER_KEYS = ("name", "language", "assistant_name")
_TEXT_KEYS = ("description", "statement", "clarification", "not", "opposite")
_FOREIGN_KEYS = ("additional_questions", "instruction", "eval_prompt")
TRAIT_KEYS = ("name", "trait", *_TEXT_KEYS, "examples", "questions", "target", *_FOREIGN_KEYS)
_TRAIT_MARKS = ("trait", "description", "statement", "instruction")
_WORDS_OF_A_SENTENCE = {"zh": 8, "en": 4}
_DEFINITION = re.compile(r"\*\*[^*\n]+\*\*[.:。：]?\s*(.+)", re.DOTALL)
_UNIT = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_CLAUSE_END = re.compile(r"[，。；：、！？（）“”「」,.;:!?…—\s]+")
_CHINESE_LEAD = re.compile(r"我(?:会|是|想|愿意|喜欢|希望|总是|常常|经常|通常|往往)?")
_STOP_WORDS = frozenset(toml_beside(__file__, "lint")["stop_words"].split())
_ENGLISH_LENGTHS = (3, 4, 5, 6, 8)
_CHINESE_LENGTHS = (12, 16, 20)
_LONGEST = 48


@dataclass(frozen=True)
class _Draft:
    """A trait whose name may still have to be derived (None)."""

    name: str | None
    line: int | None
    where: str
    fields: dict[str, Any]


def interpret(root: Node, source: str) -> tuple[dict[str, str], tuple[Trait, ...]]:
    """Return what the document says: the constitution's own fields as far as given, and its traits.

    Raises ConstitutionError where it has none of the known shapes.
    """
    header: dict[str, str] = {}
    traits, wrong, members = root, "not_document", root.value if root.kind == "mapping" else {}
    if "traits" in members:
        check_keys(members, (*HEADER_KEYS, "traits"), source, "the constitution")
        header = {key: read_string(members, key, source, "the constitution") for key in HEADER_KEYS}
        traits, wrong = members["traits"], "not_traits"
    elif "trait" in members and members["trait"].kind == "list":
        raise problem(source, members["trait"].line, "trait_for_traits")
    elif any(key in members for key in _TRAIT_MARKS):
        traits = Node("list", [root], root.line)
    drafts = _read_drafts(traits, source, wrong)
    if not drafts:
        raise problem(source, root.line, "no_traits")
    return {key: value for key, value in header.items() if value}, _name_traits(drafts, source)


def _read_drafts(node: Node, source: str, wrong: str) -> list[_Draft]:
    """Read a list of traits, or an object of name -> definition where it is meant as one."""
    if node.kind == "list":
        return [_read_trait(item, source, f"trait {i}") for i, item in enumerate(node.value, start=1)]
    if node.kind != "mapping":
        raise wrong_type(wrong, node, source)
    members: Members = node.value
    lists = any(member.kind in ("list", "mapping") for member in members.values())
    if any(key in members for key in HEADER_KEYS) or lists:
        check_keys(members, (*HEADER_KEYS, "traits"), source, "the constitution")
        raise problem(source, node.line, "traits_missing")
    drafts = []
    for key, member in members.items():
        where = f"trait {quote(key, 30)}"
        name = string_of(Node("string", key, member.line), source, f"{where}, its name")
        drafts.append(_Draft(name, member.line, where, {"description": string_of(member, source, where)}))
    return drafts


def _read_trait(node: Node, source: str, where: str) -> _Draft:
    if node.kind == "string":
        sentence = string_of(node, source, where)
        name, description = split_named(sentence)
        if name:
            return _Draft(name, node.line, where, {"description": description})
        return _Draft(None, node.line, where, {"statement": sentence, "description": sentence})
    if node.kind != "mapping":
        raise wrong_type("not_trait", node, source, where)
    members: Members = node.value
    check_keys(members, TRAIT_KEYS, source, where)
    name, sentence = _name_and_sentence(members, source, where)
    where = f"{where} ({quote(name or sentence, 30)})"
    derived = read_contrasts(members, source, where)
    fields: dict[str, Any] = {
        key: read_string(members, key, source, where) or derived.get(key, "") for key in _TEXT_KEYS
    }
    fields["statement"] = fields["statement"] or sentence
    fields["description"] = fields["description"] or sentence
    if not fields["description"]:
        raise problem(source, node.line, "description_missing", where=where)
    questions = (read_strings(members, key, source, where) for key in ("questions", "additional_questions"))
    fields["questions"] = tuple(text for texts in questions for text in texts)
    fields["examples"] = read_strings(members, "examples", source, where)
    fields["target"] = target = read_string(members, "target", source, where) or "natural"
    if target not in get_args(Target):
        raise problem(source, members["target"].line, "target", where=where, target=quote(target))
    return _Draft(name or None, node.line, where, fields)


def _name_and_sentence(members: Members, source: str, where: str) -> tuple[str, str]:
    """Return the trait's name and its sentence, either of which may be empty.

    ``trait`` holds the name where a description or instructions stand beside it, the trait's sentence
    where a ``name`` does or where it reads as a sentence.
    """
    name = read_string(members, "name", source, where)
    trait = read_string(members, "trait", source, where)
    if name and trait and "statement" in members:
        raise problem(source, members["trait"].line, "trait_beside_both", where=where)
    if name:
        return name, trait
    if not trait:
        line = min((node.line for node in members.values() if node.line), default=None)
        raise problem(source, line, "name_missing", where=where)
    described = any(key in members for key in ("description", "statement", "instruction"))
    is_sentence = len(_UNIT.findall(trait)) >= _WORDS_OF_A_SENTENCE[detect_language(trait)]
    return ("", trait) if is_sentence and not described else (trait, "")


def _name_traits(drafts: list[_Draft], source: str) -> tuple[Trait, ...]:
    _refuse_repeats(drafts, source)
    unnamed = [draft.fields["statement"] for draft in drafts if draft.name is None]
    names = iter(derive_names(unnamed, [draft.name for draft in drafts if draft.name is not None]))
    return tuple(
        Trait.model_validate({"name": next(names) if draft.name is None else draft.name, **draft.fields})
        for draft in drafts
    )


def _refuse_repeats(drafts: list[_Draft], source: str) -> None:
    seen: dict[tuple[bool, str], _Draft] = {}
    for draft in drafts:
        named = draft.name is not None
        key = (named, draft.name if draft.name is not None else draft.fields["statement"])
        if key in seen:
            first = seen[key]
            place = f"on line {first.line}" if first.line else f"as {first.where}"
            what = {"what": "name" if named else "sentence", "text": quote(key[1])}
            raise problem(source, draft.line, "repeated_trait", where=draft.where, place=place, **what)
        seen[key] = draft


def read_contrasts(members: Members, source: str, where: str) -> dict[str, str]:
    """Return description, clarification and opposite, as far as the pairs and the judge's prompt give them.

    The positive instructions become the clarification, the negative ones the opposite. The description is
    the definition that follows the trait's name in bold in ``eval_prompt``, else the first positive
    instruction; the rest of that prompt is about scoring and is not kept.
    """
    positive, negative = _read_pairs(members, source, where)
    prompt = read_string(members, "eval_prompt", source, where)
    match = _DEFINITION.search(prompt.split("\n\n")[0])
    description = match[1].strip() if match else ""
    if not description and positive:
        description, *positive = positive
    return {"description": description, "clarification": _join(positive), "opposite": _join(negative)}


def _read_pairs(members: Members, source: str, where: str) -> tuple[list[str], list[str]]:
    texts: dict[str, list[str]] = {"pos": [], "neg": []}
    for item, spot in read_items(members, "instruction", source, where, "not_contrasts"):
        if item.kind != "mapping":
            raise wrong_type("not_contrast", item, source, spot)
        check_keys(item.value, tuple(texts), source, spot)
        for key in texts:
            if key not in item.value:
                raise problem(source, item.line, "half_contrast", where=spot, key=key)
            texts[key].append(string_of(item.value[key], source, f"{spot}, field {key!r}"))
    return texts["pos"], texts["neg"]


def _join(texts: list[str]) -> str:
    return ("" if detect_language("".join(texts)) == "zh" else " ").join(texts)


def derive_names(statements: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Return one name per statement, unlike each other and unlike those in ``taken``.

    An English name is the statement's first telling words, a Chinese one the start of its first clause;
    names that would collide grow longer and, where that does not help, get a number.
    """
    used = set(taken)
    numbers: dict[str, count[int]] = {}
    names = []
    for position, statement in enumerate(statements, start=1):
        options = _options(statement) or [f"trait {position}"]
        name = next((option for option in options if option not in used), None)
        if name is None:
            stem = options[0]
            numbering = numbers.setdefault(stem, count(2))
            name = next(numbered for n in numbering if (numbered := f"{stem} {n}") not in used)
        used.add(name)
        names.append(name)
    return names


def _options(statement: str) -> list[str]:
    statement = statement.replace("’", "'")
    if detect_language(statement) == "zh":
        clauses = [clause for clause in _CLAUSE_END.split(statement) if clause]
        first = _CHINESE_LEAD.sub("", clauses[0], count=1) or clauses[0]
        candidates = [first[:length] for length in _CHINESE_LENGTHS]
    else:
        spoken = [word.lower() for word in _WORD.findall(statement)]
        telling = [word for word in spoken if word not in _STOP_WORDS] or spoken
        candidates = [" ".join(telling[:length])[:_LONGEST].strip() for length in _ENGLISH_LENGTHS]
    return [name for name in dict.fromkeys(candidates) if name]
